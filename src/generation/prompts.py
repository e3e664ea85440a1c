"""What is asked of a model for one class.

The texts are the templates in `prompts/`, one a kind of API and language. Only train rows are
shown; a class's rows take turns as examples. What differs between the requests of a group stands
at the end of the prompt, so that servers can reuse what they have read of it.
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
from src.planning.neighbours import spoken
from src.templates import environment


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
    rows: Mapping[str, str] = field(default_factory=dict)  # see `ResponseStore.first`


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
        neighbours: Mapping[str, Sequence[str]] | None = None,
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
            neighbours: of each class, those that it is taken for, see `generate.contrast`.
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
        """Request number `attempt` of a class.

        Args:
            label: the class.
            attempt: counts from 0.
            written: earlier samples of the class; chat models are told what they repeat.
            past: what the first `needs_screened` requests of the class came to; None where nobody
                knows, and a response of any endpoint will do.
        """
        group = attempt // self._generate.requests_per_prompt
        info = self._labels.get(label)
        opening = self._opening(info, attempt)
        attributes = self._attributes(label, attempt)
        words: dict[str, object] = {
            "domain": self._generate.domain,
            "label": spoken(label),
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
        placed = tuple(replace(request, seeds=identity) for request in requests)
        usable = rows if self._generate.reuse else {}
        return Ask(label, attempt, opening, attributes, seed_ids, placed, usable)

    def needs_written(self, label: str, attempt: int) -> int:
        """How many attempts of the class must have been read before this one can be written.

        A group of requests knows the groups before the last one, so that there is always one
        group under way.
        """
        chat = any(e.api == "chat" for e in self._endpoints(label, attempt, None))
        if not chat or not self._generate.avoid_ngrams:
            return 0
        group = attempt // self._generate.requests_per_prompt
        return max(group - 1, 0) * self._generate.requests_per_prompt

    def needs_screened(self, attempt: int) -> int:
        """How many attempts of a class must have verdicts before this one can be written."""
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
        """What stands in for the words that depend on train rows and on earlier responses.

        Placeholders, not nothing: how examples and phrases are shown is a setting as well.
        """
        return {
            "examples": [["·"]] * self._generate.seeds_per_prompt,
            "avoid": ["·"] * self._generate.avoid_ngrams,
            "neighbours": [],
        }

    def _choice(self, label: str) -> dict[str, JsonValue]:
        """The settings by which rows of the class become examples."""
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
        """What is told of the neighbouring classes that this group of requests shows."""
        return [
            {
                "label": spoken(name),
                "definition": self._labels[name].definition if name in self._labels else "",
                "examples": [example.turns for example in examples],
            }
            for name, examples in self._examples.contrast(label, group, masked=masked).items()
        ]

    def _attributes(self, label: str, attempt: int) -> dict[str, str]:
        """One value of each attribute, drawn for this request."""
        rng = Random(f"{self._generate.seed}/{label}/{attempt}/attributes")
        return {name: pick(rng, values) for name, values in self._generate.attributes.items()}

    def _overused(self, written: Sequence[str]) -> list[str]:
        """What the samples so far say again and again: runs of words that many of them share."""
        texts = [plain(text, self._data.turn_separator) for text in written]
        return overused_ngrams(texts, self._generate.avoid_ngrams, self._data.language)

    def _opening(self, info: LabelInfo | None, attempt: int) -> str:
        """The typical request that this call is about, in turn; it is a base model's first turn.

        Without it a small model soon talks of something else.
        """
        if info is None or not info.requests or self._data.turn_separator is None:
            return ""
        return info.requests[attempt % len(info.requests)]

    def _endpoints(
        self, label: str, attempt: int, past: Sequence[Observation] | None
    ) -> list[EndpointParams]:
        """The endpoint that is drawn, then the fallbacks in order.

        Where it is drawn by acceptance and the past is not known, any of the ensemble goes before
        them.
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
