"""The same settings and server as in the room below."""

from tests.llm.conftest import (  # noqa: F401  (fixtures)
    data,
    endpoint,
    generate,
    llm,
    make_request,
    runtime,
    server,
    train,
)
