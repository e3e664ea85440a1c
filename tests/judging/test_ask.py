"""Judges on a loopback server: which samples they get, what counts, and what it costs."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from src.config.generate import BudgetParams
from src.errors import UserError
from src.judging.prompts import JudgeWriter
from src.judging.rubric import Judgement
from src.judging.votes import decide, faults_of
from src.llm.budget import Budget, most_spent_on
from tests.judging.judges import (
    SAMPLES,
    UNLIMITED,
    MakeWriter,
    Run,
    judge,
    number_in,
    rule_of,
    sample,
    scores,
)
from tests.llm.server import Call, Sent, Server, closed_url, fails, says


def test_each_judge_scores_each_sample(server: Server, run: Run) -> None:
    """In the order of the judges, with their names and models."""
    server.default = lambda call: scores(9 if call.body["model"] == "model-a" else 4)
    judged = run(judge(server, "a"), judge(server, "b"))
    assert list(judged) == [one.id for one in SAMPLES]
    for judgements in judged.values():
        assert judgements == [
            Judgement("a", "model-a", 9, 8, 7, "补换卡", "要补卡"),
            Judgement("b", "model-b", 4, 8, 7, "补换卡", "要补卡"),
        ]
    assert len(server.calls) == 12


def test_the_order_of_responses_decides_nothing(server: Server, run: Run) -> None:
    """The first judge called may be the last to respond."""

    def reply(call: Call) -> Sent:
        number = number_in(call)
        return scores(number, delay=0.02 * (6 - number))

    server.default = reply
    judged = run(judge(server, "a"), judge(server, "b"))
    assert [[each.label_consistency for each in judged[f"c{n}"]] for n in range(6)] == [
        [n, n] for n in range(6)
    ]
    assert [each.judge for each in judged["c0"]] == ["a", "b"]
    assert server.most_at_once > 1


def test_a_second_run_asks_nothing(server: Server, run: Run) -> None:
    """Replies without a judgement are not bought again either; all count in the budget."""
    server.default = lambda call: says("好的") if number_in(call) == 2 else scores()
    first = run(judge(server, "a"), judge(server, "b"))
    calls = len(server.calls)
    budget = Budget(UNLIMITED)
    assert run(judge(server, "a"), judge(server, "b"), budget=budget, offline=True) == first
    assert len(server.calls) == calls == 12
    assert budget.spent.tokens == 12 * 18


def test_more_samples_cost_only_themselves(server: Server, run: Run) -> None:
    """An interrupted run continues where it stopped."""
    server.default = lambda _: scores()
    run(judge(server), samples=SAMPLES[:4])
    run(judge(server), samples=SAMPLES)
    assert sorted(map(number_in, server.calls)) == [0, 1, 2, 3, 4, 5]


def test_the_same_text_is_asked_about_once(server: Server, run: Run) -> None:
    """Under two ids; with another label it is another request."""
    server.default = lambda _: scores()
    text = SAMPLES[0].text
    twins = [sample(1, text), sample(2, text), sample(3, text, label="办理取消")]
    judged = run(judge(server), samples=twins)
    assert len(server.calls) == 2
    assert [len(judged[name]) for name in ("c1", "c2", "c3")] == [1, 1, 1]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(says("这条通话很自然，给八分"), id="garbage"),
        pytest.param(says("抱歉，我无法评价该内容。"), id="refusal"),
        pytest.param(says(None), id="empty"),
        pytest.param(
            says(json.loads(scores().body)["choices"][0]["text"], "content_filter"), id="filtered"
        ),
        pytest.param(fails(400), id="failed"),
    ],
)
def test_a_judge_without_a_judgement_abstains(reply: Sent, server: Server, run: Run) -> None:
    """The other judge decides; without another one the sample has no judgement."""
    server.default = lambda call: reply if call.body["model"] == "model-a" else scores()
    assert {
        name: [each.judge for each in judgements]
        for name, judgements in run(judge(server, "a"), judge(server, "b")).items()
    } == {one.id: ["b"] for one in SAMPLES}
    alone = run(judge(server, "a"))
    assert alone == {one.id: [] for one in SAMPLES}
    assert decide([], faults_of(alone["c0"], rule_of(["a"])), "majority").accepted is None


def test_thoughts_are_no_judgement(server: Server, run: Run) -> None:
    """A reasoning model may try several scores before it decides."""
    draft, final = (json.loads(scores(n).body)["choices"][0]["text"] for n in (2, 9))
    server.default = lambda _: says(f"<think>也许 {draft}，不对</think>\n{final}")
    judged = run(judge(server), samples=SAMPLES[:1])
    assert [each.label_consistency for each in judged["c0"]] == [9]


@pytest.mark.parametrize(
    ("reply", "elsewhere"),
    [
        pytest.param(fails(401), False, id="refuses-the-key"),
        pytest.param(fails(500), False, id="broken"),
        pytest.param(Sent(b"<html>"), False, id="no-api"),
        pytest.param(None, True, id="unreachable"),
    ],
)
def test_one_judge_down_leaves_the_others(
    reply: Sent | None,
    elsewhere: bool,
    server: Server,
    run: Run,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged once, however many samples it had to judge."""
    samples = [sample(number) for number in range(30)]
    server.default = lambda call: (call.body["model"] == "model-a" and reply) or scores()
    down = judge(server, "a", base_url=closed_url() if elsewhere else server.url)
    judged = run(down, judge(server, "b"), samples=samples)
    assert len(judged) == 30
    assert all([each.judge for each in judgements] == ["b"] for judgements in judged.values())
    told = [line for line in caplog.messages if "judge a abstains from now on" in line]
    assert len(told) == 1


