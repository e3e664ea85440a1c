"""The estimate of a dry run: counted from the real prompts, without any call.

Every prompt here has 40 characters, so that tokens, cost and time are easy to compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.config.data import DataParams
from src.config.generate import GenerateParams
from src.config.llm import EndpointParams, LlmParams, PriceParams
from src.config.runtime import RuntimeParams
from src.generation.estimate import Estimate, dry_run, estimate, render_estimate
from src.generation.prompts import PromptWriter
from src.generation.run import run
from src.llm.requests import Response
from src.llm.response_store import ResponseStore, open_store
from src.planning.plan import Plan
from src.records.json_files import write_record
from src.records.metrics.generate import ClassGeneration, Diversity, GenerateMetrics, Tokens
from tests.llm.server import Server, says

PLAN = Plan(
    pd.DataFrame(
        {
            "label": ["大类", "补卡", "销户"],
            "support": [300, 5, 1],
            "tier": ["majority", "minority", "ultra"],
            "target": [300, 13, 201],
            "needed": [0, 8, 200],
            "keywords": ["", "补卡", ""],
        }
    )
)
PRICE = PriceParams(prompt=1000, completion=2000)  # 0.001 and 0.002 per token
MEASURED = Response("好", "stop", 20, 30)  # 0.5 tokens per character of the prompt


@dataclass(frozen=True)
class World:
    """A writer and its settings."""

    writer: PromptWriter
    generate: GenerateParams
    llm: LlmParams
    data: DataParams
    runtime: RuntimeParams

    def estimate(
        self,
        store: ResponseStore,
        plan: Plan = PLAN,
        last_run: GenerateMetrics | None = None,
        **limits: int,
    ) -> Estimate:
        """Estimate what the plan takes."""
        settings_ = (self.generate, self.llm, self.data, self.runtime)
        return estimate(plan, self.writer, store, *settings_, last_run, **limits)


class MakeWorld(Protocol):
    """Create settings and a writer; arguments replace settings of the endpoint or of generate."""

    def __call__(
        self, language: str = "zh", *, generate: dict[str, object] | None = None, **of: object
    ) -> World:
        """Create them."""
        ...


@pytest.fixture
def make(
    train: pd.DataFrame,
    data: DataParams,
    llm: LlmParams,
    generate: GenerateParams,
    endpoint: EndpointParams,
    runtime: RuntimeParams,
    tmp_path: Path,
) -> MakeWorld:
    """Four concurrent calls; templates without examples."""
    default_generate = generate
    for api in ("chat", "completions"):
        for language in ("zh", "en"):
            template = "{{ label }}{{ avoid | join }}" + "x" * 38
            (tmp_path / f"{api}.{language}.j2").write_text(template, encoding="utf-8")

    def make_world(
        language: str = "zh", *, generate: dict[str, object] | None = None, **of: object
    ) -> World:
        asked = llm.model_copy(update={"endpoints": (endpoint.model_copy(update=of),)})
        drawn = default_generate.model_copy(update=generate or {})
        spoken = data.model_copy(update={"language": language})
        writer = PromptWriter(train, {}, {}, spoken, asked, drawn, templates=tmp_path)
        return World(writer, drawn, asked, spoken, runtime)

    return make_world


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    """An empty store."""
    with open_store(tmp_path / "none", tmp_path / "c.sqlite") as store:
        yield store


def record(
    store: ResponseStore,
    writer: PromptWriter,
    count: int,
    response: Response = MEASURED,
    way: int = 0,
) -> None:
    """Record responses for the first requests of 补卡."""
    for n in range(count):
        store.put(writer.ask("补卡", n).requests[way].key, response).result(20)


def last_run(candidates: int, accepted: int, label: str = "补卡") -> GenerateMetrics:
    """Metrics of a run of one class."""
    diversity = Diversity(candidates, None, None, None, None)
    only = ClassGeneration(8, candidates, candidates, accepted, "", diversity)
    totals = {"candidates": candidates, "accepted": accepted, "quota": 8, "shortfall": 0}
    return GenerateMetrics(
        **totals,
        requests=candidates,
        tokens=Tokens(0, 0, 0),
        cost=0.0,
        failures={},
        per_model={},
        per_class={label: only},
    )


def test_what_is_not_recorded_is_counted_in_ranges(make: MakeWorld, store: ResponseStore) -> None:
    """8 samples: 8 / 0.95, 8 / 0.8 and 8 / 0.5 give 9, 10 and 16 requests, 3 of them recorded;
    200 / 0.95 = 211 requests exceed the limit of 100. The recorded ones have 20 / 40 = 0.5 tokens
    per character and 30 per reply, so a call has 50 tokens, costs 20 x 0.001 + 30 x 0.002 = 0.08
    and takes 1, 4 or 12 s, divided by 4 concurrent calls.
    """
    world = make(price=PRICE)
    record(store, world.writer, 3)
    result = world.estimate(store)
    card, leave = result.classes
    assert (card.label, card.tier, card.support, card.quota) == ("补卡", "minority", 5, 8)
    assert (card.requests, card.recorded, card.calls) == ((9, 10, 16), 3, (6, 7, 13))
    assert card.tokens == (300, 350, 650)
    assert card.cost == pytest.approx((0.48, 0.56, 1.04))
    assert card.seconds == pytest.approx((1.5, 7, 39))
    assert (leave.label, leave.requests, leave.recorded) == ("销户", (100, 100, 100), 0)
    assert leave.tokens == (5000, 5000, 5000)
    assert result.measured == 3
    assert result.total("calls") == (106, 107, 113)
    assert result.total("tokens") == (5300, 5350, 5650)
    assert result.total("cost") == pytest.approx((8.48, 8.56, 9.04))
    assert result.total("seconds") == pytest.approx((26.5, 107, 339))


@pytest.mark.parametrize(
    ("language", "samples", "tokens"),
    [
        # 0.75 x 40 + 0.75 x 80 = 90 per call; 9, 10 and 16 calls
        pytest.param("zh", 1, (810, 900, 1440), id="zh"),
        # 0.25 x 40 + 0.25 x 80 = 30 per call
        pytest.param("en", 1, (270, 300, 480), id="en"),
        # 0.75 x 40 + 5 x 0.75 x 80 = 330 per call; 8 / 0.95 / 5, 8 / 0.8 / 5 and 8 / 0.5 / 5 are
        # 2, 2 and 4 calls
        pytest.param("zh", 5, (660, 660, 1320), id="five samples per reply"),
    ],
)
def test_without_responses_lengths_are_guessed(
    language: str,
    samples: int,
    tokens: tuple[float, ...],
    make: MakeWorld,
    store: ResponseStore,
) -> None:
    """Tokens per character depend on the language; a reply is as long as the longest examples."""
    world = make(language, generate={"samples_per_request": samples})
    result = world.estimate(store)
    assert result.measured == 0
    assert result.classes[0].tokens == tokens


@pytest.mark.parametrize("tokens", [(0, 0), (20, 0), (0, 30)], ids=["none", "prompt", "reply"])
def test_responses_without_a_count_of_tokens_measure_nothing(
    tokens: tuple[int, int], make: MakeWorld, store: ResponseStore
) -> None:
    """Some endpoints send no usage: they count as recorded, but 6 calls have 90 tokens each."""
    world = make()
    record(store, world.writer, 3, Response("好", "stop", *tokens))
    result = world.estimate(store)
    assert (result.measured, result.classes[0].recorded) == (0, 3)
    assert result.classes[0].tokens[0] == 6 * 90


def test_the_first_responses_are_measured(make: MakeWorld, store: ResponseStore) -> None:
    """Only two of 50 tokens per call are used here; the third, of 5,000, is not."""
    world = make()
    record(store, world.writer, 2)
    store.put(
        world.writer.ask("补卡", 2).requests[0].key, Response("好", "stop", 2000, 3000)
    ).result(20)
    result = world.estimate(store, most_looked_at=2)
    assert (result.measured, result.classes[0].recorded) == (2, 3)
    assert result.classes[0].tokens == (300, 350, 650)


@pytest.mark.parametrize(
    ("known", "requests"),
    [
        # 80 of 100 after adding one of each: 0.8 +- 2 x sqrt(0.8 x 0.2 / 100) = 0.08
        pytest.param(last_run(98, 79), (10, 10, 12), id="measured"),
        # 4 of 16: 0.25 +- 0.22, but at least 0.05: 8 / 0.467, / 0.25, / 0.05
        pytest.param(last_run(14, 3), (18, 32, 160), id="few accepted"),
        # 1 of 100: rates are at least 0.05
        pytest.param(last_run(98, 0), (160, 160, 160), id="none accepted"),
        # 99 of 100: 0.99 +- 0.02, but at most 1
        pytest.param(last_run(98, 98), (8, 9, 9), id="all accepted"),
        pytest.param(last_run(0, 0), (9, 10, 16), id="no candidates: guessed"),
        pytest.param(last_run(98, 0, "销户"), (9, 10, 16), id="other class"),
        pytest.param(None, (9, 10, 16), id="no run: guessed"),
    ],
)
def test_acceptance_is_that_of_the_last_run(
    known: GenerateMetrics | None,
    requests: tuple[int, ...],
    make: MakeWorld,
    store: ResponseStore,
) -> None:
    """For 8 samples, with two standard errors; all of these requests are calls."""
    world = make(generate={"max_attempts_per_class": 200})
    card = world.estimate(store, last_run=known).classes[0]
    assert card.requests == requests
    assert card.calls == requests
    assert card.tokens == tuple(90 * count for count in requests)


@pytest.mark.parametrize(
    ("of", "seconds"),
    [
        # 9, 10 and 16 calls of 1, 4 and 12 s, 4 at once
        pytest.param({}, (2.25, 10, 48), id="runtime.concurrency"),
        pytest.param({"concurrency": 8}, (1.125, 5, 24), id="concurrency of its own"),
        # one call per second: only the slowest are slower
        pytest.param({"requests_per_minute": 60}, (9, 10, 48), id="rate in between"),
        # a call every 6 s: slower than all
        pytest.param({"requests_per_minute": 10}, (54, 60, 96), id="rate decides"),
        # half a second, 1 s and 3 s, one after the other
        pytest.param({"base_url": "embedded"}, (4.5, 10, 48), id="embedded"),
    ],
)
def test_time(
    of: dict[str, object], seconds: tuple[float, ...], make: MakeWorld, store: ResponseStore
) -> None:
    """A response's time / concurrency, or 60 s / requests per minute if that is slower."""
    world = make(**of)
    assert world.estimate(store).classes[0].seconds == pytest.approx(seconds)


