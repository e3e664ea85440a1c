"""Benchmark: time and exactness of the quality gate for many candidates and many rows.

    make bench-filter
    python -m benchmarks.filtering --sizes 2000 --sizes 10000 --compared 2000

Rows are calls of the stand-in with scaled class counts: train has the given size, and dev and test
grow in proportion. There are as many candidates as train rows: calls from the same bank with
another seed, equally many per class. One in five is a planted copy of a train row, of a dev or test
row, or of an earlier candidate of its class (a third each), with 0 to 10 % of its characters
replaced (about 5 % are enough to fall below the limit of 0.85).

Each size runs in its own process; its peak memory includes composing the calls. Agreement is
measured on the first candidates: the approximate search for many rows against the exact search.
"""

from __future__ import annotations

import logging
import resource
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random
from typing import Annotated, NamedTuple

import pandas as pd
import typer

from src.config.params import Params, load_params
from src.data.dialogue import STANDIN_SEPARATOR, join_turns, split_turns
from src.data.schema import Splits, read_labels
from src.gate.gate import Gate, Verdicts
from src.gate.label_check import check_labels
from src.gate.overlap import Search
from src.gate.score_table import scores_table
from src.gate.screening import screen_all
from src.planning.plan import Plan
from src.records.samples import Candidate
from src.reporting.markdown import table
from src.standin.corpus import compose_corpus
from src.standin.scenarios import CLASSES, load_bank

COPIES = 0.2  # share of the candidates
MAX_REPLACED = 0.1  # of a copy's characters
SCORE_OF = {
    "seed_similarity": "seed_overlap",
    "contamination": "contamination",
    "contradiction": "contradiction",
    "near_duplicate": "near_duplicate",
}


class CopyVerdicts(NamedTuple):
    """Agreement of the two searches for one rule on the same candidates."""

    rule: str
    candidates: int
    copies: int  # found by the exact search
    same: int  # candidates with the same verdict


class Figures(NamedTuple):
    """Measurements for one size."""

    rows: int
    held_out: int
    candidates: int
    rejected: int
    score_s: float
    filter_s: float
    peak_mb: float
    copies: tuple[CopyVerdicts, ...]


def main(
    sizes: Annotated[
        list[int] | None, typer.Option(help="number of train rows and of candidates")
    ] = None,
    compared: Annotated[
        int, typer.Option(help="number of candidates on which the searches are compared")
    ] = 10000,
) -> None:
    """Print the tables of docs/benchmarks/how-fast-is-the-gate.md."""
    figures: list[Figures] = []
    for size in sizes or [10_000, 100_000]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            figures.append(pool.submit(measure_gate, size, compared).result())
    header = ("train rows", "held-out rows", "candidates", "rejected", "score", "filter", "peak")
    rows = [
        (
            *map(str, (run.rows, run.held_out, run.candidates, run.rejected)),
            *(f"{run.score_s:.1f} s", f"{run.filter_s:.1f} s", f"{run.peak_mb:.0f} MB"),
        )
        for run in figures
    ]
    typer.echo(table(header, rows, numbers=False))
    seconds = [run.score_s + run.filter_s for run in figures]
    typer.echo(
        f"\ntime: {seconds[-1] / seconds[0]:.1f} times for "
        f"{figures[-1].rows / figures[0].rows:.1f} times the rows and candidates\n"
    )
    verdicts = [
        (str(run.rows), rule, str(candidates), str(copies), f"{same / candidates:.2%}")
        for run in figures
        for rule, candidates, copies, same in run.copies
    ]
    columns = ("train rows", "rule", "candidates", "copies", "same verdict")
    typer.echo(table(columns, verdicts, numbers=False))


def measure_gate(size: int, compared: int) -> Figures:
    """Compose rows and candidates of the given size, score their labels and run the gate."""
    logging.disable(logging.WARNING)
    params = load_params()
    frames, candidates = compose(size, params)
    splits = Splits(frames["train"], frames["dev"], frames["test"], read_labels(params.data.labels))
    plan = _plan(candidates)
    start = time.perf_counter()
    separator = params.data.turn_separator
    checked = check_labels(candidates, splits.train, splits.labels, separator)
    scored = time.perf_counter()
    verdicts = screen_all(
        candidates,
        splits,
        plan,
        params.filter,
        params.data,
        params.embedding,
        scores_table(candidates, checked),
        {},
    )
    end = time.perf_counter()
    return Figures(
        rows=len(splits.train),
        held_out=len(splits.dev) + len(splits.test),
        candidates=len(candidates),
        rejected=len(verdicts.rejected),
        score_s=scored - start,
        filter_s=end - scored,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        copies=_compared_copies(frames, candidates[:compared], params),
    )


