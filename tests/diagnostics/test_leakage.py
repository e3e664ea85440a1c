"""Leakage: accepted samples against dev and test rows, and where their seeds come from."""

from __future__ import annotations

import random
import time

import pandas as pd
import pytest

from src.config.data import DataParams
from src.data.schema import Splits
from src.diagnostics.leakage import (
    COUNTED,
    LONG,
    Copy,
    ForeignSeed,
    check_leakage,
    require_no_leakage,
)
from src.errors import UserError
from src.records.metrics.evaluate import LeakageFigures
from src.records.samples import Candidate, Screened

# No two of these share a 3-gram.
LONG_ROW = "".join(chr(0x4E00 + i) for i in range(LONG + 2))
SHORT_ROW = "".join(chr(0x5E00 + i) for i in range(COUNTED + 2))
TINY_ROW = "".join(chr(0x6E00 + i) for i in range(COUNTED + 1))
OTHER = "".join(chr(0x7E00 + i) for i in range(40))


def frame(**texts: str) -> pd.DataFrame:
    """Return rows of one class from texts by id."""
    return pd.DataFrame({"row_id": list(texts), "text": list(texts.values()), "label": "查话费"})


@pytest.fixture
def splits() -> Splits:
    """A train row, and dev and test rows of three lengths."""
    return Splits(
        train=frame(train_0="喂你好我想查一下话费"),
        dev=frame(dev_0=LONG_ROW[:30] + "[SEP]" + LONG_ROW[30:], dev_1=TINY_ROW),
        test=frame(test_0=SHORT_ROW, test_1="请问套餐怎么办理"),
        labels={},
    )


def sample(text: str, name: str = "s-0", seeds: tuple[str, ...] = ("train_0",)) -> Screened:
    """Return an accepted sample."""
    return Screened(Candidate(name, "查话费", text, seed_ids=seeds), text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "请问套餐怎么办理", Copy("s-0", "test", "test_1", 1.0, "sample in row"), id="equal"
        ),
        pytest.param(
            "请问，套餐[SEP]怎么办理！",
            Copy("s-0", "test", "test_1", 1.0, "sample in row"),
            id="other-marks-and-turns",
        ),
        pytest.param(
            LONG_ROW[20:40],
            Copy("s-0", "dev", "dev_0", 1.0, "sample in row"),
            id="an-excerpt-of-a-long-row",
        ),
        pytest.param(
            OTHER + LONG_ROW,
            Copy("s-0", "dev", "dev_0", 1.0, "row in sample"),
            id="a-long-row-and-more",
        ),
        pytest.param(
            OTHER + LONG_ROW[:60],  # 58 of the row's 64 three-grams
            Copy("s-0", "dev", "dev_0", 0.90625, "row in sample"),
            id="most-of-a-long-row-and-more",
        ),
    ],
)
def test_a_near_duplicate_is_found(
    text: str, expected: Copy, splits: Splits, data: DataParams
) -> None:
    """A sample mostly in one dev or test row, or containing most of a long row, is a copy."""
    leakage = check_leakage([sample(OTHER, "s-1"), sample(text)], splits, data, 0.85)
    assert (leakage.checked, leakage.copies, leakage.hold_short_row) == (2, (expected,), 0)
    with pytest.raises(UserError, match=f"s-0: .*{expected.split} row {expected.row}; .*repro"):
        require_no_leakage(leakage)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        pytest.param("喂你好我想查一下话费", 0, id="a-copy-of-train"),
        pytest.param(OTHER + LONG_ROW[:56], 0, id="54-of-64-is-not-more-than-0.85"),
        pytest.param(OTHER + SHORT_ROW, 1, id="a-short-row-and-more"),
        pytest.param(OTHER + TINY_ROW, 0, id="a-row-too-short-to-count"),
        pytest.param("。。", 0, id="no-letters"),
    ],
)
def test_what_is_no_copy_passes(text: str, held: int, splits: Splits, data: DataParams) -> None:
    """Shares up to the limit and short rows are no copies."""
    leakage = check_leakage([sample(text)], splits, data, 0.85)
    assert (leakage.copies, leakage.hold_short_row) == ((), held)
    require_no_leakage(leakage)


def test_one_copy_a_sample_in_the_order_of_the_samples(splits: Splits, data: DataParams) -> None:
    """A sample that is a copy in both directions counts once; the error counts the others."""
    accepted = [sample("请问套餐怎么办理", "s-0"), sample(LONG_ROW, "s-1")]
    leakage = check_leakage(accepted, splits, data, 0.85)
    assert [(copy.sample, copy.direction) for copy in leakage.copies] == [
        ("s-0", "sample in row"),
        ("s-1", "sample in row"),
    ]
    with pytest.raises(UserError, match=r"s-0: .*and 1 more"):
        require_no_leakage(leakage)


def test_a_seed_outside_train_is_refused(splits: Splits, data: DataParams) -> None:
    """Every seed must be a train row; the error names sample and seed."""
    accepted = [sample(OTHER), sample(OTHER, "s-1", ("train_0", "test_1", "gone"))]
    leakage = check_leakage(accepted, splits, data, 0.85)
    assert leakage.strays == (ForeignSeed("s-1", "test_1"),)
    assert leakage.seeds == 3
    with pytest.raises(UserError, match="s-1: its seed test_1 is not a train row"):
        require_no_leakage(leakage)


def test_twins_of_train_are_counted_and_stop_nothing(splits: Splits, data: DataParams) -> None:
    """Train rows that repeat a dev or test row are only counted; punctuation is ignored."""
    train = frame(train_0="查话费", train_1="请问，套餐[SEP]怎么办理", train_2=SHORT_ROW)
    twins = Splits(train, splits.dev, splits.test, {})
    leakage = check_leakage([sample(OTHER, seeds=("train_0", "train_1"))], twins, data, 0.85)
    assert leakage.figures() == LeakageFigures(
        checked=1,
        copies=0,
        hold_short_row=0,
        seeds=2,
        strays=0,
        train_twins=2,
        seed_twins=1,
    )
    require_no_leakage(leakage)


def test_without_samples_nothing_leaks(splits: Splits, data: DataParams) -> None:
    """No samples, or samples from elsewhere without seeds, are fine."""
    assert check_leakage([], splits, data, 0.85).figures().checked == 0
    assert check_leakage([sample(OTHER, seeds=())], splits, data, 0.85).seeds == 0


def test_ten_thousand_samples_take_seconds(data: DataParams) -> None:
    """10,000 samples of 80 characters against 7,500 rows of 200, one of them a copy."""
    rng = random.Random(0)
    words = [chr(0x4E00 + i) for i in range(600)]
    rows = {f"r{i}": "".join(rng.choices(words, k=200)) for i in range(7500)}
    accepted = [sample("".join(rng.choices(words, k=80)), f"s-{i}") for i in range(9999)]
    accepted.append(sample(rows["r7"][50:130], "s-copy"))
    held_out = frame(**rows)
    start = time.perf_counter()
    leakage = check_leakage(
        accepted, Splits(frame(train_0=OTHER), held_out[:3000], held_out[3000:], {}), data, 0.85
    )
    assert time.perf_counter() - start < 20
    assert [(copy.sample, copy.row) for copy in leakage.copies] == [("s-copy", "r7")]
