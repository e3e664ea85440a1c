"""The bank of scenarios from which calls of the stand-in are composed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from src.errors import UserError
from src.records.json_files import explained

BANK = Path("data/raw/scenarios")
CLASSES = Path("data/raw/cmcc34_classes.csv")
Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
TAIL_SUPPORT = 50

Role = Literal["caller", "agent"]
Ways = Mapping[Role, tuple[str, ...]]  # speaker -> variants of the turn; keys in speaking order


@dataclass(frozen=True)
class Turn:
    """One turn of a scenario: speaker, whether short calls keep it, and its variants."""

    role: Role
    core: bool
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """One situation of one class."""

    class_id: int
    name: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Noise:
    """What noise adds: fillers, stray words, and homophones per character."""

    fillers: tuple[str, ...]
    junk: tuple[str, ...]
    homophones: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Common:
    """Parts shared by the calls of all classes.

    Attributes:
        openings: openings of a call.
        checks: exchanges about identity.
        holds: exchanges about waiting.
        links: phrases with which a caller comes to the point.
        backchannels: short acknowledgements by the other speaker.
        closings: the question for further requests, and the goodbye.
        placeholders: name -> values.
        confusable: class id -> classes that it is confused with.
        noise: words for simulated recognition errors.
    """

    openings: Ways
    checks: tuple[Ways, ...]
    holds: tuple[Ways, ...]
    links: tuple[str, ...]
    backchannels: Ways
    closings: tuple[Ways, Ways]
    placeholders: Mapping[str, tuple[str, ...]]
    confusable: Mapping[int, tuple[int, ...]]
    noise: Noise


@dataclass(frozen=True)
class Bank:
    """All scenarios by class id, and the parts shared by all classes."""

    scenarios: dict[int, tuple[Scenario, ...]]
    common: Common = field(repr=False)

    def of(self, class_id: int, support: int, split: Split) -> tuple[Scenario, ...]:
        """Return the scenarios that a split may use; in tail classes each split has its thirds."""
        every = self.scenarios[class_id]
        if support >= TAIL_SUPPORT:
            return every
        third = max(len(every) // 3, 1)
        known, dev_only, test_only = every[:third], every[third : 2 * third], every[2 * third :]
        return {"train": known, "dev": known + dev_only, "test": known + test_only}[split]


def load_bank(folder: Path = BANK) -> Bank:
    """Read the scenario files.

    Raises:
        UserError: a file is missing or a scenario is malformed.
    """
    common = _common(folder / "common.yaml")
    paths = sorted(folder.glob("[0-9][0-9].yaml"))
    scenarios = {int(path.stem): _scenarios(path) for path in paths}
    missing = sorted(set(common.confusable) - set(scenarios))
    if missing:
        raise UserError(f"{folder / f'{missing[0]:02}.yaml'} not found; restore it with git")
    return Bank(scenarios, common)


def _common(path: Path) -> Common:
    try:
        return TypeAdapter(Common).validate_python(_read_yaml(path))
    except ValidationError as error:
        raise UserError(f"{path} {explained(error)}; restore it with git") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except FileNotFoundError:
        raise UserError(f"{path} not found; restore it with git") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    return value


def _scenarios(path: Path) -> tuple[Scenario, ...]:
    raw = _read_yaml(path)
    try:
        return tuple(
            Scenario(
                raw["class_id"], item["id"], tuple(_turn(turn, path) for turn in item["turns"])
            )
            for item in raw["scenarios"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}: invalid scenario ({type(error).__name__}: {error}); each needs id and turns, "
            "and each turn maps 'caller' or 'agent' to its variants"
        ) from None


def _turn(raw: dict[str, list[str]], path: Path) -> Turn:
    ((key, variants),) = raw.items()
    role = key.removesuffix("+")
    if role not in ("caller", "agent"):
        raise UserError(
            f"{path}: the speaker of a turn must be 'caller' or 'agent' (with + if optional), "
            f"got {key!r}"
        )
    return Turn("caller" if role == "caller" else "agent", not key.endswith("+"), tuple(variants))
