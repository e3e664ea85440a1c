"""The loop between generation and the gate."""

from __future__ import annotations

import asyncio
from random import Random

import pandas as pd
import pytest

from src.config import DataParams, GenerateParams, LlmParams, UserError
from src.data.io import Record
from src.llm.client import Failure
from src.llm.prompts import Ask, PromptWriter
from src.llm.quota import Outcome, fill_quotas
from src.llm.requests import Answer


@pytest.fixture
def writer(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> PromptWriter:
    """Writes the real prompts."""
    return PromptWriter(train, {"补卡": ("补卡",)}, {}, data, llm, generate)


def run(
    quotas: dict[str, int],
    writer: PromptWriter,
    generate: GenerateParams,
    accepted_share: float = 1.0,
    fail_every: int = 0,
    shuffle: int | None = None,
) -> tuple[Outcome, list[str]]:
    """Fill quotas from a model that answers at once; the gate accepts a share of each class."""
    asked: list[str] = []
    rng = Random(shuffle)

    async def ask_model(ask: Ask) -> Answer | Failure:
        asked.append(ask.request.key)
        if shuffle is not None:
            await asyncio.sleep(rng.random() / 200)
        if fail_every and ask.attempt % fail_every == 0:
            return Failure(("HTTP 500", "HTTP 500"))
        return Answer(f"第{ask.attempt}句\n- 好的", "stop", 5, 3)

    def count_accepted(records: list[Record]) -> int:
        return int(len(records) * accepted_share)

    outcome = asyncio.run(fill_quotas(quotas, writer, ask_model, count_accepted, generate))
    return outcome, asked


def test_stops_at_the_quota(writer: PromptWriter, generate: GenerateParams) -> None:
    """Each class gets what it needs, classes that need nothing are not asked."""
    outcome, _ = run({"补卡": 10, "销户": 0}, writer, generate)
    assert [r.label for r in outcome.classes] == ["补卡"]
    assert outcome.classes[0].accepted >= 10
    assert outcome.classes[0].stopped is None


def test_stops_at_the_attempts(writer: PromptWriter, generate: GenerateParams) -> None:
    """A class that never fills up stops after its attempts, and says so."""
    few = generate.model_copy(update={"max_attempts_per_class": 30, "min_acceptance": 0.0})
    outcome, asked = run({"补卡": 50}, writer, few, accepted_share=0.1)
    assert len(asked) == 30
    assert outcome.classes[0].stopped == "max_attempts_per_class"


def test_stops_where_too_little_is_accepted(writer: PromptWriter, generate: GenerateParams) -> None:
    """A class whose samples are bad is given up long before its attempts are used up."""
    outcome, asked = run({"补卡": 60}, writer, generate, accepted_share=0.0)
    assert outcome.classes[0].stopped == "min_acceptance"
    assert len(asked) < generate.max_attempts_per_class


def test_failures_are_kept(writer: PromptWriter, generate: GenerateParams) -> None:
    """A request without an answer is in the ledger with its tries, and the quota is met anyway."""
    outcome, _ = run({"补卡": 10}, writer, generate, fail_every=3)
    assert outcome.classes[0].accepted >= 10
    assert outcome.failure_counts()["no_answer"] == len(outcome.failures) > 0
    assert outcome.failures[0]["tries"] == ["HTTP 500", "HTTP 500"]


def test_order_of_completion_does_not_matter(
    writer: PromptWriter, generate: GenerateParams
) -> None:
    """Answers that come in another order give the same candidates, and no request comes twice."""
    first, asked = run({"补卡": 20, "销户": 9}, writer, generate, 0.5, shuffle=1)
    second, _ = run({"补卡": 20, "销户": 9}, writer, generate, 0.5, shuffle=2)
    assert first.candidates == second.candidates
    assert len(set(asked)) == len(asked)


def test_a_user_error_ends_the_run(writer: PromptWriter, generate: GenerateParams) -> None:
    """One line for the user, not a group of errors."""

    async def down(ask: Ask) -> Answer | Failure:
        raise UserError("endpoint 'x' does not answer")

    with pytest.raises(UserError, match="does not answer"):
        asyncio.run(fill_quotas({"补卡": 4}, writer, down, len, generate))
