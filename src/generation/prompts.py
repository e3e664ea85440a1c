"""Prompts of generation requests.

The templates are in `prompts/`, one per API and language. Prompts show train rows only; the rows of
a class take turns as seed examples. What differs between the requests of a group is at the end of
the prompt, so that servers can cache the common prefix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pandas as pd
from pydantic import JsonValue

from src.config.data import DataParams
from src.config.generate import GenerateParams
from src.config.llm import EndpointParams, LlmParams
from src.data.dialogue import plain
from src.data.draws import pick, pick_weighted
from src.data.schema import LabelInfo
from src.generation.endpoint_choice import Bandit, Observation
from src.generation.examples import Examples
from src.generation.overused import overused_ngrams
from src.llm.requests import OUTPUTS, Request
from src.llm.templates import SHOWN_REQUESTS, TEMPLATES
from src.planning.neighbours import readable_label
from src.templates import environment


@dataclass(frozen=True)
class Ask:
    """The n-th request of a class, and what its prompt was built from.

    `requests` are equivalent, best first: to the drawn endpoint, then to its fallbacks; for each
    endpoint the request with a JSON schema comes first, if it may support that.
    """

    label: str
    attempt: int
    opening: str
    attributes: dict[str, str]
    seed_ids: tuple[str, ...]
    requests: tuple[Request, ...]
    rows: Mapping[str, str] = field(default_factory=dict)  # see `ResponseStore.first`


class PromptWriter:
    """Writes the n-th request of a class; the same inputs always give the same request."""

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
        neighbours: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Set up.

        Args:
            train: columns row_id, text, label.
            keywords: class -> its keywords.
            labels: class -> definition and typical requests; may be empty.
            data: turn separator and language.
            llm: the endpoints.
            generate: settings of prompts and sampling.
            allowed: numbers that are not private, see `filter.pii`.
            templates: folder of the templates.
            neighbours: class -> classes that it is confused with, see `generate.contrast`.
        """
        self._labels, self._data, self._llm, self._generate = labels, data, llm, generate
        self._examples = Examples(train, keywords, data, generate, allowed, neighbours)
        self._environment = environment(templates)
        self._versions: dict[str, str] = {}  # of the templates
        names = tuple(endpoint.name for endpoint in llm.ensemble)
        self._bandit: Bandit | None = None
        if llm.share == "acceptance" and len(names) > 1:
            self._bandit = Bandit(names, llm.explore, 2 * generate.requests_per_prompt)

    def ask(
        self,
        label: str,
        attempt: int,
        written: Sequence[str] = (),
        past: Sequence[Observation] | None = None,
    ) -> Ask:
        """Return request number `attempt` of a class.

        Args:
            label: the class.
            attempt: counts from 0.
            written: earlier samples of the class; prompts of chat models name their overused
                n-grams.
            past: outcomes of the first `needs_screened` requests of the class; None if unknown:
                then every endpoint of the ensemble is among the alternatives.
        """
        group = attempt // self._generate.requests_per_prompt
        info = self._labels.get(label)
        opening = self._opening(info, attempt)
        attributes = self._attributes(label, attempt)
        words: dict[str, object] = {
            "domain": self._generate.domain,
            "label": readable_label(label),
            "definition": info.definition if info else "",
            "requests": info.requests[:SHOWN_REQUESTS] if info else (),
            "opening": opening,
            "dialogue": self._data.turn_separator is not None,
            "samples": self._generate.samples_per_request,
            "attributes": attributes,
            "avoid": self._overused(written),
        }
        rows = self._examples.rows(label)
        requests: list[Request] = []
        for endpoint in self._endpoints(label, attempt, past):
            masked = endpoint.remote and self._generate.mask_seeds
            seeds = self._examples.of(label, group, masked=masked)
            shown = words | {
                "examples": [seed.turns for seed in seeds],
                "neighbours": self._neighbours(label, group, masked=masked),
            }
            requests += [
                self._request(endpoint, as_json, shown, label, attempt)
                for as_json in OUTPUTS[endpoint.api, endpoint.output]
            ]
        seed_ids = tuple(seed.row_id for seed in seeds)
        identity = tuple((row_id, rows[row_id]) for row_id in seed_ids)
        with_seeds = tuple(replace(request, seeds=identity) for request in requests)
        usable = rows if self._generate.reuse else {}
        return Ask(label, attempt, opening, attributes, seed_ids, with_seeds, usable)

    def needs_written(self, label: str, attempt: int) -> int:
        """Return how many requests of the class must have returned before this one is written.

        A group of requests uses the samples of all groups except the one just before it, so that
        one group can always be in flight.
        """
        chat = any(e.api == "chat" for e in self._endpoints(label, attempt, None))
        if not chat or not self._generate.avoid_ngrams:
            return 0
        group = attempt // self._generate.requests_per_prompt
        return max(group - 1, 0) * self._generate.requests_per_prompt

    def needs_screened(self, attempt: int) -> int:
        """Return how many requests of a class need verdicts before this one is written."""
        return self._bandit.known(attempt) if self._bandit else 0

    def _request(
        self,
        endpoint: EndpointParams,
        as_json: bool,
        words: dict[str, object],
        label: str,
        attempt: int,
    ) -> Request:
        name = f"{endpoint.api}.{self._data.language}.j2"
        template = self._environment.get_template(name)
        request = Request(
            endpoint,
            template.render(**words, as_json=as_json),
            self._stop(endpoint),
            self._generate,
            attempt,
            self._llm.cache_salt,
            prompt_version=self._version(name),
            as_json=as_json,
        )
        without_rows = template.render(**words | self._without_rows(), as_json=as_json)
        return replace(request, reuse_key=request.reuse_key_for(without_rows, self._choice(label)))

    def _without_rows(self) -> dict[str, object]:
        """Return placeholders for the parts that depend on train rows and earlier responses.

        They are not empty, because how examples and n-grams are shown is a setting as well.
        """
        return {
            "examples": [["·"]] * self._generate.seeds_per_prompt,
            "avoid": ["·"] * self._generate.avoid_ngrams,
            "neighbours": [],
        }

    def _choice(self, label: str) -> dict[str, JsonValue]:
        """Return the settings that determine which rows of the class are shown, and how."""
        names = (
            "mask_seeds",
            "requests_per_prompt",
            "seed",
            "seed_max_chars",
            "seeds_per_prompt",
            "contrast",
        )
        return {"label": label, **{name: getattr(self._generate, name) for name in names}}

    def _neighbours(self, label: str, group: int, *, masked: bool) -> list[dict[str, object]]:
        """Return name, definition and examples of the neighbouring classes to show."""
        return [
            {
                "label": readable_label(name),
                "definition": self._labels[name].definition if name in self._labels else "",
                "examples": [example.turns for example in examples],
            }
            for name, examples in self._examples.contrast(label, group, masked=masked).items()
        ]

    def _attributes(self, label: str, attempt: int) -> dict[str, str]:
        """Draw one value of each attribute for this request."""
        rng = Random(f"{self._generate.seed}/{label}/{attempt}/attributes")
        return {name: pick(rng, values) for name, values in self._generate.attributes.items()}

    def _overused(self, written: Sequence[str]) -> list[str]:
        """Return the overused n-grams of the samples so far."""
        texts = [plain(text, self._data.turn_separator) for text in written]
        return overused_ngrams(texts, self._generate.avoid_ngrams, self._data.language)

    def _opening(self, info: LabelInfo | None, attempt: int) -> str:
        """Return the typical request that the call is about; a base model's prompt opens with it.

        Requests of a class take turns. Without an opening a small model drifts off the topic.
        """
        if info is None or not info.requests or self._data.turn_separator is None:
            return ""
        return info.requests[attempt % len(info.requests)]

    def _endpoints(
        self, label: str, attempt: int, past: Sequence[Observation] | None
    ) -> list[EndpointParams]:
        """Return the drawn endpoint, then the fallbacks in order.

        If endpoints are drawn by acceptance and the past is unknown, the rest of the ensemble comes
        before the fallbacks.
        """
        drawn_from, others = self._llm.ensemble, self._llm.fallback
        by_name = {endpoint.name: endpoint for endpoint in self._llm.endpoints}
        if self._bandit:
            seed = f"{self._generate.seed}/{label}"
            drawn = by_name[self._bandit.choose(attempt, past or (), seed)]
            if past is None:
                others = (*self._bandit.names, *others)
        else:
            group = attempt // self._generate.requests_per_prompt
            rng = Random(f"{self._generate.seed}/{label}/{group}")
            drawn = pick_weighted(rng, drawn_from, [endpoint.weight for endpoint in drawn_from])
        return list(dict.fromkeys([drawn, *(by_name[name] for name in others)]))

    def _stop(self, endpoint: EndpointParams) -> tuple[str, ...]:
        """Return the stop sequences of a base model; a chat model stops by itself."""
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
