"""Selection: coverage of a class weighed against quality."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from src.gate.ngrams import Matrix
from src.gate.selection import select, similarity

# three rows in one direction, the first in their middle, and two in another
TWO_CLUSTERS = [(1, 0, 0), (0.98, 0, 0.2), (0.98, 0, -0.2), (0, 1, 0), (0, 0.98, 0.2)]
ROUNDING = 1e-5


def coverage(rows: Matrix, by: Matrix) -> float:
    """Return the mean, over the rows, of the cosine to the nearest row of `by`."""
    return float(similarity(rows, by).max(axis=1, initial=0).mean()) if rows.shape[0] else 0.0


def unit(rows: object) -> np.ndarray:
    """Return rows of length 1."""
    rows = np.array(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random_rows(count: int, seed: int, width: int = 6) -> np.ndarray:
    """Return rows in all directions, some nearly equal."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, count // 3), width))
    near = centres[rng.integers(len(centres), size=count)]
    return unit(near + 0.3 * rng.normal(size=(count, width)))


def equal(count: int) -> np.ndarray:
    """Return equal qualities."""
    return np.ones(count)


CASES = st.tuples(st.integers(1, 24), st.integers(0, 1000), st.floats(0, 1))


@given(CASES, st.integers(-1, 30))
def test_a_subset_of_the_size_asked_for(case: tuple[int, int, float], size: int) -> None:
    """It returns the requested number of distinct candidates, or all."""
    count, seed, trade = case
    quality = np.random.default_rng(seed).random(count)
    kept = select(random_rows(count, seed), quality, size, trade)
    assert len(kept) == max(0, min(size, count))
    assert len(set(kept)) == len(kept)
    assert set(kept) <= set(range(count))


@given(CASES)
def test_a_smaller_size_gives_the_beginning(case: tuple[int, int, float]) -> None:
    """A smaller selection is a prefix of a larger one."""
    count, seed, trade = case
    rows, quality = random_rows(count, seed), np.random.default_rng(seed).random(count)
    whole = select(rows, quality, count, trade)
    assert all(select(rows, quality, k, trade) == whole[:k] for k in range(count))


@given(CASES)
def test_sparse_rows_are_selected_like_dense_ones(case: tuple[int, int, float]) -> None:
    """Sparse and dense matrices give the same result."""
    count, seed, trade = case
    rows, quality = random_rows(count, seed), np.random.default_rng(seed).random(count)
    assert select(rows, quality, 4, trade) == select(csr_matrix(rows), quality, 4, trade)


@given(st.integers(2, 9), st.integers(0, 1000), st.integers(1, 4))
def test_coverage_is_within_the_bound_of_the_best(count: int, seed: int, size: int) -> None:
    """At least 1 - 1/e of what the best subset of the size covers (Nemhauser et al. 1978)."""
    rows, size = random_rows(count, seed), min(size, count)
    best = max(coverage(rows, rows[list(kept)]) for kept in combinations(range(count), size))
    ours = coverage(rows, rows[select(rows, equal(count), size, trade=1)])
    assert ours >= (1 - 1 / np.e) * best - ROUNDING


@pytest.mark.parametrize("seed", range(8))
def test_the_first_ones_cover_no_more(seed: int) -> None:
    """Half the rows, selected for coverage, cover at least as much as the first half."""
    rows = random_rows(60, seed)
    chosen = rows[select(rows, equal(60), 30, trade=1)]
    assert coverage(rows, chosen) > coverage(rows, rows[:30])


@pytest.mark.parametrize("trade", [0.3, 1.0])
def test_equals_greedy_choice_recomputed_at_every_step(trade: float) -> None:
    """The incremental gains equal a full computation."""
    rows, quality = random_rows(40, 3), np.random.default_rng(3).random(40)
    near = similarity(rows, rows).astype(float)
    scaled = (quality - quality.min()) / (quality.max() - quality.min())
    covered, expected = np.zeros(40), []
    for _ in range(20):
        gain = np.maximum(near - covered[:, None], 0).sum(axis=0)
        score = (1 - trade) * scaled + trade * gain / gain.max()
        score[expected] = -1
        expected.append(int((score > score.max() - 1e-6).argmax()))  # two of a pair tie
        covered = np.maximum(covered, near[expected[-1]])
    assert select(rows, quality, 20, trade) == expected


