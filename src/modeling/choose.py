"""How many samples a class gets, none included, and how much one counts: chosen on dev.

    chosen = choose(real, accepted, dev, params.baseline, params.evaluate, tail)
    chosen.choice, chosen.why, chosen.curve

First every amount with and without class weights, then the best of these and the largest amount with
other sample weights, alone or times the samples' label scores, then every amount at the weight that
was best: light samples bear larger amounts. Each is trained with several draws of the samples, and differences are bootstrapped over
dev rows and draws together. Samples are used only if that is better than the best way without
them by more than one standard error (Breiman et al., Classification and Regression Trees, 1984,
3.4.3); else the choice is none, and the run says so. The terms of the classifier are found once,
in all rows, so that the many fits take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import clone

from src.config import BaselineParams, EvaluateParams
from src.modeling.arms import Choice, balanced, draws_something, with_samples
from src.modeling.baseline import build, fit_terms, require_two_classes
from src.modeling.significance import Bootstrap, Interval, bootstrap
from src.modeling.tuning import strongest

WORKERS = 2


@dataclass(frozen=True)
class Tried:
    """One choice and its dev scores, the mean over the draws with an interval."""

    choice: Choice
    macro_f1: Interval
    tail_recall: Interval


@dataclass(frozen=True)
class Chosen:
    """What the arm `chosen` uses.

    Attributes:
        choice: amount, class weights, weight of a sample.
        why: in one sentence.
        recommended: the fewest samples a class that are within one standard error of the best
            amount.
        curve: all that was tried, in order.
    """

    choice: Choice
    why: str
    recommended: int
    curve: tuple[Tried, ...]


def choose(
    real: pd.DataFrame,
    accepted: pd.DataFrame,
    dev: pd.DataFrame,
    baseline: BaselineParams,
    evaluate: EvaluateParams,
    tail: frozenset[str],
) -> Chosen:
    """Try the settings of `evaluate.choose` on dev.

    Args:
        real: train rows (text, label), texts without turn separators.
        accepted: samples, the best of a class first; may be empty.
        dev: rows (text, label).
        baseline: the classifier.
        evaluate: what to try, and how intervals are made.
        tail: tail classes.

    Raises:
        UserError: as `baseline.fit`; or no tail class has a dev row.
    """
    require_two_classes(real["label"])
    trial = _Trial(real, accepted, dev, baseline, evaluate.choose.seeds, tail)
    amounts = sorted({0, *evaluate.choose.samples_per_class}) if len(accepted) else [0]
    grid = [Choice(amount, weight, 1.0) for amount in amounts for weight in (False, True)]
    said = dict(zip(grid, trial.run(grid), strict=True))
    draws = _bootstrap(dev, said, evaluate, tail)
    some = [choice for choice in grid if choice.samples_per_class]
    for more in (_other_weights, _other_amounts) if some else ():
        best = max((c for c in said if c.samples_per_class), key=lambda choice: _f1(draws, choice))
        new = [choice for choice in more(best, amounts, evaluate) if choice not in said]
        said |= dict(zip(new, trial.run(new), strict=True))
        draws = _bootstrap(dev, said, evaluate, tail)
    return _conclude(list(said), draws)


def _other_weights(best: Choice, amounts: Sequence[int], evaluate: EvaluateParams) -> list[Choice]:
    return [
        Choice(amount, best.class_weight, weight, by_quality)
        for amount in dict.fromkeys((best.samples_per_class, amounts[-1]))
        for by_quality in (False, True)
        for weight in evaluate.choose.sample_weights
    ]


def _other_amounts(best: Choice, amounts: Sequence[int], _: EvaluateParams) -> list[Choice]:
    return [replace(best, samples_per_class=amount) for amount in amounts if amount]


def _conclude(tried: Sequence[Choice], draws: Bootstrap) -> Chosen:
    curve = tuple(_tried(choice, draws) for choice in tried)
    free = max((c for c in tried if not c.samples_per_class), key=lambda c: _f1(draws, c))
    best = max(tried, key=lambda choice: _f1(draws, choice))
    with_samples = [c for c in tried if c.samples_per_class and c.is_plain]
    recommended = 0
    gain, error = _difference(draws, best, free)
    if best.samples_per_class and gain > error:
        same = [c for c in with_samples if c.class_weight == best.class_weight]
        top = max(same, key=lambda choice: _f1(draws, choice))
        near = [c for c in same if _difference(draws, top, c)[0] <= _difference(draws, top, c)[1]]
        recommended = min(c.samples_per_class for c in (*near, top))
        why = f"dev macro-F1 {gain:+.3f} against no samples, standard error {error:.3f}"
        return Chosen(best, why, recommended, curve)
    why = (
        f"no number of samples is better on dev by more than its standard error "
        f"(best {gain:+.3f}, standard error {error:.3f})"
    )
    return Chosen(free, why, recommended, curve)


class _Trial:
    """Fits many choices on the same terms."""

    def __init__(
        self,
        real: pd.DataFrame,
        accepted: pd.DataFrame,
        dev: pd.DataFrame,
        baseline: BaselineParams,
        seeds: int,
        tail: frozenset[str],
    ) -> None:
        self._real, self._accepted = real, accepted
        self._baseline, self._seeds, self._tail = baseline, seeds, tail
        tfidf = clone(build(baseline, None)["tfidf"])
        texts = pd.concat([real["text"], accepted["text"]]) if len(accepted) else real["text"]
        self._place = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        self._terms: csr_matrix = fit_terms(tfidf, list(self._place))
        self._dev, self._truth = tfidf.transform(dev["text"]), dev["label"].tolist()

    def run(self, choices: Sequence[Choice]) -> list[list[NDArray[np.str_]]]:
        """Dev predictions of each choice, one array a draw, with the `c` that suits it."""
        fits = [
            (choice, c, seed)
            for choice in choices
            for c in self._baseline.c
            for seed in range(self._draws(choice))
        ]
        # Processes: liblinear's random numbers are one stream for all threads of a process.
        results = Parallel(n_jobs=WORKERS)(delayed(self._fit)(*fit) for fit in fits)
        said = dict(zip(fits, results, strict=True))
        return [
            self._best(
                {
                    c: [said[choice, c, seed] for seed in range(self._draws(choice))]
                    for c in self._baseline.c
                }
            )
            for choice in choices
        ]

    def _best(self, said: dict[float, list[NDArray[np.str_]]]) -> list[NDArray[np.str_]]:
        return said[strongest(self._truth, said, self._tail)]

    def _draws(self, choice: Choice) -> int:
        """One draw stands for all where every sample is used, or none."""
        drawn = draws_something("chosen", self._accepted, choice)
        return self._seeds if drawn else 1

    def _fit(self, choice: Choice, c: float, seed: int) -> NDArray[np.str_]:
        frame = with_samples(self._real, self._accepted, choice, seed)
        weights = balanced(frame) if choice.class_weight else None
        classifier = build(self._baseline, weights, c)[-1]
        rows = self._terms[[self._place[text] for text in frame["text"]]]
        classifier.fit(
            rows, frame["label"].to_numpy(dtype=str), sample_weight=frame["weight"].to_numpy()
        )
        said: NDArray[np.str_] = classifier.predict(self._dev).astype(str)
        return said


def _bootstrap(
    dev: pd.DataFrame,
    said: dict[Choice, list[NDArray[np.str_]]],
    evaluate: EvaluateParams,
    tail: frozenset[str],
) -> Bootstrap:
    return bootstrap(
        dev["label"],
        {_name(choice): predictions for choice, predictions in said.items()},
        tail,
        resamples=max(200, evaluate.bootstrap // 4),
        confidence=evaluate.confidence,
        seed=evaluate.seed,
    )


def _name(choice: Choice) -> str:
    return str(choice)


def _f1(draws: Bootstrap, choice: Choice) -> float:
    return draws.scores(_name(choice))["macro_f1"].value


def _difference(draws: Bootstrap, one: Choice, other: Choice) -> tuple[float, float]:
    """Difference in macro-F1 and its standard error."""
    first, second = _name(one), _name(other)
    gain = draws.observed[first][0] - draws.observed[second][0]
    return float(gain), float((draws.resampled[first] - draws.resampled[second])[:, 0].std())


def _tried(choice: Choice, draws: Bootstrap) -> Tried:
    scores = draws.scores(_name(choice))
    return Tried(choice, scores["macro_f1"], scores["tail_recall"])
