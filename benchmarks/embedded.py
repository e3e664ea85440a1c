"""Accepted samples a minute of the embedded model, with and without reading shared prompts once.

    make bench-embedded

Two tail classes of the stand-in, the shipped settings and the real gate; nothing is replayed.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from pathlib import Path

import typer

from src.config.params import Params, load_params
from src.data.schema import load_splits
from src.gate.gate import Gate
from src.generation.loop import QuotaLoop
from src.generation.prompts import Ask, PromptWriter
from src.generation.quota import Generated
from src.llm.budget import Budget
from src.llm.cache import open_store
from src.llm.client import Client, Failure, OutOfBudget, Reply
from src.paths import PLAN
from src.planning.plan import read_plan

LABELS = ("办理缴费", "办理补换卡")
SAMPLES = 24  # accepted ones, each


def main() -> None:
    """Print the table of docs/benchmarks.md."""
    logging.disable(logging.WARNING)
    params = load_params()
    alone = params.model_copy(
        update={"generate": params.generate.model_copy(update={"requests_per_prompt": 1})}
    )
    typer.echo("| prompts | accepted | requests | seconds | accepted a minute |")
    typer.echo("|---|---|---|---|---|")
    rates = []
    for name, settings, reuse in (
        ("one a sample, no prefix reused", alone, False),
        ("as shipped", params, True),
    ):
        generated, seconds = asyncio.run(_generate(settings, reuse_prefix=reuse))
        accepted = sum(run.accepted for run in generated.classes)
        requests = sum(run.judged for run in generated.classes)
        rates.append(60 * accepted / seconds)
        typer.echo(f"| {name} | {accepted} | {requests} | {seconds:.0f} | {rates[-1]:.0f} |")
    typer.echo(f"\nratio: {rates[1] / rates[0]:.2f}")


async def _generate(params: Params, *, reuse_prefix: bool) -> tuple[Generated, float]:
    splits, plan = load_splits(params.data), read_plan(PLAN)
    gate = Gate(splits.train, splits.dev, splits.test, plan.keywords, params.filter, params.data)
    writer = PromptWriter(
        splits.train, plan.keywords, splits.labels, params.data, params.llm, params.generate
    )
    budget = Budget(params.generate.budget)
    with tempfile.TemporaryDirectory() as folder:
        nothing, cache = Path(folder) / "none", Path(folder) / "llm.sqlite"
        with open_store(nothing, cache) as store:
            async with Client(
                params.llm, params.runtime, budget, reuse_prefix=reuse_prefix
            ) as client:

                async def ask_model(ask: Ask) -> Reply | Failure | OutOfBudget:
                    return await client.ask(ask.requests, store.commit)

                await ask_model(writer.ask(LABELS[0], 10**6))  # the model is loaded
                loop = QuotaLoop(
                    dict.fromkeys(LABELS, SAMPLES),
                    writer,
                    ask_model,
                    gate.accepts,
                    params.generate,
                    params.data.turn_separator,
                    client.most_waiting,
                )
                start = time.perf_counter()
                generated = await loop.run()
                return generated, time.perf_counter() - start


if __name__ == "__main__":
    main()
