"""What each judge is asked about a sample: the same prompt to all of them.

No model is asked about a text of its own: models prefer what they wrote themselves (Panickssery et
al. 2024).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from src.config.data import DataParams
from src.config.filter import JudgeRule
from src.config.llm import EndpointParams, LlmParams
from src.data.dialogue import split_turns
from src.data.schema import LabelInfo
from src.errors import UserError
from src.files import Record
from src.judging.rubric import WEIGHTS
from src.llm.requests import OUTPUTS, Request, Sampling
from src.llm.templates import SHOWN_REQUESTS, TEMPLATES

Ways = tuple[Request, ...]  # to ask one judge about one sample, best first


def all_labels(names: Iterable[str], labels: Mapping[str, LabelInfo]) -> dict[str, LabelInfo]:
    """The classes of train and those of the labels file; of some only the name may be known."""
    unknown = sorted(set(names) - set(labels))
    return {**labels, **{name: LabelInfo("", name, "", ()) for name in unknown}}


class JudgeWriter:
    """Writes what each judge is asked about a sample: the same prompt to all of them."""

    def __init__(
        self,
        labels: Mapping[str, LabelInfo],
        rule: JudgeRule,
        llm: LlmParams,
        data: DataParams,
        domain: str,
        templates: Path = TEMPLATES,
    ) -> None:
        """Set up.

        Args:
            labels: all classes, see `all_labels`.
            rule: names the judges.
            llm: holds their endpoints.
            data: language and turn separator.
            domain: what the rows are.
            templates: folder of judge.<language>.j2.

        Raises:
            UserError: a judge is no endpoint, or none for chat, or asks what another one asks.
        """
        self.labels = labels
        self.judges = _judges(rule, llm)
        self._separator, self._domain, self._salt = data.turn_separator, domain, llm.cache_salt
        self._sampling = Sampling(rule.temperature, 1.0, 0.0, 0.0, rule.max_tokens)
        self._format = _response_format(labels)
        self._template = jinja2.Environment(
            loader=jinja2.FileSystemLoader(templates),
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
        ).get_template(f"judge.{data.language}.j2")

    def asks(self, candidate: Record) -> tuple[Ways, ...]:
        """For each judge of another model the ways to ask it about a sample.

        Args:
            candidate: id, text, label, and model where one is known to have written it.

        Raises:
            UserError: its class is none of the labels.
        """
        prompt = self._prompt(candidate)
        writer = _model_name(candidate.get("model", ""))
        return tuple(
            tuple(
                Request(
                    judge,
                    prompt,
                    (),
                    self._sampling,
                    0,
                    self._salt,
                    as_json=as_json,
                    response_format=self._format,
                )
                for as_json in OUTPUTS[judge.api, judge.output]
            )
            for judge in self.judges
            if _model_name(judge.model) != writer
        )

    def _prompt(self, candidate: Record) -> str:
        text, label = candidate["text"], candidate["label"]
        if label not in self.labels:
            raise UserError(
                f"candidate {candidate['id']}: class {label!r} is none of the "
                f"{len(self.labels)} classes; correct its label"
            )
        info = self.labels[label]
        return self._template.render(
            domain=self._domain,
            labels=list(self.labels.values()),
            label=info,
            requests=info.requests[:SHOWN_REQUESTS],
            weights=WEIGHTS,
            dialogue=self._separator is not None,
            turns=[_harmless(turn) for turn in split_turns(text, self._separator)],
            # no text holds its own hash, so none can end the part that is shown as the sample
            mark=hashlib.sha256(text.encode()).hexdigest()[:12],
        )


def _model_name(model: str) -> str:
    """A model's name without its vendor, which one endpoint may ask for and another not."""
    return model.rpartition("/")[2].casefold()


def _harmless(turn: str) -> str:
    """A turn in one line, without what a chat template could take for the end of the message.

    Such as <|im_end|>, <｜User｜>, </s> and <end_of_turn>.
    """
    return " ".join(turn.split()).replace("<", "< ")


def _judges(rule: JudgeRule, llm: LlmParams) -> tuple[EndpointParams, ...]:
    """Endpoints of different models: a model that is asked twice would vote twice."""
    judges = tuple(_endpoint(name, llm) for name in rule.endpoints)
    asked: dict[tuple[str, str], str] = {}
    for judge in judges:
        first = asked.setdefault((judge.base_url.rstrip("/"), judge.model), judge.name)
        if first != judge.name:
            raise UserError(
                f"params.yaml filter.judge.endpoints: {first!r} and {judge.name!r} are both "
                f"{judge.model} at {judge.base_url}; name one of them"
            )
    return judges


def _endpoint(name: str, llm: LlmParams) -> EndpointParams:
    by_name = {endpoint.name: endpoint for endpoint in llm.endpoints}
    if name not in by_name:
        raise UserError(
            f"params.yaml filter.judge.endpoints: {name!r} is none of llm.endpoints "
            f"({', '.join(by_name)}); correct the name or add the endpoint"
        )
    if by_name[name].api != "chat":
        raise UserError(
            f"params.yaml filter.judge.endpoints: {name!r} has api: {by_name[name].api}, "
            "and a judge needs api: chat; name a chat model"
        )
    return by_name[name]


def _response_format(labels: Mapping[str, LabelInfo]) -> dict[str, Any]:
    """The schema of a judgement. Bounds of numbers are left out: some servers refuse them."""
    fields: dict[str, Any] = {name: {"type": "number"} for name in WEIGHTS}
    fields |= {"best_label": {"type": "string", "enum": list(labels)}, "reason": {"type": "string"}}
    schema = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    return {
        "type": "json_schema",
        "json_schema": {"name": "judgement", "strict": True, "schema": schema},
    }
