"""The loop: asks until each class has its quota, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.config import GenerateParams, UserError
from src.data.io import Record
from src.llm.client import Failure
from src.llm.prompts import Ask
from src.llm.quota import MAX_PER_ROUND, ClassRun, Outcome, fill_quotas
from src.llm.requests import Answer
from tests.llm.conftest import MakeRequest

Model = Callable[[Ask], Awaitable[Answer | Failure]]


@dataclass
class Writer:
    """Requests without prompts; a reply is read as the numbers in it."""

    make_request: MakeRequest

    def ask(self, label: str, attempt: int) -> Ask:
        """The n-th request of a class."""
        request = self.make_request(label, index=attempt)
        return Ask(label, attempt, "", request, ("r0",), "v")

    def samples(self, ask: Ask, answer: Answer) -> list[str]:
        """One sample a word."""
        return answer.text.split() if not answer.problem else []


def run(
    quotas: dict[str, int],
    params: GenerateParams,
    make_request: MakeRequest,
    model: Model,
    rounds: list[list[int]] | None = None,
) -> tuple[Outcome, list[tuple[str, int]]]:
    """The outcome, and what was asked in which order; samples that begin with + are accepted."""
    asked: list[tuple[str, int]] = []

    async def ask_model(ask: Ask) -> Answer | Failure:
        asked.append((ask.label, ask.attempt))
        return await model(ask)

    def count_accepted(records: list[Record]) -> int:
        return sum(record["text"].startswith("+") for record in records)

    def on_round(runs: list[ClassRun]) -> None:
        if rounds is not None:
            rounds.append([each.attempts for each in runs])

    outcome = asyncio.run(
        fill_quotas(quotas, Writer(make_request), ask_model, count_accepted, params, on_round)
    )
    return outcome, asked


def says(text: str, finish_reason: str = "stop") -> Answer:
    """A reply."""
    return Answer(text, finish_reason, 1, 1)


async def always(_: Ask) -> Answer:
    """Every sample is good."""
    return says("+")


async def never(_: Ask) -> Answer:
    """No sample is good."""
    return says("-")


async def every_fourth(ask: Ask) -> Answer:
    """One sample in four is good."""
    return says("+" if ask.attempt % 4 == 0 else "-")


def test_it_stops_at_the_quota(generate: GenerateParams, make_request: MakeRequest) -> None:
    """8 wanted: 10 asked at the acceptance that is guessed; 0 wanted: nothing is asked."""
    outcome, asked = run({"a": 8, "b": 0, "c": 1}, generate, make_request, always)
    assert asked == [("a", n) for n in range(10)] + [("c", 0), ("c", 1)]
    assert [(each.label, each.accepted, each.stopped) for each in outcome.classes] == [
        ("a", 10, None),
        ("c", 2, None),
    ]
    assert outcome.failures == ()


def test_what_is_missing_is_asked_for_at_the_rate_so_far(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """By hand: 12 wanted, 15 asked, 4 good; 8 missing at 4 of 15, 30 asked, 8 good."""
    rounds: list[list[int]] = []
    outcome, _ = run({"a": 12}, generate, make_request, every_fourth, rounds)
    assert rounds == [[15], [45]]
    assert outcome.classes[0].accepted == 12


def test_a_round_is_not_too_large(generate: GenerateParams, make_request: MakeRequest) -> None:
    """A class that needs much waits for the gate now and then."""
    rounds: list[list[int]] = []
    run({"a": 90}, generate, make_request, always, rounds)
    assert [after[0] for after in rounds] == [32, 64, 90]
    assert MAX_PER_ROUND == 32


def test_it_stops_at_the_limit_of_attempts(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Exactly there, and says so."""
    params = generate.model_copy(update={"max_attempts_per_class": 30, "min_acceptance": 0.0})
    outcome, asked = run({"a": 20}, params, make_request, every_fourth)
    assert len(asked) == 30
    assert outcome.classes[0].stopped == "max_attempts_per_class"
    assert outcome.classes[0].accepted == 8


