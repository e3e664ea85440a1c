"""The small project and the model behind a server that the stages are tested with."""

from tests.stages.conftest import model, planned, project  # noqa: F401  (fixtures)
