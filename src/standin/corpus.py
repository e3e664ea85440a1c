"""The stand-in for CMCC-34: calls composed from a hand-written bank of scenarios.

A call consists of an opening, other intents that the caller mentions first, the turns of its own
scenario, and a closing. It is cut to a drawn length; then noise is added. Every draw comes from a
generator seeded by (seed, split, class), so that classes are independent of each other.

In tail classes, train uses a third of the scenarios, dev adds the second third and test the last
one, so that test measures generalisation to unseen situations.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

import pandas as pd

from src.config.corpus import CorpusParams
from src.data.dialogue import STANDIN_SEPARATOR, join_turns
from src.data.draws import pick, shuffled
from src.standin.call import Call, Line, length
from src.standin.noise import add_noise
from src.standin.scenarios import SPLITS, TAIL_SUPPORT, Bank, Scenario, Split

MIN_TEST_ROWS = 30
MIN_DEV_ROWS = 10
DEV_SHARE = 0.25
MAX_REDRAWS = 40
MAX_SHARED = 0.55  # a call that shares more characters with an earlier one is drawn again


def rows_per_class(classes: pd.DataFrame, split: Split) -> dict[int, int]:
    """Return the number of rows of a split by class id.

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
    """Compose all rows of every split, each split shuffled.

    Returns:
        one frame per split with columns call_id, sentence_sep, c_numerical, label_raw, scenario
        (the scenario of the call; no stage reads it).
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


class _Composer:
    """Draws the calls of one class and remembers them, to avoid near-duplicates."""

    def __init__(self, bank: Bank, classes: pd.DataFrame, params: CorpusParams) -> None:
        self.bank, self.params = bank, params
        self.support = dict(zip(classes["class_id"], classes["train"], strict=True))
        self.drawn = 0
        self.calls_with_turn: defaultdict[str, list[int]] = defaultdict(list)

    def row(self, class_id: int, split: Split, rng: Random) -> dict[str, object]:
        """Return one row that shares little with earlier ones."""
        content = self._content_class(class_id, rng)
        best: tuple[float, Scenario, list[Line]] | None = None
        for attempt in range(MAX_REDRAWS):
            call = Call(self.bank, self.support, self.params, split, rng)
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
        words = add_noise([w for _, w in lines], self.params.noise, self.bank.common.noise, rng)
        return {
            "sentence_sep": join_turns(words, STANDIN_SEPARATOR),
            "c_numerical": class_id,
            "scenario": f"{scenario.class_id}/{scenario.name}",
        }

    def _content_class(self, class_id: int, rng: Random) -> int:
        """Return the class, or sometimes a confusable one, to simulate label noise."""
        noisy = self.support[class_id] >= TAIL_SUPPORT and rng.random() < self.params.label_noise
        return pick(rng, self.bank.common.confusable[class_id]) if noisy else class_id

    def _shared(self, lines: list[Line]) -> float:
        """Return the largest share of the call's characters in turns of one earlier call."""
        overlap: Counter[int] = Counter()
        for _, words in lines:
            for earlier in self.calls_with_turn.get(words, ()):
                overlap[earlier] += len(words)
        return max(overlap.values(), default=0) / max(length(lines), 1)

    def _remember(self, lines: list[Line]) -> None:
        for words in {w for _, w in lines if len(w) > 3}:
            self.calls_with_turn[words].append(self.drawn)
        self.drawn += 1
