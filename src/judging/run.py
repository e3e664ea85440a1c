"""Have samples judged, and write the responses that were used.

judgements = judge_samples(samples, splits, rule, llm, data, runtime, domain, budget, path)
judgements["b967a7a2cebd6966-0"]  ->  [Judgement("glm4", ...), Judgement("qwen", ...)]
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from src.config.data import DataParams
from src.config.filter import JudgeParams
from src.config.generate import BudgetParams
from src.config.llm import LlmParams
from src.config.runtime import RuntimeParams
from src.data.schema import Splits
from src.judging.ask import ask_judges
from src.judging.prompts import JudgeWriter, all_labels
from src.judging.rubric import Judgement
from src.llm.budget import Budget
from src.llm.client import Client
from src.llm.response_store import ResponseStore, open_store, write_used
from src.records.samples import Screened


def judge_samples(
    samples: Sequence[Screened],
    splits: Splits,
    rule: JudgeParams,
    llm: LlmParams,
    data: DataParams,
    runtime: RuntimeParams,
    domain: str,
    budget: BudgetParams,
    responses: Path,
    make_client: Callable[[LlmParams, RuntimeParams, Budget], Client] = Client,
) -> dict[str, list[Judgement]]:
    """Return the judgements of each sample, with responses from the response store if recorded.

    Args:
        samples: equal text and label are judged only once.
        splits: train rows and class definitions.
        rule: names of the judges, and their sampling parameters.
        llm: their endpoints.
        data: language and turn separator.
        runtime: concurrency, tries and whether to run offline.
        domain: what the rows are, in words.
        budget: limits on all responses together.
        responses: file for the responses that were used.
        make_client: creates the client from endpoints, `runtime` and budget.

    Returns:
        sample id -> judgements, see `ask_judges`.

    Raises:
        UserError: see `ask_judges`.
    """
    writer = JudgeWriter(all_labels(splits.train["label"], splits.labels), rule, llm, data, domain)
    money = Budget(budget)

    async def ask(store: ResponseStore) -> dict[str, list[Judgement]]:
        async with make_client(llm, runtime, money) as client:
            return await ask_judges(samples, writer, client, store, money, offline=runtime.offline)

    with open_store() as store:
        judgements = asyncio.run(ask(store))
        write_used(store, responses)
    return judgements
