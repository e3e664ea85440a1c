"""Rows of each method: all real rows for free methods, else those that stay under the cap."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from src.config.data import DataParams
from src.config.methods import FREE_METHODS, Method
from src.data.schema import read_split
from src.records.metrics.choose import Choice
from src.records.samples import Candidate
from src.training.rows import TrainingRows, has_every_row, read_training_rows, rows_for

EVERY = pd.DataFrame(
    {
        "text": ["查话费", "话费多少", "余额", "办宽带", "装宽带"],
        "label": ["bill", "bill", "bill", "net", "net"],
    }
)
KEPT = EVERY.drop(index=1)
SAMPLES = pd.DataFrame({"text": ["宽带报装"], "label": ["net"], "quality": [0.5]})
CANDIDATES = pd.DataFrame({"text": ["宽带。"], "label": ["net"], "attempt": [0]})
ROWS = TrainingRows(EVERY, KEPT, SAMPLES, CANDIDATES)
SOME = Choice(1, class_weight=True, sample_weight=0.5, by_quality=False)
NONE = Choice(0, class_weight=True, sample_weight=1.0, by_quality=False)


def real_texts(method: Method, choice: Choice | None = None) -> list[str]:
    """Distinct real rows that a method trains on, in order."""
    frame = rows_for(method, ROWS, seed=0, choice=choice).frame
    return list(dict.fromkeys(frame.loc[frame["origin"] == "real", "text"]))


@pytest.mark.parametrize(
    ("method", "choice", "every"),
    [
        *(
            pytest.param(method, None, method in FREE_METHODS, id=method)
            for method in get_args(Method)[:-1]
        ),
        pytest.param("chosen", None, True, id="chosen-nothing"),
        pytest.param("chosen", NONE, True, id="chosen-no-samples"),
        pytest.param("chosen", SOME, False, id="chosen-some"),
        pytest.param("original", SOME, True, id="a-choice-is-of-chosen-alone"),
    ],
)
def test_free_methods_have_every_real_row(
    method: Method, choice: Choice | None, every: bool
) -> None:
    """The other methods have the rows that stay under a head cap."""
    assert has_every_row(method, choice) is every
    assert real_texts(method, choice) == (EVERY if every else KEPT)["text"].tolist()


def test_without_a_head_cap_all_methods_have_the_same_real_rows() -> None:
    """Methods differ in additions and weights only."""
    rows = TrainingRows(EVERY, EVERY, SAMPLES, CANDIDATES)
    for method in get_args(Method):
        frame = rows_for(method, rows, seed=0, choice=SOME).frame
        assert frame["text"][: len(EVERY)].tolist() == EVERY["text"].tolist()


def test_class_weights_are_those_of_the_training_rows() -> None:
    """By hand: 3 and 2 rows weigh the same; under the cap 2, and 2 and half a sample."""
    free = rows_for("chosen", ROWS, 0, NONE)
    assert free.class_weight == pytest.approx({"bill": 5 / 6, "net": 5 / 4})
    used = rows_for("chosen", ROWS, 0, SOME)
    assert used.frame["weight"].tolist() == [1, 1, 1, 1, 0.5]
    assert used.class_weight == pytest.approx({"bill": 4.5 / 4, "net": 4.5 / 5})


BALANCED = (
    "text,label,row_id,origin,label_score,written_by\n"
    "甲[SEP]乙,a,r1,real,,\n"
    "丙,b,r3,real,,\n"
    "丁[SEP]戊,b,s1,synthetic,0.250000,glm\n"
)


def test_a_balanced_set_is_read(tmp_path: Path, data: DataParams) -> None:
    """Real rows and samples apart, turns joined by spaces, with label score and writer."""
    data = data.model_copy(update={"labels": tmp_path / "labels.csv"})
    data.labels.write_text("id,name,definition,requests\n", encoding="utf-8")
    balanced, train = tmp_path / "balanced.csv", tmp_path / "train.csv"
    balanced.write_text(BALANCED, encoding="utf-8")
    train.write_text("text,label,row_id\n甲[SEP]乙,a,r1\n己,a,r2\n丙,b,r3\n", encoding="utf-8")
    written = [Candidate("s2", "b", "庚。[SEP]辛！", attempt=7)]
    rows = read_training_rows(read_split(train, data, {}), balanced, data, written)
    assert rows.all_real["text"].tolist() == ["甲 乙", "己", "丙"]
    assert rows.kept["text"].tolist() == ["甲 乙", "丙"]
    columns = ["text", "label", "quality", "written_by"]
    assert rows.samples[columns].to_numpy().tolist() == [["丁 戊", "b", 0.25, "glm"]]
    assert rows.unfiltered.to_numpy().tolist() == [["庚。 辛！", "b", 7]]


def test_a_set_made_elsewhere_has_no_scores(tmp_path: Path, data: DataParams) -> None:
    """Its samples have quality 1."""
    data = data.model_copy(update={"labels": tmp_path / "labels.csv"})
    data.labels.write_text("id,name,definition,requests\n", encoding="utf-8")
    file = tmp_path / "balanced.csv"
    lines = [",".join(line.split(",")[:4]) for line in BALANCED.splitlines()]
    file.write_text("\n".join(lines), encoding="utf-8")
    rows = read_training_rows(EVERY, file, data)
    assert rows.samples["quality"].tolist() == [1]
    assert rows.unfiltered.empty
