"""What a run would take, without calling anything.

Prompt lengths are those of the real prompts; reply lengths are those of the examples that they
show. Speed is known for the embedded model only, as measured (docs/benchmarks.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from src.config import Params
from src.llm.cache import AnswerStore
from src.llm.prompts import Ask, PromptWriter
from src.llm.quota import FIRST_GUESS
from src.planning.plan import Plan

TOKENS_PER_CHARACTER = {"zh": 0.75, "en": 0.25}
EMBEDDED_ANSWERS_PER_MINUTE = 20
REMOTE_SECONDS_PER_ANSWER = 5


@dataclass(frozen=True)
class ClassEstimate:
    """One class's share of a run."""

    label: str
    tier: str
    support: int
    quota: int
    requests: int
    recorded: int
    prompt_tokens: int
    reply_tokens: int


@dataclass(frozen=True)
class Estimate:
    """A whole run: recorded requests cost nothing, the others cost calls, tokens and time."""

    classes: tuple[ClassEstimate, ...]
    minutes: float

    @property
    def calls(self) -> int:
        """Requests that an endpoint would be asked."""
        return sum(item.requests - item.recorded for item in self.classes)


def estimate(plan: Plan, writer: PromptWriter, store: AnswerStore, params: Params) -> Estimate:
    """Count what the first requests of each class would take at an acceptance of 80 %."""
    per_character = TOKENS_PER_CHARACTER[params.data.language]
    classes = []
    for row in plan.classes.to_dict("records"):
        if row["needed"] == 0:
            continue
        wanted = math.ceil(row["needed"] / FIRST_GUESS / params.generate.samples_per_request)
        asks = [
            writer.ask(row["label"], n)
            for n in range(min(wanted, params.generate.max_attempts_per_class))
        ]
        open_asks = [ask for ask in asks if store.get(ask.request.key) is None]
        classes.append(
            ClassEstimate(
                label=row["label"],
                tier=row["tier"],
                support=int(row["support"]),
                quota=int(row["needed"]),
                requests=len(asks),
                recorded=len(asks) - len(open_asks),
                prompt_tokens=round(per_character * sum(len(a.request.prompt) for a in open_asks)),
                reply_tokens=round(
                    per_character
                    * params.generate.seed_max_chars
                    * len(open_asks)
                    * params.generate.samples_per_request
                ),
            )
        )
    return Estimate(tuple(classes), _minutes(classes, params))


def render_estimate(result: Estimate, writer: PromptWriter) -> str:
    """The plan, what it takes, and one filled-in prompt a tier."""
    lines = ["class | tier | train rows | samples wanted | requests | of these recorded"]
    lines += [
        f"{item.label} | {item.tier} | {item.support} | {item.quota} | {item.requests} | "
        f"{item.recorded}"
        for item in result.classes
    ]
    prompt = sum(item.prompt_tokens for item in result.classes)
    reply = sum(item.reply_tokens for item in result.classes)
    lines += [
        "",
        f"calls: {result.calls}; tokens: about {prompt:,} in prompts and {reply:,} in replies; "
        f"time: about {result.minutes:.0f} min (at 80 % acceptance)",
    ]
    for ask in _one_a_tier(result.classes, writer):
        lines += ["", f"--- prompt of {ask.label!r} to {ask.request.endpoint.name} ---"]
        lines += [ask.request.prompt]
    return "\n".join(lines)


def _one_a_tier(classes: Iterable[ClassEstimate], writer: PromptWriter) -> list[Ask]:
    first = {item.tier: item.label for item in reversed(list(classes))}
    return [writer.ask(label, 0) for label in first.values()]


def _minutes(classes: list[ClassEstimate], params: Params) -> float:
    calls = sum(item.requests - item.recorded for item in classes)
    if any(endpoint.embedded for endpoint in params.llm.endpoints):
        return calls / EMBEDDED_ANSWERS_PER_MINUTE
    return calls * REMOTE_SECONDS_PER_ANSWER / params.runtime.concurrency / 60
