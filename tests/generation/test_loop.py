"""The loop: requests samples until each class has its quota, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.config.generate import GenerateParams
from src.errors import UserError
from src.generation import endpoint_choice as bandit
from src.generation.failures import FailedRequest
from src.generation.loop import QuotaLoop
from src.generation.prompts import Ask
from src.generation.quota import ClassRun, Generated
from src.llm.client import Failure, OutOfBudget, Received
from src.llm.requests import Response
from src.records.samples import Candidate
from tests.llm.conftest import MakeRequest

Observation = Received | Failure | OutOfBudget
Model = Callable[[Ask], Awaitable[Observation]]


@dataclass
class Writer:
    """Chat requests without prompts; a class called `told` needs its earlier samples.

    One called `screened` needs verdicts, if `screened` is set.
    """

    make_request: MakeRequest
    told: list[tuple[int, Sequence[str]]]
    past: list[tuple[int, Sequence[bandit.Observation]]] = field(default_factory=list)
    screened: bool = False

    def ask(
        self, label: str, attempt: int, written: Sequence[str], past: Sequence[bandit.Observation]
    ) -> Ask:
        """The n-th request of a class."""
        if label == "screened":
            self.past.append((attempt, past))
        if label == "told":
            self.told.append((attempt, written))
        request = self.make_request(label, index=attempt, api="chat")
        return Ask(label, attempt, "", {"mood": "calm"}, ("r0",), (request,))

    def needs_written(self, label: str, attempt: int) -> int:
        """All groups of four except the one just before."""
        return max(attempt // 4 - 1, 0) * 4 if label == "told" else 0

    def needs_screened(self, attempt: int) -> int:
        """The complete groups of four before this one, if verdicts are used."""
        return attempt // 4 * 4 if self.screened else 0


@dataclass
class Run:
    """The result, the requests in order, and the maximum number in flight."""

    generated: Generated
    asked: list[tuple[str, int]]
    most_out: int
    told: list[tuple[int, Sequence[str]]]
    past: list[tuple[int, Sequence[bandit.Observation]]]

    def of(self, label: str) -> ClassRun:
        """One class."""
        return next(run for run in self.generated.classes if run.label == label)


def run(
    quotas: dict[str, int],
    params: GenerateParams,
    make_request: MakeRequest,
    model: Model,
    most_at_once: int = 1000,
    *,
    screened: bool = False,
) -> Run:
    """Run the loop; samples that begin with 好 are accepted."""
    asked: list[tuple[str, int]] = []
    out = most_out = 0

    async def ask_model(ask: Ask) -> Observation:
        nonlocal out, most_out
        asked.append((ask.label, ask.attempt))
        out += 1
        most_out = max(most_out, out)
        try:
            return await model(ask)
        finally:
            out -= 1

    def accepts(candidates: Sequence[Candidate]) -> list[bool]:
        return [candidate.text.startswith("好") for candidate in candidates]

    writer = Writer(make_request, [], screened=screened)

    async def main() -> Generated:
        loop = QuotaLoop(quotas, writer, ask_model, accepts, params, None, most_at_once)  # type: ignore[arg-type]
        return await loop.run()

    return Run(asyncio.run(main()), asked, most_out, writer.told, writer.past)


def says(ask: Ask, words: str, *tries: str) -> Received:
    """A reply with one sample per word."""
    lines = [f"对话{number}：{word}" for number, word in enumerate(words.split(), 1)]
    return Received(ask.requests[0], Response("\n".join(lines), "stop", 1, 1), tries)


def fails(ask: Ask, *tries: str) -> Failure:
    """A request without a response."""
    return Failure(ask.requests[0], tries)


async def always(ask: Ask) -> Received:
    """Every sample is good."""
    return says(ask, "好")


async def never(ask: Ask) -> Received:
    """No sample is good."""
    return says(ask, "坏")


async def every_fourth(ask: Ask) -> Received:
    """One sample in four is good."""
    return says(ask, "坏" if ask.attempt % 4 else "好")


def test_nothing_is_bought_in_vain(generate: GenerateParams, make_request: MakeRequest) -> None:
    """A quota of 8 and all good: 8 requests; a quota of 0: none."""
    done = run({"a": 8, "b": 0, "c": 1}, generate, make_request, always)
    assert sorted(done.asked) == [("a", n) for n in range(8)] + [("c", 0)]
    assert [(each.label, each.accepted, each.stopped) for each in done.generated.classes] == [
        ("a", 8, None),
        ("c", 1, None),
    ]
    assert done.generated.failures == []


def test_missing_samples_are_requested(generate: GenerateParams, make_request: MakeRequest) -> None:
    """A quota of 12 with 0, 4, ... 44 good: request 44 completes it and is the last."""
    done = run({"a": 12}, generate, make_request, every_fourth)
    assert done.asked == [("a", n) for n in range(45)]
    assert (done.of("a").screened, done.of("a").accepted) == (45, 12)


def test_the_limit_in_flight_is_used_and_kept(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Over all classes; each free slot is taken at once."""

    async def model(ask: Ask) -> Received:
        await asyncio.sleep(0.001)
        return says(ask, "好")

    done = run({"a": 30, "b": 30}, generate, make_request, model, most_at_once=7)
    assert done.most_out == 7
    assert len(done.asked) == 60