def test_any_equivalent_request_counts_as_recorded(make: MakeWorld, store: ResponseStore) -> None:
    """An endpoint without JSON schemas was asked for text, and that response is recorded."""
    world = make(api="chat")
    assert [request.as_json for request in world.writer.ask("补卡", 0).requests] == [True, False]
    record(store, world.writer, 3, way=1)
    card = world.estimate(store).classes[0]
    assert (card.recorded, card.calls) == (3, (6, 7, 13))


def test_what_a_run_bought_is_recorded(
    make: MakeWorld, store: ResponseStore, server: Server
) -> None:
    """Prompts with overused n-grams of earlier responses are found again: 12 of 12 accepted need
    no call if all are accepted; at 13 of 14 it is 12.9 requests, one of them not recorded.
    """
    world = make(api="chat", base_url=server.url)
    server.default = lambda _: says('{"samples": [["我要补办一张卡"]]}')
    generated = run(
        {"补卡": 12},
        world.writer,
        lambda candidates: [True] * len(candidates),
        store,
        world.generate,
        world.llm,
        world.data,
        world.runtime,
    )
    assert generated.classes[0].accepted == 12
    # from the ninth request on with an n-gram of six characters
    assert {len(call.content) for call in server.calls} == {40, 46}
    plan = Plan(PLAN.classes.assign(needed=[0, 12, 0]))
    card = world.estimate(store, plan, last_run(12, 12)).classes[0]
    assert (card.requests[:2], card.recorded, card.calls[:2]) == ((12, 13), 12, (0, 1))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    quota=st.integers(1, 60),
    known=st.integers(0, 200).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(0, n))  # candidates, accepted
    ),
    samples=st.integers(1, 5),
)
def test_a_range_holds_what_is_expected(
    quota: int, known: tuple[int, int], samples: int, make: MakeWorld, store: ResponseStore
) -> None:
    """Low, expected and high ascend; every class stays within its limit and gets enough requests
    to reach its quota if all are accepted; without packed files each request is a call.
    """
    world = make(price=PRICE, generate={"samples_per_request": samples})
    plan = Plan(PLAN.classes.assign(needed=[0, quota, 0]))
    card = world.estimate(store, plan, last_run(*known)).classes[0]
    for values in (card.requests, card.tokens, card.cost, card.seconds):
        assert list(values) == sorted(values)
    assert card.calls == card.requests
    assert card.requests[0] * samples >= min(quota, 100 * samples)
    assert card.requests[2] <= 100


