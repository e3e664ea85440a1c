"""Choose on dev how many samples per class to use, possibly none, and how much each counts.

    found = choose(rows, dev, params.baseline, params.choose, resampling, tail)
    found.chosen.samples_per_class, found.chosen.why, found.curve

The search first tries no samples and the largest number of samples, with and without class weights
and with each sample weight, alone or times the label score. Then it tries every number at the best
weight, and with samples weighted like real rows. The weight comes first, because samples of low
weight can be used in larger numbers. Each choice is trained with several draws of the samples, and
differences are bootstrapped over dev rows and draws together. Samples are used only if they beat
the best choice without them by more than one standard error (Breiman et al., Classification and
Regression Trees, 1984, 3.4.3); otherwise none are used, and `why` gives the reason.
"""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.config.baseline import BaselineParams
from src.config.choose import ChooseParams
from src.data.schema import WRITER
from src.evaluation.significance import Bootstrap, Resampling, bootstrap
from src.records.metrics.choose import Choice, ChooseMetrics, Chosen, ModelGain, Tried
from src.training.classifier import require_two_classes
from src.training.rows import TrainingRows
from src.training.trial import Predicted, Trial

FEWEST = 200  # minimum of resamples; a quarter of those of the evaluation is enough to choose


def choose(
    rows: TrainingRows,
    dev: pd.DataFrame,
    baseline: BaselineParams,
    choosing: ChooseParams,
    resampling: Resampling,
    tail: frozenset[str],
) -> ChooseMetrics:
    """Try the settings of the section `choose` on dev.

    Args:
        rows: training rows and samples; the best samples of a class first.
        dev: dev rows (text, label), texts without turn separators.
        baseline: settings of the classifier.
        choosing: numbers and weights to try.
        resampling: the bootstrap of the evaluation.
        tail: tail classes.

    Raises:
        UserError: see `classifier.fit`; or no tail class has a dev row.
    """
    require_two_classes(rows.all_real["label"])
    fewer = replace(resampling, resamples=max(FEWEST, resampling.resamples // 4))
    trial = Trial(rows, dev, baseline, choosing.seeds, tail)
    predicted = trial.run([without_samples(class_weight) for class_weight in (False, True)])
    amounts = sorted(set(choosing.samples_per_class) - {0}) if len(rows.samples) else []
    if not amounts:
        return conclude(bootstrap(dev["label"], predicted, tail, fewer))
    weighed = trial.run(
        [
            Choice(amounts[-1], class_weight, weight, by_quality)
            for class_weight in (False, True)
            for by_quality in (False, True)
            for weight in choosing.sample_weights
        ]
    )
    best = max(weighed, key=lambda choice: trial.macro_f1(weighed[choice]))
    others = dict.fromkeys(
        replace(way, samples_per_class=amount)
        for way in (best, without_samples(best.class_weight))
        for amount in amounts
    )
    predicted |= weighed | trial.run([choice for choice in others if choice not in weighed])
    found = conclude(bootstrap(dev["label"], predicted, tail, fewer))
    written = _by_writer(trial, rows.samples, predicted, best)
    if not written:
        return found
    gains = _gains(rows.samples, bootstrap(dev["label"], written, tail, fewer))
    return replace(found, per_model=gains)


def without_samples(class_weight: bool) -> Choice:
    """Return the choice of no samples."""
    return Choice(0, class_weight, 1.0, False)


def conclude(draws: Bootstrap[Choice]) -> ChooseMetrics:
    """Return the choice and its reason; `per_model` is empty.

    Args:
        draws: dev scores of all choices, in the order in which they were tried; they must include
            a choice without samples.
    """
    f1 = {choice: float(observed[0]) for choice, observed in draws.observed.items()}
    free = max((choice for choice in f1 if not choice.samples_per_class), key=f1.__getitem__)
    best = max(f1, key=f1.__getitem__)
    gain, error = draws.gain(best, free)
    if best.samples_per_class and gain > error:
        chosen, recommended = best, _recommended(draws, f1, best.class_weight)
        why = f"dev macro-F1 {gain:+.3f} against no samples, standard error {error:.3f}"
    else:
        chosen, recommended = free, 0
        why = (
            f"no number of samples is better on dev by more than its standard error "
            f"(best {gain:+.3f}, standard error {error:.3f})"
        )
    return ChooseMetrics(
        chosen=Chosen(**asdict(chosen), why=why),
        recommended=recommended,
        curve=tuple(_tried(choice, draws) for choice in f1),
        per_model={},
    )


def _recommended(draws: Bootstrap[Choice], f1: dict[Choice, float], class_weight: bool) -> int:
    """Return the smallest number within one standard error of the best, at sample weight 1."""
    whole = [choice for choice in f1 if choice.samples_per_class and choice.is_plain]
    same = [choice for choice in whole if choice.class_weight == class_weight] or whole
    top = max(same, key=f1.__getitem__)
    lost = {choice: draws.gain(top, choice) for choice in same}
    return min(choice.samples_per_class for choice in same if lost[choice][0] <= lost[choice][1])


def _tried(choice: Choice, draws: Bootstrap[Choice]) -> Tried:
    scores = draws.scores(choice)
    return Tried(**asdict(choice), macro_f1=scores.macro_f1, tail_recall=scores.tail_recall)


def _writers(samples: pd.DataFrame) -> dict[str, int]:
    """Return endpoint -> samples, sorted by name; empty for a set made elsewhere."""
    if WRITER not in samples:
        return {}
    counts = samples[WRITER].value_counts().drop("", errors="ignore").sort_index()
    return {str(writer): int(count) for writer, count in counts.items()}


def _by_writer(
    trial: Trial, samples: pd.DataFrame, predicted: Predicted, choice: Choice
) -> dict[str, list[NDArray[np.str_]]]:
    """Return dev predictions with each model's samples alone, and with all others.

    Empty unless several models wrote samples.
    """
    writers = _writers(samples)
    if len(writers) < 2:
        return {}
    tried = {"none": predicted[without_samples(choice.class_weight)], "all": predicted[choice]}
    for writer in writers:
        own = samples[WRITER] == writer
        for way, some in (("alone", own), ("without", ~own)):
            tried[f"{way} {writer}"] = trial.run([choice], samples[some])[choice]
    return tried


def _gains(samples: pd.DataFrame, draws: Bootstrap[str]) -> dict[str, ModelGain]:
    """Return the gain of each model; `draws` are the scores of `_by_writer`."""
    return {
        writer: ModelGain(
            samples=count,
            alone=draws.versus(f"alone {writer}", "none").macro_f1,
            on_top=draws.versus("all", f"without {writer}").macro_f1,
        )
        for writer, count in _writers(samples).items()
    }
