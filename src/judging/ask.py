"""Send samples to the judges and read their judgements; src/judging/votes.py counts the votes.

    writer = JudgeWriter(all_labels(train["label"], labels), rule, llm, data, domain)
    judgements = await ask_judges(samples, writer, client, store, budget)
    faults_of(judgements["b967a7a2cebd6966-0"], rule)

No model judges its own texts, because models prefer what they wrote themselves (Panickssery et al.
2024). Responses are stored and replayed like those of generation. A judge that refuses, fails or
returns something else abstains; no other endpoint replaces it, since its vote would count twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence

from src.data.schema import LabelInfo
from src.errors import UserError
from src.judging.prompts import Alternatives, JudgeWriter
from src.judging.rubric import Judgement, read_judgement
from src.llm.budget import Budget, spent_on
from src.llm.client import SECONDS_BETWEEN_LINES, Client, OutOfBudget, Received
from src.llm.requests import Response
from src.llm.response_store import ResponseStore
from src.llm.thoughts import without_thoughts
from src.records.samples import Screened

log = logging.getLogger(__name__)


async def ask_judges(
    samples: Sequence[Screened],
    writer: JudgeWriter,
    client: Client,
    store: ResponseStore,
    budget: Budget,
    *,
    offline: bool = False,
    seconds_between_lines: float = SECONDS_BETWEEN_LINES,
) -> dict[str, list[Judgement]]:
    """Return the judgements of each sample.

    Args:
        samples: equal text and label are judged only once.
        writer: writes the requests.
        client: sends them, and limits how many are in flight.
        store: recorded responses are counted first, so that a run with a spent budget replays.
        budget: once it is spent, no more requests are sent.
        offline: whether a missing response is an error.
        seconds_between_lines: minimum time between progress lines in the log.

    Returns:
        sample id -> judgements in the order of the judges, without those that abstained.

    Raises:
        UserError: a response is missing offline, no judge is left (each one is down or refuses the
            key), or too many requests fail. Paid responses are kept.
    """
    asks = {sample.id: writer.asks(sample) for sample in samples}
    # ordered by sample, then by judge: if the budget ends, few samples are only partly judged
    every = {ways[0].key: ways for of_all in asks.values() for ways in of_all}
    asked = {ways[0].endpoint.name for ways in every.values()}
    panel = _Panel(asked, writer.labels, client, store, budget, seconds_between_lines)
    waiting = [ways for ways in every.values() if not panel.replay(ways)]
    if waiting and offline:
        raise UserError(
            f"{len(waiting)} of {len(every)} responses of judges are not recorded; "
            "set runtime.offline: false to call them"
        )
    await panel.ask(waiting)
    panel.say(len(every))
    return {
        name: [panel.judgements[ways[0].key] for ways in of_all if ways[0].key in panel.judgements]
        for name, of_all in asks.items()
    }


class _Panel:
    """The judgements so far, by the key of the first of equivalent requests."""

    def __init__(
        self,
        judges: set[str],
        labels: Mapping[str, LabelInfo],
        client: Client,
        store: ResponseStore,
        budget: Budget,
        seconds_between_lines: float,
    ) -> None:
        self.judgements: dict[str, Judgement] = {}
        self._judges, self._labels = judges, labels
        self._client, self._store, self._budget = client, store, budget
        self._lost: set[str] = set()
        self._budget_spent = False
        self._replayed = self._bought = 0
        self._between_s, self._shown = seconds_between_lines, time.monotonic()

    def replay(self, ways: Alternatives) -> bool:
        """Use the recorded response; return whether there is one."""
        recorded = self._store.first(ways)
        if recorded is None:
            return False
        request, response = recorded
        self._budget.add(spent_on(response, request.endpoint.price))
        self._replayed += 1
        self._take(ways, response)
        return True

    async def ask(self, waiting: Sequence[Alternatives]) -> None:
        """Send all requests in `waiting`; the first error cancels the rest."""
        left = iter(waiting)
        size = min(self._client.most_waiting, len(waiting))
        workers = [asyncio.create_task(self._work(left, len(waiting))) for _ in range(size)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, left: Iterator[Alternatives], wanted: int) -> None:
        for ways in left:
            if self._budget_spent:
                return
            if ways[0].endpoint.name not in self._lost:
                await self._ask(ways)
                self._show(wanted)

    async def _ask(self, ways: Alternatives) -> None:
        try:
            result = await self._client.ask(ways, self._store.commit)
        except UserError as error:
            recorded = self._store.first(ways)
            if recorded is None:  # this judge is not usable any more
                self._lose(ways[0].endpoint.name, error)
                return
            # this request succeeded; the error is about another judge's failures
            result = Received(*recorded)
        if isinstance(result, OutOfBudget):
            self._budget_spent = True
        elif isinstance(result, Received):
            self._bought += 1
            self._take(ways, result.response)

    def _lose(self, judge: str, error: UserError) -> None:
        """Continue without a judge; raise the error if no judge is left."""
        if judge not in self._lost:
            log.warning("judge %s abstains from now on: %s", judge, error)
        self._lost.add(judge)
        if self._lost == self._judges:
            raise error

    def _take(self, ways: Alternatives, response: Response) -> None:
        if response.finish_reason == "content_filter":
            return
        endpoint = ways[0].endpoint
        text = without_thoughts(response.text)
        if response.truncated:
            text = text.rstrip(".0123456789")  # a cut number: 10 may have become 1
        judgement = read_judgement(text, self._labels, endpoint.name, endpoint.model)
        if judgement is not None:
            self.judgements[ways[0].key] = judgement

    def _show(self, wanted: int) -> None:
        now = time.monotonic()
        if now - self._shown >= self._between_s:
            self._shown = now
            log.info(
                "judge: %d of %d responses, %d in flight, %d failed, %s tokens",
                self._bought,
                wanted,
                self._client.running,
                self._client.failures,
                f"{self._budget.spent.tokens:,}",
            )

    def say(self, wanted: int) -> None:
        """Log the totals, and a warning if the budget is spent."""
        if self._budget_spent:
            log.warning(
                "judge: generate.budget is spent; the other samples are kept without a "
                "judgement. Raise it and run again to judge them"
            )
        responses = self._replayed + self._bought
        log.info(
            "judge: %d of %d responses (%d recorded before), %d of them without a judgement",
            responses,
            wanted,
            self._replayed,
            responses - len(self.judgements),
        )
