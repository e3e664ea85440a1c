"""Stand-in: the same seed gives the same calls, with the surface of real ones."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from src.config.corpus import CorpusParams
from src.data.dialogue import split_turns
from src.errors import UserError
from src.standin.corpus import compose_corpus, rows_per_class
from src.standin.noise import add_noise
from src.standin.scenarios import BANK, CLASSES, TAIL_SUPPORT, Bank, Split, load_bank

PARAMS = CorpusParams(noise=0.05, length=0.5, label_noise=0.18, side_intents=0.8, seed=34)
Corpus = dict[Split, pd.DataFrame]


@pytest.fixture(scope="module")
def bank() -> Bank:
    """The shipped scenarios."""
    return load_bank()


@pytest.fixture(scope="module")
def classes() -> pd.DataFrame:
    """All 34 classes with few rows: at most 6 in tail classes, 50 in the others."""
    published = pd.read_csv(CLASSES)
    few = published["train"].clip(upper=6).where(published["train"] < TAIL_SUPPORT, 50)
    return published.assign(train=few, test=30)


@pytest.fixture(scope="module")
def corpus(bank: Bank, classes: pd.DataFrame) -> Corpus:
    """A small corpus with the shipped settings."""
    return compose_corpus(bank, classes, PARAMS)


def few_classes(classes: pd.DataFrame) -> pd.DataFrame:
    """Very few rows, for tests that try several settings."""
    return classes.assign(train=classes["train"].clip(upper=3), test=0)


def texts(corpus: Corpus) -> list[str]:
    """Return the texts of all rows of all splits."""
    return [text for frame in corpus.values() for text in frame["sentence_sep"]]


def test_same_seed_same_rows(bank: Bank, classes: pd.DataFrame, corpus: Corpus) -> None:
    """Composing twice gives equal frames; another seed gives different ones."""
    again = compose_corpus(bank, classes, PARAMS)
    for split, frame in corpus.items():
        pd.testing.assert_frame_equal(again[split], frame)
    other = compose_corpus(bank, few_classes(classes), PARAMS.model_copy(update={"seed": 35}))
    assert len(set(texts(other)) & set(texts(corpus))) < 0.05 * len(texts(other))


def test_columns_and_counts(classes: pd.DataFrame, corpus: Corpus) -> None:
    """Train is as published, dev a quarter of it but at least 10, test at least 30."""
    for split, frame in corpus.items():
        assert list(frame) == ["call_id", "sentence_sep", "c_numerical", "label_raw", "scenario"]
        assert frame["call_id"].is_unique
        assert frame["call_id"].str.startswith(split).all()
        wanted = rows_per_class(classes, split)
        assert frame["c_numerical"].value_counts().to_dict() == wanted
        names = dict(zip(classes["class_id"], classes["name"], strict=True))
        assert (frame["label_raw"] == frame["c_numerical"].map(names)).all()
    assert rows_per_class(classes, "train") == dict(
        zip(classes["class_id"], classes["train"], strict=True)
    )


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        pytest.param("train", {0: 400, 1: 1}, id="train-as-published"),
        pytest.param("dev", {0: 100, 1: 10}, id="dev-a-quarter-at-least-10"),
        pytest.param("test", {0: 120, 1: 30}, id="test-as-published-at-least-30"),
    ],
)
def test_rows_per_class(split: Split, counts: dict[int, int]) -> None:
    """Check counts worked out manually."""
    classes = pd.DataFrame({"class_id": [0, 1], "train": [400, 1], "test": [120, 0]})
    assert rows_per_class(classes, split) == counts


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.5, 1.0])
def test_no_punctuation_and_no_digits(bank: Bank, classes: pd.DataFrame, noise: float) -> None:
    """Calls only have letters and Chinese characters, like the real ones; numbers are words."""
    params = PARAMS.model_copy(update={"noise": noise})
    for text in texts(compose_corpus(bank, few_classes(classes), params)):
        for turn in split_turns(text, "[SEP]"):
            assert turn.isalpha(), turn


def test_tail_test_calls_are_partly_of_unseen_scenarios(
    bank: Bank, classes: pd.DataFrame, corpus: Corpus
) -> None:
    """Train draws from a third of the scenarios; dev and test add a third of their own each.

    Otherwise test would measure memorised wordings.
    """
    tail = set(classes.loc[classes["train"] < TAIL_SUPPORT, "class_id"])
    assert len(tail) == 13
    for class_id in tail:
        seen = {
            split: set(frame.loc[frame["c_numerical"] == class_id, "scenario"])
            for split, frame in corpus.items()
        }
        every = bank.scenarios[class_id]
        third = {f"{class_id}/{scenario.name}" for scenario in every[: len(every) // 3]}
        assert seen["train"] <= third
        assert seen["test"] & seen["dev"] <= third
        assert seen["dev"] - third
        assert seen["test"] - third


def test_labels_are_noisy_in_large_classes_alone(classes: pd.DataFrame, corpus: Corpus) -> None:
    """Some rows have a call of a confusable class, but none in the tail."""
    train = corpus["train"]
    own = train["scenario"].str.partition("/")[0].astype(int) == train["c_numerical"]
    large = train["c_numerical"].isin(classes.loc[classes["train"] >= TAIL_SUPPORT, "class_id"])
    assert own[~large].all()
    assert 1 - own[large].mean() == pytest.approx(PARAMS.label_noise, abs=0.04)


def test_noise_0_leaves_turns_alone(bank: Bank, classes: pd.DataFrame) -> None:
    """Without noise, every turn consists of words of the bank."""
    turns = ["您好请讲", "我要补卡"]
    assert add_noise(turns, 0, bank.common.noise, Random(1)) == turns
    fillers = bank.common.noise.fillers
    clean, rough = (
        compose_corpus(bank, few_classes(classes), PARAMS.model_copy(update={"noise": noise}))
        for noise in (0.0, 1.0)
    )

    def share_of_fillers(corpus: Corpus) -> float:
        words = "".join(texts(corpus))
        return sum(words.count(filler) * len(filler) for filler in fillers) / len(words)

    assert share_of_fillers(rough) > 2 * share_of_fillers(clean)


def test_noise_1_changes_most_turns(bank: Bank) -> None:
    """Maximum noise still leaves text and more than one turn."""
    turns = ["我想问一下我要是换成这个套餐是这个月就用上还是下个月"] * 50
    rough = add_noise(turns, 1, bank.common.noise, Random(1))
    assert sum(turn in turns for turn in rough) < 10
    assert len(rough) > 10
    assert all(rough)


def test_calls_grow_with_length(bank: Bank, classes: pd.DataFrame) -> None:
    """The median length grows; at length 1 it is near the real 386 characters."""
    medians = []
    for length in (0.25, 0.5, 1.0, 2.0):
        params = PARAMS.model_copy(update={"length": length})
        rows = pd.Series(texts(compose_corpus(bank, few_classes(classes), params)))
        medians.append(rows.str.replace("[SEP]", "", regex=False).str.len().median())
    assert medians == sorted(medians)
    assert medians[0] < medians[1] < medians[2] < medians[3]
    assert 300 < medians[2] < 480


def test_near_duplicates_are_rare(corpus: Corpus) -> None:
    """Very few rows share 80 % of their 3-grams with another of their class in any split."""
    frame = pd.concat(corpus.values())
    near = 0
    for _, rows in frame.groupby("c_numerical"):
        sets = [
            {text[i : i + 3] for i in range(len(text) - 2)}
            for text in rows["sentence_sep"].str.replace("[SEP]", "", regex=False)
        ]
        for i, mine in enumerate(sets):
            near += any(len(mine & other) > 0.8 * len(mine | other) for other in sets[:i])
    assert near / len(frame) < 0.005


def test_placeholders_are_filled(corpus: Corpus) -> None:
    """No template brace remains."""
    assert not Counter("".join(texts(corpus))) & Counter("{}")


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        pytest.param("common.yaml", None, "common.yaml not found; restore it", id="no-common"),
        pytest.param("07.yaml", None, "07.yaml not found; restore it with git", id="no-class"),
        pytest.param("07.yaml", "a: [1", r"07.yaml: not valid YAML \(", id="broken-yaml"),
        pytest.param(
            "07.yaml",
            "class_id: 7\nscenarios:\n  - turns: []\n",
            r"07.yaml: invalid scenario \(KeyError: 'id'\)",
            id="scenario-without-id",
        ),
        pytest.param(
            "07.yaml",
            "class_id: 7\nscenarios:\n  - {id: a, turns: [{robot: [喂]}]}\n",
            "07.yaml: the speaker of a turn must be 'caller' or 'agent' .*, got 'robot'",
            id="unknown-speaker",
        ),
    ],
)
def test_a_broken_bank_is_named(
    file: str, content: str | None, expected: str, tmp_path: Path
) -> None:
    """The error names file and remedy."""
    folder = tmp_path / "bank"
    shutil.copytree(BANK, folder)
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=expected):
        load_bank(folder)


def test_the_shipped_bank_is_whole(bank: Bank) -> None:
    """Each class has at least twelve uniquely named scenarios in the file of its number."""
    assert sorted(bank.scenarios) == list(range(34))
    for class_id, scenarios in bank.scenarios.items():
        assert len(scenarios) >= 12
        assert {scenario.class_id for scenario in scenarios} == {class_id}
        assert len({scenario.name for scenario in scenarios}) == len(scenarios)
