"""What each arm trains on: the real rows, alone or with something that may help the tail.

Two ways to fight imbalance are free (class weights, oversampling); generated rows have to beat
them, and filtered rows have to beat as many unfiltered ones.

    data = training_frame("augmented", real, accepted, unfiltered, seed=0)
    data.frame, data.class_weight
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.config import Arm

ClassWeight = Literal["balanced"] | None
Origin = Literal["real", "synthetic"]

COLUMNS = ["text", "label", "origin"]


@dataclass(frozen=True)
class ArmData:
    """The rows of an arm (text, label, origin) and the class weights of its classifier."""

    frame: pd.DataFrame
    class_weight: ClassWeight


def training_frame(
    arm: Arm, real: pd.DataFrame, accepted: pd.DataFrame, unfiltered: pd.DataFrame, seed: int
) -> ArmData:
    """The training rows of one arm; real rows come first, in their order, in every arm.

    Args:
        arm: which of the arms.
        real: train rows (text, label).
        accepted: samples that passed the gate and are merged (text, label); may be empty.
        unfiltered: all candidates as the model wrote them (text, label, attempt); may be empty.
            Of each class as many are taken as it has accepted rows, the first by attempt, or all
            if there are fewer, so that the gate is judged at equal size.
        seed: of the rows that oversampling repeats.
    """
    balanced = arm in ("class_weight", "augmented_class_weight")
    return ArmData(
        frame=_rows_of(arm, _rows(real, "real"), accepted, unfiltered, seed),
        class_weight="balanced" if balanced else None,
    )


def _rows_of(
    arm: Arm, real: pd.DataFrame, accepted: pd.DataFrame, unfiltered: pd.DataFrame, seed: int
) -> pd.DataFrame:
    match arm:
        case "original" | "class_weight":
            return real
        case "oversample":
            return _oversampled(real, seed)
        case "unfiltered":
            return _joined(real, _first_of_each_class(unfiltered, accepted))
        case "augmented" | "augmented_class_weight":
            return _joined(real, accepted)
        case _:
            assert_never(arm)


def _rows(frame: pd.DataFrame, origin: Origin) -> pd.DataFrame:
    # A frame of no records has no columns either.
    named = frame if len(frame) else pd.DataFrame(columns=COLUMNS, dtype=str)
    return named.assign(origin=origin)[COLUMNS].reset_index(drop=True)


def _joined(real: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([real, _rows(synthetic, "synthetic")], ignore_index=True)


def _oversampled(real: pd.DataFrame, seed: int) -> pd.DataFrame:
    from imblearn.over_sampling import RandomOverSampler

    sampler = RandomOverSampler(random_state=seed)
    sampler.fit_resample(real.index.to_numpy().reshape(-1, 1), real["label"].to_numpy(dtype=str))
    drawn: NDArray[np.intp] = sampler.sample_indices_
    return real.iloc[drawn].reset_index(drop=True)


def _first_of_each_class(unfiltered: pd.DataFrame, accepted: pd.DataFrame) -> pd.DataFrame:
    if unfiltered.empty or accepted.empty:
        return unfiltered.head(0)
    ordered = unfiltered.sort_values(["label", "attempt"], kind="stable")
    quota = ordered["label"].map(accepted["label"].value_counts()).fillna(0)
    return ordered[ordered.groupby("label").cumcount() < quota]
