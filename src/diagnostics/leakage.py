"""Leakage check before scoring: do accepted samples repeat dev or test rows?

    leakage = check_leakage(accepted, splits, params.data, params.filter.contamination.max_overlap)
    require_no_leakage(leakage)   # UserError: accepted sample 35467b8f0dd5911f-0: 0.93 of it ...
    leakage.figures()             # LeakageFigures(checked=1140, copies=0, seeds=812, ...)

The gate checks every candidate for this, but its rule can be disabled, a file can come from
elsewhere, and private data is replaced after the check. This module checks the samples as they are
trained on, and in both directions: a long sample that contains a whole row is as much a copy as a
short sample out of a long row. In the second direction only long rows are evidence, because real
callers also say "why is my withdrawal still pending" and then continue. Samples that contain a
shorter row are only counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from src.config.data import DataParams
from src.data.dialogue import plain
from src.data.schema import Splits
from src.errors import UserError
from src.gate.overlap import NOT_WORD, SEARCH, References, entries, grams
from src.records.metrics.evaluate import LeakageFigures
from src.records.samples import Screened

# Min. distinct 3-grams of a row that is looked up in samples. Real train rows show how often a
# match is chance, since they are not derived from test rows. With a limit of 0.85, of 1,665 train
# rows of banking77, 103 contain most of a row of at least COUNTED 3-grams and none of one of at
# least LONG. Of 12,799 in the stand-in, whose calls are composed of phrases, it is 467 and 3.
COUNTED = 20
LONG = 64

Direction = Literal["sample in row", "row in sample"]


@dataclass(frozen=True)
class Copy:
    """An accepted sample that is a near-duplicate of a dev or test row.

    Attributes:
        sample: id of the sample.
        split: "dev" or "test".
        row: row_id of the row.
        share: share of the sample's 3-grams that occur in the row, or vice versa.
        direction: which of the two `share` is.
    """

    sample: str
    split: str
    row: str
    share: float
    direction: Direction


@dataclass(frozen=True)
class ForeignSeed:
    """A seed example of an accepted sample that is not a train row."""

    sample: str
    seed: str


@dataclass(frozen=True)
class Leakage:
    """Result of the leakage check.

    Attributes:
        checked: number of accepted samples.
        copies: at most one per sample, in sample order.
        hold_short_row: number of other samples that contain a row of `COUNTED` to `LONG` 3-grams.
        seeds: number of distinct rows used as seed examples.
        strays: the first one of each sample with seeds outside train, in sample order.
        train_twins: number of train rows that have the same letters and numbers as a dev or test
            row. They are duplicates in the user's data and inflate the scores of all methods alike.
        seed_twins: number of those that were used as seed examples.
    """

    checked: int
    copies: tuple[Copy, ...]
    hold_short_row: int
    seeds: int
    strays: tuple[ForeignSeed, ...]
    train_twins: int
    seed_twins: int

    def figures(self) -> LeakageFigures:
        """Return the counts for the metrics."""
        return LeakageFigures(
            checked=self.checked,
            copies=len(self.copies),
            hold_short_row=self.hold_short_row,
            seeds=self.seeds,
            strays=len(self.strays),
            train_twins=self.train_twins,
            seed_twins=self.seed_twins,
        )


def check_leakage(
    accepted: Sequence[Screened], splits: Splits, data: DataParams, max_overlap: float
) -> Leakage:
    """Compare every accepted sample with every dev and test row, and its seeds with train.

    Args:
        accepted: samples.
        splits: the real rows; uses row_id and text.
        data: turn separator.
        max_overlap: share of distinct character 3-grams, of a sample in one row or of a row in one
            sample, above which it is a copy: `filter.contamination.max_overlap`.
    """
    held_out = pd.concat([splits.dev.assign(split="dev"), splits.test.assign(split="test")])
    rows = [plain(text, data.turn_separator) for text in held_out["text"]]
    samples = [plain(one.text, data.turn_separator) for one in accepted]
    held = _rows_in_samples(samples, rows, max_overlap)
    found = {match.sample: match for match in held if match.size >= LONG}
    # If a sample is a copy in both directions, report the share of the sample, like the gate.
    found |= {match.sample: match for match in _samples_in_rows(samples, rows, max_overlap)}
    positions = list(zip(held_out["split"], held_out["row_id"], strict=True))
    train = splits.train
    seeds = {seed for one in accepted for seed in one.candidate.seed_ids}
    words = _letters(plain(text, data.turn_separator) for text in train["text"])
    is_twin = pd.Series(words, index=train.index).isin(set(_letters(rows)))
    return Leakage(
        checked=len(accepted),
        copies=tuple(
            Copy(
                accepted[sample].id,
                *positions[match.row],
                share=round(match.share, 6),
                direction=match.direction,
            )
            for sample, match in sorted(found.items())
        ),
        hold_short_row=len({match.sample for match in held} - set(found)),
        seeds=len(seeds),
        strays=tuple(_strays(accepted, set(train["row_id"]))),
        train_twins=int(is_twin.sum()),
        seed_twins=int((is_twin & train["row_id"].isin(seeds)).sum()),
    )


def require_no_leakage(leakage: Leakage) -> None:
    """Stop the run if its scores would be invalid.

    Raises:
        UserError: a sample is a copy of a dev or test row, or has a seed example outside train.
    """
    if leakage.copies:
        first = leakage.copies[0]
        what = (
            f"{first.share:.2f} of it occurs in {first.split} row {first.row}"
            if first.direction == "sample in row"
            else f"it contains {first.share:.2f} of {first.split} row {first.row}"
        )
        raise UserError(
            f"accepted sample {first.sample}: {what}{_more(leakage.copies)}; set "
            "filter.contamination.enabled: true, or reject it in `make review`, and run `dvc repro`"
        )
    if leakage.strays:
        first_stray = leakage.strays[0]
        raise UserError(
            f"accepted sample {first_stray.sample}: its seed {first_stray.seed} is not a train row"
            f"{_more(leakage.strays)}; run `dvc repro`, or correct seed_ids if the samples come "
            "from elsewhere"
        )


def _more(found: Sequence[Copy] | Sequence[ForeignSeed]) -> str:
    return f", and {len(found) - 1} more such" if len(found) > 1 else ""


@dataclass(frozen=True)
class _Match:
    """Positions of a sample and a row; `size` is the row's number of 3-grams, 0 if not needed."""

    sample: int
    row: int
    share: float
    direction: Direction
    size: int = 0


