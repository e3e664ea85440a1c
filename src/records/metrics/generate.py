"""metrics/generate.json: requests, candidates, cost and diversity of a generation run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Tokens:
    """Tokens of the responses that the run used, as reported by the endpoints.

    Attributes:
        prompt: prompt tokens.
        cached: those of them that the endpoint had cached.
        completion: tokens of the replies.
    """

    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True)
class Diversity:
    """Diversity of the candidates of a class (`src/diagnostics/diversity.py`); None = unknown.

    Attributes:
        samples: candidates that were measured.
        distinct_1: distinct unigrams / all unigrams.
        distinct_2: distinct bigrams / all bigrams.
        self_bleu: mean BLEU-4 of each text against all others, 0 to 1.
        seed_ngram_overlap: mean share of a text's token 3-grams that occur in a real train row
            of the class.
    """

    samples: int
    distinct_1: float | None
    distinct_2: float | None
    self_bleu: float | None
    seed_ngram_overlap: float | None


@dataclass(frozen=True)
class ModelDiversity:
    """Diversity of the candidates of one endpoint.

    Attributes:
        samples: candidates that were measured, over all classes.
        distinct_2: mean over the classes; None if it could not be measured.
    """

    samples: int
    distinct_2: float | None


@dataclass(frozen=True)
class ModelRequests:
    """Requests of one class to one endpoint.

    Attributes:
        requests: requests that the endpoint responded to, or was the last to fail on.
        accepted: samples accepted from them.
    """

    requests: int
    accepted: int


@dataclass(frozen=True)
class ClassGeneration:
    """One class.

    Attributes:
        quota: accepted samples that the class needs, surplus included.
        requests: requests up to the one that ended the class; later ones do not count.
        candidates: candidates from these requests.
        accepted: candidates that passed the rules of the gate.
        stopped: why the class ended before its quota; "" if it did not.
        diversity: diversity of the candidates.
        models: endpoint -> its requests; None (not in the file) unless there were several.
    """

    quota: int
    requests: int
    candidates: int
    accepted: int
    stopped: str
    diversity: Diversity
    models: Mapping[str, ModelRequests] | None = None


@dataclass(frozen=True)
class ModelYield:
    """Yield and cost of one endpoint.

    Attributes:
        requests: requests that it responded to, or was the last to fail on.
        candidates: candidates from these requests.
        accepted: candidates that passed the rules of the gate.
        acceptance: accepted / draws; a request without a usable response is one draw.
        cost: cost of its responses in `llm.currency`.
        cost_per_accepted: cost / accepted; None if nothing was accepted.
        diversity: measured on the same number of candidates per class for every endpoint.
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
        candidates: candidates over all classes.
        accepted: candidates that passed the rules of the gate.
        quota: sum of the quotas of all classes.
        shortfall: sum over the classes of the accepted samples missing to the quota.
        requests: sum of the requests of all classes.
        tokens: tokens of the responses used, recorded responses included.
        cost: cost of these responses in `llm.currency`.
        failures: kind of failure -> requests without a usable response.
        per_model: endpoint -> its yield and cost.
        per_class: label -> requests and candidates of the class.
    """

    candidates: int
    accepted: int
    quota: int
    shortfall: int
    requests: int
    tokens: Tokens
    cost: float
    failures: Mapping[str, int]
    per_model: Mapping[str, ModelYield]
    per_class: Mapping[str, ClassGeneration]
