"""The results of a run: metrics/generate.json and the final log lines."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from src.config.data import DataParams
from src.data.dialogue import plain
from src.diagnostics.diversity import diversity
from src.generation.quota import Attempt, ClassRun, Generated
from src.llm.response_store import ResponseStore
from src.paths import ROOT
from src.records.metrics.generate import (
    ClassGeneration,
    GenerateMetrics,
    ModelDiversity,
    ModelRequests,
    ModelYield,
)

log = logging.getLogger(__name__)


def generate_metrics(
    generated: Generated, train: pd.DataFrame, data: DataParams
) -> GenerateMetrics:
    """Return the metrics of a run.

    Args:
        generated: its result.
        train: columns text, label; samples are compared with the rows of their class.
        data: turn separator and language.
    """
    runs = generated.classes
    rows = {str(label): list(texts) for label, texts in train.groupby("label")["text"]}
    return GenerateMetrics(
        candidates=len(generated.candidates),
        accepted=sum(run.accepted for run in runs),
        quota=sum(run.quota for run in runs),
        shortfall=sum(max(run.quota - run.accepted, 0) for run in runs),
        requests=sum(run.screened for run in runs),
        tokens=generated.tokens,
        cost=float(generated.spent.cost),
        failures=generated.failure_counts(),
        per_model=_per_model(runs, data),
        per_class={run.label: _of_class(run, rows.get(run.label, []), data) for run in runs},
    )


def log_summary(generated: Generated, store: ResponseStore) -> None:
    """Log the totals, the classes that stopped before their quota and why, and cache hits."""
    if any(run.stopped == "budget" for run in generated.classes):
        log.warning(
            "generate: generate.budget is spent; paid responses are kept and used. Raise it and "
            "run again to generate the rest"
        )
    for run in generated.classes:
        if run.stopped:
            log.warning(
                "generate: %s has %d of %d samples after %d requests (%s)",
                run.label,
                run.accepted,
                run.quota,
                run.screened,
                run.stopped,
            )
    log.info(
        "generate: %d candidates, %d accepted (quota %d), %d requests failed (responses: %s)",
        len(generated.candidates),
        sum(run.accepted for run in generated.classes),
        sum(run.quota for run in generated.classes),
        sum(generated.failure_counts().values()),
        ROOT / ".cache",
    )
    log.info(
        "generate: %d cache hits (%d of them by reuse key), %d cache misses",
        store.hits,
        store.reused,
        store.misses,
    )


def _of_class(run: ClassRun, rows: Sequence[str], data: DataParams) -> ClassGeneration:
    candidates = run.candidates(run.screened)
    separator = data.turn_separator
    return ClassGeneration(
        quota=run.quota,
        requests=run.screened,
        candidates=len(candidates),
        accepted=run.accepted,
        stopped=run.stopped or "",
        diversity=diversity(
            [plain(candidate.text, separator) for candidate in candidates],
            [plain(text, separator) for text in rows],
            data.language,
        ),
        models=_models(run),
    )


def _models(run: ClassRun) -> dict[str, ModelRequests] | None:
    """Return requests and accepted samples per model, if a class has several models."""
    by_endpoint = run.by_endpoint()
    if len(by_endpoint) < 2:
        return None
    return {
        name: ModelRequests(len(attempts), _accepted(attempts))
        for name, attempts in by_endpoint.items()
    }


def _per_model(runs: Sequence[ClassRun], data: DataParams) -> dict[str, ModelYield]:
    """Return yield, cost and diversity per endpoint.

    Acceptance is accepted / draws, as for classes: a request without a usable response is one draw,
    not accepted. The cost is that of the requests counted here.
    """
    by_model: dict[str, list[Attempt]] = {}
    for run in runs:
        for name, attempts in run.by_endpoint().items():
            by_model.setdefault(name, []).extend(attempts)
    varied = _diversity_by_model(runs, data)
    worth = {}
    for name, attempts in by_model.items():
        accepted = _accepted(attempts)
        cost = float(sum(attempt.cost for attempt in attempts))
        worth[name] = ModelYield(
            requests=len(attempts),
            candidates=sum(len(attempt.candidates) for attempt in attempts),
            accepted=accepted,
            acceptance=accepted / sum(attempt.draws for attempt in attempts),
            cost=cost,
            cost_per_accepted=cost / accepted if accepted else None,
            diversity=varied.get(name, ModelDiversity(0, None)),
        )
    return worth


def _diversity_by_model(runs: Sequence[ClassRun], data: DataParams) -> dict[str, ModelDiversity]:
    """Return distinct_2 per model as a mean over classes, and the number of samples used.

    Larger sets have a smaller share of distinct n-grams. So in each class all models contribute as
    many samples as the one with the fewest; models with fewer than two samples are left out.
    """
    shares: dict[str, list[float]] = {}
    looked_at: Counter[str] = Counter()
    for run in runs:
        texts = {
            name: [plain(c.text, data.turn_separator) for a in mine for c in a.candidates]
            for name, mine in run.by_endpoint().items()
        }
        several = {name: mine for name, mine in texts.items() if len(mine) > 1}
        count = min((len(mine) for mine in several.values()), default=0)
        for name, mine in several.items():
            found = diversity(mine[:count], (), data.language)
            if found.distinct_2 is not None:
                shares.setdefault(name, []).append(found.distinct_2)
                looked_at[name] += found.samples
    return {
        name: ModelDiversity(looked_at[name], sum(each) / len(each))
        for name, each in shares.items()
    }


def _accepted(attempts: Sequence[Attempt]) -> int:
    return sum(attempt.accepted or 0 for attempt in attempts)
