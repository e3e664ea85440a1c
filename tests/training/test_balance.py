"""Balancing: unchanged real rows, then samples up to the need of each class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.config.data import DataParams
from src.config.plan import PlanParams
from src.data.schema import read_split
from src.records.json_files import as_json
from src.records.metrics.balance import BeforeAfter, ClassBalance
from src.records.samples import Candidate, SampleScores, Screened
from src.training.balance import balance_metrics, merge, staying, used_samples, within_head_cap

NOWHERE = Path("none.csv")
DATA = DataParams(
    train=NOWHERE,
    dev=NOWHERE,
    test=NOWHERE,
    labels=NOWHERE,
    text_column="words",
    label_column="nr",
    label_name_column="name",
    id_column="call",
    turn_separator="[SEP]",
    language="zh",
)
CSV = "city,words,call,nr,name\nX,甲,c1,0,a\nY,乙,c2,0,a\n,丙,c3,1,b\n"
PARAMS = PlanParams(
    target_per_class=3,
    minority_ratio=0.7,
    temperature=1.0,
    beta=0.9999,
    ultra_minority_max=10,
    overrides={},
    keywords_per_class=12,
)
PLAN = pd.DataFrame({"label": ["a", "b"], "support": [2, 1], "target": [2, 3], "needed": [0, 2]})


def train_of(folder: Path, content: str, data: DataParams) -> pd.DataFrame:
    """A train set as balance reads it."""
    file = folder / "train.csv"
    file.write_text(content, encoding="utf-8")
    return read_split(file, data, {})


MEASURED = SampleScores(
    chars=3,
    turns=1,
    language_share=1.0,
    loop_share=0.0,
    repeated_turns=0.0,
    distinct_bigrams=1.0,
    keyword_hits=0,
    seed_overlap=0.0,
    contamination=0.0,
    contradiction=0.0,
    near_duplicate=0.0,
    label_score=0.25,
)


def sample(number: int, label: str, endpoint: str = "glm") -> Screened:
    """An accepted sample."""
    candidate = Candidate(f"s{number}", label, f"样本，{number}。", endpoint)
    return Screened(candidate, f"样本{number}", MEASURED)


def test_samples_follow_the_real_rows(tmp_path: Path) -> None:
    """Golden file: columns keep their order, empty if a sample has no value."""
    # a sample from a file made elsewhere has no known writer
    samples = [sample(1, "b"), sample(2, "a"), sample(3, "b", endpoint=""), sample(4, "b")]
    merged = merge(train_of(tmp_path, CSV, DATA), samples, PLAN, DATA)
    assert merged.to_csv(index=False, lineterminator="\n") == (
        "city,words,call,nr,name,origin,label_score,written_by\n"
        "X,甲,c1,0,a,real,,\n"
        "Y,乙,c2,0,a,real,,\n"
        ",丙,c3,1,b,real,,\n"
        ",样本1,s1,1,b,synthetic,0.250000,glm\n"
        ",样本3,s3,1,b,synthetic,0.250000,\n"
    )


@pytest.mark.parametrize(
    ("content", "names", "added"),
    [
        pytest.param(
            "text,label\n甲,a\n丙,b\n",
            {
                "text_column": "text",
                "label_column": "label",
                "label_name_column": "label",
                "id_column": None,
            },
            ["样本1,b,synthetic,0.250000,glm"],
            id="text-and-label",
        ),
        pytest.param(
            "label,text,row_id,name\n0,甲,r1,a\n1,丙,r2,b\n",
            {"text_column": "text", "label_column": "label", "id_column": "row_id"},
            ["1,样本1,s1,b,synthetic,0.250000,glm"],
            id="label-holds-ids",
        ),
        pytest.param(
            "words,nr,name,call,text\n甲,0,a,c1,note 1\n丙,1,b,c2,note 2\n",
            {},
            ["样本1,1,b,s1,,synthetic,0.250000,glm"],
            id="text-is-another-column",
        ),
        pytest.param(
            "words,name\n甲,a\n丙,b\n",
            {"label_column": "name", "id_column": None},
            ["样本1,b,synthetic,0.250000,glm"],
            id="name-is-the-id",
        ),
    ],
)
def test_any_column_names_work(
    content: str, names: dict[str, str | None], added: list[str], tmp_path: Path
) -> None:
    """The balanced file has the user's columns and three more."""
    data = DATA.model_copy(update=names)
    merged = merge(train_of(tmp_path, content, data), [sample(1, "b")], PLAN, data)
    header, *real = content.splitlines()
    assert merged.to_csv(index=False, lineterminator="\n").splitlines() == [
        f"{header},origin,label_score,written_by",
        *(f"{row},real,," for row in real),
        *added,
    ]


