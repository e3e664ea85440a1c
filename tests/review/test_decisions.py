"""Decisions: the file round-trips, and the figures match those worked out manually."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.errors import UserError
from src.records.decisions import CHOICES, Decision, read_decisions, write_decisions
from src.records.metrics.filter import PairAgreement
from src.records.samples import Candidate
from src.review.agreement import reject_rate, reviewer_agreement
from src.review.decisions import last_of, relabelled, verdicts, with_decision

HEADER = "id,decision,label,reason,reviewer,decided_at\n"
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
DECISIONS = st.lists(
    st.builds(
        Decision,
        id=WORDS,
        decision=st.sampled_from(CHOICES),
        label=WORDS,
        reason=st.text(st.sampled_from('因,"\n;= '), max_size=6),
        reviewer=WORDS,
        decided_at=st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds")),
    ),
    max_size=6,
    unique_by=lambda one: (one.id, one.reviewer),
)


def says(sample: str, reviewer: str, decision: str, label: str = "a", at: int = 0) -> Decision:
    """Return a decision made in the n-th second."""
    return Decision(sample, decision, label, "", reviewer, f"2026-01-01T00:00:{at:02}.000000+00:00")


@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(decisions=DECISIONS)
def test_decisions_round_trip_in_order(tmp_path: Path, decisions: list[Decision]) -> None:
    """Decisions are read back unchanged and in order."""
    file = tmp_path / "decisions.csv"
    write_decisions(file, decisions)
    read = read_decisions(file)
    assert read == sorted(decisions, key=lambda one: (one.decided_at, one.id))
    before = file.read_bytes()
    write_decisions(file, reversed(read))
    assert file.read_bytes() == before


def test_the_file_opens_in_a_spreadsheet(tmp_path: Path) -> None:
    """The file has a byte order mark, a header and one line per decision."""
    file = tmp_path / "new" / "decisions.csv"
    write_decisions(file, [Decision("x", "reject", "类", "重复, 空", "李", "2026-01-01")])
    assert file.read_bytes().decode() == f'\ufeff{HEADER}x,reject,类,"重复, 空",李,2026-01-01\n'
    assert [entry.name for entry in file.parent.iterdir()] == ["decisions.csv"]


def test_no_file_is_no_decision(tmp_path: Path) -> None:
    """A missing file means that there are no decisions."""
    assert read_decisions(tmp_path / "none.csv") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            HEADER + "x,accept,a,,李,1\nx,maybe,a,,王,2\n",
            "line 3: decision 'maybe' is none of reject, relabel, accept",
            id="unknown-decision",
        ),
        pytest.param("id,decision\nx,accept\n", "no column 'label'", id="missing-column"),
        pytest.param("", "no column 'id'; it has none", id="empty-file"),
        pytest.param(
            HEADER + "x,accept,a,,李,1\nx,reject,a,,李,2\n",
            "line 3: '李' already decided on 'x' in line 2; keep one",
            id="duplicate",
        ),
        pytest.param(HEADER + ",accept,a,,李,1\n", "line 2: id is empty", id="no-id"),
        pytest.param(HEADER + "x\n", "line 2: decision ''", id="cut-line"),
    ],
)
def test_a_broken_file_says_where_and_what_to_do(tmp_path: Path, text: str, says: str) -> None:
    """The message has the line, the value and the remedy."""
    file = tmp_path / "decisions.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=says):
        read_decisions(file)


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    """A file saved by a spreadsheet in a local encoding is an error."""
    file = tmp_path / "decisions.csv"
    file.write_bytes((HEADER + "x,accept,类,,李,1\n").encode("gbk"))
    with pytest.raises(UserError, match="save it as UTF-8"):
        read_decisions(file)


def test_a_later_decision_replaces_the_reviewers_own() -> None:
    """A decision of another reviewer on the same sample stays."""
    before = [says("x", "李", "accept"), says("x", "王", "accept")]
    after = with_decision(before, says("x", "李", "reject", at=5))
    assert [(one.reviewer, one.decision) for one in after] == [("王", "accept"), ("李", "reject")]


def test_the_last_decision_is_the_reviewers_own_on_these_samples() -> None:
    """Decisions of others and on other samples are skipped."""
    given = [says("x", "李", "accept"), says("y", "李", "accept"), says("x", "王", "reject")]
    last = last_of(given, "李", {"x"})
    assert last is given[0]
    assert last_of(given, "李", {"z"}) is None


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        pytest.param(["accept"], "accept", id="one"),
        pytest.param(["accept", "accept", "reject"], "accept", id="majority"),
        pytest.param(["accept", "reject"], "reject", id="tie-rejects"),
        pytest.param(["accept", "relabel b"], "relabel b", id="tie-relabels"),
        pytest.param(["relabel b", "reject"], "reject", id="tie-rejects-rather-than-relabels"),
        pytest.param(["relabel b", "accept", "reject"], "reject", id="three-ways"),
        pytest.param(["relabel c", "relabel b", "relabel b"], "relabel b", id="class-of-most"),
        pytest.param(["accept", "relabel c", "relabel b"], "relabel c", id="first-class"),
    ],
)
def test_verdicts_are_the_majority_or_the_careful_one(given: list[str], verdict: str) -> None:
    """There is one verdict per sample."""
    choice, _, label = verdict.partition(" ")
    decisions = [
        says("x", str(number), text.partition(" ")[0], text.partition(" ")[2] or "a")
        for number, text in enumerate(given)
    ]
    (final,) = verdicts(decisions).values()
    assert (final.decision, final.label) == (choice, label or "a")


def test_people_give_samples_to_other_classes() -> None:
    """Only relabel decisions change the class; order and other fields stay."""
    candidates = [Candidate(name, "缴费", f"文{name}", endpoint="glm4") for name in "abc"]
    decisions = verdicts(
        [
            says("a", "李", "relabel", "补卡"),
            says("b", "李", "accept", "缴费"),
            says("c", "李", "reject", "缴费"),
            says("gone", "李", "relabel", "补卡"),
        ]
    )
    moved, *rest = relabelled(candidates, decisions)
    assert moved == Candidate("a", "补卡", "文a", endpoint="glm4", label_before="缴费")
    assert rest == candidates[1:]
    assert relabelled(candidates, {}) == candidates


# 李 and 王 on ten samples. They agree on 4 accepts, 2 rejects and 1 relabel to b: 7 of 10.
# 李: accept 5, reject 3, to b 2. 王: accept 5, reject 3, to b 1, to c 1.
# By chance 0.5 * 0.5 + 0.3 * 0.3 + 0.2 * 0.1 = 0.36, so kappa is (0.7 - 0.36) / 0.64 = 0.53125.
LI = ["accept"] * 5 + ["reject"] * 3 + ["relabel b"] * 2
WANG = ["accept"] * 4 + ["reject"] + ["reject"] * 2 + ["accept"] + ["relabel b", "relabel c"]


def decisions_by(reviewer: str, given: list[str]) -> list[Decision]:
    """Return a reviewer's decisions on samples 0, 1, 2 and so on."""
    return [
        says(str(number), reviewer, text.partition(" ")[0], text.partition(" ")[2] or "a")
        for number, text in enumerate(given)
    ]


