"""Base classes and number types of the sections of params.yaml."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Points = Annotated[float, Field(ge=0, le=10)]


def ascending(pair: tuple[float, float]) -> tuple[float, float]:
    """Return the pair; raise ValueError, which pydantic reports, if the first is the larger one."""
    if pair[0] > pair[1]:
        raise ValueError(f"the first must not be above the second, got {list(pair)}")
    return pair


class Part(BaseModel):
    """A frozen mapping of settings; unknown keys are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Section(Part):
    """A top-level section of params.yaml, named `KEY`."""

    KEY: ClassVar[str]
