"""Benchmark: throughput of generation against the ideal, and against one request at a time.

    make bench-generation

The endpoint is a loopback server in its own process (benchmarks/loopback.py). Prompts, the loop
over classes, limits, budget and the response store (responses are committed to SQLite before they
are read) are real; the gate accepts everything.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import resource
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import psutil
import typer

from benchmarks.loopback import loopback, stats
from src.config.generate import BudgetParams
from src.config.llm import EndpointParams, LlmParams
from src.config.params import Params, load_params
from src.generation.prompts import PromptWriter
from src.generation.quota import Generated
from src.generation.run import run
from src.llm.budget import Budget
from src.llm.client import Client, Received
from src.llm.response_store import ResponseStore, open_store

CLASSES = 20
ONE_BY_ONE = 20  # sequential requests; their time is extrapolated
SLEEP_S = 0.5  # between two sequential requests


class Setting(NamedTuple):
    """One endpoint and the number of requests sent to it."""

    latency_ms: int
    at_once: int
    too_many: float = 0.0
    requests: int = 2000


SETTINGS = (Setting(200, 64), Setting(200, 64, 0.05), Setting(20, 256))


def main() -> None:
    """Print the table of docs/benchmarks/how-fast-is-generation.md."""
    logging.disable(logging.WARNING)
    typer.echo(
        "| latency | in flight | 429 | ideal | ours | ours / ideal | one by one | server's peak |"
    )
    typer.echo("|---|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        with loopback(setting.latency_ms, setting.at_once, setting.too_many) as url:
            ours = _time(url, setting)
            most = stats(url).most_in_flight
        with loopback(setting.latency_ms, setting.at_once, 0.0) as url:
            sequential = _one_by_one(url) * setting.requests
        ideal = setting.requests * setting.latency_ms / 1000 / setting.at_once
        typer.echo(
            f"| {setting.latency_ms} ms | {setting.at_once} | {setting.too_many:.0%} | "
            f"{ideal:.2f} s | {ours:.2f} s | {ours / ideal:.2f} | {sequential:.0f} s | {most} |"
        )
    with loopback(20, 256, 0.0) as url:
        before, after = asyncio.run(_memory(url))
    typer.echo(
        f"\nmemory of the client: {before:.0f} MB after 2,000 requests, {after:.0f} MB after 20,000; "
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )


def _params(url: str, setting: Setting) -> Params:
    params = load_params()
    endpoint = EndpointParams(
        name="loopback", base_url=url, model="m", api="completions", concurrency=setting.at_once
    )
    llm = LlmParams(endpoints=(endpoint,), fallback=(), currency="CNY", cache_salt="")
    generate = params.generate.model_copy(
        update={
            "budget": BudgetParams(cost=None, tokens=10**9),
            "max_attempts_per_class": setting.requests,
        }
    )
    return params.model_copy(update={"llm": llm, "generate": generate})


def _writer(params: Params) -> PromptWriter:
    """Return a writer for twenty classes of forty calls."""
    rows = [
        {
            "row_id": f"{label}-{n}",
            "label": f"类别{label}",
            "text": f"您好请讲[SEP]我想办第{label}种业务第{n}次了[SEP]好的请稍等[SEP]还要多久啊[SEP]马上",
        }
        for label in range(CLASSES)
        for n in range(40)
    ]
    return PromptWriter(pd.DataFrame(rows), {}, {}, params.data, params.llm, params.generate)


def _time(url: str, setting: Setting) -> float:
    """Return the seconds from the first request to the last verdict."""
    _generate(url, setting, 1)  # warm-up: imports
    generated, seconds = _generate(url, setting, math.ceil(setting.requests / CLASSES))
    assert len(generated.candidates) == setting.requests
    assert generated.failure_counts() == {}
    return seconds


def _generate(url: str, setting: Setting, each: int) -> tuple[Generated, float]:
    """Generate `each` samples per class with an empty store; return them and the seconds taken."""
    params = _params(url, setting)
    writer = _writer(params)
    with tempfile.TemporaryDirectory() as folder, _store(folder) as store:
        start = time.perf_counter()
        generated = run(
            {f"类别{label}": each for label in range(CLASSES)},
            writer,
            lambda candidates: [True] * len(candidates),
            store,
            params.generate,
            params.llm,
            params.data,
            params.runtime,
            Path(folder) / "failures.jsonl",
        )
        return generated, time.perf_counter() - start


def _store(folder: str) -> AbstractContextManager[ResponseStore]:
    return open_store(Path(folder) / "none", Path(folder) / "llm.sqlite")


def _one_by_one(url: str) -> float:
    """Return the seconds per request if each waits for the previous one and sleeps."""
    import openai

    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    client.completions.create(model="m", prompt="好")
    start = time.perf_counter()
    for number in range(ONE_BY_ONE):
        client.completions.create(model="m", prompt=f"好{number}")
        time.sleep(SLEEP_S)
    return (time.perf_counter() - start) / ONE_BY_ONE


async def _memory(url: str) -> tuple[float, float]:
    """Return the memory of this process in MB after 2,000 and after 20,000 requests."""
    setting = Setting(20, 256, requests=20_000)
    params = _params(url, setting)
    writer = _writer(params)
    process = psutil.Process(os.getpid())
    seen: list[float] = []
    with tempfile.TemporaryDirectory() as folder, _store(folder) as store:
        client = Client(params.llm, params.runtime, Budget(params.generate.budget))
        async with client:
            await _ask_all(client, store, writer, range(2_000))
            seen.append(process.memory_info().rss / 1e6)
            await _ask_all(client, store, writer, range(2_000, 20_000))
            seen.append(process.memory_info().rss / 1e6)
    return seen[0], seen[1]


async def _ask_all(
    client: Client, store: ResponseStore, writer: PromptWriter, numbers: range
) -> None:
    left = iter(numbers)

    async def work() -> None:
        for number in left:
            ask = writer.ask(f"类别{number % CLASSES}", number)
            assert isinstance(await client.ask(ask.requests, store.commit), Received)

    async with asyncio.TaskGroup() as group:
        for _ in range(256):
            group.create_task(work())


if __name__ == "__main__":
    main()