def test_agreement_is_that_of_the_table() -> None:
    """Relabels to different classes disagree; samples that only one reviewer saw do not count."""
    found = reviewer_agreement(
        [*decisions_by("李", LI), *decisions_by("王", WANG), says("99", "李", "accept")]
    )
    (pair,) = found.pairs
    assert (found.shared, found.rate) == (10, 0.7)
    assert (pair.reviewers, pair.shared, pair.agreed) == (("李", "王"), 10, 7)
    assert pair.kappa == pytest.approx(0.53125)


@pytest.mark.parametrize(
    ("one", "other", "kappa"),
    [
        pytest.param(["accept", "reject"], ["accept", "reject"], 1.0, id="perfect"),
        pytest.param(["accept", "reject"], ["reject", "accept"], -1.0, id="opposite"),
        pytest.param(["accept", "accept"], ["accept", "accept"], None, id="one-response-only"),
        pytest.param(["accept"], ["accept"], None, id="too-few"),
        pytest.param(["accept", "accept"], ["accept", "reject"], 0.0, id="as-chance"),
    ],
)
def test_kappa_at_its_ends(one: list[str], other: list[str], kappa: float | None) -> None:
    """Kappa is None if chance alone explains the agreement."""
    (pair,) = reviewer_agreement([*decisions_by("李", one), *decisions_by("王", other)]).pairs
    assert pair == PairAgreement(("李", "王"), len(one), pair.agreed, kappa)


def test_agreement_over_three_reviewers() -> None:
    """Every two reviewers form a pair: on a, one of three pairs agrees; on b, the only one."""
    found = reviewer_agreement(
        [
            says("a", "1", "reject"),
            says("a", "2", "reject"),
            says("a", "3", "accept"),
            says("b", "1", "accept"),
            says("b", "2", "accept"),
        ]
    )
    assert (found.shared, found.rate) == (2, 0.5)
    assert [pair.reviewers for pair in found.pairs] == [("1", "2"), ("1", "3"), ("2", "3")]


def test_one_reviewer_has_no_agreement() -> None:
    """One reviewer has no pairs and no rate."""
    found = reviewer_agreement(decisions_by("李", LI))
    assert (found.shared, found.rate, found.pairs) == (0, None, ())


@pytest.mark.parametrize(
    ("rejected", "decided", "low", "high"),
    [
        # Wilson, z = 1.959964: centre (p + z2/2n) / (1 + z2/n) -+ half
        pytest.param(1, 10, 0.0179, 0.4042, id="few"),
        pytest.param(0, 10, 0.0, 0.2775, id="none"),
        pytest.param(10, 10, 0.7225, 1.0, id="all"),
        pytest.param(15, 100, 0.0931, 0.2328, id="many"),
    ],
)
def test_the_reject_rate_has_wilsons_interval(
    rejected: int, decided: int, low: float, high: float
) -> None:
    """Check a golden table; the expected number is scaled to the population."""
    given = [says(str(i), "李", "reject" if i < rejected else "accept") for i in range(decided)]
    rate = reject_rate(given, population=1000)
    assert rate is not None
    assert (rate.rejected, rate.decided, rate.rate) == (rejected, decided, rejected / decided)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert rate.expected == 1000 * rejected // decided


def test_the_reject_rate_counts_samples() -> None:
    """Two decisions on one sample are one verdict, and a relabel does not count as reject."""
    given = [says("x", "李", "reject"), says("x", "王", "accept"), says("y", "李", "relabel", "b")]
    rate = reject_rate(given, population=2)
    assert rate is not None
    assert (rate.rejected, rate.decided) == (1, 2)


def test_nothing_decided_has_no_rate() -> None:
    """Without decisions there is no rate; more decisions than samples are an error."""
    assert reject_rate([], population=5) is None
    with pytest.raises(ValueError, match="1 samples are decided, but the population is 0"):
        reject_rate([says("x", "李", "reject")], population=0)
