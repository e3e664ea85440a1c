"""A run of generation: request samples until each class has its quota.

    with open_store() as store:
        generated = run(plan.quotas, writer, gate.accepts, store, generate, llm, data, runtime)
    generated.candidates, generated.failures, generated.spent

Responses come from the store or, on a cache miss, from an endpoint. The stage, the benchmarks and
the tests all use this function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from src.config.data import DataParams
from src.config.generate import GenerateParams
from src.config.llm import LlmParams
from src.config.runtime import RuntimeParams
from src.errors import UserError
from src.generation.failures import write_failures
from src.generation.loop import Accepts, QuotaLoop
from src.generation.progress import Progress, Status
from src.generation.prompts import Ask, PromptWriter
from src.generation.quota import Generated
from src.llm.budget import Budget, spent_on
from src.llm.client import Client, Failure, OutOfBudget, Received
from src.llm.response_store import ResponseStore
from src.paths import FAILURES
from src.records.metrics.generate import Tokens


def run(
    quotas: Mapping[str, int],
    writer: PromptWriter,
    accepts: Accepts,
    store: ResponseStore,
    generate: GenerateParams,
    llm: LlmParams,
    data: DataParams,
    runtime: RuntimeParams,
    failures: Path = FAILURES,
    make_client: Callable[[LlmParams, RuntimeParams, Budget], Client] = Client,
) -> Generated:
    """Generate samples until every class has its quota or has stopped early.

    Args:
        quotas: class -> accepted samples needed; classes with 0 are left out.
        writer: writes the n-th request of a class.
        accepts: the gate's verdicts on candidates of one class, see `Gate.accepts`.
        store: recorded responses; new ones are stored before anything reads them.
        generate: limits on attempts, acceptance and spending.
        llm: the endpoints.
        data: turn separator.
        runtime: concurrency, tries and whether to run offline.
        failures: file for the failures if an error ends the run; otherwise they are returned.
        make_client: creates the client from endpoints, `runtime` and budget.

    Raises:
        UserError: a response is missing offline, no endpoint is left (each one is down or refuses
            the key), or too many requests fail. Paid responses are kept.
    """
    budget = Budget(generate.budget)

    async def main() -> Generated:
        async with make_client(llm, runtime, budget) as client:

            def status() -> Status:
                spent = budget.spent
                cost = f"{spent.cost:.4f} {llm.currency}" if spent.cost else ""
                return Status(client.running, client.failures, spent.tokens, cost)

            with Progress(sum(quotas.values()), status) as progress:

                async def ask_model(ask: Ask) -> Received | Failure | OutOfBudget:
                    recorded = _recorded(ask, store, budget, offline=runtime.offline)
                    if recorded is not None:
                        return recorded
                    result = await client.ask(ask.requests, store.commit)
                    if isinstance(result, Received):
                        progress.responded()
                    return result

                loop = QuotaLoop(
                    quotas,
                    writer,
                    ask_model,
                    accepts,
                    generate,
                    data.turn_separator,
                    client.most_waiting,
                    on_change=progress.changed,
                )
                try:
                    return await loop.run()
                except UserError:
                    write_failures(failures, Generated(tuple(loop.runs)).failures)
                    raise

    return replace(asyncio.run(main()), spent=budget.spent, tokens=_tokens(store))


def _recorded(ask: Ask, store: ResponseStore, budget: Budget, *, offline: bool) -> Received | None:
    """Return the recorded response, or None; raise if it is missing offline."""
    recorded = store.first(ask.requests, ask.rows)
    if recorded is not None:
        request, response = recorded
        budget.add(spent_on(response, request.endpoint.price))
        return Received(request, response)
    if offline:
        raise UserError(
            f"no recorded response for request {ask.attempt} of class {ask.label!r}; "
            "set runtime.offline: false to call the endpoint"
        )
    return None


def _tokens(store: ResponseStore) -> Tokens:
    """Sum the tokens of the responses used, as counted by the endpoints."""
    responses = [response for _, response in store.used()]
    return Tokens(
        prompt=sum(response.prompt_tokens for response in responses),
        cached=sum(response.cached_tokens for response in responses),
        completion=sum(response.completion_tokens for response in responses),
    )
