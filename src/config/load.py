"""Read and validate single sections of params.yaml.

    rules = load(FilterParams)

A stage imports this module and the sections that it reads; `params.load_params` reads all of them.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from src.config.section import Section
from src.errors import UserError
from src.paths import PARAMS

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

UNKNOWN = "extra_forbidden"  # pydantic's type of error for a key that is no setting

S = TypeVar("S", bound=Section)
M = TypeVar("M", bound=BaseModel)


def load(section: type[S], path: Path = PARAMS) -> S:
    """Read and validate one section.

    Raises:
        UserError: the file is missing or broken, or a key of the section is unknown, missing or
            invalid. The message names the key, its value and what is allowed.
    """
    raw = read_settings(path)
    if section.KEY not in raw:
        raise UserError(f"{path}: {section.KEY} is missing; add it")
    return validated(section, raw[section.KEY], path, (section.KEY,))


def read_settings(path: Path = PARAMS) -> dict[str, Any]:
    """Return the parsed YAML, not validated; cached, so that a process sees one set of settings.

    Raises:
        UserError: the file is missing, or is not a YAML mapping of sections.
    """
    return parsed(path.absolute(), path)


def validated(model: type[M], raw: object, path: Path, location: tuple[str, ...] = ()) -> M:
    """Validate settings against a model.

    Args:
        model: a section, or all of them.
        raw: its part of the parsed file.
        path: path of the file, for the error message.
        location: keys that lead to that part of the file.

    Raises:
        UserError: see `load`.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        errors = error.errors()
        misspelt = {_nearest(one["loc"], model) for one in errors if one["type"] == UNKNOWN}
        faults = (
            _explained(one, model, location)
            for one in errors
            if one["type"] != "missing"
            or one["loc"] not in misspelt  # the typo is reported instead
        )
        raise UserError(f"{path}: {'; '.join(faults)}") from None


@cache
def parsed(_: Path, path: Path) -> dict[str, Any]:
    """Cache of `read_settings` by absolute path; tests clear it with `parsed.cache_clear`."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} not found; run from the project's root") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}); save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        location = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise UserError(f"{path}{location}: not valid YAML ({problem}); fix that line") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected sections such as data: and plan:, got {raw!r}")
    return raw


def _explained(error: ErrorDetails, model: type[BaseModel], location: tuple[str, ...]) -> str:
    key = ".".join(map(str, (*location, *error["loc"])))
    if error["type"] == UNKNOWN:
        close = _nearest(error["loc"], model)
        hint = f" (did you mean {close[-1]}?)" if close else ""
        return f"{key} is not a setting{hint}; correct or remove it"
    if error["type"] == "missing":
        return f"{key} is missing; add it"
    if error["type"] == "value_error":  # from a validator of a section; it quotes the value itself
        message = str(error["ctx"]["error"])
        return f"{key}: {message}" if key else message
    expected = error["msg"].removeprefix("Input ")
    return f"{key} is {error['input']!r} but {expected[0].lower()}{expected[1:]}; correct it"


def _nearest(loc: tuple[str | int, ...], model: type[BaseModel]) -> tuple[str | int, ...]:
    """Return the location of the setting whose name is closest to an unknown key, or ()."""
    for part in loc[:-1]:
        if isinstance(part, str):  # a number is an index into a list whose model is known already
            annotation: Any = model.model_fields[part].annotation
            model = (get_args(annotation) or (annotation,))[0]
    close = get_close_matches(str(loc[-1]), list(model.model_fields), n=1)
    return (*loc[:-1], close[0]) if close else ()