def test_a_balanced_file_is_read_again(tmp_path: Path) -> None:
    """As convert and train-baseline read it."""
    merged = merge(train_of(tmp_path, CSV, DATA), [sample(1, "b")], PLAN, DATA)
    again = train_of(tmp_path, merged.to_csv(index=False), DATA)
    assert again["row_id"].tolist() == ["c1", "c2", "c3", "s1"]
    assert again["label"].tolist() == ["a", "a", "b", "b"]
    assert again["origin"].tolist() == ["real"] * 3 + ["synthetic"]
    assert again["written_by"].tolist() == ["", "", "", "glm"]


def test_each_class_uses_the_first_samples_that_it_needs() -> None:
    """In order; a class with no need, or missing from the plan, uses none."""
    accepted = [sample(number, label) for number, label in enumerate("abacxab")]
    used = used_samples(accepted, {"a": 2, "b": 5, "c": 0})
    assert [one.id for one in used] == ["s0", "s1", "s2", "s6"]
    assert used_samples([], {"a": 2}) == []


@pytest.mark.parametrize(
    "scores",
    [
        pytest.param(None, id="made-elsewhere"),
        pytest.param(replace(MEASURED, label_score=None), id="no-label-score"),
    ],
)
def test_a_sample_without_a_label_score_has_quality_1(
    scores: SampleScores | None, tmp_path: Path
) -> None:
    """Without scores and without a label score."""
    unscored = replace(sample(1, "b"), scores=scores)
    merged = merge(train_of(tmp_path, CSV, DATA), [unscored], PLAN, DATA)
    assert merged["label_score"].tolist() == ["", "", "", "1.000000"]


def test_without_samples_nothing_is_added(tmp_path: Path) -> None:
    """The real rows with the same columns."""
    merged = merge(train_of(tmp_path, CSV, DATA), [], PLAN, DATA)
    assert merged["origin"].tolist() == ["real"] * 3
    assert all(dtype == "str" for dtype in merged.dtypes)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(
    rows=st.lists(
        st.tuples(st.text("甲乙丙,\" '", min_size=1).filter(str.strip), st.sampled_from("abc")),
        min_size=1,
        max_size=8,
    ),
    labels=st.lists(st.sampled_from("abcz"), max_size=20),
    needs=st.lists(st.integers(0, 4), min_size=3, max_size=3),
)
def test_merging_keeps_every_real_row(
    rows: list[tuple[str, str]], labels: list[str], needs: list[int], tmp_path: Path
) -> None:
    """Real rows first and unchanged, then each class's first samples, at most its need."""
    data = DATA.model_copy(update={"label_column": "name", "id_column": None})
    csv = pd.DataFrame(rows, columns=["words", "name"]).to_csv(index=False)
    train = train_of(tmp_path, csv, data)
    present = set(train["label"])
    samples = [sample(n, label) for n, label in enumerate(labels) if label in present | {"z"}]
    plan = pd.DataFrame({"label": list("abc"), "needed": needs})
    merged = merge(train, samples, plan, data)

    real = merged[merged["origin"] == "real"]
    assert list(zip(real["words"], real["name"], strict=True)) == rows
    assert merged.index.tolist() == list(range(len(merged)))
    synthetic = merged[merged["origin"] == "synthetic"]
    assert len(real) + len(synthetic) == len(merged)
    for label, need in zip("abc", needs, strict=True):
        mine = [one.text for one in samples if one.label == label]
        assert synthetic.loc[synthetic["name"] == label, "words"].tolist() == mine[:need]


