"""Requests to judges: all judges of a sample get the same prompt.

No model judges its own texts, because models prefer what they wrote themselves (Panickssery et al.
2024).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from src.config.data import DataParams
from src.config.filter import JudgeParams
from src.config.llm import LlmParams
from src.data.dialogue import split_turns
from src.data.schema import LabelInfo
from src.errors import UserError
from src.judging.rubric import WEIGHTS
from src.llm.requests import OUTPUTS, Request, Sampling
from src.llm.templates import SHOWN_REQUESTS, TEMPLATES
from src.records.samples import Screened
from src.templates import environment

Alternatives = tuple[Request, ...]  # equivalent requests to one judge about one sample, best first


def all_labels(names: Iterable[str], labels: Mapping[str, LabelInfo]) -> dict[str, LabelInfo]:
    """Return the classes of train and of the labels file; some may have only a name."""
    unknown = sorted(set(names) - set(labels))
    return {**labels, **{name: LabelInfo("", name, "", ()) for name in unknown}}


class JudgeWriter:
    """Writes the requests to all judges of a sample."""

    def __init__(
        self,
        labels: Mapping[str, LabelInfo],
        rule: JudgeParams,
        llm: LlmParams,
        data: DataParams,
        domain: str,
        templates: Path = TEMPLATES,
    ) -> None:
        """Set up.

        Args:
            labels: all classes, see `all_labels`.
            rule: names of the judges: chat endpoints with different models (`config.params`).
            llm: their endpoints.
            data: language and turn separator.
            domain: what the rows are, in words.
            templates: folder of judge.<language>.j2.
        """
        endpoints = {endpoint.name: endpoint for endpoint in llm.endpoints}
        self.labels = labels
        self.judges = tuple(endpoints[name] for name in rule.endpoints)
        self._separator, self._domain, self._salt = data.turn_separator, domain, llm.cache_salt
        self._sampling = Sampling(rule.temperature, 1.0, 0.0, 0.0, rule.max_tokens)
        self._format = _response_format(labels)
        self._template = environment(templates).get_template(f"judge.{data.language}.j2")

    def asks(self, sample: Screened) -> tuple[Alternatives, ...]:
        """Return the equivalent requests about a sample for each judge with another model.

        Args:
            sample: shown in the style of the real rows; not judged by the model that wrote it, if
                that is known.

        Raises:
            UserError: its class is not among the labels.
        """
        prompt = self._prompt(sample)
        writer = _model_name(sample.candidate.model)
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

    def _prompt(self, sample: Screened) -> str:
        if sample.label not in self.labels:
            raise UserError(
                f"candidate {sample.id}: class {sample.label!r} is not one of the "
                f"{len(self.labels)} classes; correct its label"
            )
        info = self.labels[sample.label]
        return self._template.render(
            domain=self._domain,
            labels=list(self.labels.values()),
            label=info,
            requests=info.requests[:SHOWN_REQUESTS],
            weights=WEIGHTS,
            dialogue=self._separator is not None,
            turns=[_harmless(turn) for turn in split_turns(sample.text, self._separator)],
            # no text contains its own hash, so a sample cannot fake the marker of its end
            mark=hashlib.sha256(sample.text.encode()).hexdigest()[:12],
        )


def _model_name(model: str) -> str:
    """Return a model's name without the vendor prefix that some endpoints require."""
    return model.rpartition("/")[2].casefold()


def _harmless(turn: str) -> str:
    """Return a turn in one line, without control tokens of chat templates.

    Examples are <|im_end|>, <｜User｜>, </s> and <end_of_turn>, which could end the message.
    """
    return " ".join(turn.split()).replace("<", "< ")


def _response_format(labels: Mapping[str, LabelInfo]) -> dict[str, Any]:
    """Return the JSON schema of a judgement, without number bounds, which some servers refuse."""
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
