"""The progress of each class towards its quota, and when it ends.

Verdicts are counted in the order of the requests. A class ends at the first request that completes
its quota, reaches its maximum of attempts, or brings its acceptance rate below the minimum. So the
end depends on the responses only, not on their timing.
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

ACCEPTANCE_COUNTS_AFTER = 40  # draws of a class, so that a bad start is not decisive


@dataclass
class Attempt:
    """The outcome of one request of a class; a request that was not sent has no draws."""

    candidates: tuple[Candidate, ...] = ()
    failure: FailedRequest | None = None
    draws: int = 0  # candidates, or 1 for a request without any
    accepted: int | None = None  # None: no verdict yet
    endpoint: str = ""  # the one that responded, or that failed last
    cost: Decimal = Decimal(0)  # of the response


@dataclass
class ClassRun:
    """The requests of one class, and its progress towards its quota."""

    label: str
    quota: int
    attempts: list[Attempt | None] = field(default_factory=list)  # None: in flight
    screened: int = 0
    draws: int = 0
    accepted: int = 0
    stopped: str | None = None
    in_flight: int = 0
    unscreened: int = 0  # requests that have returned and wait for a verdict
    _possible: int = 0  # samples not counted yet that are, or may be, accepted
    _returned: int = 0

    @property
    def done(self) -> bool:
        """Whether the class has its quota or has stopped early."""
        return self.accepted >= self.quota or self.stopped is not None

    @property
    def acceptance(self) -> float:
        """Accepted / draws; a request without a usable response is one draw, not accepted."""
        return self.accepted / self.draws if self.draws else 1.0

    def returned(self) -> int:
        """Number of requests before the first one that is still in flight."""
        while self._returned < len(self.attempts) and self.attempts[self._returned] is not None:
            self._returned += 1
        return self._returned

    def candidates(self, until: int | None = None) -> list[Candidate]:
        """Candidates of the first `until` requests, in the order of the requests."""
        attempts = [attempt for attempt in self.attempts[:until] if attempt is not None]
        return [candidate for attempt in attempts for candidate in attempt.candidates]

    def by_endpoint(self) -> dict[str, list[Attempt]]:
        """Screened requests, grouped by the endpoint that responded or failed last."""
        found: dict[str, list[Attempt]] = {}
        for attempt in self.attempts[: self.screened]:
            if attempt is not None and attempt.draws:  # no draws: it was not sent
                found.setdefault(attempt.endpoint, []).append(attempt)
        return found

    def observations(self, until: int) -> list[Observation]:
        """Outcomes of the first `until` requests, without those whose verdict is not final."""
        attempts = [attempt for attempt in self.attempts[: min(until, self.screened)] if attempt]
        return [Observation(each.endpoint, each.draws, each.accepted or 0) for each in attempts]

    def ask(self) -> None:
        """Record that one more request is sent."""
        self.attempts.append(None)
        self.in_flight += 1

    def add_result(self, number: int, attempt: Attempt) -> None:
        """Record the outcome of request `number`."""
        self.attempts[number] = attempt
        self.in_flight -= 1
        self.unscreened += 1
        self._possible += len(attempt.candidates)

    def requests_needed(self, params: GenerateParams) -> int:
        """Number of requests to send now: those needed whatever the others return.

        Samples in flight or without a verdict count as accepted, so that no response is paid for
        in vain.
        """
        if self.done:
            return 0
        missing = (
            self.quota
            - self.accepted
            - self._possible
            - self.in_flight * params.samples_per_request
        )
        wanted = math.ceil(missing / params.samples_per_request)
        return max(min(wanted, params.max_attempts_per_class - len(self.attempts)), 0)

    def add_verdicts(self, accepted: dict[str, bool], params: GenerateParams) -> None:
        """Record verdicts, and count them up to the first request in flight.

        Later verdicts are provisional: they only determine how much to request next.
        """
        for attempt in self.attempts[self.screened :]:
            if attempt is not None and all(c.id in accepted for c in attempt.candidates):
                attempt.accepted = sum(accepted[c.id] for c in attempt.candidates)
        while not self.done and self.screened < self.returned():
            attempt = self.attempts[self.screened]
            if attempt is None or attempt.accepted is None:
                break
            self._add(attempt, params)
        left = [attempt for attempt in self.attempts[self.screened :] if attempt is not None]
        self.unscreened = sum(attempt.accepted is None for attempt in left)
        self._possible = sum(
            len(attempt.candidates) if attempt.accepted is None else attempt.accepted
            for attempt in left
        )

    def _add(self, attempt: Attempt, params: GenerateParams) -> None:
        """Count one screened request; stop the class if a limit is reached."""
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
    """The result of a run by class; requests after the end of a class are left out.

    Attributes:
        classes: in the order of the plan.
        spent: on all responses used, including recorded ones.
        tokens: of the same responses.
    """

    classes: tuple[ClassRun, ...]
    spent: Spend = field(default_factory=Spend)
    tokens: Tokens = field(default_factory=lambda: Tokens(0, 0, 0))

    @property
    def candidates(self) -> list[Candidate]:
        """Candidates of all classes."""
        return [candidate for run in self.classes for candidate in run.candidates(run.screened)]

    @property
    def failures(self) -> list[FailedRequest]:
        """Requests without a usable response, and those that got one after failed tries."""
        attempts = [attempt for run in self.classes for attempt in run.attempts if attempt]
        return [attempt.failure for attempt in attempts if attempt.failure]

    def failure_counts(self) -> dict[str, int]:
        """Number of requests without a usable response, by kind."""
        kinds = (failure.kind for failure in self.failures)
        return dict(Counter(kind for kind in kinds if kind != RECOVERED))
