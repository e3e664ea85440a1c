"""The stand-in for CMCC-34: calls composed from a hand-written bank of scenarios.

A call is: opening, other intents that the caller touches first, the turns of its own scenario,
closing; cut to a drawn length and then roughened by noise. Every draw comes from a generator
seeded by (seed, split, class), so that one class never moves another.

In tail classes train sees a third of the scenarios; dev adds a second third and test the last
one, so that test measures generalising to situations nothing has seen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

from src.config import CorpusParams, UserError
from src.data.dialogue import STANDIN_SEPARATOR, join_turns
from src.data.draws import between, pick, pick_weighted, shuffled

BANK = Path("data/raw/scenarios")
CLASSES = Path("data/raw/cmcc34_classes.csv")

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
TAIL_SUPPORT = 50
MIN_TEST_ROWS = 30
MIN_DEV_ROWS = 10
DEV_SHARE = 0.25

# Characters aimed at before noise, by quantile: the real calls' quantiles (docs/standin.md) less
# what noise and whole turns add.
LENGTH_QUANTILES = (0.0, 0.10, 0.25, 0.50, 0.75, 0.90, 1.0)
LENGTH_CHARACTERS = (20, 45, 160, 330, 440, 550, 720)

BACKCHANNEL_SHARE = 0.08  # of longer turns that the other side answers with a word
MAX_REDRAWS = 40
MAX_SHARED = 0.55  # of a call's characters with an earlier call of its scenario; else drawn again


@dataclass(frozen=True)
class Turn:
    """One turn of a scenario: who speaks, whether short calls keep it, ways to say it."""

    role: Literal["caller", "agent"]
    core: bool
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """One situation of one class."""

    class_id: int
    name: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Bank:
    """All scenarios by class id, and what calls of every class share."""

    scenarios: dict[int, tuple[Scenario, ...]]
    common: dict[str, Any] = field(repr=False)

    def of(self, class_id: int, support: int, split: Split) -> tuple[Scenario, ...]:
        """Scenarios that a split may draw from: all of them, or a tail class's thirds."""
        every = self.scenarios[class_id]
        if support >= TAIL_SUPPORT:
            return every
        third = max(len(every) // 3, 1)
        known, dev_only, test_only = every[:third], every[third : 2 * third], every[2 * third :]
        return {"train": known, "dev": known + dev_only, "test": known + test_only}[split]


def load_bank(folder: Path = BANK) -> Bank:
    """Read the scenario files.

    Raises:
        UserError: a file is missing or a scenario is malformed.
    """
    common = _read_yaml(folder / "common.yaml")
    paths = sorted(folder.glob("[0-9][0-9].yaml"))
    scenarios = {int(path.stem): _scenarios(path) for path in paths}
    missing = sorted(set(common["confusable"]) - set(scenarios))
    if missing:
        raise UserError(f"{folder / f'{missing[0]:02}.yaml'} not found; restore it with git")
    return Bank(scenarios, common)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except FileNotFoundError:
        raise UserError(f"{path} not found; restore it with git") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    return value


def _scenarios(path: Path) -> tuple[Scenario, ...]:
    raw = _read_yaml(path)
    try:
        return tuple(
            Scenario(
                raw["class_id"], item["id"], tuple(_turn(turn, path) for turn in item["turns"])
            )
            for item in raw["scenarios"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}: a scenario lacks or mistypes something ({type(error).__name__}: {error}); "
            "each needs id and turns, and a turn is 'caller' or 'agent' with its variants"
        ) from None


def _turn(raw: dict[str, list[str]], path: Path) -> Turn:
    ((key, variants),) = raw.items()
    role = key.removesuffix("+")
    if role not in ("caller", "agent"):
        raise UserError(
            f"{path}: a turn is by 'caller' or 'agent' (with + if optional), got {key!r}"
        )
    return Turn("caller" if role == "caller" else "agent", not key.endswith("+"), tuple(variants))


def rows_per_class(classes: pd.DataFrame, split: Split) -> dict[int, int]:
    """Rows of a split by class id.

    Train is as published; dev is a quarter of it, at least 10; test is as published, at least 30,
    so that the tail can be measured.
    """
    if split == "dev":
        counts = (classes["train"] * DEV_SHARE).round().clip(lower=MIN_DEV_ROWS)
    elif split == "test":
        counts = classes["test"].clip(lower=MIN_TEST_ROWS)
    else:
        counts = classes["train"]
    return dict(zip(classes["class_id"], counts.astype(int), strict=True))


def compose_corpus(
    bank: Bank, classes: pd.DataFrame, params: CorpusParams
) -> dict[Split, pd.DataFrame]:
    """All rows of every split, each shuffled.

    Returns:
        a frame a split with columns call_id, sentence_sep, c_numerical, label_raw, scenario
        (where the call came from; no stage reads it).
    """
    composers = {class_id: _Composer(bank, classes, params) for class_id in classes["class_id"]}
    names = classes.set_index("class_id")["name"]
    corpus: dict[Split, pd.DataFrame] = {}
    for split in SPLITS:
        rows: list[dict[str, object]] = []
        for class_id, count in rows_per_class(classes, split).items():
            rng = Random(f"{params.seed}/{split}/{class_id}")
            rows += [composers[class_id].row(class_id, split, rng) for _ in range(count)]
        frame = pd.DataFrame(shuffled(Random(f"{params.seed}/{split}"), rows))
        corpus[split] = frame.assign(
            call_id=[f"{split}-{i:05d}" for i in range(len(frame))],
            label_raw=frame["c_numerical"].map(names),
        )[["call_id", "sentence_sep", "c_numerical", "label_raw", "scenario"]]
    return corpus


Line = tuple[str, str]  # role, words


class _Composer:
    """Draws the calls of one class; holds what was drawn, to avoid near-duplicates."""

    def __init__(self, bank: Bank, classes: pd.DataFrame, params: CorpusParams) -> None:
        self.bank, self.params = bank, params
        self.support = dict(zip(classes["class_id"], classes["train"], strict=True))
        self.drawn = 0
        self.calls_with_turn: defaultdict[str, list[int]] = defaultdict(list)

    def row(self, class_id: int, split: Split, rng: Random) -> dict[str, object]:
        """One row that shares little with the earlier ones."""
        content = self._content_class(class_id, rng)
        best: tuple[float, Scenario, list[Line]] | None = None
        for attempt in range(MAX_REDRAWS):
            call = _Call(self.bank, self.support, self.params, split, rng)
            scenario = call.pick_scenario(content)
            lines = call.lines(scenario, grow=1 + attempt / 40)
            shared = self._shared(lines)
            if best is None or shared < best[0]:
                best = (shared, scenario, lines)
            if shared <= MAX_SHARED:
                break
        assert best is not None
        _, scenario, lines = best
        self._remember(lines)
        words = roughen([w for _, w in lines], self.params.noise, self.bank.common["noise"], rng)
        return {
            "sentence_sep": join_turns(words, STANDIN_SEPARATOR),
            "c_numerical": class_id,
            "scenario": f"{scenario.class_id}/{scenario.name}",
        }

    def _content_class(self, class_id: int, rng: Random) -> int:
        """The class itself, or a neighbour: an annotator's mistake."""
        noisy = self.support[class_id] >= TAIL_SUPPORT and rng.random() < self.params.label_noise
        return pick(rng, self.bank.common["confusable"][class_id]) if noisy else class_id

    def _shared(self, lines: list[Line]) -> float:
        """Largest share of the call's characters that one earlier call has in equal turns."""
        overlap: Counter[int] = Counter()
        for _, words in lines:
            for earlier in self.calls_with_turn.get(words, ()):
                overlap[earlier] += len(words)
        return max(overlap.values(), default=0) / max(_length(lines), 1)

    def _remember(self, lines: list[Line]) -> None:
        for words in {w for _, w in lines if len(w) > 3}:
            self.calls_with_turn[words].append(self.drawn)
        self.drawn += 1


class _Call:
    """One call being composed; slots keep their value from turn to turn."""

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
        self.slots = {name: pick(rng, values) for name, values in self.common["slots"].items()}
        self.slots["tail"] = "".join(pick(rng, "零幺二三四五六七八九") for _ in range(4))
        for name in ("plan", "pack", "service", "fee"):
            self.slots[f"{name}2"] = pick(rng, self.common["slots"][name])

    def pick_scenario(self, class_id: int) -> Scenario:
        """A scenario of the class; some situations are common and some are rare, as in life."""
        choices = self.bank.of(class_id, self.support[class_id], self.split)
        return pick_weighted(self.rng, choices, [(i + 1) ** -0.5 for i in range(len(choices))])

    def lines(self, scenario: Scenario, grow: float) -> list[Line]:
        """The call's turns before noise, about as long as a drawn target times `grow`."""
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
            if room > 0.5 * _length(side):
                before += side
                room -= _length(side)
        opening = self._opening() if room > 0 or rng.random() < 0.5 else []
        room -= _length(opening)
        for i in shuffled(rng, range(len(spoken))):
            if room > 0 and i not in kept:
                kept.add(i)
                room -= len(spoken[i][1])
        closing = self._closing() if room > 0 else []
        room -= _length(closing)
        while room > 25:  # a long call: checks, holds and further intents
            extra = self._interlude() if rng.random() < 0.35 else None
            extra = extra or self._side_intent(scenario.class_id, core_only=False)
            while extra and room > 0:
                before.append(extra.pop(0))
                room -= len(before[-1][1])

        main = [spoken[i] for i in sorted(kept)]
        if before and rng.random() < 0.6:
            role, words = main[0]
            main[0] = (role, pick(rng, self.common["links"]) + words)
        return self._with_backchannels(opening + before + main) + closing

    def _side_intent(self, class_id: int, *, core_only: bool) -> list[Line]:
        """Turns of another class's scenario, mostly one that the class is taken for.

        How often a class comes up goes by the square root of its support.
        """
        neighbours = self.common["confusable"][class_id]
        pool = neighbours if self.rng.random() < 0.6 else sorted(self.bank.scenarios)
        pool = [c for c in pool if c != class_id]
        other = self.pick_scenario(
            pick_weighted(self.rng, pool, [self.support[c] ** 0.5 for c in pool])
        )
        turns = [turn for turn in other.turns if turn.core or not core_only]
        keep = 2 + int(self.rng.random() < 0.4) if core_only else len(turns)
        return [self._say(turn) for turn in turns[:keep]]

    def _opening(self) -> list[Line]:
        opening = [self._line("agent", self.common["openings"]["agent"])]
        if self.rng.random() < 0.6:
            opening.append(self._line("caller", self.common["openings"]["caller"]))
        return opening

    def _closing(self) -> list[Line]:
        asked, goodbye = self.common["closings"]
        return self._exchange(asked) + (self._exchange(goodbye) if self.rng.random() < 0.6 else [])

    def _interlude(self) -> list[Line]:
        kind = "checks" if self.rng.random() < 0.5 else "holds"
        return self._exchange(pick(self.rng, self.common[kind]))

    def _with_backchannels(self, lines: list[Line]) -> list[Line]:
        out: list[Line] = []
        for role, words in lines:
            out.append((role, words))
            if len(words) > 14 and self.rng.random() < BACKCHANNEL_SHARE:
                other = "caller" if role == "agent" else "agent"
                out.append(self._line(other, self.common["backchannels"][other]))
        return out

    def _say(self, turn: Turn) -> Line:
        return self._line(turn.role, turn.variants)

    def _line(self, role: str, variants: Sequence[str]) -> Line:
        return role, pick(self.rng, variants).format_map(self.slots)

    def _exchange(self, block: dict[str, list[str]]) -> list[Line]:
        return [self._line(role, variants) for role, variants in block.items()]


def _length(lines: list[Line]) -> int:
    return sum(len(words) for _, words in lines)


def roughen(turns: list[str], noise: float, words: dict[str, Any], rng: Random) -> list[str]:
    """Turns as bad speech recognition writes them; unchanged at noise 0.

    Fillers, repeated words, homophones, cut, split and merged turns, and stray words, all in
    proportion to `noise`.
    """
    if noise == 0:
        return turns
    out: list[str] = []
    for turn in turns:
        text = _mishear(_stumble(turn, noise, words, rng), noise, words, rng)
        if len(text) > 12 and rng.random() < 0.12 * noise:  # cut
            text = text[: between(rng, 5, len(text))]
        if out and rng.random() < 0.45 * noise:  # merged with the turn before
            out[-1] += text
            continue
        if len(text) > 24 and rng.random() < 0.3 * noise:  # the other one cuts in
            middle = between(rng, 8, len(text) - 8)
            out += [text[:middle], pick(rng, words["junk"]), text[middle:]]
            continue
        out.append(text)
        if rng.random() < 0.14 * noise:
            out.append(pick(rng, words["junk"]))
    return out


def _stumble(text: str, noise: float, words: dict[str, Any], rng: Random) -> str:
    """Fillers before and repetitions of a few characters inside a turn."""
    if rng.random() < 0.5 * noise:
        text = pick(rng, words["fillers"]) + text
    parts: list[str] = []
    at = 0
    while at < len(text):
        step = between(rng, 5, 12)
        part = text[at : at + step]
        at += step
        if rng.random() < 0.14 * noise:
            part += pick(rng, words["fillers"])
        elif len(part) > 3 and rng.random() < 0.16 * noise:
            part += part[-between(rng, 1, 4) :]
        parts.append(part)
    return "".join(parts)


def _mishear(text: str, noise: float, words: dict[str, Any], rng: Random) -> str:
    """Characters replaced by others of the same sound."""
    homophones = words["homophones"]
    return "".join(
        pick(rng, homophones[c]) if c in homophones and rng.random() < 0.09 * noise else c
        for c in text
    )
