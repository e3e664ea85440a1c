"""The one verdict on candidates: what `generate` asks between its rounds and `filter` at the end.

    gate = Gate(train, dev, test, keywords, params.filter, params.data)
    verdicts = gate.screen(candidates)
    verdicts.acceptance_rate, verdicts.rejected_by  ->  0.82, Counter({"repetition": 11, ...})

Everything is scored, also by rules that are off; only the enabled ones drop.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from src.config import DataParams, FilterParams, UserError
from src.data.dialogue import plain
from src.data.io import Record
from src.quality.overlap import References, chunks
from src.quality.rules import (
    NOWHERE,
    Overlap,
    Sample,
    first_fault,
    limits_from_train,
    measure,
)
from src.quality.style import match_surface, measure_surface

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdicts:
    """Candidates, accepted and rejected, each in the order in which they came.

    All have `text` in the style of the real rows, `text_before_style` and `scores`; the rejected
    ones also `reason` (a rule of params.yaml `filter:`) and `detail`.
    """

    accepted: tuple[Record, ...]
    rejected: tuple[Record, ...]

    @property
    def acceptance_rate(self) -> float:
        """Share of the candidates that was accepted; 0 without candidates."""
        return len(self.accepted) / max(1, len(self.accepted) + len(self.rejected))

    @property
    def rejected_by(self) -> Counter[str]:
        """Candidates dropped, by the rule that dropped them."""
        return Counter(record["reason"] for record in self.rejected)


class Gate:
    """The rules with what they compare against, indexed once.

    A verdict depends on the candidate and on candidates of its own class before it, on nothing
    else: more candidates after it, or of other classes, never change it. What was measured on a
    text is kept, so that screening a growing list costs only what is new.
    """

    def __init__(
        self,
        train: pd.DataFrame,
        dev: pd.DataFrame,
        test: pd.DataFrame,
        keywords: Mapping[str, Sequence[str]],
        params: FilterParams,
        data: DataParams,
    ) -> None:
        """Measure train and index dev and test.

        Args:
            train: columns row_id, text, label.
            dev: columns row_id, text.
            test: columns row_id, text.
            keywords: of each class; `filter.keywords.given` goes before them.
            params: the section `filter`.
            data: the section `data`.

        Raises:
            UserError: keywords are given for a class that train does not have.
        """
        unknown = sorted(set(params.keywords.given) - set(train["label"]))
        if unknown:
            raise UserError(
                f"params.yaml filter.keywords.given: no class {unknown[0]!r} in train; "
                "correct the name"
            )
        if not params.contamination.enabled:
            log.warning("filter.contamination is off: copies of dev and test rows are let through")
        self._params = params
        self._data = data
        self._keywords = {**keywords, **params.keywords.given}
        self._surface = measure_surface(train["text"], data.turn_separator)
        self._limits = limits_from_train(train, params.length, data)
        self._train = {str(label): rows for label, rows in train.groupby("label", sort=False)}
        self._seeds: dict[str, _Rows] = {}
        self._held_out = _Rows(pd.concat([dev, test]), data.turn_separator)
        self._samples: dict[tuple[str, str], Sample] = {}

    def screen(self, candidates: Sequence[Record]) -> Verdicts:
        """Verdicts on all candidates; needs id, text and label of each.

        Raises:
            UserError: a candidate lacks one of these, or its class has no train row.
        """
        self._check(candidates)
        by_class: dict[str, list[int]] = {}
        for place, candidate in enumerate(candidates):
            by_class.setdefault(candidate["label"], []).append(place)
        records: dict[int, Record] = {}
        for label, places in by_class.items():
            mine = self._screen_class(label, [candidates[place] for place in places])
            records.update(zip(places, mine, strict=True))
        in_order = [records[place] for place in range(len(candidates))]
        return Verdicts(
            accepted=tuple(record for record in in_order if "reason" not in record),
            rejected=tuple(record for record in in_order if "reason" in record),
        )

    def accepts(self, candidates: Sequence[Record]) -> list[bool]:
        """Whether each candidate passes; raises as `screen` does."""
        accepted = {record["id"] for record in self.screen(candidates).accepted}
        return [candidate["id"] in accepted for candidate in candidates]

    def _screen_class(self, label: str, candidates: list[Record]) -> list[Record]:
        """Verdicts on candidates of one class, each against the accepted ones before it."""
        samples = self._measure(label, [candidate["text"] for candidate in candidates])
        texts = [self._words(sample.text) for sample in samples]
        mine = References(texts)
        accepted: list[int] = []
        records: list[Record] = []
        for part in chunks(len(candidates)):
            shares = mine.shares(texts[part])
            for place, row in zip(range(part.start, part.stop), shares, strict=True):
                earlier = NOWHERE
                if accepted:
                    nearest = accepted[int(row[accepted].argmax())]
                    earlier = Overlap(float(row[nearest]), str(candidates[nearest]["id"]))
                sample = replace(samples[place], earlier=earlier)
                records.append(self._verdict(candidates[place], sample))
                if "reason" not in records[-1]:
                    accepted.append(place)
        return records

    def _verdict(self, candidate: Record, sample: Sample) -> Record:
        """The candidate with scores, and a reason if it is dropped; an old one is forgotten."""
        record = {
            **{key: value for key, value in candidate.items() if key not in ("reason", "detail")},
            "text": sample.text,
            "text_before_style": candidate["text"],
            "scores": sample.scores(),
        }
        fault = first_fault(sample, self._params, self._limits)
        return {**record, "reason": fault[0], "detail": fault[1]} if fault else record

    def _measure(self, label: str, texts: list[str]) -> list[Sample]:
        """Samples of the texts, those seen before from memory; `earlier` is not filled in."""
        new = [text for text in dict.fromkeys(texts) if (label, text) not in self._samples]
        samples = [self._measure_alone(label, text) for text in new]
        words = [self._words(sample.text) for sample in samples]
        seeds = self._seed_rows(label).nearest(words)
        held_out = self._held_out.nearest(words)
        for text, sample, seed, held in zip(new, samples, seeds, held_out, strict=True):
            self._samples[label, text] = replace(sample, seed=seed, held_out=held)
        return [self._samples[label, text] for text in texts]

    def _measure_alone(self, label: str, raw: str) -> Sample:
        text = raw
        if self._params.style.enabled:
            text = match_surface(raw, self._surface, self._data.turn_separator, self._data.language)
        return measure(raw, text, self._keywords.get(label, ()), self._data)

    def _seed_rows(self, label: str) -> _Rows:
        if label not in self._seeds:
            self._seeds[label] = _Rows(self._train[label], self._data.turn_separator)
        return self._seeds[label]

    def _words(self, text: str) -> str:
        return plain(text, self._data.turn_separator)

    def _check(self, candidates: Sequence[Record]) -> None:
        for number, candidate in enumerate(candidates, 1):
            missing = [key for key in ("id", "text", "label") if key not in candidate]
            if missing:
                raise UserError(
                    f"candidate {number} has no {missing[0]!r}; it needs id, text and label"
                )
            if candidate["label"] not in self._train:
                raise UserError(
                    f"candidate {candidate['id']}: class {candidate['label']!r} has no train row; "
                    "correct its label or add a train row of the class"
                )


class _Rows:
    """Rows of a split with their ids, to compare with."""

    def __init__(self, frame: pd.DataFrame, separator: str | None) -> None:
        self._ids = [str(row_id) for row_id in frame["row_id"]]
        self._references = References([plain(text, separator) for text in frame["text"]])

    def nearest(self, texts: list[str]) -> list[Overlap]:
        """The row that holds most of each text."""
        shares, places = self._references.max_overlap(texts)
        return [
            Overlap(float(share), self._ids[place]) if share > 0 else NOWHERE
            for share, place in zip(shares, places, strict=True)
        ]
