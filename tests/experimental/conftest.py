"""Fixtures of the stage tests: the small project and a model behind a server."""

from tests.stages.conftest import model, planned, project  # noqa: F401  (fixtures)
