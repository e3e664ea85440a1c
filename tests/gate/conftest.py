"""Gate settings for the tests in this folder."""

from __future__ import annotations

import pytest

from src.config.filter import FilterParams


@pytest.fixture(scope="session")
def params() -> FilterParams:
    """Settings with every rule but `keywords` on, and round limits for the golden cases."""
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
                "classifier": False,
                "min_label_consistency": 6,
                "min_score": 6,
                "vote": "majority",
            },
            "diversity": 0.5,
            "review_ratio": 0.1,
            "review_min_per_class": 2,
        }
    )
