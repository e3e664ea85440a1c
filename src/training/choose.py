"""How many samples a class gets, none included, and how much one counts: chosen on dev.

    chosen = choose(real, accepted, dev, params.baseline, params.choose, params.evaluate, tail)
    chosen.choice, chosen.why, chosen.curve

First no samples and the largest amount, with and without class weights and with each weight of a
sample, alone or times its label score; then every amount at the weight that was best, and as whole
rows. Light samples bear larger amounts, so the weight comes first. Each is trained with several draws
of the samples, and differences are bootstrapped over dev rows and draws together. Samples are used
only if that is better than the best way without them by more than one standard error (Breiman et
al., Classification and Regression Trees, 1984, 3.4.3); else the choice is none, and the run says so.
The terms of the classifier are found once, in all rows, so that the many fits take seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import clone

from src.config.baseline import BaselineParams
from src.config.choose import ChooseParams
from src.config.evaluate import EvaluateParams
from src.data.schema import WRITER
from src.evaluation.scoring import score
from src.evaluation.significance import Bootstrap, Interval, bootstrap
from src.training.classifier import build, fit_terms, require_two_classes
from src.training.methods import Choice, balanced, draws_something, with_samples
from src.training.tuning import strongest

WORKERS = 2

Said = dict[Choice, list[NDArray[np.str_]]]  # dev predictions, one array a draw


@dataclass(frozen=True)
class Tried:
    """One choice and its dev scores, the mean over the draws with an interval."""

    choice: Choice
    macro_f1: Interval
    tail_recall: Interval


@dataclass(frozen=True)
class ModelGain:
    """What the samples of one model do to dev macro-F1, as many a class as is best and of that weight.

    Attributes:
        samples: how many it wrote.
        alone: its samples only, against none.
        on_top: all samples, against those of the other models.
    """

    samples: int
    alone: Interval
    on_top: Interval


@dataclass(frozen=True)
class Chosen:
    """What the arm `chosen` uses.

    Attributes:
        choice: amount, class weights, weight of a sample.
        why: in one sentence.
        recommended: the fewest samples a class that are within one standard error of the best
            amount.
        curve: all that was tried, in order.
        per_model: of each model that wrote samples, where there are several, what they gain.
    """

    choice: Choice
    why: str
    recommended: int
    curve: tuple[Tried, ...]
    per_model: Mapping[str, ModelGain] = field(default_factory=dict)


def choose(
    real: pd.DataFrame,
    accepted: pd.DataFrame,
    dev: pd.DataFrame,
    baseline: BaselineParams,
    choosing: ChooseParams,
    evaluate: EvaluateParams,
    tail: frozenset[str],
) -> Chosen:
    """Try the settings of `choose` on dev.

    Args:
        real: train rows (text, label), texts without turn separators.
        accepted: samples (text, label, quality, written_by), the best of a class first; may be
            empty.
        dev: rows (text, label).
        baseline: the classifier.
        choosing: what to try.
        evaluate: how intervals are made.
        tail: tail classes.

    Raises:
        UserError: as `baseline.fit`; or no tail class has a dev row.
    """
    require_two_classes(real["label"])
    trial = _Trial(real, accepted, dev, baseline, choosing.seeds, tail)
    said = trial.run([Choice(0, class_weight, 1.0) for class_weight in (False, True)])
    amounts = sorted(set(choosing.samples_per_class) - {0}) if len(accepted) else []
    if not amounts:
        return _conclude(list(said), _bootstrap(dev, said, evaluate, tail))
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
        for way in (best, Choice(0, best.class_weight, 1.0))
        for amount in amounts
    )
    said |= weighed | trial.run([choice for choice in others if choice not in weighed])
    chosen = _conclude(list(said), _bootstrap(dev, said, evaluate, tail))
    return replace(chosen, per_model=_per_model(trial, said, best, evaluate))


def _conclude(tried: Sequence[Choice], draws: Bootstrap) -> Chosen:
    curve = tuple(_tried(choice, draws) for choice in tried)
    free = max((c for c in tried if not c.samples_per_class), key=lambda c: _f1(draws, c))
    best = max(tried, key=lambda choice: _f1(draws, choice))
    with_samples = [c for c in tried if c.samples_per_class and c.is_plain]
    recommended = 0
    gain, error = _difference(draws, best, free)
    if best.samples_per_class and gain > error:
        same = [c for c in with_samples if c.class_weight == best.class_weight] or with_samples
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
        self.accepted, self.dev, self.tail = accepted, dev, tail
        self._real, self._baseline, self._seeds = real, baseline, seeds
        tfidf = clone(build(baseline, None)["tfidf"])
        texts = pd.concat([real["text"], accepted["text"]]) if len(accepted) else real["text"]
        self._place = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        self._terms: csr_matrix = fit_terms(tfidf, list(self._place))
        self._dev, self._truth = tfidf.transform(dev["text"]), dev["label"].tolist()

    def run(self, choices: Sequence[Choice], samples: pd.DataFrame | None = None) -> Said:
        """Dev predictions of each choice, one array a draw.

        The `c` of a choice is the one that suits its first draw, as in the arms (`tuning`).

        Args:
            choices: to try.
            samples: some of the accepted ones; all if not given.
        """
        samples = self.accepted if samples is None else samples
        values = self._baseline.c
        first = self._fit_all([(choice, c, 0) for choice in choices for c in values], samples)
        of_first = {choice: {c: [first[choice, c, 0]] for c in values} for choice in choices}
        best = {
            choice: strongest(self._truth, by_c, self.tail) for choice, by_c in of_first.items()
        }
        more = self._fit_all(
            [
                (choice, best[choice], seed)
                for choice in choices
                if draws_something("chosen", samples, choice)
                for seed in range(1, self._seeds)
            ],
            samples,
        )
        said = {choice: [first[choice, best[choice], 0]] for choice in choices}
        for (choice, _, _), predictions in more.items():
            said[choice].append(predictions)
        return said

    def macro_f1(self, draws: Sequence[NDArray[np.str_]]) -> float:
        """Of dev, the mean over the draws."""
        scores = [score(self._truth, draw, self.tail).macro_f1 for draw in draws]
        return sum(scores) / len(scores)

    def _fit_all(
        self, fits: Sequence[tuple[Choice, float, int]], samples: pd.DataFrame
    ) -> dict[tuple[Choice, float, int], NDArray[np.str_]]:
        # Processes: liblinear's random numbers are one stream for all threads of a process.
        results = Parallel(n_jobs=WORKERS)(delayed(self._fit)(samples, *fit) for fit in fits)
        return dict(zip(fits, results, strict=True))

    def _fit(self, samples: pd.DataFrame, choice: Choice, c: float, seed: int) -> NDArray[np.str_]:
        frame = with_samples(self._real, samples, choice, seed)
        weights = balanced(frame) if choice.class_weight else None
        classifier = build(self._baseline, weights, c)[-1]
        rows = self._terms[[self._place[text] for text in frame["text"]]]
        classifier.fit(
            rows, frame["label"].to_numpy(dtype=str), sample_weight=frame["weight"].to_numpy()
        )
        said: NDArray[np.str_] = classifier.predict(self._dev).astype(str)
        return said


def _per_model(
    trial: _Trial, said: Said, choice: Choice, evaluate: EvaluateParams
) -> dict[str, ModelGain]:
    """What each of several models gains with this choice."""
    if WRITER not in trial.accepted:  # a set from elsewhere
        return {}
    writers = trial.accepted[WRITER].value_counts().drop("", errors="ignore")
    if len(writers) < 2:
        return {}
    tried = {"none": said[Choice(0, choice.class_weight, 1.0)], "all": said[choice]}
    for writer in writers.index:
        for way, chosen in (
            ("alone", trial.accepted[WRITER] == writer),
            ("without", trial.accepted[WRITER] != writer),
        ):
            tried[f"{way} {writer}"] = trial.run([choice], trial.accepted[chosen])[choice]
    draws = _intervals(trial.dev, tried, evaluate, trial.tail)
    return {
        str(writer): ModelGain(
            samples=int(count),
            alone=draws.versus(f"alone {writer}", "none")["macro_f1"],
            on_top=draws.versus("all", f"without {writer}")["macro_f1"],
        )
        for writer, count in writers.sort_index().items()
    }


def _bootstrap(
    dev: pd.DataFrame, said: Said, evaluate: EvaluateParams, tail: frozenset[str]
) -> Bootstrap:
    named = {_name(choice): predictions for choice, predictions in said.items()}
    return _intervals(dev, named, evaluate, tail)


def _intervals(
    dev: pd.DataFrame,
    said: Mapping[str, list[NDArray[np.str_]]],
    evaluate: EvaluateParams,
    tail: frozenset[str],
) -> Bootstrap:
    return bootstrap(
        dev["label"],
        said,
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
