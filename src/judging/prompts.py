"""What each judge is asked about a sample: the same prompt to all of them.

No model is asked about a text of its own: models prefer what they wrote themselves (Panickssery et
al. 2024).
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
        rule: JudgeParams,
        llm: LlmParams,
        data: DataParams,
        domain: str,
        templates: Path = TEMPLATES,
    ) -> None:
        """Set up.

        Args:
            labels: all classes, see `all_labels`.
            rule: names the judges, chat endpoints of different models (`config.params`).
            llm: holds their endpoints.
            data: language and turn separator.
            domain: what the rows are.
            templates: folder of judge.<language>.j2.
        """
        endpoints = {endpoint.name: endpoint for endpoint in llm.endpoints}
        self.labels = labels
        self.judges = tuple(endpoints[name] for name in rule.endpoints)
        self._separator, self._domain, self._salt = data.turn_separator, domain, llm.cache_salt
        self._sampling = Sampling(rule.temperature, 1.0, 0.0, 0.0, rule.max_tokens)
        self._format = _response_format(labels)
        self._template = environment(templates).get_template(f"judge.{data.language}.j2")

    def asks(self, sample: Screened) -> tuple[Ways, ...]:
        """For each judge of another model the ways to ask it about a sample.

        Args:
            sample: shown in the style of the real rows; its candidate's model, where one is known,
                does not judge it.

        Raises:
            UserError: its class is none of the labels.
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
                f"candidate {sample.id}: class {sample.label!r} is none of the "
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
            # no text holds its own hash, so none can end the part that is shown as the sample
            mark=hashlib.sha256(sample.text.encode()).hexdigest()[:12],
        )


def _model_name(model: str) -> str:
    """A model's name without its vendor, which one endpoint may ask for and another not."""
    return model.rpartition("/")[2].casefold()


def _harmless(turn: str) -> str:
    """A turn in one line, without what a chat template could take for the end of the message.

    Such as <|im_end|>, <｜User｜>, </s> and <end_of_turn>.
    """
    return " ".join(turn.split()).replace("<", "< ")


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
