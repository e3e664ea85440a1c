"""One round: compare the current set on dev with the last kept round.

    one = play(before, rows, dev, accepted, rejected, weights, params.baseline, resampling, tail)
    one.kept, one.difference.low

Rounds are experimental and not better beyond noise, see `rounds`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from src.config.baseline import BaselineParams
from src.config.methods import Method
from src.evaluation.scoring import score
from src.evaluation.significance import Resampling, bootstrap
from src.experimental.rounds import last_kept
from src.records.interval import Interval
from src.records.metrics.choose import Choice
from src.records.rounds import Round
from src.records.samples import Screened
from src.training.balance import used_samples
from src.training.rows import TrainingRows
from src.training.train import dev_predictions

METHOD: Method = "chosen"
NO_SAMPLES: Method = "class_weight"
NOT_NEEDED = "not needed"
DIGITS = 6


def play(
    before: Sequence[Round],
    rows: TrainingRows,
    dev: pd.DataFrame,
    accepted: Sequence[Screened],
    rejected: Sequence[Screened],
    weights: Sequence[float],
    baseline: BaselineParams,
    resampling: Resampling,
    tail: frozenset[str],
) -> Round:
    """Score the current set on dev against the last kept round, or against no samples.

    Args:
        before: earlier rounds, oldest first.
        rows: real rows and samples of the current set.
        dev: dev rows (text, label), texts without turn separators.
        accepted: samples that the gate accepted.
        rejected: samples that the gate rejected.
        weights: sample weights to try.
        baseline: settings of the classifier.
        resampling: how the intervals are drawn.
        tail: tail classes.

    Raises:
        UserError: the last kept round was scored on other dev rows, or no tail class has a dev row.
    """
    last = last_kept(before)
    predicted = _best_on_dev(rows, dev, weights, baseline, tail)
    if last is None:
        reference = dev_predictions(NO_SAMPLES, rows, dev, baseline, tail)
    else:
        reference = last.predictions_on(dev["label"].tolist())
    draws = bootstrap(
        dev["label"], {METHOD: [predicted], NO_SAMPLES: [reference]}, tail, resampling
    )
    scores, difference = draws.scores(METHOD), draws.versus(METHOD, NO_SAMPLES).macro_f1
    real, quota = by_class(rows.all_real), by_class(rows.samples)
    index = {name: number for number, name in enumerate(sorted(real))}
    used = [sample.id for sample in used_samples(accepted, quota)]
    return Round(
        number=len(before) + 1,
        kept=difference.low > 0,
        real=real,
        samples=quota,
        ids=tuple(used),
        new_real=len(rows.all_real) - sum(before[-1].real.values()) if before else 0,
        added=len(set(used) - set(last.ids if last else ())),
        retired=retired(last, used, rejected),
        macro_f1=_rounded(scores.macro_f1),
        tail_recall=_rounded(scores.tail_recall),
        difference=_rounded(difference),
        predictions=tuple(index[label] for label in predicted),
    )


def by_class(rows: pd.DataFrame) -> dict[str, int]:
    """Return label -> rows, largest class first."""
    return {str(label): int(count) for label, count in rows["label"].value_counts().items()}


def retired(
    last: Round | None, used: Sequence[str], rejected: Sequence[Screened]
) -> dict[str, int]:
    """Count the samples of the last kept round that are no longer used, by the rejecting rule.

    Args:
        last: the last kept round; None if there is none.
        used: ids of the samples of the current round.
        rejected: samples that the gate rejected; an unused sample not among them was not needed.
    """
    gone = set(last.ids if last else ()) - set(used)
    rules = {sample.id: sample.fault.rule for sample in rejected if sample.fault}
    return dict(Counter(rules.get(one, NOT_NEEDED) for one in sorted(gone)))


def _best_on_dev(
    rows: TrainingRows,
    dev: pd.DataFrame,
    weights: Sequence[float],
    baseline: BaselineParams,
    tail: frozenset[str],
) -> list[str]:
    """Return the dev predictions with all samples, at the weight with the best dev macro-F1."""
    every = max(by_class(rows.samples).values(), default=0)
    choices = [Choice(every, True, weight, False) for weight in weights]
    tried = [dev_predictions(METHOD, rows, dev, baseline, tail, choice) for choice in choices]
    return max(tried, key=lambda predicted: score(dev["label"], predicted, tail).macro_f1)


def _rounded(interval: Interval) -> Interval:
    ends = (interval.value, interval.low, interval.high)
    return Interval(*(round(value, DIGITS) for value in ends))
