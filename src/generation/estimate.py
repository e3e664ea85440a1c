"""Estimate the requests, tokens, cost and time of a run without calling an endpoint.

Prompt lengths are those of the real prompts. Tokens per character and per reply are measured on
recorded responses to this plan, and acceptance rates on the last run of `generate`; both are guessed
if there is no data yet. Uncertain values are given as ranges.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from src.config.data import DataParams, Language
from src.config.generate import GenerateParams
from src.config.llm import EndpointParams, LlmParams
from src.config.runtime import RuntimeParams
from src.generation.prompts import Ask, PromptWriter
from src.generation.replies import read_samples
from src.llm.budget import spent_on
from src.llm.requests import Request, Response
from src.llm.response_store import ResponseStore
from src.planning.plan import Plan
from src.records.json_files import read_record
from src.records.metrics.generate import ClassGeneration, GenerateMetrics

TOKENS_PER_CHARACTER: dict[Language, float] = {"zh": 0.75, "en": 0.25}
GUESSED_ACCEPTANCE = (0.5, 0.8, 0.95)  # pessimistic, expected, optimistic
EMBEDDED_SECONDS = (
    0.5,
    1.0,
    3.0,
)  # per response, on two free cores (docs/benchmarks/how-fast-is-generation.md)
REMOTE_SECONDS = (1.0, 4.0, 12.0)
MOST_LOOKED_AT = 200  # recorded responses that lengths are measured on

Range = tuple[float, float, float]  # low, expected, high
Asked = tuple[Ask, tuple[Request, Response] | None]  # with its recorded response, if any


@dataclass(frozen=True)
class ClassEstimate:
    """The estimate of one class; `calls` are the requests that are not recorded yet."""

    label: str
    tier: str
    support: int
    quota: int
    recorded: int
    requests: Range
    calls: Range
    tokens: Range
    cost: Range
    seconds: Range


@dataclass(frozen=True)
class Estimate:
    """The estimate of a run: recorded requests are free, the others cost calls, tokens and time."""

    classes: tuple[ClassEstimate, ...]
    currency: str
    measured: int  # number of responses that lengths were measured on

    def total(self, what: str) -> Range:
        """Return the sum over classes of the range named `what`."""
        ranges = [getattr(item, what) for item in self.classes]
        low, expected, high = (sum(each[i] for each in ranges) for i in range(3))
        return (low, expected, high)


@dataclass(frozen=True)
class _Lengths:
    """Tokens per character and per reply, measured or guessed."""

    tokens_per_character: float
    reply_tokens: float


def dry_run(
    plan: Plan,
    writer: PromptWriter,
    store: ResponseStore,
    generate: GenerateParams,
    llm: LlmParams,
    data: DataParams,
    runtime: RuntimeParams,
    last: Path,
) -> str:
    """Return the text of the dry run: the plan, its estimate and example prompts.

    Args:
        plan: quotas by class.
        writer: writes the real prompts.
        store: recorded responses.
        generate: limits, and lengths of examples and replies.
        llm: prices and their currency.
        data: language and turn separator.
        runtime: concurrency.
        last: metrics/generate.json; may be missing.

    Raises:
        UserError: `last` is not a valid metrics file.
    """
    last_run = read_record(last, GenerateMetrics) if last.exists() else None
    found = estimate(plan, writer, store, generate, llm, data, runtime, last_run)
    return render_estimate(found, writer)


def estimate(
    plan: Plan,
    writer: PromptWriter,
    store: ResponseStore,
    generate: GenerateParams,
    llm: LlmParams,
    data: DataParams,
    runtime: RuntimeParams,
    last_run: GenerateMetrics | None = None,
    most_looked_at: int = MOST_LOOKED_AT,
) -> Estimate:
    """Estimate the requests, tokens, cost and time of each class.

    Args:
        plan: quotas by class.
        writer: writes the real prompts.
        store: recorded responses.
        generate: limits.
        llm: prices.
        data: language and turn separator.
        runtime: concurrency.
        last_run: acceptance rates of the classes, if known.
        most_looked_at: maximum number of recorded responses that lengths are measured on.
    """
    rows = [row for row in plan.classes.to_dict("records") if row["needed"] > 0]
    last = last_run.per_class if last_run else {}
    acceptance = [_acceptance(last.get(str(row["label"]))) for row in rows]
    asked = [
        _asked(
            str(row["label"]),
            _requests(row["needed"], shares[0], generate),
            writer,
            store,
            data.turn_separator,
        )
        for row, shares in zip(rows, acceptance, strict=True)
    ]
    found = [pair for asks in asked for _, pair in asks if pair and _has_usage(pair[1])]
    sample = found[:most_looked_at]
    lengths = _measure(sample, generate, data.language)
    classes = tuple(
        _class(row, shares, asks, lengths, generate, runtime.concurrency)
        for row, shares, asks in zip(rows, acceptance, asked, strict=True)
    )
    return Estimate(classes, llm.currency, len(sample))


def _asked(
    label: str, most: int, writer: PromptWriter, store: ResponseStore, separator: str | None
) -> list[Asked]:
    """Write the first requests as a run would, with the overused n-grams of recorded responses."""
    asked: list[Asked] = []
    texts: list[tuple[str, ...]] = []
    for attempt in range(most):
        known = texts[: writer.needs_written(label, attempt)]
        ask = writer.ask(label, attempt, [text for samples in known for text in samples])
        pair = store.first(ask.requests, ask.rows)
        asked.append((ask, pair))
        texts.append(_samples(ask, pair, separator) if pair else ())
    return asked


def _samples(ask: Ask, pair: tuple[Request, Response], separator: str | None) -> tuple[str, ...]:
    request, response = pair
    return read_samples(response, request, ask.opening, separator).samples


def _class(
    row: Mapping[Hashable, object],
    acceptance: Range,
    asked: list[Asked],
    lengths: _Lengths,
    generate: GenerateParams,
    concurrency: int,
) -> ClassEstimate:
    label, quota = str(row["label"]), int(str(row["needed"]))
    requests = [_requests(quota, share, generate) for share in reversed(acceptance)]
    calls, tokens, cost, seconds = [], [], [], []
    for number, count in enumerate(requests):
        missing = [ask.requests[0] for ask, pair in asked[:count] if pair is None]
        guesses = [(request, _guess(request, lengths)) for request in missing]
        calls.append(len(missing))
        tokens.append(sum(guess.prompt_tokens + guess.completion_tokens for _, guess in guesses))
        cost.append(
            float(sum((spent_on(g, r.endpoint.price).cost for r, g in guesses), Decimal(0)))
        )
        seconds.append(sum(_seconds(r.endpoint, concurrency, number) for r, _ in guesses))
    return ClassEstimate(
        label=label,
        tier=str(row["tier"]),
        support=int(str(row["support"])),
        quota=quota,
        recorded=sum(pair is not None for _, pair in asked[: requests[1]]),
        requests=_range(requests),
        calls=_range(calls),
        tokens=_range(tokens),
        cost=_range(cost),
        seconds=_range(seconds),
    )


def render_estimate(result: Estimate, writer: PromptWriter) -> str:
    """Render the plan, its estimate, and one complete prompt per tier."""
    lines = ["class | tier | train rows | quota | requests | of these recorded"]
    lines += [
        f"{item.label} | {item.tier} | {item.support} | {item.quota} | "
        f"{item.requests[1]:.0f} | {item.recorded}"
        for item in result.classes
    ]
    minutes = tuple(seconds / 60 for seconds in result.total("seconds"))
    lines += [
        "",
        f"requests to send: {_show(result.total('calls'))}; tokens: "
        f"{_show(result.total('tokens'))}; time: {_show(minutes)} min",
    ]
    if result.total("cost")[2] > 0:
        lines.append(f"cost: {_show(result.total('cost'), '.2f')} {result.currency}")
    else:
        lines.append("cost: 0 (no request to send, or no endpoint with a price)")
    lengths = f"{result.measured} recorded responses" if result.measured else "guesses"
    lines.append(f"(expected value and range; lengths from {lengths})")
    for ask in _one_a_tier(result.classes, writer):
        request = ask.requests[0]
        lines += ["", f"--- prompt of {ask.label!r} to {request.endpoint.name} ---"]
        lines += [request.prompt]
    return "\n".join(lines)


def _requests(quota: int, acceptance: float, generate: GenerateParams) -> int:
    wanted = math.ceil(quota / acceptance / generate.samples_per_request)
    return min(wanted, generate.max_attempts_per_class)


def _acceptance(last: ClassGeneration | None) -> Range:
    """Return low, expected and high: the last run's rate +- two standard errors, or guesses."""
    if last is None or not last.candidates:
        return GUESSED_ACCEPTANCE
    # one accepted and one rejected draw are added, so that rates of 0 and 1 are not certain
    draws, accepted = last.candidates + 2, last.accepted + 1
    share = accepted / draws
    error = 2 * math.sqrt(share * (1 - share) / draws)
    low, expected, high = (
        min(max(each, 0.05), 1.0) for each in (share - error, share, share + error)
    )
    return (low, expected, high)


