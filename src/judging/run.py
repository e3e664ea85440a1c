"""Has the judges of `filter.judge` judge samples, with the answers recorded as those of generation.

judge(samples, splits, rules.judge, llm, data, runtime, domain, budget, JUDGE_CASSETTE)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from src.config.data import DataParams
from src.config.filter import JudgeRule
from src.config.generate import BudgetParams
from src.config.llm import LlmParams
from src.config.runtime import RuntimeParams
from src.data.schema import Splits
from src.files import write_jsonl
from src.judging.ask import ask_judges
from src.judging.prompts import JudgeWriter, all_labels
from src.judging.rubric import Judgement
from src.llm.budget import Budget
from src.llm.cache import CACHE, open_store
from src.llm.client import Client
from src.llm.recordings import RECORDINGS
from src.records.samples import Screened


def judge(
    samples: Sequence[Screened],
    splits: Splits,
    rule: JudgeRule,
    llm: LlmParams,
    data: DataParams,
    runtime: RuntimeParams,
    domain: str,
    budget: BudgetParams,
    responses: Path,
) -> dict[str, list[Judgement]]:
    """What each judge says of each sample, by its id.

    Args:
        samples: to judge.
        splits: the real rows, whose classes a judge may name.
        rule: names the judges.
        llm: holds their endpoints.
        data: language and turn separator.
        runtime: how they are asked.
        domain: what the rows are.
        budget: once it is spent nothing more is asked.
        responses: file for the answers that were used.

    Raises:
        UserError: see `ask_judges`.
    """
    writer = JudgeWriter(all_labels(splits.train["label"], splits.labels), rule, llm, data, domain)
    records = [
        {"id": one.id, "text": one.text, "label": one.label, "model": one.candidate.model}
        for one in samples
    ]

    async def ask() -> dict[str, list[Judgement]]:
        spent = Budget(budget)
        with open_store(RECORDINGS, CACHE) as store:
            async with Client(llm, runtime, spent) as client:
                judged = await ask_judges(
                    records, writer, client, store, spent, offline=runtime.offline
                )
            write_jsonl(responses, store.cassette())
        return judged

    return asyncio.run(ask())
