"""metrics/generate.json: what was asked, what came, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tokens:
    """Tokens of the responses that the run used, as the endpoints counted them."""

    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True)
class Diversity:
    """How much the samples of a class differ, see `src/diagnostics/diversity.py`; None = unknown."""

    samples: int
    distinct_1: float | None
    distinct_2: float | None
    self_bleu: float | None
    seed_ngram_overlap: float | None


@dataclass(frozen=True)
class ModelDiversity:
    """Mean distinct_2 over the classes, and the samples looked at."""

    samples: int
    distinct_2: float | None


@dataclass(frozen=True)
class ModelRequests:
    """Requests of one class that a model responded, and the samples accepted of them."""

    requests: int
    accepted: int


@dataclass(frozen=True)
class ClassGeneration:
    """One class.

    Attributes:
        quota: accepted samples wanted.
        requests: that count for it.
        candidates: that came of them.
        accepted: by the rules of the gate.
        stopped: why it ended before its quota, empty if it did not.
        diversity: of the candidates.
        models: by endpoint, where there were several.
    """

    quota: int
    requests: int
    candidates: int
    accepted: int
    stopped: str
    diversity: Diversity
    models: Mapping[str, ModelRequests] | None = None


@dataclass(frozen=True)
class ModelWorth:
    """What one endpoint is worth.

    Attributes:
        requests: that it responded or failed last.
        candidates: that came of them.
        accepted: by the rules of the gate.
        acceptance: accepted share of the draws; a request without a usable response is one draw.
        cost: of its responses, in `llm.currency`.
        cost_per_accepted: None where none was accepted.
        diversity: compared on equal numbers of samples of each class.
    """

    requests: int
    candidates: int
    accepted: int
    acceptance: float
    cost: float
    cost_per_accepted: float | None
    diversity: ModelDiversity


@dataclass(frozen=True)
class GenerateMetrics:
    """The whole run.

    Attributes:
        candidates: of all classes.
        accepted: by the rules of the gate.
        quota: accepted samples wanted.
        shortfall: samples that are missing of it.
        requests: that count.
        tokens: of the responses used.
        cost: of them, in `llm.currency`.
        failures: requests without a usable response, by kind.
        per_model: by endpoint.
        per_class: by label.
    """

    candidates: int
    accepted: int
    quota: int
    shortfall: int
    requests: int
    tokens: Tokens
    cost: float
    failures: Mapping[str, int]
    per_model: Mapping[str, ModelWorth]
    per_class: Mapping[str, ClassGeneration]
