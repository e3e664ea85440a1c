"""The quality gate: apply every rule to candidates and return their verdicts.

    gate = Gate(train, dev, test, keywords, params.filter, params.data)
    verdicts = gate.screen(candidates)
    verdicts.acceptance_rate, verdicts.rejected_by  ->  0.82, Counter({"repetition": 11, ...})

The stage `generate` runs the gate while it requests samples, the stage `filter` once at the end.
Every candidate gets all scores, also those of disabled rules; only enabled rules reject.
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

REVIEW = "review"  # rule name for samples that reviewers rejected
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdicts:
    """Accepted and rejected candidates, each in input order.

    Each has its text in the style of the real rows, its scores, and the number of private data
    items by kind. Rejected ones also have a fault.
    """

    accepted: tuple[Screened, ...]
    rejected: tuple[Screened, ...]

    @property
    def all(self) -> tuple[Screened, ...]:
        """All candidates: first the accepted, then the rejected ones."""
        return (*self.accepted, *self.rejected)

    @property
    def acceptance_rate(self) -> float:
        """Share of accepted candidates; 0 if there are no candidates."""
        return len(self.accepted) / max(1, len(self.all))

    @property
    def rejected_by(self) -> Counter[str]:
        """Number of rejected candidates per rule."""
        return reasons(self.rejected)


class Gate:
    """The rules and an index of the rows that they compare candidates with.

    A verdict depends only on the candidate and on earlier candidates of its class; later
    candidates and other classes never change it. Measurements are cached per text. Comparisons
    within a class are cached up to the first position where a list differs from the previous one,
    so screening a growing list only pays for its new part.

    Verdicts are exact for any number of rows. Overlap scores are exact if a text is compared with
    at most `Search.exact_rows` rows (train rows of its class, dev and test rows, all train rows,
    or earlier candidates of its class). With more rows, shares up to `overlap.FLOOR`, or up to the
    lowest `max_overlap` of the four overlap rules if that is lower, are written as 0.
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
        """Measure the style and length of train, and index train, dev and test.

        Args:
            train: columns row_id, text, label.
            dev: columns row_id, text.
            test: columns row_id, text.
            keywords: keywords per class; `filter.keywords.given` overrides them.
            params: the section `filter`.
            data: the section `data`.
            decisions: decisions of reviewers by candidate id. Candidates that they reject or
                relabel to another class are rejected by the rule `review`.
            search: limits of the overlap search; they change no verdict.

        Raises:
            UserError: `filter.keywords.given` names a class that train does not have.
        """
        unknown = sorted(set(params.keywords.given) - set(train["label"]))
        if unknown:
            raise UserError(
                f"params.yaml filter.keywords.given: no class {unknown[0]!r} in train; "
                "correct the name"
            )
        if not params.contamination.enabled:
            log.warning("filter.contamination is off: copies of dev and test rows are accepted")
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
        """Return the verdicts on all candidates.

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
        """Return whether each candidate is accepted; raises like `screen`."""
        accepted = {one.id for one in self.screen(candidates).accepted}
        return [candidate.id in accepted for candidate in candidates]

    def _screen_class(self, label: str, candidates: list[Candidate]) -> list[Screened]:
        """Screen candidates of one class, each against the accepted ones before it."""
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
        """Return the candidate with its scores, and with a fault if it is rejected."""
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
        """Return the fault if a reviewer rejected the candidate or moved it to another class."""
        decision = self._decisions.get(candidate.id)
        if decision is None or decision.decision == "accept":
            return None
        if decision.decision == "relabel":
            if decision.label == candidate.label:
                return None
            return Fault(REVIEW, f"{decision.reviewer} relabelled it to {decision.label}")
        reason = decision.reason or "no reason given"
        return Fault(REVIEW, f"{decision.reviewer} rejects it: {reason}")

    def _measure(self, label: str, texts: list[str]) -> list[Measurements]:
        """Measure the texts, using cached results where possible; leaves `earlier` unset."""
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
    """Check that every candidate has a class of train.

    Raises:
        UserError: names the first candidate without one.
    """
    for candidate in candidates:
        if candidate.label not in labels:
            raise UserError(
                f"candidate {candidate.id}: class {candidate.label!r} has no train row; "
                "correct its label or add a train row of the class"
            )


def reasons(screened: Iterable[Screened]) -> Counter[str]:
    """Count rejected samples per rule."""
    return Counter(one.fault.rule for one in screened if one.fault is not None)
