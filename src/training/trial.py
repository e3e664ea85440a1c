"""Try many choices of samples on dev.

    trial = Trial(rows, dev, params.baseline, seeds=3, tail=tail)
    trial.run([Choice(20, True, 0.3, False)])

The TF-IDF terms are fitted once, on all rows, so that the many fits take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import clone

from src.config.baseline import BaselineParams
from src.evaluation.scoring import score
from src.records.metrics.choose import Choice
from src.training.classifier import build, fit_terms
from src.training.methods import draws_something
from src.training.rows import TrainingRows, rows_for
from src.training.tuning import strongest

WORKERS = 2

Predicted = dict[Choice, list[NDArray[np.str_]]]  # dev predictions, one array per draw


class Trial:
    """Fits many choices on the same terms."""

    def __init__(
        self,
        rows: TrainingRows,
        dev: pd.DataFrame,
        baseline: BaselineParams,
        seeds: int,
        tail: frozenset[str],
    ) -> None:
        """Fit the TF-IDF terms.

        Args:
            rows: real rows and samples.
            dev: dev rows (text, label), texts without turn separators.
            baseline: settings of the classifier.
            seeds: number of draws of the samples.
            tail: tail classes.

        Raises:
            UserError: the analyzer finds nothing in the texts.
        """
        # Fits may run in other processes: keep only the columns that they need.
        self._rows = TrainingRows(
            rows.all_real[["text", "label"]], rows.kept[["text", "label"]], rows.samples
        )
        self._baseline, self._seeds, self._tail = baseline, seeds, tail
        tfidf = clone(build(baseline, None)["tfidf"])
        texts = (
            text for frame in (rows.all_real, rows.kept, rows.samples) for text in frame["text"]
        )
        self._index = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        self._terms: csr_matrix = fit_terms(tfidf, list(self._index))
        self._dev, self._truth = tfidf.transform(dev["text"]), dev["label"].tolist()

    def run(self, choices: Sequence[Choice], samples: pd.DataFrame | None = None) -> Predicted:
        """Return the dev predictions of each choice, one array per draw.

        The `c` of a choice is tuned on its first draw, as for the methods (`tuning`).

        Args:
            choices: choices to try.
            samples: a subset of the samples; all if None.
        """
        rows = self._rows if samples is None else replace(self._rows, samples=samples)
        values = self._baseline.c
        first = self._fit_all([(choice, c, 0) for choice in choices for c in values], rows)
        of_first = {choice: {c: [first[choice, c, 0]] for c in values} for choice in choices}
        best = {
            choice: strongest(self._truth, by_c, self._tail) for choice, by_c in of_first.items()
        }
        more = self._fit_all(
            [
                (choice, best[choice], seed)
                for choice in choices
                if draws_something("chosen", rows.samples, choice)
                for seed in range(1, self._seeds)
            ],
            rows,
        )
        predicted = {choice: [first[choice, best[choice], 0]] for choice in choices}
        for (choice, _, _), predictions in more.items():
            predicted[choice].append(predictions)
        return predicted

    def macro_f1(self, draws: Sequence[NDArray[np.str_]]) -> float:
        """Return the dev macro-F1, mean over the draws."""
        scores = [score(self._truth, draw, self._tail).macro_f1 for draw in draws]
        return sum(scores) / len(scores)

    def _fit_all(
        self, fits: Sequence[tuple[Choice, float, int]], rows: TrainingRows
    ) -> dict[tuple[Choice, float, int], NDArray[np.str_]]:
        # Processes, not threads: all threads of a process share liblinear's random number stream.
        results = Parallel(n_jobs=WORKERS)(delayed(self._fit)(rows, *fit) for fit in fits)
        return dict(zip(fits, results, strict=True))

    def _fit(self, rows: TrainingRows, choice: Choice, c: float, seed: int) -> NDArray[np.str_]:
        data = rows_for("chosen", rows, seed, choice)
        classifier = build(self._baseline, data.class_weight, c)[-1]
        terms = self._terms[[self._index[text] for text in data.frame["text"]]]
        classifier.fit(
            terms,
            data.frame["label"].to_numpy(dtype=str),
            sample_weight=data.frame["weight"].to_numpy(),
        )
        predicted: NDArray[np.str_] = classifier.predict(self._dev).astype(str)
        return predicted
