"""Training data of each method: the real rows, alone or with additions for the tail.

Free methods need no samples. Samples have to beat them, and accepted samples have to beat the same
number of unfiltered ones.

    data = training_frame("augmented", real, accepted, unfiltered, seed=0)
    data.frame, data.class_weight

`rows` decides which real rows a method gets, for every caller.

- class_weight: class weights in inverse proportion to the class sizes;
- effective_number: class weights by the effective number of rows (Cui et al., Class-Balanced Loss
  Based on Effective Number of Samples, 2019);
- logit_adjustment: the classifier of `original` with its decisions shifted by the class sizes
  (Menon et al., Long-tail learning via logit adjustment, 2021; `classifier.adjusted`);
- oversample: rows of smaller classes repeated;
- eda: copies of rows with characters or words swapped, dropped and repeated (Wei and Zou, EDA,
  2019; without synonym replacement, because the project ships no Chinese synonym list);
- smote: points between neighbours in TF-IDF space (Chawla et al., SMOTE, 2002); the row of a
  one-row class is repeated, because there is no neighbour.

The last two add as many rows or points to each class as it has accepted samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.config.methods import Method
from src.records.metrics.choose import Choice

ClassWeight = Literal["balanced"] | dict[str, float] | None
Origin = Literal["real", "synthetic"]

COLUMNS = ["text", "label", "origin", "weight"]
BETA = 0.999  # effective number of n rows: (1 - BETA^n) / (1 - BETA)
EDITS = 0.1  # share of the characters or words of a copy that eda edits
NO_SAMPLES = Choice(0, class_weight=False, sample_weight=1.0, by_quality=False)


@dataclass(frozen=True)
class MethodData:
    """Training rows of a method and class weights of its classifier.

    Attributes:
        frame: columns text, label, origin (real or synthetic) and weight (1 for a real row).
        class_weight: class weights of the classifier.
        smote: label -> points to add in the TF-IDF space of the classifier.
    """

    frame: pd.DataFrame
    class_weight: ClassWeight
    smote: Mapping[str, int]


def training_frame(
    method: Method,
    real: pd.DataFrame,
    accepted: pd.DataFrame,
    unfiltered: pd.DataFrame,
    seed: int,
    choice: Choice | None = None,
) -> MethodData:
    """Return the training data of one method; real rows come first in every method, in order.

    Args:
        method: the method.
        real: train rows (text, label).
        accepted: samples of the balanced set (text, label, and quality for a choice that weights
            by it); may be empty.
        unfiltered: all candidates as the model wrote them (text, label, attempt); may be empty.
            Each class gets as many as it has accepted samples, or all if there are fewer, so that
            the gate is judged at equal size: the first ones by attempt with seed 0, a random draw
            with other seeds.
        seed: seed of random draws.
        choice: the choice of the method `chosen`; no samples if None.
    """
    rows = _rows(real, "real")
    frame = _rows_of(method, rows, accepted, unfiltered, seed, choice)
    return MethodData(
        frame=frame,
        class_weight=_class_weight(method, frame, choice),
        smote=_sizes(accepted) if method == "smote" else {},
    )


def draws_something(method: Method, accepted: pd.DataFrame, choice: Choice | None) -> bool:
    """Return whether another seed gives other training data."""
    if method == "chosen" and choice is not None and len(accepted):
        return 0 < choice.samples_per_class < accepted["label"].value_counts().max()
    return method in ("oversample", "eda", "smote", "unfiltered")


def _sizes(accepted: pd.DataFrame) -> dict[str, int]:
    """Return label -> accepted samples, sorted by label."""
    if accepted.empty:
        return {}
    counts = accepted["label"].value_counts().sort_index()
    return {str(label): int(count) for label, count in counts.items()}


def balanced(frame: pd.DataFrame) -> dict[str, float]:
    """Return class weights in inverse proportion to the total row weight of each class.

    Args:
        frame: columns label, weight.
    """
    mass = frame.groupby("label")["weight"].sum()
    return {str(label): float(mass.sum() / len(mass) / own) for label, own in mass.items()}


def _class_weight(method: Method, frame: pd.DataFrame, choice: Choice | None) -> ClassWeight:
    if method in ("class_weight", "augmented_class_weight"):
        return "balanced"
    if method == "chosen" and choice is not None and choice.class_weight:
        return balanced(frame)
    if method != "effective_number":
        return None
    counts = frame["label"].value_counts()
    weights = (1 - BETA) / (1 - BETA**counts)
    scaled = weights / weights.sum() * len(weights)
    return {str(label): float(weight) for label, weight in scaled.items()}


def _rows_of(
    method: Method,
    real: pd.DataFrame,
    accepted: pd.DataFrame,
    unfiltered: pd.DataFrame,
    seed: int,
    choice: Choice | None,
) -> pd.DataFrame:
    match method:
        case "original" | "class_weight" | "effective_number" | "logit_adjustment" | "smote":
            return real
        case "oversample":
            return _oversampled(real, seed)
        case "eda":
            return _joined(real, _edited(real, accepted, seed))
        case "unfiltered":
            return _joined(real, _as_many_of_each_class(unfiltered, accepted, seed))
        case "augmented" | "augmented_class_weight":
            return _joined(real, accepted)
        case "chosen":
            return with_samples(real, accepted, choice or NO_SAMPLES, seed)
        case _:
            assert_never(method)


def with_samples(
    real: pd.DataFrame, accepted: pd.DataFrame, choice: Choice, seed: int
) -> pd.DataFrame:
    """Return real rows and up to `choice.samples_per_class` samples per class, with its weight.

    The first samples with seed 0, a random draw with other seeds.
    """
    rows = _rows(real, "real")
    if accepted.empty or choice.samples_per_class == 0:
        return rows
    order = accepted if seed == 0 else accepted.sample(frac=1.0, random_state=seed)
    taken = order[order.groupby("label").cumcount() < choice.samples_per_class].sort_index()
    weight = choice.sample_weight * (taken["quality"] if choice.by_quality else 1.0)
    return _joined(rows, taken, weight)


def _rows(frame: pd.DataFrame, origin: Origin, weight: float | pd.Series = 1.0) -> pd.DataFrame:
    # An empty frame may have no columns.
    named = frame if len(frame) else pd.DataFrame(columns=["text", "label"], dtype=str)
    return named.assign(origin=origin, weight=weight)[COLUMNS].reset_index(drop=True)


def _joined(
    real: pd.DataFrame, synthetic: pd.DataFrame, weight: float | pd.Series = 1.0
) -> pd.DataFrame:
    return pd.concat([real, _rows(synthetic, "synthetic", weight)], ignore_index=True)


def _oversampled(real: pd.DataFrame, seed: int) -> pd.DataFrame:
    from imblearn.over_sampling import RandomOverSampler

    sampler = RandomOverSampler(random_state=seed)
    sampler.fit_resample(real.index.to_numpy().reshape(-1, 1), real["label"].to_numpy(dtype=str))
    drawn: NDArray[np.intp] = sampler.sample_indices_
    return real.iloc[drawn].reset_index(drop=True)


def _as_many_of_each_class(
    unfiltered: pd.DataFrame, accepted: pd.DataFrame, seed: int
) -> pd.DataFrame:
    if unfiltered.empty or accepted.empty:
        return unfiltered.head(0)
    ordered = (
        unfiltered.sort_values(["label", "attempt"], kind="stable")
        if seed == 0
        else unfiltered.sample(frac=1.0, random_state=seed)
    )
    quota = ordered["label"].map(accepted["label"].value_counts()).fillna(0)
    return ordered[ordered.groupby("label").cumcount() < quota]


def _edited(real: pd.DataFrame, accepted: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return edited copies of real rows, as many per class as it has accepted samples.

    A class without real rows gets none.
    """
    rng = np.random.default_rng(seed)
    by_class = {str(label): rows["text"].tolist() for label, rows in real.groupby("label")}
    copies = [
        {"text": _edit(str(rng.choice(by_class[label])), rng), "label": label}
        for label, count in _sizes(accepted).items()
        if label in by_class
        for _ in range(count)
    ]
    return pd.DataFrame(copies, columns=["text", "label"])


def _edit(text: str, rng: np.random.Generator) -> str:
    """Swap, drop or repeat a tenth of the words, or of the characters if spaces are rare."""
    glue = " " if text.count(" ") * 10 > len(text) else ""
    units = text.split() if glue else list(text)
    for _ in range(max(1, round(EDITS * len(units)))):
        position, other = (int(number) for number in rng.integers(len(units), size=2))
        match int(rng.integers(3)):
            case 0:
                units[position], units[other] = units[other], units[position]
            case 1 if len(units) > 1:
                del units[position]
            case _:
                units.insert(position, units[position])
    return glue.join(units)
