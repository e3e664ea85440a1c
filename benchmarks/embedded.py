"""Benchmark: accepted samples per minute of the embedded model, with and without prefix reuse.

    make bench-embedded

Uses two tail classes of the stand-in, the default settings and the real gate; no response is
replayed. The times include about one second for loading the model; a warm-up run has put its file
into the page cache.
"""

from __future__ import annotations

import logging
import tempfile
import time
from functools import partial
from pathlib import Path

import typer

from src.config.params import Params, load_params
from src.data.schema import load_splits
from src.gate.gate import Gate
from src.generation.prompts import PromptWriter
from src.generation.quota import Generated
from src.generation.run import run
from src.llm.client import Client
from src.llm.response_store import open_store
from src.paths import PLAN
from src.planning.plan import read_plan

LABELS = ("办理缴费", "办理补换卡")
SAMPLES = 24  # accepted samples per class


def main() -> None:
    """Print the table of docs/benchmarks/how-fast-is-generation.md."""
    logging.disable(logging.WARNING)
    params = load_params()
    alone = params.model_copy(
        update={"generate": params.generate.model_copy(update={"requests_per_prompt": 1})}
    )
    typer.echo("| prompts | accepted | requests | seconds | accepted per minute |")
    typer.echo("|---|---|---|---|---|")
    _generate(params, 1)
    rates = []
    for name, settings, reuse in (
        ("one per sample, no prefix reuse", alone, False),
        ("default settings", params, True),
    ):
        generated, seconds = _generate(settings, SAMPLES, reuse_prefix=reuse)
        accepted = sum(run.accepted for run in generated.classes)
        requests = sum(run.screened for run in generated.classes)
        rates.append(60 * accepted / seconds)
        typer.echo(f"| {name} | {accepted} | {requests} | {seconds:.0f} | {rates[-1]:.0f} |")
    typer.echo(f"\nratio: {rates[1] / rates[0]:.2f}")


def _generate(
    params: Params, samples: int, *, reuse_prefix: bool = True
) -> tuple[Generated, float]:
    """Return the generated samples and the seconds that it took."""
    splits, plan = load_splits(params.data), read_plan(PLAN)
    gate = Gate(splits.train, splits.dev, splits.test, plan.keywords, params.filter, params.data)
    writer = PromptWriter(
        splits.train, plan.keywords, splits.labels, params.data, params.llm, params.generate
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(Path(folder) / "none", Path(folder) / "llm.sqlite") as store,
    ):
        start = time.perf_counter()
        generated = run(
            dict.fromkeys(LABELS, samples),
            writer,
            gate.accepts,
            store,
            params.generate,
            params.llm,
            params.data,
            params.runtime,
            Path(folder) / "failures.jsonl",
            make_client=partial(Client, reuse_prefix=reuse_prefix),
        )
        return generated, time.perf_counter() - start


if __name__ == "__main__":
    main()