def test_metrics(tmp_path: Path) -> None:
    """By hand: 2 and 1 rows before, 2 and 2 after; one of two needed samples is missing."""
    merged = merge(train_of(tmp_path, CSV, DATA), [sample(1, "b")], PLAN, DATA)
    found = as_json(balance_metrics(merged, PLAN, "name", PARAMS))
    assert isinstance(found, dict)
    strategies = found.pop("strategies")
    assert isinstance(strategies, dict)
    assert found == {
        "rows": 4,
        "gini": {"before": pytest.approx(1 / 6), "after": 0.0},
        "imbalance_ratio": {"before": 2.0, "after": 1.0},
        "synthetic_share": 0.25,
        "shortfall": 1,
        "dropped": 0,
        "before": {
            "needed": 0,
            "gini": pytest.approx(1 / 6),
            "imbalance_ratio": 2.0,
            "entropy": pytest.approx(0.6365141683),  # 2/3 ln 3/2 + 1/3 ln 3
            "effective_classes": pytest.approx(1.8898815748),
        },
        "achieved": {
            "needed": 1,
            "gini": 0.0,
            "imbalance_ratio": 1.0,
            "entropy": pytest.approx(0.6931471806),
            "effective_classes": pytest.approx(2.0),
        },
        "per_class": {
            "a": {"real": 2, "dropped": 0, "synthetic": 0, "target": 2, "shortfall": 0},
            "b": {"real": 1, "dropped": 0, "synthetic": 1, "target": 3, "shortfall": 1},
        },
    }
    needed = {
        name: balance_figures.needed
        for name, balance_figures in balance_metrics(
            merged, PLAN, "name", PARAMS
        ).strategies.items()
    }
    assert needed == {"quota": 2, "floor": 3, "power": 0, "effective_number": 0, "gini": 0}
    assert strategies.keys() == needed.keys()


def test_dropped_rows_are_counted(tmp_path: Path) -> None:
    """With a head cap, before is all train rows, and after is the set without dropped rows."""
    plan = pd.DataFrame({"label": ["a", "b"], "support": [2, 1], "target": [1, 1], "needed": 0})
    train = train_of(tmp_path, CSV, DATA)
    real = within_head_cap(train, staying(plan), DATA.turn_separator)
    merged = merge(real, [], plan, DATA)
    found = balance_metrics(merged, plan, "name", PARAMS.model_copy(update={"head_cap": 1}))
    assert (found.rows, found.dropped) == (2, 1)
    assert found.gini == BeforeAfter(pytest.approx(1 / 6), 0.0)
    assert found.per_class["a"] == ClassBalance(1, dropped=1, synthetic=0, target=1, shortfall=0)


def test_rows_that_cover_the_class_stay(tmp_path: Path) -> None:
    """One row of each of three kinds stays, in order; small classes keep all rows."""
    texts = ["我要补卡", "我要补卡啊", "查话费余额", "查话费余额吧", "宽带坏了", "宽带坏了呢"]
    csv = "words,call,nr,name\n丁,x,1,b\n" + "".join(
        f"{text},c{n},0,a\n" for n, text in enumerate(texts)
    )
    train = train_of(tmp_path, csv, DATA)
    kept = within_head_cap(train, {"a": 3, "b": 1}, DATA.turn_separator)
    assert kept["label"].tolist() == ["b", "a", "a", "a"]
    assert [text[:2] for text in kept["text"][1:]] == ["我要", "查话", "宽带"]
    pd.testing.assert_frame_equal(kept, train.loc[kept.index])


def test_without_a_head_cap_all_rows_stay(tmp_path: Path) -> None:
    """The plan drops no real row."""
    train = train_of(tmp_path, CSV, DATA)
    assert staying(PLAN) == {"a": 2, "b": 1}
    pd.testing.assert_frame_equal(within_head_cap(train, staying(PLAN), None), train)
