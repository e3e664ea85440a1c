"""Judges on a loopback server, samples for them, and their replies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from src.config.filter import JudgeParams
from src.config.generate import BudgetParams
from src.config.llm import EndpointParams
from src.data.schema import LabelInfo
from src.judging.prompts import JudgeWriter
from src.judging.rubric import Judgement
from src.records.samples import Candidate, Screened
from tests.llm.server import Call, Sent, Server, says

LABELS = {
    "补换卡": LabelInfo("3", "补换卡", "补办电话卡", ("我要补卡", "换卡")),
    "办理取消": LabelInfo("12", "办理取消", "退订业务", ()),
}
UNLIMITED = BudgetParams(cost=None, tokens=None)
Judged = dict[str, list[Judgement]]
MakeWriter = Callable[..., JudgeWriter]
Run = Callable[..., Judged]


def sample(
    number: int, text: str = "", label: str = "补换卡", model: str = "writer", name: str = ""
) -> Screened:
    """A sample whose text contains its number."""
    text = text or f"您好请讲[SEP]我要补卡{number}号[SEP]好的"
    return Screened(Candidate(name or f"c{number}", label, "如模型所写", model=model), text)


SAMPLES = [sample(number) for number in range(6)]


def judge(server: Server, name: str = "a", **of: Any) -> EndpointParams:  # noqa: ANN401
    """A chat endpoint of the server with its own model."""
    given = {"base_url": server.url, "model": f"model-{name}", "output": "text", **of}
    return EndpointParams(name=name, api="chat", **given)


def rule_of(names: Sequence[str], **of: Any) -> JudgeParams:  # noqa: ANN401
    """Settings with these judges, of which a majority must accept."""
    given = {"min_label_consistency": 7, "min_score": 6, "vote": "majority", **of}
    return JudgeParams(enabled=True, endpoints=tuple(names), classifier=False, **given)


def scores(label_consistency: float = 9, delay: float = 0.0) -> Sent:
    """A judgement in the requested format."""
    fields = {
        "label_consistency": label_consistency,
        "completeness": 8,
        "naturalness": 7,
        "best_label": "补换卡",
        "reason": "要补卡",
    }
    return says(json.dumps(fields, ensure_ascii=False), delay=delay)


def number_in(call: Call) -> int:
    """Return the number of the sample in a request to a judge."""
    found = re.search(r"我要补卡(\d+)号", call.content)
    assert found, call.content
    return int(found[1])