def test_without_any_judge_left_the_run_ends(server: Server, run: Run) -> None:
    """A wrong key must not let samples pass without judgement; paid responses are kept."""
    server.default = lambda call: scores() if number_in(call) < 2 else fails(401)
    with pytest.raises(
        UserError, match=r"endpoint 'a' .* responds with HTTP 401; .*paid responses are kept"
    ):
        run(judge(server, concurrency=1))
    server.calls.clear()
    server.default = lambda _: scores()
    assert all(run(judge(server, concurrency=1)).values())
    assert len(server.calls) == 4


def test_an_error_cancels_the_rest(server: Server, run: Run, tmp_path: Path) -> None:
    """No request is sent after a response cannot be stored, and no task is left waiting."""

    def lose_the_cache(_: Call) -> Sent:
        with closing(sqlite3.connect(tmp_path / "responses.sqlite")) as cache:
            cache.execute("DROP TABLE responses")
        server.default = lambda _: scores(delay=20.0)
        return scores()

    server.default = lose_the_cache
    with pytest.raises(UserError, match="no such table"):
        run(judge(server), samples=[sample(number) for number in range(40)])
    assert len(server.calls) <= 8


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_spent_budget_ends_the_requests(
    concurrency: int,
    server: Server,
    run: Run,
    make_writer: MakeWriter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Judgements count, the rest has none; a second run is the same and sends nothing."""
    server.default = lambda _: scores()
    one = judge(server, concurrency=concurrency)
    limit = room_for(3, make_writer(one))
    budget = Budget(limit)
    judged = run(one, budget=budget)
    assert sum(map(len, judged.values())) == len(server.calls) == 3
    assert budget.spent.tokens == 3 * 18
    assert any("budget is spent" in line for line in caplog.messages)
    assert run(one, budget=Budget(limit)) == judged
    assert len(server.calls) == 3


def test_no_request_follows_one_beyond_the_budget(
    server: Server, run: Run, make_writer: MakeWriter
) -> None:
    """A cheaper one might still fit, but then each further run would buy some more."""
    server.default = lambda _: scores()
    one = judge(server, concurrency=1)
    limit = room_for(3, make_writer(one))
    samples = [SAMPLES[0], sample(1, f"我要补卡1号{'嗯' * 200}"), *SAMPLES[2:]]
    judged = run(one, samples=samples, budget=Budget(limit))
    # the third was already waiting
    assert [len(judged[f"c{n}"]) for n in range(6)] == [1, 0, 1, 0, 0, 0]
    assert run(one, samples=samples, budget=Budget(limit)) == judged
    assert len(server.calls) == 2


def test_a_raised_budget_buys_the_rest(server: Server, run: Run, make_writer: MakeWriter) -> None:
    """And only the rest."""
    server.default = lambda _: scores()
    run(judge(server), budget=Budget(room_for(3, make_writer(judge(server)))))
    assert all(run(judge(server)).values())
    assert sorted(map(number_in, server.calls)) == [0, 1, 2, 3, 4, 5]


def test_a_budget_goes_from_sample_to_sample(
    server: Server, run: Run, make_writer: MakeWriter
) -> None:
    """All judges of a sample come before the next one, so few samples are partly judged."""
    server.default = lambda _: scores()
    panel = [judge(server, name, concurrency=1) for name in ("a", "b")]
    judged = run(*panel, budget=Budget(room_for(4, make_writer(*panel))))
    assert [len(judged[f"c{n}"]) for n in range(6)] == [2, 2, 0, 0, 0, 0]


def room_for(responses: int, writer: JudgeWriter) -> BudgetParams:
    """A budget for this number of responses of 18 tokens; the upper bound is much higher."""
    most = most_spent_on(writer.asks(SAMPLES[0])[0][0]).tokens
    return BudgetParams(cost=None, tokens=most + (responses - 1) * 18)


def test_no_more_requests_wait_than_the_client_takes(
    server: Server, run: Run, make_writer: MakeWriter
) -> None:
    """For any number of samples: when the budget ended, only one more was waiting."""
    server.default = lambda _: scores()
    one = judge(server, concurrency=1)
    samples = [sample(number) for number in range(40)]
    samples[1] = sample(1, f"我要补卡1号{'嗯' * 200}")
    run(one, samples=samples, budget=Budget(room_for(3, make_writer(one))))
    assert list(map(number_in, server.calls)) == [0, 2]
    run(judge(server, "b", concurrency=3), samples=samples)
    assert server.most_at_once <= 3


def test_offline_a_missing_response_is_an_error(server: Server, run: Run) -> None:
    """The error has the number of missing responses."""
    server.default = lambda _: scores()
    run(judge(server), samples=SAMPLES[:4])
    with pytest.raises(UserError, match="2 of 6 responses of judges are not recorded"):
        run(judge(server), offline=True)
    assert len(server.calls) == 4


def test_nothing_to_judge(server: Server, run: Run) -> None:
    """No sample, no request."""
    assert run(judge(server), samples=[]) == {}
    assert server.calls == []


def test_two_models_that_write_judge_each_other(server: Server, run: Run) -> None:
    """Also a text that both of them wrote, and from the cache."""
    server.default = lambda _: scores()
    panel = judge(server, "a"), judge(server, "b")
    samples = [sample(number, model=f"model-{'ab'[number % 2]}") for number in range(6)]
    same = [sample(6, SAMPLES[5].text, model="model-a", name="same")]
    judged = run(*panel, samples=[*samples, *same])
    expected = {f"c{number}": ["ba"[number % 2]] for number in range(6)} | {"same": ["b"]}
    assert {name: [each.judge for each in stated] for name, stated in judged.items()} == expected
    asked: dict[str, list[int]] = {"model-a": [], "model-b": []}
    for call in server.calls:
        asked[call.body["model"]].append(number_in(call))
    assert sorted(asked["model-a"]) == [1, 3, 5]
    assert sorted(asked["model-b"]) == [0, 2, 4, 5]
    assert run(*panel, samples=[*samples, *same], offline=True) == judged


def test_a_sample_whose_only_judge_wrote_it_is_unjudged(server: Server, run: Run) -> None:
    """This costs nothing, and offline nothing is missing."""
    own = [sample(number, model="model-a") for number in range(2)]
    budget = Budget(UNLIMITED)
    judged = run(judge(server, "a"), samples=own, budget=budget, offline=True)
    assert judged == run(judge(server, "a"), samples=own, budget=budget) == {"c0": [], "c1": []}
    assert (server.calls, budget.spent.tokens) == ([], 0)


def test_progress_is_logged(server: Server, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """During the run, and once at the end, with the number of recorded responses."""
    caplog.set_level(logging.INFO)
    server.default = lambda call: says("嗯") if number_in(call) == 0 else scores()
    run(judge(server), samples=SAMPLES[:2], seconds_between_lines=0.0)
    run(judge(server), samples=SAMPLES, seconds_between_lines=0.0)
    lines = [line for line in caplog.messages if line.startswith("judge: ")]
    assert lines[0].startswith("judge: 1 of 2 responses, ")
    assert lines[-2].startswith("judge: 4 of 4 responses, ")
    assert lines[-1] == "judge: 6 of 6 responses (2 recorded before), 1 of them without a judgement"


def test_a_schema_is_asked_for_first(server: Server, run: Run) -> None:
    """With the classes as the possible labels; without schema support it is asked again."""
    server.default = lambda call: fails(400) if "response_format" in call.body else scores()
    judged = run(judge(server, output="auto", concurrency=1))
    assert all(len(judgements) == 1 for judgements in judged.values())
    schema = server.calls[0].body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["properties"]["best_label"]["enum"] == ["补换卡", "办理取消"]
    assert schema["schema"]["required"] == [
        "label_consistency",
        "completeness",
        "naturalness",
        "best_label",
        "reason",
    ]
    calls = len(server.calls)
    assert run(judge(server, output="auto", concurrency=1), offline=True) == judged
    assert len(server.calls) == calls == 7


def test_a_judge_has_its_own_sampling(server: Server, run: Run) -> None:
    """Temperature 0 and no penalties, independent of generation."""
    server.default = lambda _: scores()
    run(judge(server), samples=SAMPLES[:1], max_tokens=300)
    (call,) = server.calls
    sampling = {k: v for k, v in call.body.items() if k not in ("messages", "model")}
    assert sampling == {
        "temperature": 0.0,
        "top_p": 1.0,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "max_tokens": 300,
    }
