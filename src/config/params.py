"""The whole of params.yaml.

params = load_params()
params.plan.target_per_class
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from src.config.baseline import BaselineParams
from src.config.convert import ConvertParams
from src.config.corpus import CorpusParams
from src.config.data import DataParams
from src.config.embedding import EmbeddingParams
from src.config.evaluate import EvaluateParams
from src.config.filter import FilterParams
from src.config.generate import GenerateParams
from src.config.llm import LlmParams
from src.config.plan import PlanParams
from src.config.runtime import RuntimeParams
from src.config.section import Section
from src.errors import UserError
from src.paths import PARAMS


class Params(Section):
    """The whole of params.yaml."""

    corpus: CorpusParams
    data: DataParams
    plan: PlanParams
    llm: LlmParams
    embedding: EmbeddingParams
    generate: GenerateParams
    filter: FilterParams
    convert: ConvertParams
    baseline: BaselineParams
    evaluate: EvaluateParams
    runtime: RuntimeParams


def load_params(path: Path = PARAMS) -> Params:
    """Read and check the settings.

    Raises:
        UserError: the file is missing or broken, or a key is unknown or has an illegal value;
            the message names the key, the value and what is allowed.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} not found; run from the project's root") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}); save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise UserError(f"{path}{place}: not valid YAML ({problem}); mend that line") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected sections such as data: and plan:, got {raw!r}")
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: " + "; ".join(map(_explain, error.errors()))) from None


def _explain(error: Any) -> str:  # noqa: ANN401  (pydantic's ErrorDetails)
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{key} is not a setting{_nearest(error['loc'])}; correct or remove it"
    if error["type"] == "missing":
        return f"{key} is missing; add it"
    if error["type"] == "value_error":  # from a validator above; it quotes what it got
        return f"{key}: {error['ctx']['error']}"
    return f"{key} is {error['input']!r}: {error['msg']}"


def _nearest(loc: tuple[str | int, ...]) -> str:
    """The setting that an unknown key was probably meant to be."""
    from difflib import get_close_matches

    model: type[BaseModel] = Params
    for part in loc[:-1]:
        if isinstance(part, str):  # a number counts items of a list, whose section is known
            model = _section(model.model_fields[part].annotation)
    close = get_close_matches(str(loc[-1]), list(model.model_fields), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _section(annotation: Any) -> type[BaseModel]:  # noqa: ANN401  (any annotation)
    """The section that a field holds, one or a tuple of them."""
    section: type[BaseModel] = (get_args(annotation) or (annotation,))[0]
    return section
