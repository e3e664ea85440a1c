"""What is asked of a model for one class.

The texts are the templates in `prompts/`, one a kind of API and language. Only train rows are
shown; a class's rows take turns as examples. What differs between the requests of a group stands
at the end of the prompt, so that servers can reuse what they have read of it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import jinja2
import pandas as pd

from src.config import DataParams, EndpointParams, GenerateParams, LlmParams
from src.data.dialogue import plain, split_turns
from src.data.draws import pick, pick_weighted, shuffled
from src.data.pii import mask
from src.data.schema import LabelInfo
from src.llm.requests import Request

TEMPLATES = Path("prompts")
SHOWN_REQUESTS = 4  # in the description of the class
OUTPUTS: dict[tuple[str, str], tuple[bool, ...]] = {  # with a JSON schema, in this order
    ("completions", "auto"): (False,),
    ("completions", "text"): (False,),
    ("chat", "auto"): (True, False),
    ("chat", "json_schema"): (True,),
    ("chat", "text"): (False,),
}
WORN_SHARE = 0.15  # of the samples; a run of words that more of them hold is worn
WORN_LENGTH = {"zh": 6, "en": 4}  # characters, words
ENOUGH_KEYWORDS = 6  # of an excerpt; beyond that the longer one is the better example


@dataclass(frozen=True)
class Ask:
    """The n-th request of a class and where it came from.

    `requests` are the ways to make it, best first: the endpoint that was drawn, then those that
    stand in for it; of each the one with a JSON schema first, where it may take one.
    """

    label: str
    attempt: int
    opening: str
    attributes: dict[str, str]
    seed_ids: tuple[str, ...]
    requests: tuple[Request, ...]


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


def worn_phrases(texts: Sequence[str], most: int, language: str) -> list[str]:
    """Runs of characters (zh) or words (en) that stand in many of the texts, the commonest first.

    Of runs that overlap only one is named.
    """
    length, glue = WORN_LENGTH[language], "" if language == "zh" else " "
    counts: Counter[str] = Counter()
    for text in texts:
        words = text.replace(" ", "") if language == "zh" else text.lower().split()
        runs = [glue.join(words[i : i + length]) for i in range(len(words) - length + 1)]
        counts.update(dict.fromkeys(runs, 1))  # a text counts once
    named: list[str] = []
    for run, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if len(named) == most or count < max(2, WORN_SHARE * len(texts)):
            break
        if not any(_overlap(run, other) for other in named):
            named.append(run)
    return named


def _overlap(one: str, other: str) -> bool:
    """Whether the two share half of the longer one's characters or more, in one stretch."""
    half = max(len(one), len(other)) // 2
    return any(one[i : i + half] in other for i in range(len(one) - half + 1))


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
        allowed: Sequence[str] = (),
        templates: Path = TEMPLATES,
    ) -> None:
        """Set up.

        Args:
            train: columns row_id, text, label.
            keywords: of each class.
            labels: definitions and typical requests; may be empty.
            data: turn separator and language.
            llm: the endpoints.
            generate: what is asked of them.
            allowed: numbers that are not private, see `filter.pii`.
            templates: folder of the prompt texts.
        """
        self._labels, self._data, self._llm, self._generate = labels, data, llm, generate
        self._allowed = allowed
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(templates),
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
        )
        self._versions: dict[str, str] = {}  # of the templates
        self._keywords = keywords
        self._train = {str(label): rows for label, rows in train.groupby("label")}
        self._examples: dict[tuple[str, bool], list[tuple[str, list[str]]]] = {}

    def ask(self, label: str, attempt: int, written: Sequence[str] = ()) -> Ask:
        """Request number `attempt` of a class.

        Args:
            label: the class.
            attempt: counts from 0.
            written: earlier samples of the class; chat models are told what they repeat.
        """
        group = attempt // self._generate.requests_per_prompt
        info = self._labels.get(label)
        opening = self._opening(info, attempt)
        attributes = self._attributes(label, attempt)
        words = {
            "domain": self._generate.domain,
            "label": label,
            "definition": info.definition if info else "",
            "requests": info.requests[:SHOWN_REQUESTS] if info else (),
            "opening": opening,
            "dialogue": self._data.turn_separator is not None,
            "samples": self._generate.samples_per_request,
            "attributes": attributes,
            "avoid": self._worn(written),
        }
        requests: list[Request] = []
        for endpoint in self._endpoints(label, attempt):
            seeds = self._seeds(label, group, masked=endpoint.remote and self._generate.mask_seeds)
            shown = words | {"examples": [turns for _, turns in seeds]}
            requests += [
                self._request(endpoint, as_json, shown, attempt)
                for as_json in OUTPUTS[endpoint.api, endpoint.output]
            ]
        seed_ids = tuple(row_id for row_id, _ in seeds)
        return Ask(label, attempt, opening, attributes, seed_ids, tuple(requests))

    def needs_written(self, label: str, attempt: int) -> int:
        """How many attempts of the class must have been read before this one can be written.

        A group of requests knows the groups before the last one, so that there is always one
        group under way.
        """
        chat = any(e.api == "chat" for e in self._endpoints(label, attempt))
        if not chat or not self._generate.avoid_phrases:
            return 0
        group = attempt // self._generate.requests_per_prompt
        return max(group - 1, 0) * self._generate.requests_per_prompt

    def _request(
        self, endpoint: EndpointParams, as_json: bool, words: dict[str, Any], attempt: int
    ) -> Request:
        template = f"{endpoint.api}.{self._data.language}.j2"
        return Request(
            endpoint,
            self._environment.get_template(template).render(**words, as_json=as_json),
            self._stop(endpoint),
            self._generate,
            attempt,
            self._llm.cache_salt,
            prompt_version=self._version(template),
            as_json=as_json,
        )

    def _attributes(self, label: str, attempt: int) -> dict[str, str]:
        """One value of each attribute, drawn for this request."""
        rng = Random(f"{self._generate.seed}/{label}/{attempt}/attributes")
        return {name: pick(rng, values) for name, values in self._generate.attributes.items()}

    def _worn(self, written: Sequence[str]) -> list[str]:
        """What the samples so far say again and again: runs of words that many of them share."""
        texts = [plain(text, self._data.turn_separator) for text in written]
        return worn_phrases(texts, self._generate.avoid_phrases, self._data.language)

    def _seeds(self, label: str, group: int, *, masked: bool) -> list[tuple[str, list[str]]]:
        """The next `seeds_per_prompt` examples, so that each is used about equally."""
        if (label, masked) not in self._examples:
            self._examples[label, masked] = self._shuffled_examples(label, masked=masked)
        examples = self._examples[label, masked]
        count = min(self._generate.seeds_per_prompt, len(examples))
        return [examples[(group * count + i) % len(examples)] for i in range(count)]

    def _shuffled_examples(self, label: str, *, masked: bool) -> list[tuple[str, list[str]]]:
        """Excerpts of the train rows of a class; masked before they are cut, so that no number is."""
        separator, limit = self._data.turn_separator, self._generate.seed_max_chars
        rows, keywords = self._train[label], self._keywords.get(label, ())
        examples = []
        for row_id, text in zip(rows["row_id"], rows["text"], strict=True):
            if masked:
                text, _ = mask(text, self._data.language, self._allowed, separator)
            examples.append((row_id, excerpt(split_turns(text, separator), keywords, limit)))
        return shuffled(Random(f"{self._generate.seed}/{label}"), examples)

    def _opening(self, info: LabelInfo | None, attempt: int) -> str:
        """The typical request that this call is about, in turn; it is a base model's first turn.

        Without it a small model soon talks of something else.
        """
        if info is None or not info.requests or self._data.turn_separator is None:
            return ""
        return info.requests[attempt % len(info.requests)]

    def _endpoints(self, label: str, attempt: int) -> list[EndpointParams]:
        """The endpoint that is drawn by weight, then the fallbacks in order."""
        drawn_from = [endpoint for endpoint in self._llm.endpoints if endpoint.weight > 0]
        group = attempt // self._generate.requests_per_prompt
        rng = Random(f"{self._generate.seed}/{label}/{group}")
        drawn = pick_weighted(rng, drawn_from, [endpoint.weight for endpoint in drawn_from])
        by_name = {endpoint.name: endpoint for endpoint in self._llm.endpoints}
        return list(dict.fromkeys([drawn, *(by_name[name] for name in self._llm.fallback)]))

    def _stop(self, endpoint: EndpointParams) -> tuple[str, ...]:
        """Where a base model's sample ends; a chat model ends by itself."""
        if endpoint.api == "chat":
            return ()
        return ("\n",) if self._data.turn_separator is None else ("\n\n",)

    def _version(self, template: str) -> str:
        if template not in self._versions:
            loader = self._environment.loader
            assert loader is not None
            source = loader.get_source(self._environment, template)[0]
            self._versions[template] = hashlib.sha256(source.encode()).hexdigest()[:12]
        return self._versions[template]
