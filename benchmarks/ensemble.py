"""Benchmark: two endpoints shared by acceptance; one of them is useless for one of two classes.

    make bench-ensemble

That endpoint is a loopback server. For the first class it repeats the same words; for the second
class it combines turns of the class with turns of any rows. Uses the stand-in, the default settings
and the real gate. The embedded model runs alone first; the ensemble reuses its responses to equal
requests.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from random import Random

import pandas as pd
import typer

from src.config.llm import EndpointParams, LlmParams
from src.config.params import Params, load_params
from src.data.dialogue import split_turns
from src.data.schema import Splits, load_splits
from src.gate.gate import Gate
from src.generation.prompts import PromptWriter
from src.generation.quota import ClassRun
from src.generation.run import run
from src.llm.response_store import open_store
from src.paths import PLAN
from src.planning.plan import read_plan
from tests.llm.server import Call, Sent, says, serve

LABELS = HARD, EASY = ("办理缴费", "办理补换卡")  # hard and easy for the other model
SAMPLES = 100  # accepted samples per class


def main() -> None:
    """Print the table of docs/benchmarks/do-several-models-help.md."""
    logging.disable(logging.WARNING)
    params, splits = load_params(), load_splits(load_params().data)
    typer.echo("| models | class | requests | acceptance | to the other | its acceptance |")
    typer.echo("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, serve() as server:
        server.default = _Other(splits.train)
        other = EndpointParams(name="other", base_url=server.url, model="other", api="completions")
        both = (*params.llm.ensemble, other)
        shares = []
        for name, endpoints in (("embedded", params.llm.ensemble), ("both", both)):
            llm = LlmParams.model_validate(
                {**params.llm.model_dump(), "endpoints": endpoints, "share": "acceptance"}
            )
            settings = params.model_copy(update={"llm": llm})
            runs = _generate(settings, splits, Path(folder))
            for each in runs:
                shown = f"{each.screened} | {each.acceptance:.3f} | {_of_other(each)}"
                typer.echo(f"| {name} | {each.label} | {shown} |")
            shares.append(runs[0].acceptance)
    typer.echo(f"\n{HARD}, both / embedded: {shares[1] / shares[0]:.3f}")


def _of_other(of_class: ClassRun) -> str:
    attempts = of_class.by_endpoint().get("other", [])
    if not attempts:
        return "- | -"
    accepted = sum(attempt.accepted or 0 for attempt in attempts)
    return f"{len(attempts)} ({len(attempts) / of_class.screened:.0%}) | {accepted / len(attempts):.2f}"


class _Other:
    """The responses of the other model."""

    def __init__(self, train: pd.DataFrame) -> None:
        calls = train["text"].map(lambda text: split_turns(text, "[SEP]"))
        self._own = [turn for turns in calls[train["label"] == EASY] for turn in turns]
        self._any = [turn for turns in calls for turn in turns]

    def __call__(self, asked: Call) -> Sent:
        if f"类型：{EASY}" not in asked.prompt:
            return says("，" + "\n- ".join(["缴费" * 6] * 4))
        rng = Random(asked.headers["idempotency-key"])
        turns = [turn for _ in range(2) for turn in (rng.choice(self._own), rng.choice(self._any))]
        return says("，" + "\n- ".join(turns))


def _generate(params: Params, splits: Splits, folder: Path) -> tuple[ClassRun, ...]:
    plan = read_plan(PLAN)
    gate = Gate(splits.train, splits.dev, splits.test, plan.keywords, params.filter, params.data)
    writer = PromptWriter(
        splits.train, plan.keywords, splits.labels, params.data, params.llm, params.generate
    )
    with open_store(folder / "none", folder / "llm.sqlite") as store:
        generated = run(
            dict.fromkeys(LABELS, SAMPLES),
            writer,
            gate.accepts,
            store,
            params.generate,
            params.llm,
            params.data,
            params.runtime,
            folder / "failures.jsonl",
        )
    return generated.classes


if __name__ == "__main__":
    main()
