"""The part of a train row that a prompt shows."""

from __future__ import annotations

ENOUGH_KEYWORDS = 6  # of an excerpt; beyond that the longer one is the better example


def excerpt(turns: list[str], keywords: tuple[str, ...], max_chars: int) -> list[str]:
    """The run of turns, up to `max_chars`, that says most of what marks the class.

    A long call touches other intents as well; a small model that sees all of it writes about
    none. A single turn that is too long is kept whole.
    """
    best, best_worth = turns, (-1, 0)
    for start in range(len(turns)):
        length = 0
        for end in range(start, len(turns)):
            length += len(turns[end])
            if length > max_chars and end > start:
                break
            run = turns[start : end + 1]
            hits = sum(word in " ".join(run) for word in keywords)
            worth = (min(hits, ENOUGH_KEYWORDS), length)
            if worth > best_worth:
                best, best_worth = run, worth
    return best
