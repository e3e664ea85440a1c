"""What people decided on synthetic samples, and how far that carries.

    decisions = read_decisions(Path("data/review/decisions.csv"))
    verdicts(decisions)["5ae4b77795139c0f-0"].decision   # accept | reject | relabel
    reject_rate(decisions, population=1600)

One row is one reviewer's decision on one sample.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from pathlib import Path
from statistics import NormalDist

from src.config import UserError
from src.data.io import write_text

CHOICES = ("reject", "relabel", "accept")  # the more careful first: it wins a tie


@dataclass(frozen=True)
class Decision:
    """One reviewer's word on one sample.

    Attributes:
        id: of the sample.
        decision: one of `CHOICES`.
        label: the sample's class when it was decided on; of a relabel, the new class.
        reason: may be empty.
        reviewer: who.
        decided_at: ISO 8601 in UTC, down to microseconds, so that it sorts as text.
    """

    id: str
    decision: str
    label: str
    reason: str
    reviewer: str
    decided_at: str


COLUMNS = [field.name for field in fields(Decision)]


def read_rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV with the lines that they end on; a cell that is not there is empty.

    Raises:
        UserError: the file is not UTF-8, or has no column of one of these names.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            rows = [(reader.line_num, row) for row in reader]
            found = reader.fieldnames or []
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}); save it as UTF-8 CSV") from None
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV ({error}); restore it with git") from None
    for column in columns:
        if column not in found:
            raise UserError(
                f"{path} line 1 has no column {column!r}; it has {', '.join(found) or 'none'}; "
                "name the columns as they were written"
            )
    return rows


def read_decisions(path: Path) -> list[Decision]:
    """Decisions in the file's order; none where there is no file yet.

    Raises:
        UserError: the file is not a UTF-8 CSV with these columns, a decision is unknown, an id is
            empty, or a reviewer decided twice on a sample.
    """
    if not path.exists():
        return []
    decisions: list[Decision] = []
    lines: dict[tuple[str, str], int] = {}
    for line, row in read_rows(path, COLUMNS):
        decision = Decision(**{column: row[column] for column in COLUMNS})
        if decision.decision not in CHOICES:
            raise UserError(
                f"{path} line {line}: decision {decision.decision!r} is none of "
                f"{', '.join(CHOICES)}; correct or remove the line"
            )
        if not decision.id:
            raise UserError(f"{path} line {line}: id is empty; fill it in or remove the line")
        first = lines.setdefault((decision.id, decision.reviewer), line)
        if first != line:
            raise UserError(
                f"{path} line {line}: {decision.reviewer!r} decided on {decision.id!r} in line "
                f"{first} already; keep one of the two"
            )
        decisions.append(decision)
    return decisions


def write_decisions(path: Path, decisions: Iterable[Decision]) -> None:
    """Write the file whole or not at all, in the order in which was decided, then by id."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    ordered = sorted(decisions, key=lambda one: (one.decided_at, one.id))
    writer.writerows(asdict(one) for one in ordered)
    # The byte order mark makes Excel and WPS read UTF-8.
    write_text(path, "\ufeff" + text.getvalue())


def with_decision(decisions: Iterable[Decision], new: Decision) -> list[Decision]:
    """The decisions with a new one, in place of what its reviewer said of the sample before."""
    key = (new.id, new.reviewer)
    return [*(one for one in decisions if (one.id, one.reviewer) != key), new]


def last_of(decisions: Sequence[Decision], reviewer: str, ids: AbstractSet[str]) -> Decision | None:
    """A reviewer's last decision on one of these samples, in the file's order."""
    own = (one for one in reversed(decisions) if one.reviewer == reviewer and one.id in ids)
    return next(own, None)


