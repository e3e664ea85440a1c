"""The bandit: explores enough, and then keeps to the better model."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.llm import EndpointParams, LlmParams
from src.generation.endpoint_choice import FIRST, Bandit, Observation
from tests.llm.conftest import only

NAMES = ("a", "b", "c")


def play(
    bandit: Bandit, rates: dict[str, float], requests: int, seed: str, samples: int = 1
) -> list[Observation]:
    """Simulate a class whose samples are accepted at these rates."""
    luck = Random(f"luck/{seed}")
    done: list[Observation] = []
    for attempt in range(requests):
        name = bandit.choose(attempt, done[: bandit.known(attempt)], seed)
        accepted = sum(luck.random() < rates[name] for _ in range(samples))
        done.append(Observation(name, samples, accepted))
    return done


def share(done: list[Observation], name: str) -> float:
    """Return the share of requests to one model."""
    return sum(outcome.endpoint == name for outcome in done) / len(done)


def rate(done: list[Observation]) -> float:
    """Return the accepted share of the samples."""
    return sum(each.accepted for each in done) / sum(each.draws for each in done)


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(1, 3),
    of_equal=st.floats(0, 1),
    rates=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    requests=st.integers(1, 150),
    seed=st.text(max_size=3),
)
def test_every_model_keeps_its_floor(
    count: int, of_equal: float, rates: tuple[float, ...], requests: int, seed: str
) -> None:
    """Two initial requests, then its share of explore (rounded down), whatever the verdicts."""
    explore = of_equal / count
    bandit = Bandit(NAMES[:count], explore, 32)
    done = play(bandit, dict(zip(NAMES, rates, strict=True)), requests, seed)
    asked = Counter(outcome.endpoint for outcome in done)
    least = max(int(explore * requests * 0.999999), min(FIRST, requests // count))
    assert all(asked[name] >= least for name in NAMES[:count])


@given(
    attempt=st.integers(0, 500),
    count=st.integers(1, 9),
    most_behind=st.integers(1, 100),
)
def test_known_requests_are_earlier(attempt: int, count: int, most_behind: int) -> None:
    """Never the request itself, never fewer than before it; the first requests need none."""
    bandit = Bandit(tuple(str(n) for n in range(count)), 0.0, most_behind)
    known = bandit.known(attempt)
    assert known <= attempt
    assert known <= bandit.known(attempt + 1)
    assert (known == 0) is (attempt < FIRST * count)
    assert attempt - known < max(most_behind + 4, FIRST * count + 1)


def test_golden_choices() -> None:
    """Recorded responses depend on these choices: they must never change."""
    bandit = Bandit(("a", "b"), 0.05, 32)
    done = play(bandit, {"a": 0.8, "b": 0.4}, 60, "7/补换卡")
    assert "".join(outcome.endpoint for outcome in done) == (
        "babaaabaaabbaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"
    )


def test_only_verdicts_and_the_seed_decide() -> None:
    """Equal inputs give equal choices; another class draws differently."""
    bandit = Bandit(NAMES, 0.03, 32)
    past = play(bandit, {"a": 0.5, "b": 0.6, "c": 0.4}, 40, "7/x")
    chosen = [bandit.choose(n, past, "7/x") for n in range(40, 140)]
    assert chosen == [bandit.choose(n, list(past), "7/x") for n in range(40, 140)]
    assert chosen != [bandit.choose(n, past, "7/y") for n in range(40, 140)]


def test_a_fallback_is_not_chosen() -> None:
    """Outcomes of fallbacks, or without an endpoint, do not affect the choice."""
    bandit = Bandit(("a", "b"), 0.0, 32)
    past = [Observation("a", 1, 1)] * 9 + [Observation("b", 1, 0)] * 9
    others = [Observation("fallback", 1, 1), Observation("", 0, 0)] * 50
    chosen = [bandit.choose(n, past, "s") for n in range(50, 90)]
    assert chosen == [bandit.choose(n, past + others, "s") for n in range(50, 90)]
    assert set(chosen) == {"a"}


@pytest.mark.parametrize(
    ("good", "bad", "samples", "most_of_bad", "least_of_best"),
    [
        pytest.param(0.9, 0.0, 1, 0.06, 0.95, id="useless"),
        pytest.param(0.9, 0.3, 1, 0.08, 0.95, id="bad"),
        pytest.param(0.6, 0.3, 1, 0.16, 0.93, id="half-as-good"),
        pytest.param(0.9, 0.6, 5, 0.12, 0.95, id="five-per-request"),
        pytest.param(0.9, 0.85, 1, 0.50, 0.95, id="nearly-as-good"),
    ],
)
def test_the_better_one_is_favoured(
    good: float, bad: float, samples: int, most_of_bad: float, least_of_best: float
) -> None:
    """100 classes of 110 requests: the worse model is starved at little loss."""
    bandit = Bandit(("bad", "good"), 0.03, 32)
    rates = {"bad": bad, "good": good}
    classes = [play(bandit, rates, 110, f"7/{n}", samples) for n in range(100)]
    every = [outcome for done in classes for outcome in done]
    assert share(every, "bad") <= most_of_bad
    assert rate(every) / good >= least_of_best


def test_equal_models_share_alike() -> None:
    """Over many classes neither is starved, even if luck favours one in each."""
    bandit = Bandit(("a", "b"), 0.03, 32)
    classes = [play(bandit, {"a": 0.7, "b": 0.7}, 110, f"7/{n}") for n in range(100)]
    assert 0.4 < share([each for done in classes for each in done], "a") < 0.6


def test_a_model_that_runs_dry_is_left() -> None:
    """A model that is good for forty requests and repeats itself afterwards."""
    bandit = Bandit(("a", "b"), 0.03, 32)
    done: list[Observation] = []
    for attempt in range(140):
        name = bandit.choose(attempt, done[: bandit.known(attempt)], "7/x")
        good = attempt < 40 if name == "a" else attempt % 2
        done.append(Observation(name, 1, int(good)))
    assert share(done[:40], "a") > 0.6
    assert share(done[90:], "b") > 0.8


def test_the_floor_must_fit(endpoint: EndpointParams) -> None:
    """Three times 0.4 is too much; endpoints that are only fallbacks do not count."""
    three = tuple(endpoint.model_copy(update={"name": name}) for name in NAMES)
    settings_ = {**only(*three).model_dump(), "explore": 0.4}
    with pytest.raises(
        ValueError, match=r"explore 0\.4 is more than an equal share for each of the 3"
    ):
        LlmParams.model_validate(settings_)
    settings_["endpoints"][2]["weight"] = 0
    assert [each.name for each in LlmParams.model_validate(settings_).ensemble] == ["a", "b"]