def test_it_stops_where_too_little_is_accepted(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """After 40 samples, not before: a bad start decides nothing; other classes go on."""

    async def model(ask: Ask) -> Answer:
        return await (never(ask) if ask.label == "bad" else always(ask))

    outcome, asked = run({"bad": 20, "good": 70}, generate, make_request, model)
    bad, good = outcome.classes
    assert (bad.stopped, good.stopped) == ("min_acceptance", None)
    assert 40 <= bad.attempts <= 40 + MAX_PER_ROUND
    assert good.accepted >= 70
    assert len(asked) == bad.attempts + good.attempts


def test_failed_requests_count_as_not_accepted(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """An endpoint that answers nothing is not asked for ever; each failure is kept."""

    async def model(ask: Ask) -> Answer | Failure:
        return Failure(("HTTP 500", "HTTP 429")) if ask.attempt % 2 else says("")

    outcome, asked = run({"a": 20}, generate, make_request, model)
    assert outcome.classes[0].stopped == "min_acceptance"
    assert outcome.candidates == []
    assert len(outcome.failures) == len(asked)
    empty = sum(attempt % 2 == 0 for _, attempt in asked)
    assert outcome.failure_counts() == {"empty": empty, "no_answer": len(asked) - empty}
    assert outcome.failures[1] == {
        "label": "a",
        "attempt": 1,
        "request_key": make_request("a", index=1).key,
        "endpoint": "small",
        "kind": "no_answer",
        "tries": ["HTTP 500", "HTTP 429"],
    }
    assert outcome.failures[0]["tries"] == []


def test_several_samples_a_reply_are_counted_each(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """By hand: 40 wanted, 10 requests of 5, 2 good in each; 20 missing at 2 a request: 10 more."""
    rounds: list[list[int]] = []

    async def model(_: Ask) -> Answer:
        return says("+ - + - -")

    five = generate.model_copy(update={"samples_per_request": 5})
    outcome, _ = run({"a": 40}, five, make_request, model, rounds)
    assert rounds == [[10], [20]]
    assert outcome.classes[0].accepted == 40
    assert len(outcome.candidates) == 100


def test_the_floor_is_a_share_of_samples(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """One good sample in ten is too little, also where each reply holds ten."""

    async def model(_: Ask) -> Answer:
        return says("+ " + "- " * 9)

    ten = generate.model_copy(update={"samples_per_request": 10})
    outcome, asked = run({"a": 50}, ten, make_request, model)
    assert outcome.classes[0].stopped == "min_acceptance"
    assert len(asked) == 7


def test_candidates_say_where_they_are_from(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Golden record; ids differ within a reply."""

    async def model(_: Ask) -> Answer:
        return says("+一 +二")

    outcome, _ = run({"a": 1}, generate, make_request, model)
    key = make_request("a").key
    assert outcome.candidates[:2] == [
        {
            "id": f"{key[:16]}-{n}",
            "label": "a",
            "text": text,
            "request_key": key,
            "endpoint": "small",
            "model": "m",
            "attempt": 0,
            "seed_ids": ["r0"],
            "prompt_version": "v",
        }
        for n, text in enumerate(["+一", "+二"])
    ]
    ids = [record["id"] for record in outcome.candidates]
    assert len(set(ids)) == len(ids)


def test_the_order_of_answers_does_not_matter(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Slow and quick answers, one at a time or many: the same outcome, the same requests."""

    def model_with(pause: Random, at_once: int) -> Model:
        slots = asyncio.Semaphore(at_once)

        async def model(ask: Ask) -> Answer | Failure:
            async with slots:
                for _ in range(int(pause.random() * 5)):
                    await asyncio.sleep(0)
            draw = Random(f"{ask.label}/{ask.attempt}").random()
            return Failure(("HTTP 500",)) if draw < 0.1 else says("+" if draw < 0.5 else "- +")

        return model

    outcomes = []
    for seed, at_once in ((1, 1), (2, 4), (3, 64)):
        model = model_with(Random(seed), at_once)
        outcome, asked = run({"a": 30, "b": 7, "c": 12}, generate, make_request, model)
        outcomes.append((outcome, asked))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_an_error_ends_the_run_and_the_other_requests(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """The first mistake of the user's is raised as it is; no request is left behind."""
    ended: list[int] = []

    async def model(ask: Ask) -> Answer:
        if ask.attempt == 3:
            raise UserError("endpoint 'small' answers HTTP 401; correct the key")
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(ask.attempt)
        return says("+")

    with pytest.raises(UserError, match=r"^endpoint 'small' answers HTTP 401; correct the key$"):
        run({"a": 8}, generate, make_request, model)
    assert sorted(ended) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_our_own_mistakes_are_not_hidden(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """An error that is not the user's keeps its kind."""

    async def model(ask: Ask) -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as error:
        run({"a": 1}, generate, make_request, model)
    assert error.group_contains(ZeroDivisionError)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    quota=st.integers(1, 60),
    limit=st.integers(1, 120),
    floor=st.floats(0, 1),
    per_reply=st.integers(1, 5),
    share=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_it_always_ends_within_its_limits(
    quota: int,
    limit: int,
    floor: float,
    per_reply: int,
    share: float,
    seed: int,
    generate: GenerateParams,
    make_request: MakeRequest,
) -> None:
    """Each class ends with its quota or a reason, after at most its attempts, all in order."""
    params = generate.model_copy(
        update={
            "samples_per_request": per_reply,
            "max_attempts_per_class": limit,
            "min_acceptance": floor,
        }
    )

    async def model(ask: Ask) -> Answer | Failure:
        rng = Random(f"{seed}/{ask.attempt}")
        if rng.random() < 0.1:
            return Failure(("HTTP 500",))
        words = ["+" if rng.random() < share else "-" for _ in range(per_reply)]
        return says(" ".join(words))

    outcome, asked = run({"a": quota}, params, make_request, model)
    (only,) = outcome.classes
    assert asked == [("a", n) for n in range(only.attempts)]
    assert only.attempts <= limit
    assert (only.accepted >= quota) is (only.stopped is None)
    assert only.accepted == sum(record["text"] == "+" for record in outcome.candidates)
