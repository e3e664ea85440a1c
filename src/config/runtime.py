"""The section `runtime`. No DVC stage depends on it: changing it reruns nothing."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from src.config.section import Count, Part, Section, Share


class EngineParams(Part):
    """The llama.cpp server that runs inside this process."""

    threads: Count | None
    slots: Count
    context_per_slot: Annotated[int, Field(ge=256)]


class RuntimeParams(Section):
    """How requests are sent. No DVC stage depends on this section: changing it reruns nothing."""

    KEY: ClassVar = "runtime"

    concurrency: Count
    timeout_s: Annotated[float, Field(gt=0)]
    tries: Count
    breaker_failures: Count
    max_error_rate: Share
    error_window: Count
    offline: bool
    engine: EngineParams
