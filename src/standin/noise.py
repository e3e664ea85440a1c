"""Add the errors of bad speech recognition to turns."""

from __future__ import annotations

from random import Random

from src.data.draws import between, pick
from src.standin.scenarios import Noise


def add_noise(turns: list[str], noise: float, words: Noise, rng: Random) -> list[str]:
    """Return turns with errors of bad speech recognition; unchanged at noise 0.

    Adds fillers, repeated words, homophones, cut, split and merged turns, and stray words, all in
    proportion to `noise`.
    """
    if noise == 0:
        return turns
    out: list[str] = []
    for turn in turns:
        text = _mishear(_stumble(turn, noise, words, rng), noise, words, rng)
        if len(text) > 12 and rng.random() < 0.12 * noise:  # cut
            text = text[: between(rng, 5, len(text))]
        if out and rng.random() < 0.45 * noise:  # merge with the turn before
            out[-1] += text
            continue
        if len(text) > 24 and rng.random() < 0.3 * noise:  # the other speaker interrupts
            middle = between(rng, 8, len(text) - 8)
            out += [text[:middle], pick(rng, words.junk), text[middle:]]
            continue
        out.append(text)
        if rng.random() < 0.14 * noise:
            out.append(pick(rng, words.junk))
    return out


def _stumble(text: str, noise: float, words: Noise, rng: Random) -> str:
    """Add fillers before and inside a turn, and repeat a few characters."""
    if rng.random() < 0.5 * noise:
        text = pick(rng, words.fillers) + text
    parts: list[str] = []
    at = 0
    while at < len(text):
        step = between(rng, 5, 12)
        part = text[at : at + step]
        at += step
        if rng.random() < 0.14 * noise:
            part += pick(rng, words.fillers)
        elif len(part) > 3 and rng.random() < 0.16 * noise:
            part += part[-between(rng, 1, 4) :]
        parts.append(part)
    return "".join(parts)


def _mishear(text: str, noise: float, words: Noise, rng: Random) -> str:
    """Replace characters with homophones."""
    homophones = words.homophones
    return "".join(
        pick(rng, homophones[c]) if c in homophones and rng.random() < 0.09 * noise else c
        for c in text
    )
