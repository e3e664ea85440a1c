"""Filter with a judge: a chat endpoint scores the samples that pass the rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from src import paths
from src.commands import record
from src.files import read_jsonl
from src.records.json_files import read_record
from src.records.metrics.filter import FilterMetrics, ModelFunnel, Voter
from src.records.samples import Fault, Screened, read_screened
from src.stages import balance, generate, score
from src.stages import filter as filter_stage
from tests.llm.server import Call, Sent, Server, fails, says, serve
from tests.stages.small_project import WORDS, Model, Project, endpoint

BAD, LIKELIER = "补换卡", "取消彩铃"
OTHERS = {"取消彩铃", "开发票"}  # the other classes that need samples


def opinion(call: Call) -> Sent:
    """Judge samples of one class as belonging to another class, all others as good."""
    label = re.findall(r"^声称的类别：(.+)$", call.content, re.MULTILINE)[0]
    fields = {
        "label_consistency": 2 if label == BAD else 8,
        "completeness": 9,
        "naturalness": 9,
        "best_label": LIKELIER if label == BAD else label,
        "reason": "按诉求判断",
    }
    return says(json.dumps(fields, ensure_ascii=False))


@pytest.fixture
def judge() -> Iterator[Server]:
    """A chat server with this opinion."""
    with serve() as server:
        server.default = opinion
        yield server


@pytest.fixture
def here(project: Project, model: Model, judge: Server, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A small project before filter as the working directory, with a judge that only judges."""

    def judged(values: dict[str, Any]) -> None:
        endpoint(model.url)(values)
        chat = {"name": "chat", "base_url": judge.url, "model": "large", "api": "chat", "weight": 0}
        values["llm"]["endpoints"].append(chat)
        values["filter"]["judge"] |= {"enabled": True, "endpoints": ["chat"]}

    project.settings(judged)
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    generate.main()
    score.main()
    assert judge.calls == []
    return project


def filtered() -> tuple[FilterMetrics, list[Screened], list[Screened]]:
    """Run filter; return its metrics, the accepted and the rejected samples."""
    filter_stage.main()
    metrics = read_record(paths.METRICS / "filter.json", FilterMetrics)
    return metrics, read_screened(paths.ACCEPTED), read_screened(paths.REJECTED)


def by_judge(rejected: list[Screened]) -> list[Screened]:
    """Return the samples that the judge rejected."""
    return [one for one in rejected if one.fault is not None and one.fault.rule == "judge"]


def threshold(project: Project, points: float) -> None:
    """Set the required label consistency."""
    project.settings(lambda values: values["filter"]["judge"].update(min_label_consistency=points))


def test_the_judge_rejects_a_class(here: Project, judge: Server) -> None:
    """Metrics and samples have the reason; accepted samples have the scores of the judge."""
    metrics, accepted, rejected = filtered()
    lost = by_judge(rejected)
    assert lost
    assert {one.label for one in lost} == {BAD}
    assert {one.label for one in accepted} == OTHERS
    assert metrics.rejected_by["judge"] == len(lost)
    assert metrics.per_class[BAD].rejected_by["judge"] == len(lost)
    assert metrics.per_class[BAD].accepted == 0
    assert metrics.accepted + sum(metrics.rejected_by.values()) == metrics.candidates
    assert metrics.per_model == {"loopback": ModelFunnel(metrics.candidates, len(accepted))}
    seen = len(accepted) + len(lost)
    assert metrics.judges == {"chat": Voter(seen, len(accepted), weight=1)}
    assert (metrics.judges_agreement, metrics.judges_kappa) == (None, None)
    assert {one.fault for one in lost} == {
        Fault("judge", f"chat: label consistency 2 < 6, best label {LIKELIER} (按诉求判断)")
    }
    for one in accepted:
        assert one.scores == replace(
            one.known_scores,
            judge_label_consistency=8,
            judge_completeness=9,
            judge_naturalness=9,
            judge_score=8.6,
            judge_accepts=1,
        )
    # samples rejected by a rule are not judged
    assert len(judge.calls) == len({(one.text, one.label) for one in (*accepted, *lost)})
    assert all(set(WORDS) <= set(re.findall(r"^- \d (.+)$", c.content, re.M)) for c in judge.calls)
    balance.main()
    merged = pd.read_csv(paths.BALANCED)
    assert set(merged.loc[merged["origin"] == "synthetic", "label_raw"]) == OTHERS