def _samples_in_rows(samples: list[str], rows: list[str], limit: float) -> Iterator[_Match]:
    shares, positions = References(rows).max_overlap(samples, limit)
    for sample, (share, row) in enumerate(zip(shares, positions, strict=True)):
        if share > limit:
            yield _Match(sample, int(row), float(share), "sample in row")


def _rows_in_samples(samples: list[str], rows: list[str], limit: float) -> list[_Match]:
    """Return matches sorted by share, so the last of a sample is its best; ties: lower row last."""
    longest = max((len(grams(sample)) for sample in samples), default=0)
    sizes = [len(grams(row)) for row in rows]
    fitting = [row for row, size in enumerate(sizes) if size >= COUNTED and size * limit < longest]
    references = References(samples)
    matches: list[_Match] = []
    for part in SEARCH.chunks(len(fitting)):
        some = fitting[part]
        shares = references.shares([rows[row] for row in some], limit)
        for row, (positions, values) in zip(some, entries(shares), strict=True):
            matches += [
                _Match(int(sample), row, float(share), "row in sample", sizes[row])
                for sample, share in zip(positions, values, strict=True)
                if share > limit
            ]
    return sorted(matches, key=lambda match: (match.share, -match.row))


def _strays(accepted: Sequence[Screened], train: set[str]) -> Iterator[ForeignSeed]:
    for one in accepted:
        outside = [seed for seed in one.candidate.seed_ids if seed not in train]
        if outside:
            yield ForeignSeed(one.id, outside[0])


def _letters(texts: Iterable[str]) -> list[str]:
    """Return letters and numbers in lower case, as the overlap counts them; else the whole text."""
    return [NOT_WORD.sub("", text.lower()) or text for text in texts]
