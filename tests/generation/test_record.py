"""The metrics of a run, computed independently."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from src.config.data import DataParams
from src.generation.failures import FailedRequest
from src.generation.quota import Attempt, ClassRun, Generated
from src.generation.record import generate_metrics
from src.llm.budget import Spend
from src.records.metrics.generate import (
    ModelDiversity,
    ModelRequests,
    ModelYield,
    Tokens,
)
from src.records.samples import Candidate


def attempt(endpoint: str, *texts: str, accepted: int = 0, kind: str = "") -> Attempt:
    """A screened request that cost 0.25, with these samples, or without any."""
    candidates = tuple(Candidate(f"{text}-0", "补卡", text, endpoint) for text in texts)
    failure = FailedRequest("补卡", 0, "k", endpoint, kind, ()) if kind else None
    draws = max(len(texts), 1)
    return Attempt(candidates, failure, draws, accepted, endpoint, Decimal("0.25"))


CARD = ClassRun(
    "补卡",
    quota=4,
    attempts=[
        attempt("small", "我要补卡", "我要补卡", accepted=1),
        attempt("glm4", "小卡丢了", "卡坏了呀", accepted=2),
        attempt("small", kind="refused"),
        attempt("small", "不算数了", accepted=1),
    ],
    screened=3,
    draws=5,
    accepted=3,
    stopped="min_acceptance",
)
OTHER = ClassRun("销户", 1, [attempt("glm4", "我要销户", accepted=1)], 1, 1, 1)
RUN = Generated((CARD, OTHER), Spend(99, Decimal("1.25")), Tokens(70, 5, 29))


def test_totals_and_classes(train: pd.DataFrame, data: DataParams) -> None:
    """Requests after the end of a class count only in the spending."""
    metrics = generate_metrics(RUN, train, data)
    assert (metrics.candidates, metrics.accepted, metrics.quota) == (5, 4, 5)
    assert (metrics.shortfall, metrics.requests) == (1, 4)
    assert (metrics.cost, metrics.tokens) == (1.25, Tokens(70, 5, 29))
    assert metrics.failures == {"refused": 1}
    card, other = metrics.per_class["补卡"], metrics.per_class["销户"]
    assert (card.quota, card.requests, card.candidates, card.accepted) == (4, 3, 4, 3)
    assert (card.stopped, other.stopped) == ("min_acceptance", "")
    assert card.models == {"small": ModelRequests(2, 1), "glm4": ModelRequests(1, 2)}
    assert other.models is None
    assert other.diversity.seed_ngram_overlap == 1.0  # its train row is the same


def test_what_each_model_is_worth(train: pd.DataFrame, data: DataParams) -> None:
    """A refusal is a draw. Of the class that both models write, two samples each are compared: the
    same text twice has 3 distinct bigrams of 6, the other two have 6 of 6.
    """
    worth = generate_metrics(RUN, train, data).per_model
    assert worth == {
        "small": ModelYield(2, 2, 1, 1 / 3, 0.5, 0.5, ModelDiversity(2, 0.5)),
        "glm4": ModelYield(2, 3, 3, 1.0, 0.5, 0.5 / 3, ModelDiversity(2, 1.0)),
    }