def test_a_group_of_one_prompt_stays_together(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Four requests of a class, then four of the next: a server reads each prompt once."""
    done = run({"a": 8, "b": 6}, generate, make_request, always, most_at_once=1)
    assert "".join(label for label, _ in done.asked) == "aaaabbbbaaaabb"


def test_a_slow_response_holds_nothing_up(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """All requests that do not depend on it are sent while it is in flight."""
    others: list[int] = []
    release = asyncio.Event()

    async def model(ask: Ask) -> Received:
        if ask.attempt == 0:
            await release.wait()
            return says(ask, "好")
        others.append(ask.attempt)
        if len(others) == 9:
            release.set()
        return says(ask, "好" if ask.attempt % 2 else "坏")

    done = run({"a": 6}, generate, make_request, model, most_at_once=3)
    assert done.of("a").accepted == 6
    assert max(others) == 9


def test_it_stops_at_the_limit_of_attempts(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Exactly there, with the reason."""
    params = generate.model_copy(update={"max_attempts_per_class": 30, "min_acceptance": 0.0})
    done = run({"a": 20}, params, make_request, every_fourth)
    assert len(done.asked) == 30
    assert done.of("a").stopped == "max_attempts_per_class"
    assert done.of("a").accepted == 8


def test_it_stops_where_too_little_is_accepted(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """After 40 samples, so that a bad start is not decisive; other classes continue."""

    async def model(ask: Ask) -> Received:
        return await (never(ask) if ask.label == "bad" else always(ask))

    done = run({"bad": 60, "good": 70}, generate, make_request, model)
    assert (done.of("bad").stopped, done.of("good").stopped) == ("min_acceptance", None)
    assert done.of("bad").screened == 40
    assert len(done.of("bad").candidates(1000)) == 60  # those in flight are not lost
    assert done.of("good").accepted == 70
    assert len([c for c in done.generated.candidates if c.label == "bad"]) == 40


def test_failed_requests_count_as_not_accepted(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """An endpoint that returns nothing is not called forever; each failure is listed."""

    async def model(ask: Ask) -> Observation:
        if ask.attempt % 2:
            return fails(ask, "small: HTTP 500", "small: HTTP 429")
        return Received(ask.requests[0], Response(" ", "stop", 1, 0))

    done = run({"a": 20}, generate, make_request, model)
    assert done.of("a").stopped == "min_acceptance"
    assert done.of("a").screened == 40
    assert done.generated.candidates == []
    assert done.generated.failure_counts() == {
        "empty": sum(attempt % 2 == 0 for _, attempt in done.asked),
        "no_response": sum(attempt % 2 for _, attempt in done.asked),
    }
    assert done.generated.failures[1] == FailedRequest(
        label="a",
        attempt=1,
        request_key=make_request("a", index=1, api="chat").key,
        endpoint="small",
        kind="no_response",
        tries=("small: HTTP 500", "small: HTTP 429"),
    )


def test_a_recovered_request_is_listed(generate: GenerateParams, make_request: MakeRequest) -> None:
    """But it does not count as a failed request."""

    async def model(ask: Ask) -> Received:
        return says(ask, "好", "small: HTTP 503")

    done = run({"a": 1}, generate, make_request, model)
    assert [(f.kind, f.tries) for f in done.generated.failures] == [
        ("recovered", ("small: HTTP 503",))
    ]
    assert done.generated.failure_counts() == {}


def test_each_sample_of_a_reply_counts(generate: GenerateParams, make_request: MakeRequest) -> None:
    """A quota of 40, 2 of 5 good: 8 requests for 40, then 5 for the 24 missing, ...; 20 in all."""

    async def model(ask: Ask) -> Received:
        return says(ask, "好 坏 好 坏 坏")

    five = generate.model_copy(update={"samples_per_request": 5})
    done = run({"a": 40}, five, make_request, model)
    assert len(done.asked) == 20
    assert done.of("a").accepted == 40
    assert len(done.generated.candidates) == 100


def test_the_floor_is_a_share_of_samples(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """One good sample in ten is too little, also with ten per reply: 40 are 4 replies."""

    async def model(ask: Ask) -> Received:
        return says(ask, "好" + " 坏" * 9)

    ten = generate.model_copy(update={"samples_per_request": 10})
    done = run({"a": 50}, ten, make_request, model)
    assert done.of("a").stopped == "min_acceptance"
    assert done.of("a").screened == 4


def test_candidates_say_where_they_are_from(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Golden record; ids differ within a reply; base models have no attributes."""

    async def model(ask: Ask) -> Received:
        return says(ask, "好一 好二")

    done = run({"a": 2}, generate, make_request, model)
    key = make_request("a", api="chat").key
    assert done.generated.candidates[:2] == [
        Candidate(
            id=f"{key[:16]}-{n}",
            label="a",
            text=text,
            request_key=key,
            endpoint="small",
            model="m",
            attempt=0,
            seed_ids=("r0",),
            attributes={"mood": "calm"},
            prompt_version="",
        )
        for n, text in enumerate(["好一", "好二"])
    ]

    async def base_model(ask: Ask) -> Received:
        request = make_request("a", index=ask.attempt)
        return Received(request, Response("好", "stop", 1, 1))

    (candidate,) = run({"a": 1}, generate, make_request, base_model).generated.candidates
    assert candidate.attributes == {}


def test_the_writer_gets_samples_of_earlier_groups(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """All that returned before the group in flight, in any order of responses."""

    async def model(ask: Ask) -> Received:
        await asyncio.sleep(Random(ask.attempt).random() / 50)
        return says(ask, f"好{ask.attempt}")

    done = run({"told": 18}, generate, make_request, model)
    assert sorted(done.told) == [
        (n, [f"好{i}" for i in range(max(n // 4 - 1, 0) * 4)]) for n in range(18)
    ]


def test_the_writer_gets_final_verdicts(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Of the requests before its group, from any endpoint and in any order."""

    async def model(ask: Ask) -> Observation:
        await asyncio.sleep(Random(ask.attempt).random() / 50)
        if ask.attempt % 5 == 4:
            return fails(ask, "small: HTTP 500")
        return says(ask, "坏" if ask.attempt % 3 else "好 好")

    done = run({"screened": 18}, generate, make_request, model, screened=True)
    observations = [
        bandit.Observation("small", 1, 0)
        if n % 5 == 4 or n % 3
        else bandit.Observation("small", 2, 2)
        for n in range(len(done.asked))
    ]
    assert done.past == [(n, observations[: n // 4 * 4]) for n in range(len(done.asked))]
    assert done.of("screened").accepted >= 18


def test_a_spent_budget_ends_every_class(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Paid responses count, also after a request that was not sent; the reason is recorded."""

    async def model(ask: Ask) -> Observation:
        return OutOfBudget() if ask.attempt in (3, 5) else says(ask, "好")

    done = run({"a": 10, "b": 3}, generate, make_request, model, most_at_once=6)
    assert done.of("a").stopped == "budget"
    assert done.of("a").accepted == sum(
        label == "a" and attempt not in (3, 5) for label, attempt in done.asked
    )
    assert done.of("a").draws == done.of("a").accepted


def test_the_order_of_responses_does_not_matter(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Slow and fast responses, one at a time or many: equal results from equal requests."""

    def model_with(pause: Random, at_once: int) -> Model:
        slots = asyncio.Semaphore(at_once)

        async def model(ask: Ask) -> Observation:
            async with slots:
                for _ in range(int(pause.random() * 5)):
                    await asyncio.sleep(0)
            draw = Random(f"{ask.label}/{ask.attempt}").random()
            return fails(ask, "HTTP 500") if draw < 0.1 else says(ask, "好" if draw < 0.5 else "坏")

        return model

    quotas = {"a": 30, "b": 7, "c": 12}
    runs = [
        run(quotas, generate, make_request, model_with(Random(seed), at_once), most)
        for seed, at_once, most in ((1, 1, 5), (2, 4, 1000), (3, 64, 17))
    ]
    assert all(each.generated.candidates == runs[0].generated.candidates for each in runs)
    assert all(each.generated.failures == runs[0].generated.failures for each in runs)
    assert all(sorted(each.asked) == sorted(runs[0].asked) for each in runs)


def test_an_error_ends_the_run_and_the_other_requests(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """The first UserError is raised unchanged; no request is left running."""
    ended: list[int] = []

    async def model(ask: Ask) -> Received:
        if ask.attempt == 3:
            raise UserError("endpoint 'small' responds with HTTP 401; correct the key")
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(ask.attempt)
        return says(ask, "好")

    with pytest.raises(
        UserError, match=r"^endpoint 'small' responds with HTTP 401; correct the key$"
    ):
        run({"a": 8}, generate, make_request, model)
    assert sorted(ended) == [0, 1, 2, 4, 5, 6, 7]


def test_our_own_mistakes_are_not_hidden(
    generate: GenerateParams, make_request: MakeRequest
) -> None:
    """Other exceptions keep their type."""

    async def model(ask: Ask) -> Received:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run({"a": 1}, generate, make_request, model)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    quota=st.integers(1, 60),
    limit=st.integers(1, 120),
    floor=st.floats(0, 1),
    per_reply=st.integers(1, 5),
    share=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_it_always_ends_within_its_limits(
    quota: int,
    limit: int,
    floor: float,
    per_reply: int,
    share: float,
    seed: int,
    generate: GenerateParams,
    make_request: MakeRequest,
) -> None:
    """Each class ends with its quota or a reason, within its attempts, in order."""
    params = generate.model_copy(
        update={
            "samples_per_request": per_reply,
            "max_attempts_per_class": limit,
            "min_acceptance": floor,
        }
    )

    async def model(ask: Ask) -> Observation:
        rng = Random(f"{seed}/{ask.attempt}")
        if rng.random() < 0.1:
            return fails(ask, "HTTP 500")
        return says(ask, " ".join("好" if rng.random() < share else "坏" for _ in range(per_reply)))

    done = run({"a": quota}, params, make_request, model)
    only = done.of("a")
    assert sorted(done.asked) == [("a", n) for n in range(len(only.attempts))]
    assert only.screened <= len(done.asked) <= limit
    assert (only.accepted >= quota) is (only.stopped is None)
    kept = [candidate.text for candidate in done.generated.candidates]
    assert only.accepted == kept.count("好")
    assert only.accepted < quota + per_reply
    if only.stopped != "min_acceptance":
        assert only.screened == len(done.asked)  # no response was paid for in vain
