"""What is asked of a model for one class, and how its reply becomes samples.

The texts are the templates in `prompts/`, one a kind of API and language. Only train rows are
shown; a class's rows take turns as examples.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from random import Random

import jinja2
import pandas as pd

from src.config import DataParams, EndpointParams, GenerateParams, LlmParams
from src.data.dialogue import read_reply, split_turns
from src.data.draws import pick_weighted, shuffled
from src.data.schema import LabelInfo
from src.llm.requests import Answer, Request

TEMPLATES = Path("prompts")
SHOWN_REQUESTS = 4  # in the description of the class
ENOUGH_KEYWORDS = 6  # of an excerpt; beyond that the longer one is the better example
NUMBERED = re.compile(
    r"^[\s#*]*(?:(?:对话|通话|例句|样本|dialogue|call|example|sample)\s*\d+|\d+)"
    r"[\s*]*(?:[:：、)）]|\.(?!\d))\**",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True)
class Ask:
    """One request of a class and where it came from."""

    label: str
    attempt: int
    opening: str
    request: Request
    seed_ids: tuple[str, ...]
    prompt_version: str


def excerpt(turns: list[str], keywords: tuple[str, ...], max_chars: int) -> list[str]:
    """The run of turns, up to `max_chars`, that says most of what marks the class.

    A long call touches other intents as well; a small model that sees all of it writes about
    none. A single turn that is too long is kept whole.
    """
    best, best_worth = turns, (-1, 0)
    for start in range(len(turns)):
        length = 0
        for end in range(start, len(turns)):
            length += len(turns[end])
            if length > max_chars and end > start:
                break
            run = turns[start : end + 1]
            hits = sum(word in " ".join(run) for word in keywords)
            worth = (min(hits, ENOUGH_KEYWORDS), length)
            if worth > best_worth:
                best, best_worth = run, worth
    return best


def whole_lines(answer: Answer) -> str:
    """The reply; of one that ran into max_tokens, the lines before the one that was cut."""
    return answer.text.rpartition("\n")[0] if answer.truncated else answer.text


class PromptWriter:
    """Writes the n-th request of a class; the same n always gives the same request."""

    def __init__(
        self,
        train: pd.DataFrame,
        keywords: dict[str, tuple[str, ...]],
        labels: dict[str, LabelInfo],
        data: DataParams,
        llm: LlmParams,
        generate: GenerateParams,
        templates: Path = TEMPLATES,
    ) -> None:
        self._labels, self._data, self._llm, self._generate = labels, data, llm, generate
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(templates), undefined=jinja2.StrictUndefined
        )
        self._examples = {
            label: self._shuffled_examples(str(label), rows, keywords.get(str(label), ()))
            for label, rows in train.groupby("label")
        }

    def ask(self, label: str, attempt: int) -> Ask:
        """Request number `attempt` of a class."""
        endpoint = self._endpoint(label, attempt)
        template = f"{endpoint.api}.{self._data.language}.j2"
        seeds = self._seeds(label, attempt // self._generate.requests_per_prompt)
        info = self._labels.get(label)
        opening = self._opening(info, attempt)
        prompt = self._environment.get_template(template).render(
            domain=self._generate.domain,
            label=label,
            definition=info.definition if info else "",
            requests=info.requests[:SHOWN_REQUESTS] if info else (),
            opening=opening,
            examples=[turns for _, turns in seeds],
            dialogue=self._data.turn_separator is not None,
            samples=self._generate.samples_per_request,
        )
        request = Request(
            endpoint, prompt, self._stop(endpoint), self._generate, attempt, self._llm.cache_salt
        )
        version = hashlib.sha256(self._source(template).encode()).hexdigest()[:12]
        return Ask(label, attempt, opening, request, tuple(row_id for row_id, _ in seeds), version)

    def samples(self, ask: Ask, answer: Answer) -> list[str]:
        """The texts in a reply, as rows; none if it is no answer to use."""
        reply = whole_lines(answer)
        if answer.problem or not read_reply(reply, self._data.turn_separator):
            return []
        if ask.request.endpoint.api == "chat":
            parts = NUMBERED.split(reply)
            parts = parts[1:] if len(parts) > 1 else parts
        else:
            parts = [f"{ask.opening}\n{reply}"]
        texts = (read_reply(part, self._data.turn_separator) for part in parts)
        return [text for text in texts if text]

    def _shuffled_examples(
        self, label: str, rows: pd.DataFrame, keywords: tuple[str, ...]
    ) -> list[tuple[str, list[str]]]:
        separator, limit = self._data.turn_separator, self._generate.seed_max_chars
        examples = [
            (row_id, excerpt(split_turns(text, separator), keywords, limit))
            for row_id, text in zip(rows["row_id"], rows["text"], strict=True)
        ]
        return shuffled(Random(f"{self._generate.seed}/{label}"), examples)

    def _seeds(self, label: str, group: int) -> list[tuple[str, list[str]]]:
        """The next `seeds_per_prompt` examples, so that each is used about equally."""
        examples = self._examples[label]
        count = min(self._generate.seeds_per_prompt, len(examples))
        return [examples[(group * count + i) % len(examples)] for i in range(count)]

    def _opening(self, info: LabelInfo | None, attempt: int) -> str:
        """The typical request that this call is about, in turn; it is a base model's first turn.

        Without it a small model soon talks of something else.
        """
        if info is None or not info.requests or self._data.turn_separator is None:
            return ""
        return info.requests[attempt % len(info.requests)]

    def _endpoint(self, label: str, attempt: int) -> EndpointParams:
        endpoints = self._llm.endpoints
        group = attempt // self._generate.requests_per_prompt
        rng = Random(f"{self._generate.seed}/{label}/{group}")
        return pick_weighted(rng, endpoints, [endpoint.weight for endpoint in endpoints])

    def _stop(self, endpoint: EndpointParams) -> tuple[str, ...]:
        """Where a base model's sample ends; a chat model ends by itself."""
        if endpoint.api == "chat":
            return ()
        return ("\n",) if self._data.turn_separator is None else ("\n\n",)

    def _source(self, template: str) -> str:
        loader = self._environment.loader
        assert loader is not None
        return loader.get_source(self._environment, template)[0]
