"""The plan, which analyze writes and later stages read: one row per class."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from src.errors import UserError
from src.files import write_csv

KEYWORD_JOINER = ";"
TEXT = dict.fromkeys(("label", "keywords", "neighbours"), str)


@dataclass(frozen=True)
class Plan:
    """Columns label, support, tier, target, needed, keywords, neighbours; largest class first."""

    classes: pd.DataFrame

    @classmethod
    def of(
        cls,
        classes: pd.DataFrame,
        keywords: Mapping[str, Sequence[str]],
        neighbours: Mapping[str, Sequence[str]],
    ) -> Plan:
        """Return a plan from the needs of the classes (`strategies.plan_classes`).

        Args:
            classes: columns label, support, tier, target, needed; existing columns keywords and
                neighbours are replaced.
            keywords: label -> keywords of the class, best first.
            neighbours: label -> classes most similar to it, nearest first.
        """
        labels = classes["label"]
        return cls(
            classes.assign(
                keywords=[KEYWORD_JOINER.join(keywords[label]) for label in labels],
                neighbours=[json.dumps(neighbours[label], ensure_ascii=False) for label in labels],
            )
        )

    @property
    def quotas(self) -> dict[str, int]:
        """Samples that each class needs; classes that need none are left out."""
        short = self.classes[self.classes["needed"] > 0]
        return dict(zip(short["label"], short["needed"].astype(int), strict=True))

    def with_surplus(self, share: float) -> Plan:
        """Return the plan with each class's need raised by this share, rounded up."""
        needed = np.ceil(self.classes["needed"] * (1 + share)).astype(int)
        return Plan(self.classes.assign(needed=needed))

    @property
    def keywords(self) -> dict[str, tuple[str, ...]]:
        """Mined keywords of each class."""
        return {
            row["label"]: tuple(filter(None, row["keywords"].split(KEYWORD_JOINER)))
            for row in self.classes.to_dict("records")
        }

    @property
    def neighbours(self) -> dict[str, tuple[str, ...]]:
        """Classes most similar to each class, or most often confused with it, first one first."""
        return {
            row["label"]: tuple(json.loads(row["neighbours"]))
            for row in self.classes.to_dict("records")
        }


def write_plan(path: Path, plan: Plan) -> None:
    """Write one row per class."""
    write_csv(path, plan.classes)


def read_plan(path: Path) -> Plan:
    """Read the plan.

    Raises:
        UserError: the file is missing.
    """
    try:
        frame = pd.read_csv(path, dtype=TEXT, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(f"{path} not found; run `dvc repro analyze` to make it") from None
    return Plan(frame)
