"""The one verdict on candidates: what `generate` asks as it goes and `filter` at the end.

    gate = Gate(train, dev, test, keywords, params.filter, params.data)
    verdicts = gate.screen(candidates)
    verdicts.acceptance_rate, verdicts.rejected_by  ->  0.82, Counter({"repetition": 11, ...})

Everything is scored, also by rules that are off; only the enabled ones drop.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from src.config.data import DataParams
from src.config.filter import FilterParams
from src.data.dialogue import plain
from src.errors import UserError
from src.gate.compare import Compared, Rows
from src.gate.limits import limits_from_train
from src.gate.measurements import Measurements, measure_candidate
from src.gate.overlap import SEARCH, Search
from src.gate.rules import first_fault
from src.gate.style import match_surface, measure_surface
from src.privacy.find import mask
from src.records.decisions import Decision
from src.records.samples import Candidate, Fault, Screened

REVIEW = "review"  # the rule of samples that people rejected
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdicts:
    """Candidates, accepted and rejected, each in the order in which they came.

    All have their text in the style of the real rows, their scores, and the private data found in
    them by kind; the rejected ones also a fault.
    """

    accepted: tuple[Screened, ...]
    rejected: tuple[Screened, ...]

    @property
    def every(self) -> tuple[Screened, ...]:
        """The accepted ones, then the rejected ones."""
        return (*self.accepted, *self.rejected)

    @property
    def acceptance_rate(self) -> float:
        """Share of the candidates that was accepted; 0 without candidates."""
        return len(self.accepted) / max(1, len(self.every))

    @property
    def rejected_by(self) -> Counter[str]:
        """Candidates dropped, by the rule that dropped them."""
        return reasons(self.rejected)


class Gate:
    """The rules with what they compare against, indexed once.

    A verdict depends on the candidate and on candidates of its own class before it, on nothing
    else: more candidates after it, or of other classes, never change it. What was measured on a
    text is kept, and so are the comparisons within a class up to where a list differs from the last
    one, so that screening a growing list costs only what is new.

    Verdicts are exact for any number of rows. Scores of overlaps are so up to
    `Search.exact_rows` rows that a text is compared with (train rows of its class, dev and test
    rows, all train rows, candidates of its class before it); with more, a share up to
    `overlap.FLOOR`, or up to the lowest `max_overlap` of the four rules if that is lower, is
    written as 0.
    """

    def __init__(
        self,
        train: pd.DataFrame,
        dev: pd.DataFrame,
        test: pd.DataFrame,
        keywords: Mapping[str, Sequence[str]],
        params: FilterParams,
        data: DataParams,
        decisions: Mapping[str, Decision] | None = None,
        search: Search = SEARCH,
    ) -> None:
        """Measure train and index it with dev and test.

        Args:
            train: columns row_id, text, label.
            dev: columns row_id, text.
            test: columns row_id, text.
            keywords: of each class; `filter.keywords.given` goes before them.
            params: the section `filter`.
            data: the section `data`.
            decisions: of people, by candidate id; what they reject, or give to another class, is
                dropped by the rule `review`.
            search: how shares are looked for; changes no verdict.

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
        self._decisions = decisions or {}
        self._search = search
        self._keywords = {**keywords, **params.keywords.given}
        self._surface = measure_surface(train["text"], data.turn_separator)
        self._limits = limits_from_train(train, params.length, data)
        self._train = {str(label): rows for label, rows in train.groupby("label", sort=False)}
        self._seeds: dict[str, Rows] = {}
        rules = (
            params.seed_similarity,
            params.contamination,
            params.contradiction,
            params.near_duplicate,
        )
        self._limit = min(rule.max_overlap for rule in rules)
        self._held_out = self._rows(pd.concat([dev, test]))
        pairs = zip(train["row_id"], train["label"], strict=True)
        named = [f"{row_id} of class {label!r}" for row_id, label in pairs]
        self._every_train = self._rows(train.assign(row_id=named))
        self._labels = train["label"].to_numpy(dtype=object)
        self._measured: dict[tuple[str, str], Measurements] = {}
        self._compared: dict[str, Compared] = {}

    def screen(self, candidates: Sequence[Candidate]) -> Verdicts:
        """Verdicts on all candidates.

        Raises:
            UserError: the class of a candidate has no train row.
        """
        check_candidates(candidates, self._train)
        by_class: dict[str, list[int]] = {}
        for position, candidate in enumerate(candidates):
            by_class.setdefault(candidate.label, []).append(position)
        screened: dict[int, Screened] = {}
        for label, positions in by_class.items():
            mine = self._screen_class(label, [candidates[position] for position in positions])
            screened.update(zip(positions, mine, strict=True))
        in_order = [screened[position] for position in range(len(candidates))]
        return Verdicts(
            accepted=tuple(one for one in in_order if one.accepted),
            rejected=tuple(one for one in in_order if not one.accepted),
        )

    def accepts(self, candidates: Sequence[Candidate]) -> list[bool]:
        """Whether each candidate passes; raises as `screen` does."""
        accepted = {one.id for one in self.screen(candidates).accepted}
        return [candidate.id in accepted for candidate in candidates]

    def _screen_class(self, label: str, candidates: list[Candidate]) -> list[Screened]:
        """Verdicts on candidates of one class, each against the accepted ones before it."""
        measured = self._measure(label, [candidate.text for candidate in candidates])
        compared = self._compared.setdefault(label, Compared(self._search))
        known = compared.go_back(candidates)
        screened = [
            self._verdict(candidate, replace(one, earlier=earlier))
            for candidate, one, (_, earlier) in zip(
                candidates[:known], measured[:known], compared.done, strict=True
            )
        ]
        for part in self._search.chunks(len(candidates), known):
            texts = [self._words(one.text) for one in measured[part]]
            for position, shares in enumerate(compared.compare(texts, self._limit), part.start):
                earlier = compared.nearest(*shares)
                verdict = self._verdict(
                    candidates[position], replace(measured[position], earlier=earlier)
                )
                compared.take(candidates[position], earlier, accepted=verdict.accepted)
                screened.append(verdict)
        return screened

    def _verdict(self, candidate: Candidate, measured: Measurements) -> Screened:
        """The candidate with its scores, and a fault if it is dropped."""
        replaced = self._params.pii.enabled and self._params.pii.action == "replace"
        fault = self._review_fault(candidate) or first_fault(measured, self._params, self._limits)
        return Screened(
            candidate,
            text=measured.masked if replaced else measured.text,
            scores=measured.scores(),
            private=dict(measured.private),
            fault=fault,
        )

    def _review_fault(self, candidate: Candidate) -> Fault | None:
        """What people decided goes before every rule."""
        decision = self._decisions.get(candidate.id)
        if decision is None or decision.decision == "accept":
            return None
        if decision.decision == "relabel":
            if decision.label == candidate.label:
                return None
            return Fault(REVIEW, f"{decision.reviewer} says it is {decision.label}")
        reason = decision.reason or "no reason given"
        return Fault(REVIEW, f"{decision.reviewer} rejects it: {reason}")

    def _measure(self, label: str, texts: list[str]) -> list[Measurements]:
        """The texts measured, those seen before from memory; `earlier` is not filled in."""
        new = [text for text in dict.fromkeys(texts) if (label, text) not in self._measured]
        measured = [self._measure_alone(label, text) for text in new]
        words = [self._words(one.text) for one in measured]
        seeds = self._seed_rows(label).nearest(words)
        held_out = self._held_out.nearest(words)
        others = self._every_train.nearest(words, among=self._labels != label)
        for text, one, seed, held, other in zip(
            new, measured, seeds, held_out, others, strict=True
        ):
            self._measured[label, text] = replace(one, seed=seed, held_out=held, other=other)
        return [self._measured[label, text] for text in texts]

    def _measure_alone(self, label: str, raw: str) -> Measurements:
        text = raw
        if self._params.style.enabled:
            text = match_surface(raw, self._surface, self._data.turn_separator, self._data.language)
        measured = measure_candidate(raw, text, self._keywords.get(label, ()), self._data)
        allowed = self._params.pii.allowed
        masked, private = mask(text, self._data.language, allowed, self._data.turn_separator)
        return replace(measured, masked=masked, private=tuple(sorted(private.items())))

    def _seed_rows(self, label: str) -> Rows:
        if label not in self._seeds:
            self._seeds[label] = self._rows(self._train[label])
        return self._seeds[label]

    def _rows(self, frame: pd.DataFrame) -> Rows:
        return Rows(frame, self._data.turn_separator, self._limit, self._search)

    def _words(self, text: str) -> str:
        return plain(text, self._data.turn_separator)


def check_candidates(candidates: Sequence[Candidate], labels: Container[str]) -> None:
    """Refuse candidates whose class is none of train's.

    Raises:
        UserError: the first one.
    """
    for candidate in candidates:
        if candidate.label not in labels:
            raise UserError(
                f"candidate {candidate.id}: class {candidate.label!r} has no train row; "
                "correct its label or add a train row of the class"
            )


def reasons(screened: Iterable[Screened]) -> Counter[str]:
    """Samples dropped, by the rule that dropped them; accepted ones do not count."""
    return Counter(one.fault.rule for one in screened if one.fault is not None)
