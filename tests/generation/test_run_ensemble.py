"""The stage generate with several models: each class is written by those that can."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from src.commands import record
from src.files import read_jsonl
from src.stages import generate
from tests.generation.processes import finish, keys_of, start
from tests.llm.server import Call, Sent, Server, closed_url, says, serve
from tests.stages.small_project import Project, call, make_project

LABELS = ("取消彩铃", "补换卡", "开发票")
HARD = LABELS[:2]  # for one of the two models
PLAN = "label,support,tier,target,needed,keywords,neighbours\n" + "".join(
    f"{label},4,ultra,104,100,{label[:2]};{label[-2:]},[]\n" for label in LABELS
)


def writes(good: Callable[[str, str], bool], delay: float = 0.0) -> Callable[[Call], Sent]:
    """A model: a call of its class if `good(label, key)`, else always the same words."""

    def response(asked: Call) -> Sent:
        label = next(label for label in LABELS if f"类型：{label}" in asked.prompt)
        key = asked.headers["idempotency-key"]
        turns = call(label, key)[:3] if good(label, key) else [label[:2] * 6] * 3
        return says("，" + "\n- ".join(turns), delay=delay * Random(key).random())

    return response


def luck(easy: float, hard: float) -> Callable[[str, str], bool]:
    """Good at random, by the key of the request."""
    return lambda label, key: Random(key).random() < (hard if label in HARD else easy)


@pytest.fixture
def other() -> Iterator[Server]:
    """A second server."""
    with serve() as running:
        yield running


@pytest.fixture
def project(
    tmp_path: Path, server: Server, other: Server, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """Three classes of 100 from two models, `good` and `other`, which fails for two of them."""
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    project = make_project(tmp_path / "project")
    ensemble(project, good=server.url, other=other.url)
    (project.path / "data/interim").mkdir()
    (project.path / "data/interim/plan.csv").write_text(PLAN, encoding="utf-8")
    server.default = writes(lambda *_: True)
    other.default = writes(lambda label, _: label not in HARD)
    monkeypatch.chdir(project.path)
    return project


def ensemble(project: Project, fallback: tuple[str, ...] = (), **urls: str) -> None:
    """Settings: these endpoints, drawn by acceptance."""

    def edit(values: dict[str, Any]) -> None:
        values["llm"] |= {
            "endpoints": [
                {
                    "name": name,
                    "base_url": url,
                    "model": name,
                    "api": "completions",
                    "price": {"prompt": 1, "completion": 2},
                }
                for name, url in urls.items()
            ],
            "share": "acceptance",
            "fallback": list(fallback),
        }
        values["filter"]["near_duplicate"].update(enabled=False)
        values["generate"]["surplus"] = 0.0
        values["runtime"] |= {"concurrency": 16, "tries": 3}

    project.settings(edit)


def run(cache: str) -> dict[str, Any]:
    """Run the stage and return its metrics."""
    generate.main(cache=Path(cache))
    metrics: dict[str, Any] = json.loads(Path("metrics/generate.json").read_text(encoding="utf-8"))
    return metrics


def acceptance(metrics: dict[str, Any], labels: tuple[str, ...]) -> float:
    """Accepted samples per request."""
    classes = [metrics["per_class"][label] for label in labels]
    return float(
        sum(each["accepted"] for each in classes) / sum(each["requests"] for each in classes)
    )


def test_a_model_is_starved_where_it_fails_and_nowhere_else(
    project: Project, server: Server
) -> None:
    """With 100 samples per class, within 5 % of a run with only the better model."""
    metrics = run("both.sqlite")
    assert metrics["shortfall"] == 0
    for label in LABELS:
        models = metrics["per_class"][label]["models"]
        others, requests = models["other"]["requests"], metrics["per_class"][label]["requests"]
        if label in HARD:
            assert models["other"]["accepted"] == 0
            assert int(0.03 * requests) <= others < 0.06 * requests
        else:
            assert models["other"]["accepted"] == models["other"]["requests"]
            assert others > 0.2 * requests
    late = Counter(
        c["endpoint"]
        for c in read_jsonl(Path("data/interim/candidates.jsonl"))
        if c["label"] in HARD and c["attempt"] >= 16
    )
    assert late["other"] <= 0.04 * late.total()

    ensemble(project, good=server.url)
    alone = run("alone.sqlite")
    assert acceptance(metrics, HARD) >= 0.95 * acceptance(alone, HARD)


def test_the_metrics_compare_models(project: Project, server: Server) -> None:
    """Sums over classes; cost of the responses; no table per class with only one model."""
    metrics = run("both.sqlite")
    models = metrics["per_model"]
    assert list(models) == ["good", "other"]
    for name, worth in models.items():
        assert worth["requests"] == worth["candidates"]
        for count in ("requests", "accepted"):
            assert worth[count] == sum(
                each["models"][name][count] for each in metrics["per_class"].values()
            )
        share = worth["accepted"] / worth["requests"]
        assert worth["acceptance"] == pytest.approx(share, abs=1e-6)
        assert worth["cost"] == pytest.approx(worth["requests"] * (11 + 2 * 7) / 1e6)
        each_one = worth["cost"] / worth["accepted"]
        assert worth["cost_per_accepted"] == pytest.approx(each_one, abs=1e-6)
        assert 0 < worth["diversity"]["distinct_2"] <= 1
    assert models["good"]["diversity"]["samples"] == models["other"]["diversity"]["samples"]
    assert sum(worth["accepted"] for worth in models.values()) == metrics["accepted"]
    assert sum(worth["cost"] for worth in models.values()) == pytest.approx(metrics["cost"])

    ensemble(project, good=server.url)
    alone = run("alone.sqlite")
    assert list(alone["per_model"]) == ["good"]
    assert not any("models" in each for each in alone["per_class"].values())
    assert keys_but_models(alone) == keys_but_models(metrics)


def keys_but_models(metrics: dict[str, Any]) -> set[str]:
    """Keys of the metrics of a run and of its classes, without those of models."""
    of_classes = {key for each in metrics["per_class"].values() for key in each}
    return (set(metrics) | of_classes) - {"models"}


def test_when_responses_come_does_not_matter(
    project: Project, server: Server, other: Server
) -> None:
    """Slow or fast, one at a time or many: the same samples, with models that fail at random."""
    good, bad = luck(0.8, 0.8), luck(0.9, 0.3)
    samples = []
    for at_once, slow, slower in ((16, 0.02, 0.0), (1, 0.0, 0.0), (5, 0.0, 0.02)):
        server.default, other.default = writes(good, slow), writes(bad, slower)
        project.settings(lambda values, n=at_once: values["runtime"].update(concurrency=n))
        metrics = run(f"{at_once}.sqlite")
        assert metrics["shortfall"] == 0
        samples.append(Path("data/interim/candidates.jsonl").read_bytes())
    assert samples == [samples[0]] * 3


def test_a_run_is_replayed_from_its_responses(
    project: Project, server: Server, other: Server
) -> None:
    """Offline, without a server or a cache: the same bytes."""
    server.default, other.default = writes(luck(0.8, 0.8)), writes(luck(0.9, 0.3))
    run("a.sqlite")
    outputs = {
        path: path.read_bytes()
        for path in (*Path("data/interim").glob("*.jsonl"), Path("metrics/generate.json"))
    }
    assert len(outputs) == 4
    for each in (server, other):
        each.calls.clear()
    record.main([Path("data/interim/responses.jsonl")], Path("packed/r.jsonl.gz"))
    project.settings(lambda values: values["runtime"].update(offline=True))
    generate.main(cache=Path("b.sqlite"), packed=Path("packed"))
    assert server.calls == other.calls == []
    assert {path: path.read_bytes() for path in outputs} == outputs


def test_a_dry_run_finds_the_responses_of_any_model(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no verdicts, but recorded responses are free."""
    metrics = run("a.sqlite")
    capsys.readouterr()
    generate.main(cache=Path("a.sqlite"), dry_run=True)
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    table = {line[0]: [int(number) for number in line[4:]] for line in lines if line[0] in LABELS}
    assert table == {
        label: [wanted, min(wanted, metrics["per_class"][label]["requests"])]
        for label, (wanted, _) in table.items()
    }
    assert list(table) == list(LABELS)


