"""The stage generate against an endpoint with every kind of fault."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from src.files import read_jsonl
from src.llm.response_store import open_store
from src.stages import generate
from tests.llm.server import Call, Sent, Server, cut, fails, says
from tests.stages.small_project import Project, call, endpoint, make_project

PLAN = (
    "label,support,tier,target,needed,keywords,neighbours\n"
    "查询话费,60,majority,60,0,,[]\n"
    "补换卡,4,ultra,120,100,补卡;换卡,[]\n"
    "开发票,2,ultra,120,100,发票;抬头,[]\n"
)
FAULTS = (
    "429", "500", "503", "cut-connection", "cut-body", "hang",
    "length", "empty", "refusal", "other-class", "phone-number",
)  # fmt: skip
LEDGER = {
    "429": "small: HTTP 429",
    "500": "small: HTTP 500",
    "503": "small: HTTP 503",
    "cut-connection": "small: the connection was cut",
    "cut-body": "small: the connection was cut",
    "hang": "small: no response in time",
}
KINDS = {"length": "truncated", "empty": "empty", "refusal": "refused"}
LABELS = ("补换卡", "开发票")


class Endpoint:
    """Three in ten responses are faulty, each kind of fault equally often."""

    def __init__(self) -> None:
        self.rng = Random(3)
        self.sent: Counter[str] = Counter()
        self.responded: Counter[str] = (
            Counter()
        )  # good or bad responses with status 200, by request

    def __call__(self, asked: Call) -> Sent:
        """Return the response to one call."""
        label = next(one for one in LABELS if f"类别：{one}" in asked.prompt)
        key = asked.headers["idempotency-key"]
        turns = call(label, key)
        fault = FAULTS[int(self.rng.random() * len(FAULTS))] if self.rng.random() < 0.3 else "none"
        self.sent[fault] += 1
        good = says("对话1：\n" + "\n".join(turns))
        replies = {
            "429": fails(429, **{"Retry-After": "0.05"}),
            "500": fails(500),
            "503": fails(503),
            "cut-connection": cut(good),
            "cut-body": cut(good, 30),
            "hang": says("晚了", delay=60),
        }
        if fault in replies:
            return replies[fault]
        self.responded[key] += 1
        other = next(one for one in LABELS if one != label)
        return {
            "length": says("对话1：" + turns[0][:3], "length"),
            "empty": says(""),
            "refusal": says("抱歉，我无法提供这样的内容。"),
            "other-class": says("对话1：\n" + "\n".join(call(other, key))),
            "phone-number": says("对话1：\n" + "\n".join([*turns, "我的号码是13912345678"])),
        }.get(fault, good)


@pytest.fixture
def project(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two classes that need 200 samples from a chat endpoint, with normal tries and limits."""
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    project = make_project(tmp_path / "project")
    project.settings(endpoint(server.url))

    def edit(values: dict[str, Any]) -> None:
        values["llm"]["endpoints"][0] |= {"name": "small", "api": "chat", "output": "text"}
        values["filter"]["near_duplicate"].update(enabled=False)
        values["filter"]["keywords"].update(enabled=True)
        values["runtime"] |= {"tries": 6, "timeout_s": 5, "concurrency": 16}

    project.settings(edit)
    (project.path / "data/interim").mkdir()
    (project.path / "data/interim/plan.csv").write_text(PLAN, encoding="utf-8")
    monkeypatch.chdir(project.path)
    return project


def test_quotas_are_met_and_every_failure_is_in_the_ledger(
    project: Project, server: Server
) -> None:
    """With three in ten replies bad; no request with a response is sent again."""
    endpoint = Endpoint()
    server.default = endpoint
    cache = project.path / ".cache/llm.sqlite"
    generate.main(cache=cache)
    metrics: dict[str, Any] = json.loads(Path("metrics/generate.json").read_text(encoding="utf-8"))
    assert metrics["shortfall"] == 0
    assert set(FAULTS) < set(endpoint.sent)
    assert set(endpoint.responded.values()) == {1}
    with open_store(project.path / "none", cache) as store:
        assert all(store.get(key) is not None for key in endpoint.responded)

    ledger = read_jsonl(Path("data/interim/failures.jsonl"))
    tries = Counter(a_try for failure in ledger for a_try in failure["tries"])
    expected: Counter[str] = Counter()
    for fault, what in LEDGER.items():
        expected[what] += endpoint.sent[fault]
    assert tries == expected
    kinds = Counter(failure["kind"] for failure in ledger)
    for fault, kind in KINDS.items():
        assert kinds[kind] == endpoint.sent[fault]
    assert kinds["no_response"] == 0

    texts = [record["text"] for record in read_jsonl(Path("data/interim/candidates.jsonl"))]
    assert not any("抱歉" in text or "晚了" in text for text in texts)


def test_a_run_with_other_filters_or_targets_buys_only_what_is_new(
    project: Project, server: Server
) -> None:
    """Stricter rules or a larger target reuse every recorded response."""
    server.default = lambda asked: says(
        "对话1：\n"
        + "\n".join(
            call(LABELS[f"类别：{LABELS[1]}" in asked.prompt], asked.headers["idempotency-key"])
        )
    )
    cache = project.path / ".cache/llm.sqlite"
    generate.main(cache=cache)
    bought = {asked.headers["idempotency-key"] for asked in server.calls}
    server.calls.clear()
    project.settings(lambda values: values["filter"]["length"].update(min_chars=20))
    Path("data/interim/plan.csv").write_text(PLAN.replace("100", "110"), encoding="utf-8")
    generate.main(cache=cache)
    asked_again = {asked.headers["idempotency-key"] for asked in server.calls}
    assert asked_again
    assert not asked_again & bought
