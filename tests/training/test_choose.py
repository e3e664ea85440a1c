"""The number of samples is chosen on dev, may be 0, and must beat noise."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.config.baseline import BaselineParams
from src.config.choose import ChooseParams
from src.config.params import load_params
from src.errors import UserError
from src.evaluation.scoring import METRICS
from src.evaluation.significance import Bootstrap, Resampling
from src.records.metrics.choose import Choice, ChooseMetrics, Tried
from src.training.choose import choose, conclude, without_samples
from src.training.rows import TrainingRows, no_rows

WORDS = {
    "bill": "balance charge amount overdue statement",
    "net": "fiber router install address speed",
    "lost": "stolen replacement identity suspend chip",
    "invoice": "receipt company taxnumber printed electronic",
}
SHARED = [
    "hello",
    "please",
    "could",
    "you",
    "tell",
    "me",
    "about",
    "the",
    "thing",
    "that",
    "we",
    "said",
    "today",
    "for",
    "my",
    "number",
]
TRAIN_ROWS = {"bill": 40, "net": 40, "lost": 2, "invoice": 2}
TAIL = frozenset({"lost", "invoice"})
BASELINE = BaselineParams(
    analyzer="word",
    ngram_range=(1, 1),
    min_df=2,
    max_features=1000,
    classifier="linear_svc",
    c=(0.5,),
    seed=0,
)


def rows(counts: dict[str, int], name: str, words: dict[str, str] = WORDS) -> pd.DataFrame:
    """Texts with two words of their class among words of every class."""
    rng = Random(name)
    made = [
        (" ".join(rng.choices(words[label].split(), k=2) + rng.choices(SHARED, k=6)), label)
        for label, count in counts.items()
        for _ in range(count)
    ]
    return pd.DataFrame(made, columns=["text", "label"])


REAL = rows(TRAIN_ROWS, "real")
DEV = rows(dict.fromkeys(WORDS, 20), "dev")
HELPFUL = rows(dict.fromkeys(sorted(TAIL), 20), "samples").assign(quality=0.5)
# Samples labelled with one tail class whose texts are of the other one.
WRONG = rows(
    dict.fromkeys(sorted(TAIL), 20), "samples", {"lost": WORDS["invoice"], "invoice": WORDS["lost"]}
).assign(quality=0.5)
TWO_WRITERS = pd.concat(
    [HELPFUL.assign(written_by="good"), WRONG[:30].assign(written_by="bad")], ignore_index=True
)
NOTHING = no_rows()
NONE, NONE_WEIGHTED = Choice(0, False, 1.0, False), Choice(0, True, 1.0, False)


RESAMPLING = Resampling(800, 0.95, seed=0)


def settings(**tried: object) -> ChooseParams:
    """The shipped settings with few draws and these values to try."""
    few = {"samples_per_class": (0, 5, 20), "sample_weights": (0.5, 1.0), "seeds": 2}
    return load_params().choose.model_copy(update=few | tried)


def run(accepted: pd.DataFrame, real: pd.DataFrame = REAL, **tried: object) -> ChooseMetrics:
    """Run `choose` on the planted rows."""
    rows = TrainingRows(real, real, accepted)
    return choose(rows, DEV, BASELINE, settings(**tried), RESAMPLING, TAIL)


def choice_of(one: Choice) -> Choice:
    """The choice alone, without its scores or reason."""
    own: dict[str, Any] = {field.name: getattr(one, field.name) for field in fields(Choice)}
    return Choice(**own)


def choices(found: ChooseMetrics) -> list[Choice]:
    """All choices that were tried, in order."""
    return [choice_of(one) for one in found.curve]


def values(found: ChooseMetrics) -> dict[Choice, float]:
    """Dev macro-F1 of each choice."""
    return {choice_of(one): one.macro_f1.value for one in found.curve}


@cache
def helped() -> ChooseMetrics:
    """The result if samples help."""
    return run(HELPFUL)


def best_weighed(curve: tuple[Tried, ...]) -> Choice:
    """The best choice with the largest number and one of the weights in the settings."""
    largest = max(one.samples_per_class for one in curve)
    weighed = [one for one in curve[2:] if one.samples_per_class == largest]
    return choice_of(max(weighed, key=lambda one: one.macro_f1.value))


def test_samples_that_help_are_chosen() -> None:
    """Texts of the rare classes raise dev scores beyond noise; `why` has the numbers."""
    chosen, scores = helped().chosen, values(helped())
    assert chosen.samples_per_class > 0
    assert chosen.why.startswith("dev macro-F1 +")
    assert "against no samples, standard error" in chosen.why
    free = max(scores[without_samples(weight)] for weight in (False, True))
    assert scores[choice_of(chosen)] == max(scores.values()) > free + 0.05


def test_samples_of_the_wrong_classes_are_not() -> None:
    """Samples that are calls of other classes do not raise dev scores: none are chosen."""
    found = run(WRONG)
    assert found.chosen.samples_per_class == 0
    assert found.chosen.sample_weight == 1
    assert found.recommended == 0
    assert found.chosen.why.startswith("no number of samples is better on dev")
    scores = values(found)
    best = max((without_samples(weight) for weight in (False, True)), key=scores.__getitem__)
    assert choice_of(found.chosen) == best
    assert max(one.samples_per_class for one in found.curve) == 20


def test_no_samples_are_always_tried() -> None:
    """The curve has 0 with and without class weights, even if the settings do not."""
    assert choices(run(HELPFUL, samples_per_class=(20,)))[:2] == [NONE, NONE_WEIGHTED]


def test_the_curve_is_in_the_order_of_trying() -> None:
    """No samples, the largest number at every weight, then all numbers at the best weight and 1."""
    found = run(HELPFUL, samples_per_class=(20, 5), sample_weights=(0.25, 0.5))
    curve = choices(found)
    assert curve[:2] == [NONE, NONE_WEIGHTED]
    weighed = [
        Choice(20, class_weight, weight, by_quality)
        for class_weight in (False, True)
        for by_quality in (False, True)
        for weight in (0.25, 0.5)
    ]
    assert curve[2:10] == weighed
    best = best_weighed(found.curve)
    assert curve[10:] == [
        replace(best, samples_per_class=5),
        Choice(5, best.class_weight, 1.0, False),
        Choice(20, best.class_weight, 1.0, False),
    ]


def test_each_choice_is_tuned_on_its_first_draw() -> None:
    """The rule of `tuning`; more draws change the score, not the `c`."""

    def scores(c: tuple[float, ...], draws: int) -> list[float]:
        baseline = BASELINE.model_copy(update={"c": c})
        tried = settings(samples_per_class=(10,), seeds=draws)
        rows = TrainingRows(REAL, REAL, HELPFUL)
        curve = choose(rows, DEV, baseline, tried, RESAMPLING, TAIL).curve
        return [point.macro_f1.value for point in curve]

    strong, weak, both = (0.001,), (0.01,), (0.001, 0.01)
    of_first = list(zip(scores(strong, 1), scores(weak, 1), strict=True))
    taken = [pair.index(value) for pair, value in zip(of_first, scores(both, 1), strict=True)]
    assert set(taken) == {0, 1}
    assert any(first < second for (first, second), c in zip(of_first, taken, strict=True) if not c)
    of_all = zip(scores(strong, 4), scores(weak, 4), strict=True)
    assert scores(both, 4) == [pair[c] for pair, c in zip(of_all, taken, strict=True)]


def test_each_of_several_models_has_a_gain() -> None:
    """One model writes samples that help, the other samples of the wrong classes."""
    chosen = run(TWO_WRITERS)
    assert list(chosen.per_model) == ["bad", "good"]
    bad, good = chosen.per_model["bad"], chosen.per_model["good"]
    assert (bad.samples, good.samples) == (30, 40)
    for of_good, of_bad in ((good.alone, bad.alone), (good.on_top, bad.on_top)):
        assert 0 < of_good.low <= of_good.value <= of_good.high
        assert of_good.low > of_bad.value


def test_the_gains_of_two_models_add_up() -> None:
    """One alone plus the other on top equals the gain of all samples."""
    chosen = run(TWO_WRITERS)
    best = best_weighed(chosen.curve)
    scores = values(chosen)
    whole = scores[best] - scores[without_samples(best.class_weight)]
    for one, other in (("bad", "good"), ("good", "bad")):
        both = chosen.per_model[one].alone.value + chosen.per_model[other].on_top.value
        assert both == pytest.approx(whole)


@pytest.mark.parametrize(
    "written_by",
    [
        pytest.param("good", id="one-writer"),
        pytest.param(["", "good"] * 20, id="one-and-an-empty-name"),
        pytest.param(None, id="no-such-column"),
    ],
)
def test_a_single_model_has_no_gain(written_by: str | list[str] | None) -> None:
    """The same for a set without known writers; everything else is unchanged."""
    accepted = HELPFUL if written_by is None else HELPFUL.assign(written_by=written_by)
    assert run(accepted) == helped()
    assert helped().per_model == {}


def test_intervals_hold_their_values() -> None:
    """Each point has mean macro-F1 and tail recall over the draws, with intervals."""
    for one in helped().curve:
        for interval in (one.macro_f1, one.tail_recall):
            assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_the_choice_is_reproducible() -> None:
    """The same rows and settings give the same choice, reason and curve."""
    assert run(HELPFUL) == helped()


def test_a_run_without_samples_chooses_none() -> None:
    """Without accepted samples, only class weights are tried."""
    found = run(NOTHING)
    assert choices(found) == [NONE, NONE_WEIGHTED]
    assert (found.chosen.samples_per_class, found.recommended) == (0, 0)


@pytest.mark.parametrize(
    ("real", "message"),
    [
        pytest.param(
            REAL.assign(label="bill"), "classes of the training rows: bill;", id="one-class"
        ),
        pytest.param(REAL.assign(text="。"), "baseline.analyzer 'word'", id="no-terms"),
    ],
)
def test_errors_of_fit_are_raised(real: pd.DataFrame, message: str) -> None:
    """The errors are those of `fit`."""
    with pytest.raises(UserError, match=message):
        run(NOTHING, real)


def test_terms_are_found_in_a_handful_of_rows() -> None:
    """min_df is relaxed as in `fit`."""
    real = pd.DataFrame({"text": ["balance", "router"], "label": ["bill", "lost"]})
    dev = pd.DataFrame({"text": ["my balance", "my router"], "label": ["bill", "lost"]})
    rows = TrainingRows(real, real)
    (plain, _) = choose(rows, dev, BASELINE, settings(), RESAMPLING, TAIL).curve
    assert plain.macro_f1.value == 1


def drawn(scores: dict[Choice, tuple[float, float]]) -> Bootstrap[Choice]:
    """Bootstrap of choices with these values and standard errors of macro-F1.

    Resamples alternate between value - error and value + error, so that the difference from a
    choice without error has the standard error of the other one.
    """
    turns = np.tile([-1.0, 1.0], 100)[:, None]
    return Bootstrap(
        observed={c: np.full(len(METRICS), value) for c, (value, _) in scores.items()},
        resampled={
            c: np.repeat(value + error * turns, len(METRICS), axis=1)
            for c, (value, error) in scores.items()
        },
        confidence=0.95,
    )


@pytest.mark.parametrize(
    ("value", "error", "used"),
    [
        pytest.param(0.75, 0.125, True, id="two-standard-errors"),
        pytest.param(0.75, 0.2, True, id="just-above-one"),
        pytest.param(0.75, 0.25, False, id="exactly-one"),
        pytest.param(0.75, 0.5, False, id="half"),
        pytest.param(0.5, 0.0, False, id="equal"),
        pytest.param(0.25, 0.0, False, id="worse"),
    ],
)
def test_samples_must_win_by_more_than_one_standard_error(
    value: float, error: float, used: bool
) -> None:
    """Against 0.5 without samples; otherwise the best choice without samples is taken."""
    few = Choice(5, False, 1.0, False)
    scores = {NONE: (0.4, 0.0), NONE_WEIGHTED: (0.5, 0.0), few: (value, error)}
    found = conclude(drawn(scores))
    assert choice_of(found.chosen) == (few if used else NONE_WEIGHTED)
    assert found.recommended == (5 if used else 0)
    if used:
        sentence = f"dev macro-F1 +0.250 against no samples, standard error {error:.3f}"
        assert found.chosen.why == sentence
    assert choices(found) == list(scores)
    assert found.curve[2].macro_f1.value == value


@pytest.mark.parametrize(
    ("values", "recommended"),
    [
        pytest.param((0.59, 0.595, 0.6), 5, id="smallest-within"),
        pytest.param((0.57, 0.595, 0.6), 10, id="one-too-low"),
        pytest.param((0.57, 0.57, 0.6), 50, id="all-others-too-low"),
        pytest.param((0.6, 0.57, 0.57), 5, id="smallest-is-best"),
        pytest.param((0.59, 0.57, 0.6), 5, id="not-monotonic"),
    ],
)
def test_recommended_is_the_smallest_within_one_standard_error(
    values: tuple[float, ...], recommended: int
) -> None:
    """The differences to the best number have a standard error of 0.02."""
    amounts = [Choice(amount, True, 1.0, False) for amount in (5, 10, 50)]
    # The best has an error of 0.02 and the others none, so all differences to it have 0.02.
    tried = {
        choice: (value, 0.02 if value == max(values) else 0.0)
        for choice, value in zip(amounts, values, strict=True)
    }
    unlike = Choice(5, False, 1.0, False)  # another class weight is another curve
    scores = {NONE: (0.4, 0.0), NONE_WEIGHTED: (0.5, 0.0), unlike: (0.595, 0.02), **tried}
    found = conclude(drawn(scores))
    assert found.recommended == recommended
    assert choice_of(found.chosen) == max(tried, key=lambda choice: tried[choice][0])


def test_a_lighter_sample_may_be_chosen() -> None:
    """The sample weight is part of the choice; `recommended` is for weight 1."""
    whole, light = Choice(20, False, 1.0, False), Choice(20, False, 0.25, False)
    scores = {
        NONE: (0.4, 0.0),
        NONE_WEIGHTED: (0.5, 0.0),
        Choice(5, False, 1.0, False): (0.5, 0.0),
        whole: (0.6, 0.0),
        light: (0.7, 0.0),
    }
    found = conclude(drawn(scores))
    assert (choice_of(found.chosen), found.recommended) == (light, 20)


def test_a_head_cap_does_not_affect_no_samples() -> None:
    """Choices without samples use every real row; those with samples the rows that stay."""
    whole, capped = (
        choose(TrainingRows(REAL, kept, HELPFUL), DEV, BASELINE, settings(), RESAMPLING, TAIL)
        for kept in (REAL, REAL.groupby("label").head(5))
    )
    assert whole.curve[:2] == capped.curve[:2]
    assert whole.curve[2:] != capped.curve[2:]