def test_kills_change_nothing(
    project: Project, server: Server, other: Server, tmp_path: Path
) -> None:
    """`kill -9` at three moments: the samples of an uninterrupted run, no request sent twice."""
    server.default = writes(luck(0.8, 0.8), 0.02)
    other.default = writes(luck(0.9, 0.3), 0.05)
    rng = Random(5)
    for _ in range(3):
        kept = keys_of(project.path)
        server.calls.clear()
        process = start(project, project.path)
        until = 5 + int(rng.random() * 60)
        while len(server.calls) < until:
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
        process.communicate()
        assert not kept & {call.headers["idempotency-key"] for call in server.calls}
    finish(start(project, project.path))
    samples = Path("data/interim/candidates.jsonl").read_bytes()
    run(str(tmp_path / "fresh.sqlite"))
    assert Path("data/interim/candidates.jsonl").read_bytes() == samples


def test_who_responded_counts_and_not_who_was_drawn(project: Project, server: Server) -> None:
    """One model is down and the other replaces it: all requests count for the other."""
    ensemble(project, fallback=("good",), good=server.url, dead=closed_url())
    metrics = run("a.sqlite")
    assert metrics["shortfall"] == 0
    assert list(metrics["per_model"]) == ["good"]
    assert metrics["per_model"]["good"]["requests"] == metrics["requests"]
