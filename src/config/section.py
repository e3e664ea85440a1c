"""What every section of params.yaml is made of."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Points = Annotated[float, Field(ge=0, le=10)]


def ascending(pair: tuple[float, float]) -> tuple[float, float]:
    """The pair, if its first number is not above the second; pydantic reports the ValueError."""
    if pair[0] > pair[1]:
        raise ValueError(f"the first must not be above the second, got {list(pair)}")
    return pair


class Part(BaseModel):
    """A frozen mapping of settings; keys that no code reads are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Section(Part):
    """One of those that stand at the top of params.yaml, under the name `KEY`."""

    KEY: ClassVar[str]
