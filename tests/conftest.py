"""Fixtures shared by the tests of several rooms."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from src.config.data import DataParams
from src.config.load import parsed

NO_FILE = Path("none.csv")

# property tests have no deadline, as the machine may be busy
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def settings_are_read_anew() -> None:
    """Clear the cache of params.yaml, as each test stands for a new process."""
    parsed.cache_clear()


@pytest.fixture(scope="session")
def data() -> DataParams:
    """Data settings for Chinese calls with turns."""
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
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small project after all stages; read-only."""
    from tests.small_run import run_pipeline

    return run_pipeline(tmp_path_factory.mktemp("run") / "project")


@pytest.fixture(scope="session")
def kept_run() -> Path:
    """The kept files of such a run, the same on every machine; read-only."""
    from tests.small_run import KEPT_RUN

    return KEPT_RUN


@pytest.fixture(scope="session")
def english(data: DataParams) -> DataParams:
    """Data settings for English utterances, one per row."""
    return data.model_copy(update={"turn_separator": None, "language": "en"})