def rendered(result: Estimate, writer: PromptWriter) -> list[str]:
    """Lines of the rendered text."""
    return render_estimate(result, writer).splitlines()


def test_what_the_user_sees(make: MakeWorld, store: ResponseStore) -> None:
    """A line per class, the totals with their ranges, and one complete prompt per tier.

    9, 10 or 16 and 100 calls; 30 + 60 tokens each, at 30 x 0.001 + 60 x 0.002 = 0.15;
    109 x 0.25 s, 110 x 1 s and 116 x 3 s.
    """
    world = make(price=PRICE)
    lines = rendered(world.estimate(store), world.writer)
    assert lines[:8] == [
        "class | tier | train rows | quota | requests | of these recorded",
        "补卡 | minority | 5 | 8 | 10 | 0",
        "销户 | ultra | 1 | 200 | 100 | 0",
        "",
        "requests to send: 110 (109 to 116); tokens: 9,900 (9,810 to 10,440); time: 2 (0 to 6) min",
        "cost: 16.50 (16.35 to 17.40) CNY",
        "(expected value and range; lengths from guesses)",
        "",
    ]
    shown = "\n".join(lines[8:])
    for label in ("补卡", "销户"):
        prompt = world.writer.ask(label, 0).requests[0].prompt
        assert f"--- prompt of {label!r} to small ---\n{prompt}" in shown
    assert shown.count("--- prompt of") == 2


