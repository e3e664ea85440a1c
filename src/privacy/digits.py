"""Read digits as people say them: Arabic, spoken or mixed, with fillers between them."""

from __future__ import annotations

import re

SPOKEN = dict(zip("零〇洞幺一二两三四五六七八九", "00011223456789", strict=True))
FULL_WIDTH = dict(zip("０１２３４５６７８９", "0123456789", strict=True))
TO_ARABIC = str.maketrans(SPOKEN | FULL_WIDTH | dict.fromkeys("xX叉", "X"))
ENGLISH = dict(
    zip(
        ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
        "00123456789",
        strict=True,
    )
)
D = "[0-9０-９" + "".join(SPOKEN) + "]"
E = rf"(?:\d|\b(?:{'|'.join(ENGLISH)})\b)"
FILLER = "(?:那个|就是|然后|[嗯呃啊哦额哎诶唉嘛])"
HEARING = (
    r"(?:[嗯呃啊哦额哎诶唉对好是行的]|那个|您说|请说|您?继续|接着说|然后呢?|还有呢?|后面呢?|\s)"
)
FILLER_TURN = re.compile(f"{HEARING}*")
MANY = re.compile(r"([2-9])个(\d)")  # 三个八
MULTIPLE = re.compile(r"(double|triple)[\s-]+(\w+)", re.IGNORECASE)


def read_chinese(spoken: str) -> str:
    """Return the Arabic digits (and X) of a number spoken in Chinese."""
    digits = spoken.translate(TO_ARABIC)
    if "个" in digits:
        digits = MANY.sub(lambda match: int(match[1]) * match[2], digits)
    return re.sub(r"[^\dX]", "", digits)


def read_english(spoken: str) -> str:
    """Return the Arabic digits of a number spoken in English."""
    spoken = MULTIPLE.sub(lambda m: f"{m[2]} " * (2 if m[1].lower() == "double" else 3), spoken)
    return "".join(ENGLISH.get(word.lower(), word) for word in re.findall(r"\d+|[A-Za-z]+", spoken))