def test_the_label_check_votes_among_the_judges(here: Project, judge: Server) -> None:
    """It rejects nothing on its own; a tie with the only judge rejects."""

    def votes(values: dict[str, Any]) -> None:
        values["filter"]["judge"] |= {"classifier": True, "vote": "weighted"}
        values["filter"]["label_check"]["min_score"] = 0.9

    here.settings(votes)
    metrics, accepted, rejected = filtered()
    assert "label_check" not in metrics.rejected_by
    stated = [one.votes or {} for one in (*accepted, *by_judge(rejected))]
    both = [(each["chat"], each["classifier"]) for each in stated]
    assert len(set(both)) > 2
    assert len(accepted) == both.count((True, True))
    judges = metrics.judges
    assert judges["chat"].weight == judges["classifier"].weight
    for position, voter in enumerate(("chat", "classifier")):
        assert judges[voter].judged == len(stated)
        assert judges[voter].accepted == sum(each[position] for each in both)
    agree = sum(one == other for one, other in both) / len(both)
    assert metrics.judges_agreement == pytest.approx(agree, abs=1e-6)


def test_a_judge_gets_no_samples_of_its_own_model(here: Project, judge: Server) -> None:
    """All samples that pass the rules are accepted without a judgement."""

    def itself(values: dict[str, Any]) -> None:
        values["llm"]["endpoints"][-1]["model"] = "vendor/SMALL"

    here.settings(itself)
    metrics, accepted, rejected = filtered()
    assert judge.calls == []
    assert (metrics.judges, by_judge(rejected)) == ({}, [])
    assert {one.label for one in accepted} == {BAD, *OTHERS}
    assert all(one.votes == {} for one in accepted)


def test_another_threshold_sends_no_request(here: Project, judge: Server) -> None:
    """Stored judgements are reused: all accepted, none accepted, and back to the same files."""
    first = filtered()
    files = [path.read_bytes() for path in (paths.ACCEPTED, paths.REJECTED, paths.JUDGE_RESPONSES)]
    calls = len(judge.calls)
    threshold(here, 2)
    metrics, accepted, rejected = filtered()
    assert "judge" not in metrics.rejected_by
    assert by_judge(rejected) == []
    assert len(accepted) == len(first[1]) + len(by_judge(first[2]))
    threshold(here, 9)
    metrics, accepted, rejected = filtered()
    assert accepted == []
    assert metrics.rejected_by["judge"] == len(first[1]) + len(by_judge(first[2]))
    threshold(here, 6)
    assert filtered() == first
    assert files == [
        path.read_bytes() for path in (paths.ACCEPTED, paths.REJECTED, paths.JUDGE_RESPONSES)
    ]
    assert len(judge.calls) == calls


def test_a_packed_file_of_the_judge_replays_offline(here: Project, judge: Server) -> None:
    """Without the cache and without a server."""
    first = filtered()
    calls = len(judge.calls)
    assert len(read_jsonl(paths.JUDGE_RESPONSES)) == calls
    record.main([paths.JUDGE_RESPONSES], Path("data/responses/judge.jsonl.gz"))
    for file in Path(".cache").glob("llm.sqlite*"):
        file.unlink()
    here.settings(lambda values: values["runtime"].update(offline=True))
    assert filtered() == first
    assert len(judge.calls) == calls


def test_a_judge_with_a_refused_key_ends_the_stage(
    here: Project, judge: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a one-line reason; earlier judgements are not requested again."""
    judge.script += [opinion_of("开发票")] * 3
    judge.default = lambda _: fails(401)
    with pytest.raises(SystemExit):
        filter_stage.main()
    message = capsys.readouterr().err.splitlines()[-1]
    assert re.search("'chat' at .* responds with HTTP 401; name the variable of its key", message)
    assert not paths.ACCEPTED.exists()
    judge.calls.clear()
    judge.default = opinion
    filtered()
    assert len(judge.calls) == len(read_jsonl(paths.JUDGE_RESPONSES)) - 3


def opinion_of(label: str) -> Sent:
    """Return the judgement of a sample of this class."""
    body = {"messages": [{"role": "user", "content": f"声称的类别：{label}"}]}
    return opinion(Call("", {}, body))