def _plan(candidates: list[Candidate]) -> Plan:
    """Return a plan that needs half of the candidates per class, so that selection has work."""
    counts = Counter(candidate.label for candidate in candidates)
    rows = [{"label": name, "needed": n // 2, "keywords": ""} for name, n in counts.items()]
    return Plan(pd.DataFrame(rows))


def compose(size: int, params: Params) -> tuple[dict[str, pd.DataFrame], list[Candidate]]:
    """Return splits with columns row_id, text, label, and candidates, one in five a copy."""
    bank, classes = load_bank(), pd.read_csv(CLASSES)
    counts = classes[["train", "test"]] * size / classes["train"].sum()
    scaled = classes.assign(
        train=counts["train"].round().clip(lower=1).astype(int),
        test=counts["test"].round().astype(int),
    )
    splits: dict[str, pd.DataFrame] = {
        split: _canonical(frame)
        for split, frame in compose_corpus(bank, scaled, params.corpus).items()
    }
    others = params.corpus.model_copy(update={"seed": params.corpus.seed + 1})
    each = classes.assign(train=size // len(classes) + 1, test=0)
    fresh = _canonical(compose_corpus(bank, each, others)["train"]).head(size)
    return splits, _with_copies(fresh, splits, Random(params.corpus.seed))


def _canonical(frame: pd.DataFrame) -> pd.DataFrame:
    names = {"call_id": "row_id", "sentence_sep": "text", "label_raw": "label"}
    return frame.rename(columns=names)[list(names.values())]


def _with_copies(
    fresh: pd.DataFrame, splits: dict[str, pd.DataFrame], rng: Random
) -> list[Candidate]:
    """Return the fresh calls as candidates, with one in five replaced by an edited copy."""
    held_out = pd.concat([splits["dev"], splits["test"]])
    train_of, held_out_of = (
        {label: rows.tolist() for label, rows in frame.groupby("label")["text"]}
        for frame in (splits["train"], held_out)
    )
    earlier_of: defaultdict[str, list[str]] = defaultdict(list)
    candidates: list[Candidate] = []
    for number, (text, label) in enumerate(zip(fresh["text"], fresh["label"], strict=True)):
        if rng.random() < COPIES:
            source = rng.choice((train_of[label], held_out_of[label], earlier_of[label] or [text]))
            text = _edited(rng.choice(source), rng)
        earlier_of[label].append(text)
        candidates.append(Candidate(f"candidate-{number}", label, text))
    return candidates


def _edited(text: str, rng: Random) -> str:
    """Return the text with some of its characters replaced by other characters of the text."""
    share = rng.uniform(0, MAX_REPLACED)
    turns = split_turns(text, STANDIN_SEPARATOR)
    characters = "".join(turns)
    edited = [
        "".join(rng.choice(characters) if rng.random() < share else char for char in turn)
        for turn in turns
    ]
    return join_turns(edited, STANDIN_SEPARATOR)


def _compared_copies(
    splits: dict[str, pd.DataFrame], candidates: list[Candidate], params: Params
) -> tuple[CopyVerdicts, ...]:
    ours, exact = (
        _copies(_gate(splits, params, Search(exact_rows=rows)).screen(candidates), params)
        for rows in (0, 10**9)
    )
    return tuple(
        CopyVerdicts(
            rule,
            len(candidates),
            len(exact[rule]),
            len(candidates) - len(exact[rule] ^ ours[rule]),
        )
        for rule in SCORE_OF
    )


def _gate(splits: dict[str, pd.DataFrame], params: Params, search: Search) -> Gate:
    train, dev, test = (splits[name] for name in ("train", "dev", "test"))
    return Gate(train, dev, test, {}, params.filter, params.data, search=search)


def _copies(verdicts: Verdicts, params: Params) -> dict[str, set[str]]:
    """Return rule -> ids of candidates that it considers copies, whichever rule rejects them."""
    return {
        rule: {
            one.id
            for one in verdicts.all
            if getattr(one.known_scores, score) > getattr(params.filter, rule).max_overlap
        }
        for rule, score in SCORE_OF.items()
    }


if __name__ == "__main__":
    typer.run(main)
