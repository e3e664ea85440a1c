"""How far each class has come, and when it ends.

Verdicts count in the order of the requests, and a class ends at the first one that completes its
quota, or with which its attempts are used up or too few of its samples are accepted. So where it
ends depends on the responses alone and not on when they came.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from src.config.generate import GenerateParams
from src.generation.endpoint_choice import Observation
from src.generation.failures import RECOVERED, FailedRequest
from src.llm.budget import Spend
from src.records.metrics.generate import Tokens
from src.records.samples import Candidate

ACCEPTANCE_COUNTS_AFTER = 40  # draws of a class; before that a bad start decides nothing


@dataclass
class Attempt:
    """What one request of a class came to; one that was not made has no draws."""

    candidates: tuple[Candidate, ...] = ()
    failure: FailedRequest | None = None
    draws: int = 0  # candidates, or 1 for a request that brought none
    accepted: int | None = None  # None: no verdict yet
    endpoint: str = ""  # that responded, or failed last
    cost: Decimal = Decimal(0)  # of the response


@dataclass
class ClassRun:
    """How far one class has come."""

    label: str
    quota: int
    attempts: list[Attempt | None] = field(default_factory=list)  # None: still out
    screened: int = 0
    draws: int = 0
    accepted: int = 0
    stopped: str | None = None
    out: int = 0  # requests that are out
    new: int = 0  # requests that are back and wait for a verdict
    _hoped: int = 0  # samples of requests that are back that may still count
    _back: int = 0

    @property
    def done(self) -> bool:
        """Whether the class has its quota or is given up."""
        return self.accepted >= self.quota or self.stopped is not None

    @property
    def acceptance(self) -> float:
        """Accepted share of the draws; a request without a usable response accepts nothing."""
        return self.accepted / self.draws if self.draws else 1.0

    def back(self) -> int:
        """Requests that are back, up to the first that is out."""
        while self._back < len(self.attempts) and self.attempts[self._back] is not None:
            self._back += 1
        return self._back

    def candidates(self, until: int | None = None) -> list[Candidate]:
        """Candidates of the first requests, in the order in which they were asked for."""
        attempts = [attempt for attempt in self.attempts[:until] if attempt is not None]
        return [candidate for attempt in attempts for candidate in attempt.candidates]

    def by_endpoint(self) -> dict[str, list[Attempt]]:
        """The screened requests, by the endpoint that responded or failed last."""
        found: dict[str, list[Attempt]] = {}
        for attempt in self.attempts[: self.screened]:
            if attempt is not None and attempt.draws:  # without any it was never made
                found.setdefault(attempt.endpoint, []).append(attempt)
        return found

    def observations(self, until: int) -> list[Observation]:
        """What the first requests came to; those whose verdict is not final are left out."""
        attempts = [attempt for attempt in self.attempts[: min(until, self.screened)] if attempt]
        return [Observation(each.endpoint, each.draws, each.accepted or 0) for each in attempts]

    def ask(self) -> None:
        """One more request goes out."""
        self.attempts.append(None)
        self.out += 1

    def take(self, number: int, attempt: Attempt) -> None:
        """A request is back."""
        self.attempts[number] = attempt
        self.out -= 1
        self.new += 1
        self._hoped += len(attempt.candidates)

    def wants(self, params: GenerateParams) -> int:
        """How many more requests should go out now: those that are needed whatever comes back.

        What is out, or has no verdict, counts as accepted, so that no response is bought in vain.
        """
        if self.done:
            return 0
        missing = self.quota - self.accepted - self._hoped - self.out * params.samples_per_request
        wanted = math.ceil(missing / params.samples_per_request)
        return max(min(wanted, params.max_attempts_per_class - len(self.attempts)), 0)

    def count(self, accepted: dict[str, bool], params: GenerateParams) -> None:
        """Take note of verdicts, and add those up to the first request that is out.

        A verdict on what came after it is for the time being; it says what to ask for next.
        """
        for attempt in self.attempts[self.screened :]:
            if attempt is not None and all(c.id in accepted for c in attempt.candidates):
                attempt.accepted = sum(accepted[c.id] for c in attempt.candidates)
        while not self.done and self.screened < self.back():
            attempt = self.attempts[self.screened]
            if attempt is None or attempt.accepted is None:
                break
            self._add(attempt, params)
        left = [attempt for attempt in self.attempts[self.screened :] if attempt is not None]
        self.new = sum(attempt.accepted is None for attempt in left)
        self._hoped = sum(
            len(attempt.candidates) if attempt.accepted is None else attempt.accepted
            for attempt in left
        )

    def _add(self, attempt: Attempt, params: GenerateParams) -> None:
        """Count one screened request, and end the class if it is the last."""
        self.screened += 1
        self.draws += attempt.draws
        self.accepted += attempt.accepted or 0
        if self.accepted >= self.quota:
            return
        if self.screened >= params.max_attempts_per_class:
            self.stopped = "max_attempts_per_class"
        elif self.draws >= ACCEPTANCE_COUNTS_AFTER and self.acceptance < params.min_acceptance:
            self.stopped = "min_acceptance"


@dataclass(frozen=True)
class Generated:
    """What the run came to, class by class; requests after a class's end are left out.

    Attributes:
        classes: in the order of the plan.
        spent: on all responses used, those that were bought before included.
        tokens: of the same responses.
    """

    classes: tuple[ClassRun, ...]
    spent: Spend = field(default_factory=Spend)
    tokens: Tokens = field(default_factory=lambda: Tokens(0, 0, 0))

    @property
    def candidates(self) -> list[Candidate]:
        """All candidates."""
        return [candidate for run in self.classes for candidate in run.candidates(run.screened)]

    @property
    def failures(self) -> list[FailedRequest]:
        """The ledger: requests without a usable response, and those that got one after failing."""
        attempts = [attempt for run in self.classes for attempt in run.attempts if attempt]
        return [attempt.failure for attempt in attempts if attempt.failure]

    def failure_counts(self) -> dict[str, int]:
        """Requests without a usable response, by kind."""
        kinds = (failure.kind for failure in self.failures)
        return dict(Counter(kind for kind in kinds if kind != RECOVERED))