@pytest.mark.parametrize("trade", [0.5, 1.0])
def test_one_of_each_cluster(trade: float) -> None:
    """Of two clusters, the centre of the larger one comes first, then one of the other."""
    first, second = select(unit(TWO_CLUSTERS), equal(5), 2, trade)
    assert first == 0
    assert second in (3, 4)


def test_identical_rows_wait_until_every_kind_is_there() -> None:
    """The most frequent kind comes first; repeats come last, by position."""
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 1, 2]]
    assert select(rows, equal(6), 6, trade=1) == [2, 0, 5, 1, 3, 4]


@pytest.mark.parametrize(
    ("trade", "expected"),
    [
        pytest.param(0.0, [3, 1, 2, 0, 4], id="quality-alone-ties-by-position"),
        # most gain: 2.96 of row 0, 2.94 of 1 (it also covers 0.04 of 4), 2.90 of 2, about 2 of 3, 4;
        # then nearly 2 of rows 3 and 4, 0.1 of row 1, and less of the others
        pytest.param(0.5, [3, 1], id="both"),
        pytest.param(0.9, [1, 3], id="mostly-coverage"),
        pytest.param(1.0, [0], id="coverage-alone"),
    ],
)
def test_trade(trade: float, expected: list[int]) -> None:
    """A higher trade moves from the best candidates to those that cover most."""
    quality = np.array([-3.0, 1.0, 1.0, 5.0, -3.0])
    kept = select(unit(TWO_CLUSTERS), quality, len(expected), trade)
    assert kept == expected


def test_units_of_quality_do_not_matter() -> None:
    """Rescaled qualities select the same candidates."""
    rows, quality = random_rows(30, 1), np.random.default_rng(1).random(30)
    assert select(rows, quality, 12, 0.4) == select(rows, 100 * quality - 7, 12, 0.4)


def test_what_is_there_already_needs_no_cover() -> None:
    """Real rows cover the larger cluster, so the smaller one is selected first."""
    rows = unit(TWO_CLUSTERS)
    assert select(rows, equal(5), 1, trade=1) == [0]
    assert select(rows, equal(5), 1, trade=1, already=rows[:3])[0] in (3, 4)


def test_nothing_there_already_changes_nothing() -> None:
    """An empty matrix is equivalent to None."""
    rows = random_rows(20, 2)
    assert select(rows, equal(20), 9, 1, already=rows[:0]) == select(rows, equal(20), 9, 1)


def test_opposites_cover_nothing() -> None:
    """A negative cosine counts as no coverage; zero rows cover nothing."""
    rows = np.array([[1, 0], [-1, 0], [0, 0]], dtype=np.float32)
    assert coverage(rows, rows[:1]) == pytest.approx(1 / 3)
    assert coverage(rows, rows[:0]) == 0
    assert coverage(rows[:0], rows) == 0
    assert select(rows, equal(3), 3, trade=1) == [0, 1, 2]


@pytest.mark.parametrize(
    ("quality", "trade", "message"),
    [
        pytest.param([1.0, 2.0], 1.5, "trade must be within 0 and 1, got 1.5", id="trade"),
        pytest.param([1.0], 0.5, "quality must be 2 finite numbers", id="one-missing"),
        pytest.param([1.0, np.nan], 0.5, "quality must be 2 finite numbers", id="nan"),
    ],
)
def test_wrong_arguments(quality: list[float], trade: float, message: str) -> None:
    """The error shows the invalid value."""
    with pytest.raises(ValueError, match=message):
        select(np.eye(2, dtype=np.float32), np.array(quality), 1, trade)


@pytest.mark.parametrize("sparse", [False, True])
def test_2000_candidates_in_a_second(*, sparse: bool) -> None:
    """Half of 2,000 candidates, the largest expected class, are selected in time."""
    rows = random_rows(2000, 0, width=256)
    if sparse:
        rows[np.abs(rows) < 0.07] = 0
    vectors = csr_matrix(rows) if sparse else rows
    start = time.process_time()
    select(vectors, np.linspace(0, 1, 2000), 1000, 0.5, already=vectors[:300])
    assert time.process_time() - start < 3  # of processor time, of all threads