def verdicts(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Sample -> the decision of most of its reviewers.

    The more careful one wins a tie: reject, then relabel, then accept. Where most relabel, but
    to different classes, it is to the class that most of them name, the first among equals.
    What is returned is one reviewer's row: the first that says so.
    """
    by_sample: dict[str, list[Decision]] = defaultdict(list)
    for one in decisions:
        by_sample[one.id].append(one)
    return {sample: _majority(given) for sample, given in by_sample.items()}


def _majority(given: Sequence[Decision]) -> Decision:
    counts = Counter(one.decision for one in given)
    choice = max(CHOICES, key=lambda name: counts[name])  # max keeps the first among equals
    same = [one for one in given if one.decision == choice]
    labels = Counter(one.label for one in same)
    return max(same, key=lambda one: labels[one.label])


@dataclass(frozen=True)
class PairAgreement:
    """Two reviewers: the samples both decided on, and Cohen's kappa.

    Kappa is None below two shared samples, and where both gave one and the same answer to all of
    them, so that chance alone explains it.
    """

    reviewers: tuple[str, str]
    shared: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """How far reviewers agree on samples that several of them decided on.

    Attributes:
        shared: samples with two reviewers or more.
        rate: share of the pairs of decisions on one sample that are the same; None without one.
        pairs: each two reviewers who share a sample, by name.
    """

    shared: int
    rate: float | None
    pairs: tuple[PairAgreement, ...]


def agreement(decisions: Iterable[Decision]) -> Agreement:
    """Agreement among reviewers; a relabel agrees with one to the same class only.

    Kappa as in Cohen, A coefficient of agreement for nominal scales, 1960.
    """
    by_reviewer: dict[str, dict[str, str]] = defaultdict(dict)
    for one in decisions:
        to = f" {one.label}" if one.decision == "relabel" else ""
        by_reviewer[one.reviewer][one.id] = one.decision + to
    seen = Counter(sample for answers in by_reviewer.values() for sample in answers)
    pairs = tuple(_pairs(by_reviewer))
    compared = sum(pair.shared for pair in pairs)
    return Agreement(
        sum(count > 1 for count in seen.values()),
        sum(pair.agreed for pair in pairs) / compared if compared else None,
        pairs,
    )


def _pairs(by_reviewer: dict[str, dict[str, str]]) -> Iterator[PairAgreement]:
    for one, other in combinations(sorted(by_reviewer), 2):
        shared = by_reviewer[one].keys() & by_reviewer[other].keys()
        answers = [(by_reviewer[one][sample], by_reviewer[other][sample]) for sample in shared]
        if answers:
            agreed = sum(first == second for first, second in answers)
            yield PairAgreement((one, other), len(answers), agreed, _kappa(answers))


def _kappa(answers: Sequence[tuple[str, str]]) -> float | None:
    n = len(answers)
    first, second = Counter(a for a, _ in answers), Counter(b for _, b in answers)
    agreed = sum(a == b for a, b in answers)
    # In whole numbers (n times the agreement expected by chance), so that 1 is exactly 1.
    chance = sum(first[answer] * second[answer] for answer in first)
    if n < 2 or chance == n * n:
        return None
    return (agreed * n - chance) / (n * n - chance)


@dataclass(frozen=True)
class RejectRate:
    """Share of rejected samples among the decided, with its interval.

    Attributes:
        rejected: samples.
        decided: samples.
        rate: rejected / decided.
        low: of the interval.
        high: of the interval.
        population: samples that the decided ones were drawn from.
    """

    rejected: int
    decided: int
    rate: float
    low: float
    high: float
    population: int

    @property
    def expected(self) -> int:
        """Samples of the population that people would reject, if the decided stand for it."""
        return round(self.rate * self.population)


def reject_rate(
    decisions: Iterable[Decision], population: int, confidence: float = 0.95
) -> RejectRate | None:
    """What share of the samples people reject; None where nothing is decided.

    Wilson's interval (Probable inference, the law of succession, and statistical inference,
    1927), which holds for few samples and near 0 and 1. A queue draws more of small classes than
    their share, so what is expected in the population leans towards those.

    Args:
        decisions: those on samples of the population; one verdict a sample counts.
        population: samples, at least as many as are decided.
        confidence: of the interval, between 0 and 1.

    Raises:
        ValueError: the population is smaller than what is decided of it.
    """
    final = verdicts(decisions).values()
    n, rejected = len(final), sum(one.decision == "reject" for one in final)
    if population < n:
        raise ValueError(f"{n} samples are decided, of a population of {population}")
    if n == 0:
        return None
    rate, z = rejected / n, NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * (rate * (1 - rate) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return RejectRate(rejected, n, rate, low, high, population)
