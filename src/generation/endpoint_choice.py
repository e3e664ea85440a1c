"""A bandit that chooses the endpoint of a class's next request by acceptance rate.

    bandit = Bandit(("small", "glm4"), explore=0.03, most_behind=32)
    past = observations[: bandit.known(attempt)]
    bandit.choose(attempt, past, "7/补换卡")  ->  "glm4"

Thompson sampling (Thompson 1933) with a posterior narrower than the true one, since a class has a
few dozen requests, not thousands (Chapelle and Li 2011, "posterior reshaping"). A choice depends on
verdicts only, not on their timing, so a replay makes the same choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from src.data.draws import shuffled

FIRST = 2  # initial requests per endpoint
SHARPNESS = 2  # weight of a draw; better than 1 and 3 at quotas of 20 and 100
RECENT = 40  # last requests that count: a model that repeats itself gets worse over time
TOGETHER = 4  # consecutive requests that use the same verdicts, to run the gate less often


@dataclass(frozen=True)
class Observation:
    """The outcome of one request: its endpoint, its draws, and how many were accepted."""

    endpoint: str
    draws: int
    accepted: int


@dataclass(frozen=True)
class Bandit:
    """The rule that spreads the requests of one class over endpoints (the arms).

    Attributes:
        names: of the endpoints.
        explore: minimum share of a class's requests per endpoint, 0 to 1 / number of names.
        most_behind: maximum number of requests without a verdict, once a class has many.
    """

    names: tuple[str, ...]
    explore: float
    most_behind: int

    def known(self, attempt: int) -> int:
        """Return how many requests of the class need verdicts before this one can be written.

        All but a third of those before it, so that some requests are always in flight.
        """
        first = FIRST * len(self.names)
        if attempt < first:
            return 0
        behind = min(attempt // 3, self.most_behind)
        return max(first, (attempt - behind) // TOGETHER * TOGETHER)

    def choose(self, attempt: int, past: Sequence[Observation], seed: str) -> str:
        """Return the endpoint of request number `attempt` of a class.

        Args:
            attempt: counts from 0.
            past: outcomes of the first `known` requests, in their order.
            seed: random seed of the class.
        """
        order = shuffled(Random(f"{seed}/endpoints"), self.names)
        if attempt < FIRST * len(order):
            return order[attempt % len(order)]
        turn = self._turns(attempt + 1)
        if turn > self._turns(attempt):
            return order[turn % len(order)]
        rng = Random(f"{seed}/{attempt}/endpoint")
        hopes = [self._hope(rng, name, past) for name in order]
        return order[hopes.index(max(hopes))]

    def _turns(self, attempts: int) -> int:
        """Return how many of the first `attempts` requests are exploration beyond `FIRST`."""
        of_all = int(len(self.names) * self.explore * attempts)
        return max(of_all - FIRST * len(self.names), 0)

    def _hope(self, rng: Random, name: str, past: Sequence[Observation]) -> float:
        """Sample from Beta(1 + accepted, 1 + rejected), each draw counted `SHARPNESS` times.

        This is the k-th smallest of n uniform numbers, with k = 1 + accepted and n = 1 + all. It
        needs only `Random.random`, unlike `betavariate`, whose algorithm Python may change.
        """
        mine = [outcome for outcome in past if outcome.endpoint == name][-RECENT:]
        accepted = SHARPNESS * sum(outcome.accepted for outcome in mine)
        draws = SHARPNESS * sum(outcome.draws for outcome in mine)
        return sorted(rng.random() for _ in range(1 + draws))[accepted]
