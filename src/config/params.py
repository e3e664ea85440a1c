"""All sections of params.yaml, and the checks across sections.

    params = load_params()
    params.plan.target_per_class

No stage imports this module: otherwise a change in any section would rerun every stage. A stage
loads its own sections (`load`), and `cli.stage` checks the whole file first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import model_validator

from src.config.baseline import BaselineParams
from src.config.choose import ChooseParams
from src.config.convert import ConvertParams
from src.config.corpus import CorpusParams
from src.config.data import DataParams
from src.config.embedding import EmbeddingParams
from src.config.evaluate import EvaluateParams
from src.config.filter import FilterParams
from src.config.generate import GenerateParams
from src.config.llm import LlmParams
from src.config.load import read_settings, validated
from src.config.plan import PlanParams
from src.config.report import ReportParams
from src.config.runtime import RuntimeParams
from src.config.section import Part
from src.errors import UserError
from src.paths import PARAMS

MOVED = {  # renamed keys: old name -> new name
    "evaluate.choose": "choose",
    "evaluate.report_language": "report.language",
    "evaluate.arms": "evaluate.methods",
    "generate.avoid_phrases": "generate.avoid_ngrams",
}


class Params(Part):
    """All sections."""

    corpus: CorpusParams
    data: DataParams
    plan: PlanParams
    llm: LlmParams
    embedding: EmbeddingParams
    generate: GenerateParams
    filter: FilterParams
    convert: ConvertParams
    baseline: BaselineParams
    choose: ChooseParams
    evaluate: EvaluateParams
    report: ReportParams
    runtime: RuntimeParams

    @model_validator(mode="after")
    def _judges_are_chat_endpoints(self) -> Params:
        """Judges must be chat endpoints of different models: the same model would vote twice."""
        known = {endpoint.name: endpoint for endpoint in self.llm.endpoints}
        asked: dict[tuple[str, str], str] = {}
        for name in self.filter.judge.endpoints:
            if name not in known:
                raise ValueError(
                    f"filter.judge.endpoints: {name!r} is not in llm.endpoints "
                    f"({', '.join(known)}); correct the name or add the endpoint"
                )
            judge = known[name]
            if judge.api != "chat":
                raise ValueError(
                    f"filter.judge.endpoints: {name!r} has api: {judge.api}, but a judge needs "
                    "api: chat; name a chat model"
                )
            first = asked.setdefault((judge.base_url.rstrip("/"), judge.model), name)
            if first != name:
                raise ValueError(
                    f"filter.judge.endpoints: {first!r} and {name!r} are both {judge.model} at "
                    f"{judge.base_url}; name one of them"
                )
        return self


def load_params(path: Path = PARAMS) -> Params:
    """Read and check all settings.

    Raises:
        UserError: the file is missing or broken; or a key is unknown, missing, renamed, invalid or
            contradicts another key. The message names the key and the remedy.
    """
    raw = read_settings(path)
    renamed = [
        f"{old} is now called {new}; {'rename' if new.startswith(f'{section}.') else 'move'} it"
        for old, new in MOVED.items()
        for section, _, key in (old.partition("."),)
        if isinstance(inside := raw.get(section), Mapping) and key in inside
    ]
    if renamed:
        raise UserError(f"{path}: {'; '.join(renamed)}")
    return validated(Params, raw, path)