def _has_usage(response: Response) -> bool:
    """Whether the endpoint reported token counts; not all do."""
    return response.prompt_tokens > 0 and response.completion_tokens > 0


def _measure(
    sample: list[tuple[Request, Response]], generate: GenerateParams, language: Language
) -> _Lengths:
    characters = sum(len(request.prompt) for request, _ in sample)
    prompts = sum(response.prompt_tokens for _, response in sample)
    replies = sum(response.completion_tokens for _, response in sample)
    if sample:
        return _Lengths(prompts / characters, replies / len(sample))
    per_character = TOKENS_PER_CHARACTER[language]
    reply = per_character * generate.seed_max_chars * generate.samples_per_request
    return _Lengths(per_character, reply)


def _guess(request: Request, lengths: _Lengths) -> Response:
    prompt = round(lengths.tokens_per_character * len(request.prompt))
    return Response("", "stop", prompt, round(lengths.reply_tokens))


def _seconds(endpoint: EndpointParams, concurrency: int, number: int) -> float:
    """Return the seconds that one response adds to the run."""
    if endpoint.embedded:
        return EMBEDDED_SECONDS[number]
    at_once = REMOTE_SECONDS[number] / (endpoint.concurrency or concurrency)
    return max(at_once, 60 / endpoint.requests_per_minute if endpoint.requests_per_minute else 0.0)


def _range(values: Iterable[float]) -> Range:
    low, expected, high = sorted(values)
    return (low, expected, high)


def _show(values: Iterable[float], form: str = ",.0f") -> str:
    low, expected, high = values
    if format(low, form) == format(high, form):
        return format(expected, form)
    return f"{expected:{form}} ({low:{form}} to {high:{form}})"


def _one_a_tier(classes: Iterable[ClassEstimate], writer: PromptWriter) -> list[Ask]:
    first = {item.tier: item.label for item in reversed(list(classes))}
    return [writer.ask(label, 0) for label in first.values()]
