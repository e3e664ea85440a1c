"""Compose one call of the stand-in, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from src.config.corpus import CorpusParams
from src.data.draws import pick, pick_weighted, shuffled
from src.standin.scenarios import Bank, Role, Scenario, Split, Turn, Ways

# Target lengths in characters before noise, by quantile: the quantiles of the real calls
# (docs/standin.md) minus what noise and rounding to whole turns add.
LENGTH_QUANTILES = (0.0, 0.10, 0.25, 0.50, 0.75, 0.90, 1.0)
LENGTH_CHARACTERS = (20, 45, 160, 330, 440, 550, 720)
BACKCHANNEL_SHARE = 0.08  # share of longer turns that the other speaker acknowledges
Line = tuple[Role, str]  # role, words


class Call:
    """A call being composed; placeholders have the same values in all its turns."""

    def __init__(
        self,
        bank: Bank,
        support: dict[int, int],
        params: CorpusParams,
        split: Split,
        rng: Random,
    ) -> None:
        self.bank, self.support, self.params = bank, support, params
        self.split, self.rng, self.common = split, rng, bank.common
        self.placeholders = {
            name: pick(rng, values) for name, values in self.common.placeholders.items()
        }
        self.placeholders["tail"] = "".join(pick(rng, "零幺二三四五六七八九") for _ in range(4))
        for name in ("plan", "pack", "service", "fee"):
            self.placeholders[f"{name}2"] = pick(rng, self.common.placeholders[name])

    def pick_scenario(self, class_id: int) -> Scenario:
        """Draw a scenario of the class; some are common and some rare, as in real calls."""
        choices = self.bank.of(class_id, self.support[class_id], self.split)
        return pick_weighted(self.rng, choices, [(i + 1) ** -0.5 for i in range(len(choices))])

    def lines(self, scenario: Scenario, grow: float) -> list[Line]:
        """Return the call's turns before noise; length is about a drawn target times `grow`."""
        rng = self.rng
        quantile = float(np.interp(rng.random(), LENGTH_QUANTILES, LENGTH_CHARACTERS))
        room = grow * self.params.length * quantile
        spoken = [self._say(turn) for turn in scenario.turns]
        kept = {i for i, turn in enumerate(scenario.turns) if turn.core}
        room -= sum(len(spoken[i][1]) for i in kept)
        while room < -10 and len(kept) > 2:  # a short call loses its last turns
            last = max(kept)
            kept.remove(last)
            room += len(spoken[last][1])

        before: list[Line] = []
        while rng.random() < self.params.side_intents / (1 + self.params.side_intents):
            side = self._side_intent(scenario.class_id, core_only=True)
            if room > 0.5 * length(side):
                before += side
                room -= length(side)
        opening = self._opening() if room > 0 or rng.random() < 0.5 else []
        room -= length(opening)
        for i in shuffled(rng, range(len(spoken))):
            if room > 0 and i not in kept:
                kept.add(i)
                room -= len(spoken[i][1])
        closing = self._closing() if room > 0 else []
        room -= length(closing)
        while room > 25:  # a long call: checks, holds and further intents
            extra = self._interlude() if rng.random() < 0.35 else None
            extra = extra or self._side_intent(scenario.class_id, core_only=False)
            while extra and room > 0:
                before.append(extra.pop(0))
                room -= len(before[-1][1])

        main = [spoken[i] for i in sorted(kept)]
        if before and rng.random() < 0.6:
            role, words = main[0]
            main[0] = (role, pick(rng, self.common.links) + words)
        return self._with_backchannels(opening + before + main) + closing

    def _side_intent(self, class_id: int, *, core_only: bool) -> list[Line]:
        """Return turns of another class's scenario, mostly of a class it is confused with.

        Classes are drawn with probability proportional to the square root of their support.
        """
        neighbours = self.common.confusable[class_id]
        pool: Sequence[int] = neighbours if self.rng.random() < 0.6 else sorted(self.bank.scenarios)
        pool = [c for c in pool if c != class_id]
        other = self.pick_scenario(
            pick_weighted(self.rng, pool, [self.support[c] ** 0.5 for c in pool])
        )
        turns = [turn for turn in other.turns if turn.core or not core_only]
        keep = 2 + int(self.rng.random() < 0.4) if core_only else len(turns)
        return [self._say(turn) for turn in turns[:keep]]

    def _opening(self) -> list[Line]:
        opening = [self._line("agent", self.common.openings["agent"])]
        if self.rng.random() < 0.6:
            opening.append(self._line("caller", self.common.openings["caller"]))
        return opening

    def _closing(self) -> list[Line]:
        asked, goodbye = self.common.closings
        return self._exchange(asked) + (self._exchange(goodbye) if self.rng.random() < 0.6 else [])

    def _interlude(self) -> list[Line]:
        checks = self.rng.random() < 0.5
        return self._exchange(pick(self.rng, self.common.checks if checks else self.common.holds))

    def _with_backchannels(self, lines: list[Line]) -> list[Line]:
        out: list[Line] = []
        for role, words in lines:
            out.append((role, words))
            if len(words) > 14 and self.rng.random() < BACKCHANNEL_SHARE:
                other: Role = "caller" if role == "agent" else "agent"
                out.append(self._line(other, self.common.backchannels[other]))
        return out

    def _say(self, turn: Turn) -> Line:
        return self._line(turn.role, turn.variants)

    def _line(self, role: Role, variants: Sequence[str]) -> Line:
        return role, pick(self.rng, variants).format_map(self.placeholders)

    def _exchange(self, block: Ways) -> list[Line]:
        return [self._line(role, variants) for role, variants in block.items()]


def length(lines: list[Line]) -> int:
    """Return the number of characters of all turns."""
    return sum(len(words) for _, words in lines)
