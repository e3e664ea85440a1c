"""Which of several models writes a class's next sample: rather one whose samples are accepted.

    bandit = Bandit(("small", "glm4"), explore=0.03, most_behind=32)
    past = observations[: bandit.known(attempt)]
    bandit.choose(attempt, past, "7/补换卡")  ->  "glm4"

Thompson sampling (Thompson 1933), with a posterior that is narrower than the true one, since a
class has a few dozen requests and not thousands (Chapelle and Li 2011, "posterior reshaping").
A choice hangs on verdicts alone, never on when they came, so that a replay chooses the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from src.data.draws import shuffled

FIRST = 2  # requests of each model to begin with
SHARPNESS = 2  # a draw counts so often; at quotas of 20 and 100 better than 1 and 3
RECENT = 40  # requests of a model that count: one that repeats itself gets worse with time
TOGETHER = 4  # requests that know the same verdicts: the gate has its price


@dataclass(frozen=True)
class Observation:
    """What one request came to: who responded, how many samples, and how many the gate let pass."""

    endpoint: str
    draws: int
    accepted: int


@dataclass(frozen=True)
class Bandit:
    """How the requests of one class are spread.

    Attributes:
        names: of the endpoints.
        explore: the least share of a class's requests that each of them gets, 0 to 1 / names.
        most_behind: requests that may be out without a verdict, once a class has many.
    """

    names: tuple[str, ...]
    explore: float
    most_behind: int

    def known(self, attempt: int) -> int:
        """How many requests of the class must have verdicts before this one can be written.

        All but a third of those before it, so that there is always something under way.
        """
        first = FIRST * len(self.names)
        if attempt < first:
            return 0
        behind = min(attempt // 3, self.most_behind)
        return max(first, (attempt - behind) // TOGETHER * TOGETHER)

    def choose(self, attempt: int, past: Sequence[Observation], seed: str) -> str:
        """The endpoint of request number `attempt` of a class.

        Args:
            attempt: counts from 0.
            past: of the first `known` requests, in their order.
            seed: of the class; another one draws otherwise.
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
        """Requests, among the first so many, that go to each in turn beyond the `FIRST`."""
        of_all = int(len(self.names) * self.explore * attempts)
        return max(of_all - FIRST * len(self.names), 0)

    def _hope(self, rng: Random, name: str, past: Sequence[Observation]) -> float:
        """A draw from Beta(1 + accepted, 1 + rejected), each counted `SHARPNESS` times.

        It is the k-th smallest of n uniform draws, with k = 1 + accepted and n = 1 + all; that
        takes `Random.random` alone, unlike `betavariate`, which Python may change.
        """
        mine = [outcome for outcome in past if outcome.endpoint == name][-RECENT:]
        accepted = SHARPNESS * sum(outcome.accepted for outcome in mine)
        draws = SHARPNESS * sum(outcome.draws for outcome in mine)
        return sorted(rng.random() for _ in range(1 + draws))[accepted]
