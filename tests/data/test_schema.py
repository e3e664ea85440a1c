"""Reading splits and labels: errors name file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from src.config.data import DataParams
from src.data.schema import LabelInfo, csv_columns, load_splits, read_labels, read_split
from src.errors import UserError

LABELS = "id,name,definition,requests\n0,补卡,补办电话卡,我要补卡；换张卡\n1,销户,,\n"
NO_LABELS = "id,name,definition,requests\n"
ROWS = "call,text,id,name\nc1,我要补卡,0,补卡\nc2,销户吧,1,销户\n"


@pytest.fixture
def data(tmp_path: Path) -> DataParams:
    """Settings for three splits with the same two valid rows, and labels."""
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "labels.csv").write_text(LABELS, encoding="utf-8")
    return DataParams(
        train=tmp_path / "train.csv",
        dev=tmp_path / "dev.csv",
        test=tmp_path / "test.csv",
        labels=tmp_path / "labels.csv",
        text_column="text",
        label_column="id",
        label_name_column="name",
        id_column="call",
        turn_separator="[SEP]",
        language="zh",
    )


def test_good_splits_are_read(data: DataParams) -> None:
    """A split has the unchanged CSV columns and the three canonical ones."""
    splits = load_splits(data)
    assert splits.train[["row_id", "text", "label"]].to_dict("records") == [
        {"row_id": "c1", "text": "我要补卡", "label": "补卡"},
        {"row_id": "c2", "text": "销户吧", "label": "销户"},
    ]
    assert splits.train["id"].tolist() == ["0", "1"]
    assert splits.labels == {
        "补卡": LabelInfo("0", "补卡", "补办电话卡", ("我要补卡", "换张卡")),
        "销户": LabelInfo("1", "销户", "", ()),
    }


def test_values_stay_strings(data: DataParams) -> None:
    """Ids with leading zeros and words like NA are not converted."""
    data.train.write_text(
        "call,text,id,name,note\n007,NA,0,补卡,1.0\n008,null,1,销户,\n", encoding="utf-8"
    )
    train = read_split(data.train, data, read_labels(data.labels))
    assert train["row_id"].tolist() == ["007", "008"]
    assert train["text"].tolist() == ["NA", "null"]
    assert train["note"].tolist() == ["1.0", ""]


def test_without_ids_rows_are_numbered(data: DataParams) -> None:
    """`id_column: null` builds ids from the file name."""
    unnamed = data.model_copy(update={"id_column": None})
    assert read_split(data.dev, unnamed, {})["row_id"].tolist() == ["dev-0", "dev-1"]


def test_one_column_may_be_both_id_and_name(data: DataParams) -> None:
    """A data set may have class names only."""
    only_names = data.model_copy(update={"label_column": "name"})
    train = read_split(data.train, only_names, read_labels(data.labels))
    assert train["label"].tolist() == ["补卡", "销户"]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        pytest.param("call,text,id,name", {}, id="text-column-is-text"),
        pytest.param(
            "row_id,text,label,name",
            {"id_column": "row_id", "label_column": "label"},
            id="label-column-holds-ids",
        ),
        pytest.param(
            "text,row_id,note,label",
            {
                "id_column": "text",
                "text_column": "row_id",
                "label_column": "label",
                "label_name_column": "label",
            },
            id="names-that-mean-something-else",
        ),
    ],
)
def test_columns_of_the_csv_come_back(header: str, names: dict[str, str], data: DataParams) -> None:
    """Order, names and values are kept, also of columns named like a canonical one."""
    data.train.write_text(f"{header}\na,b,c,d\ne,f,g,h\n", encoding="utf-8")
    split = read_split(data.train, data.model_copy(update=names), {})
    assert csv_columns(split).to_csv(index=False) == f"{header}\na,b,c,d\ne,f,g,h\n"


def test_windows_files_are_read(data: DataParams) -> None:
    """A byte order mark and CR LF, as written by Excel, are accepted."""
    data.train.write_bytes(b"\xef\xbb\xbf" + ROWS.replace("\n", "\r\n").encode())
    data.labels.write_bytes(b"\xef\xbb\xbf" + LABELS.encode())
    splits = load_splits(data)
    assert splits.train["row_id"].tolist() == ["c1", "c2"]
    assert list(splits.labels) == ["补卡", "销户"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("", " is empty; it needs a header line and rows", id="empty-file"),
        pytest.param(
            "call,text,id,name\n", " has no rows; add at least one row per class", id="header-only"
        ),
        pytest.param(
            "call,words,id,name\nc1,我要补卡,0,补卡\n",
            " has no column 'text' (data.text_column); its columns are call, words, id, name",
            id="wrong-text-column",
        ),
        pytest.param(
            "nr,text,id,name\nc1,我要补卡,0,补卡\n",
            " has no column 'call' (data.id_column); its columns are nr, text, id, name",
            id="wrong-id-column",
        ),
        pytest.param(
            ROWS + "c3,再见,7,补卡\n",
            " line 4: class id 7 is not in {labels}; correct the row or add the class there",
            id="id-outside-the-labels",
        ),
        pytest.param(
            ROWS + "c3,再见,0,补\n",
            " line 4: class '补' is not in {labels}; correct the row or add the class there",
            id="name-outside-the-labels",
        ),
        pytest.param(
            ROWS + "c3, ,0,补卡\n",
            " line 4: text is empty; fill it in or remove the row",
            id="empty-text",
        ),
        pytest.param(
            "call,text,id,name\nc1,我要补卡,0,补卡\nc2\n",
            " line 3: text is empty; fill it in or remove the row",
            id="too-few-values",
        ),
        pytest.param(
            ROWS + "c3,再见,0,\n",
            " line 4: name is empty; fill it in or remove the row",
            id="empty-label",
        ),
        pytest.param(
            ROWS + "c1,再见,0,补卡\n",
            " line 4: call 'c1' is a duplicate; make ids unique or set data.id_column: null",
            id="duplicate-id",
        ),
        pytest.param(
            ROWS + "c3,再见,1,补卡\n",
            " line 4: id '1' has name '补卡' here and another elsewhere; make id and name agree",
            id="id-and-name-disagree",
        ),
        pytest.param(
            "call,text,id,name\nc1,我要补卡,1,补卡\nc2,销户吧,0,销户\n",
            " line 2: id '1' has name '补卡' here and another in {labels}; make id and name agree",
            id="ids-swapped-against-the-labels",
        ),
        pytest.param(
            "call,text,id,name\nc1,我要补卡,今天,0,补卡\n",
            " line 2: more values than columns in the header; put quotation marks around values",
            id="too-many-values-in-the-first-row",
        ),
        pytest.param(
            ROWS + "c3,我要补卡,今天,0,补卡\n",
            " is not a UTF-8 CSV (Error tokenizing data. C error: Expected 4 fields in line 4",
            id="too-many-values-later",
        ),
        pytest.param(
            ROWS.encode("gbk"), " is not a UTF-8 CSV ('utf-8' codec can't decode", id="not-utf-8"
        ),
    ],
)
def test_a_bad_split_is_named(content: str | bytes, expected: str, data: DataParams) -> None:
    """The error names the file, the line if there is one, and the remedy."""
    data.train.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        load_splits(data)
    assert str(error.value).startswith(f"{data.train}" + expected.format(labels=data.labels))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("split", ["train", "dev", "test", "labels"])
def test_a_missing_file_is_named(split: str, data: DataParams) -> None:
    """The error names the setting in params.yaml."""
    path = getattr(data, split)
    path.unlink()
    with pytest.raises(UserError) as error:
        load_splits(data)
    assert str(error.value) == f"{path} not found; correct the path in params.yaml (data.*)"


@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_class_without_train_rows_is_named(split: str, data: DataParams) -> None:
    """A class of dev or test without train rows is an error, as no model could learn it."""
    path = getattr(data, split)
    data.labels.write_text(NO_LABELS, encoding="utf-8")
    path.write_text(ROWS + "c3,再见,2,携号转网\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_splits(data)
    assert str(error.value) == (
        f"{path} line 4: class '携号转网' has no row in {data.train}; "
        "add a train row of that class or remove its rows here"
    )


def test_a_listed_class_without_train_rows_is_named(data: DataParams) -> None:
    """A class of the labels without train rows is an error, as no score would include it."""
    data.labels.write_text(LABELS + "2,携号转网,,\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_splits(data)
    assert str(error.value) == (
        f"{data.train}: class '携号转网' of {data.labels} has no train row; "
        f"add one, or remove the class from {data.labels}"
    )


@pytest.mark.parametrize("column", ["origin", "label_score", "written_by"])
def test_a_train_set_with_a_column_of_the_balanced_one_is_refused(
    column: str, data: DataParams
) -> None:
    """A balanced train set must not be balanced again."""
    data.train.write_text(f"call,text,id,name,{column}\nc1,我要补卡,0,补卡,x\n", encoding="utf-8")
    with pytest.raises(
        UserError, match=rf"has a column '{column}'.*; rename it, or correct data.train"
    ):
        load_splits(data)
    assert read_split(data.train, data, {})[column].tolist() == ["x"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            "id,name,definition\n0,补卡,\n",
            " has no column 'requests' (labels); its columns are id, name, definition",
            id="missing-column",
        ),
        pytest.param(
            LABELS + "0,改套餐,,\n",
            " line 4: id '0' is a duplicate; give each class one row",
            id="duplicate-id",
        ),
        pytest.param(
            LABELS + "2,补卡,,\n",
            " line 4: name '补卡' is a duplicate; give each class one row",
            id="duplicate-name",
        ),
        pytest.param(LABELS.encode("gbk"), " is not a UTF-8 CSV (", id="not-utf-8"),
    ],
)
def test_bad_labels_are_named(content: str | bytes, expected: str, data: DataParams) -> None:
    """The error names file, line and remedy."""
    data.labels.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        read_labels(data.labels)
    assert str(error.value).startswith(f"{data.labels}{expected}")


def test_no_labels_is_no_mistake(data: DataParams) -> None:
    """With a header only, all classes of train are valid."""
    data.labels.write_text(NO_LABELS, encoding="utf-8")
    assert read_labels(data.labels) == {}
    assert load_splits(data).train["label"].tolist() == ["补卡", "销户"]


@pytest.mark.parametrize("path", ["data/raw/labels.csv", "data/raw/no_labels.csv"])
def test_shipped_labels_are_good(path: str) -> None:
    """The shipped labels describe every class of CMCC-34, or none."""
    labels = read_labels(Path(path))
    classes = pd.read_csv("data/raw/cmcc34_classes.csv", dtype=str)
    if labels:
        assert {info.id: info.name for info in labels.values()} == dict(
            zip(classes["class_id"], classes["name"], strict=True)
        )
        assert all(info.definition and len(info.requests) >= 3 for info in labels.values())