def test_what_is_recorded_is_free(make: MakeWorld, store: ResponseStore) -> None:
    """A single number if there is no range, and a cost of 0 if nothing is sent."""
    world = make(price=PRICE)
    record(store, world.writer, 16)
    plan = Plan(PLAN.classes.assign(needed=[0, 8, 0]))
    lines = rendered(world.estimate(store, plan), world.writer)
    assert lines[1] == "补卡 | minority | 5 | 8 | 10 | 10"
    assert lines[3:6] == [
        "requests to send: 0; tokens: 0; time: 0 min",
        "cost: 0 (no request to send, or no endpoint with a price)",
        "(expected value and range; lengths from 16 recorded responses)",
    ]


def test_a_plan_without_needs_takes_nothing(make: MakeWorld, store: ResponseStore) -> None:
    """No class needs samples: no line, no call, no prompt."""
    world = make(price=PRICE)
    plan = Plan(PLAN.classes.assign(needed=0))
    result = world.estimate(store, plan)
    assert result.classes == ()
    assert result.total("calls") == (0, 0, 0)
    assert rendered(result, world.writer)[2] == "requests to send: 0; tokens: 0; time: 0 min"


def test_a_dry_run_knows_the_last_run_by_its_file(
    make: MakeWorld, store: ResponseStore, tmp_path: Path
) -> None:
    """Without one it guesses: 10 requests for 8 samples; 16 with one accepted of two."""
    world = make()
    metrics = tmp_path / "generate.json"

    def table() -> list[str]:
        settings_ = (world.generate, world.llm, world.data, world.runtime)
        return dry_run(PLAN, world.writer, store, *settings_, metrics).splitlines()

    assert table()[1] == "补卡 | minority | 5 | 8 | 10 | 0"
    write_record(metrics, last_run(98, 49))
    assert table()[1] == "补卡 | minority | 5 | 8 | 16 | 0"
