"""Settings as shipped, for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.config import DataParams, FilterParams

NO_FILE = Path("none.csv")


@pytest.fixture(scope="session")
def data() -> DataParams:
    """Chinese calls with turns."""
    return DataParams(
        train=NO_FILE,
        dev=NO_FILE,
        test=NO_FILE,
        labels=NO_FILE,
        text_column="text",
        label_column="label",
        label_name_column="label",
        id_column="row_id",
        turn_separator="[SEP]",
        language="zh",
    )


@pytest.fixture(scope="session")
def english(data: DataParams) -> DataParams:
    """English utterances, one a row."""
    return data.model_copy(update={"turn_separator": None, "language": "en"})


@pytest.fixture(scope="session")
def params() -> FilterParams:
    """Every rule on, with round limits that the golden cases are written for."""
    overlap = {"enabled": True, "max_overlap": 0.85}
    return FilterParams.model_validate(
        {
            "style": {"enabled": True},
            "format": {"enabled": True, "min_language_share": 0.8},
            "length": {
                "enabled": True,
                "quantiles": (0.0, 1.0),
                "min_chars": 6,
                "max_chars": 200,
                "min_turns": 1,
                "max_turns": 20,
            },
            "repetition": {"enabled": True, "max_loop_share": 0.3, "max_repeated_turns": 0.4},
            "keywords": {"enabled": False, "min_hits": 1, "given": {}},
            "seed_similarity": overlap,
            "near_duplicate": overlap,
            "contamination": overlap,
            "contradiction": overlap,
            "pii": {"enabled": True, "action": "replace", "allowed": ("10086",)},
            "label_check": {"enabled": True, "min_score": 0.0, "action": "drop"},
            "judge": {
                "enabled": False,
                "endpoints": (),
                "min_label_consistency": 6,
                "min_score": 6,
                "vote": "majority",
            },
            "diversity": 0.5,
            "review_ratio": 0.1,
            "review_min_per_class": 2,
        }
    )
