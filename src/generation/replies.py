"""Read the samples in a model's reply, or find out why there are none.

    read_samples(response, request, opening, "[SEP]")  ->  ReadReply(("我要补卡[SEP]好的",), None)

Nothing here raises, whatever the reply is: a bad reply must not end the run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from src.data.dialogue import read_reply, split_turns
from src.llm.requests import Request, Response
from src.llm.thoughts import without_thoughts

NUMBERED = re.compile(
    r"^(?:[^\S\n]|[#*])*(?:(?:对话|通话|例句|样本|dialogue|call|example|sample)\s*\d+|\d+)"
    r"[\s*]*(?:[:：、)）]|\.(?!\d))\**",
    re.IGNORECASE | re.MULTILINE,
)
SORRY = r"(?:抱歉|对不起|不好意思)(?:.{0,20}[,，])?\W*"
CANNOT = (
    r"我?(?:暂时|目前|现在|恐怕|确实|实在|还|也)*(?:无法|不能|不便|没法|没办法|不可以)"
    r"(?:[为给向帮][您你]|直接|继续|再)*(?:提供|生成|满足|协助|完成|回答|编写|撰写|创作|写|模拟|讨论)"
)
TASK = "请求|要求|内容|对话|样[例本]|例句|指令|话题"
I_CANNOT = r"\bI(?: am|'m)? (?:can't|cannot|can not|won't|(?:unable|not able) to) (?:\w+ ){0,2}?"
REFUSAL = re.compile(
    "|".join(
        [  # the model refers to itself, or to the writing task that it refuses
            r"作为(?:一[个名款])?\W?(?:AI|人工智能|大?语言模型|大模型).*(?:无法|不能|不会|不便|没)",
            rf"^\W*{CANNOT}.{{0,20}}(?:{TASK})",
            rf"{SORRY}{CANNOT}(?:.{{0,20}}(?:{TASK}|任务|问题|信息|数据|句子|帮助|真实)|[您你]?[。!！])",
            rf"(?:{TASK}|任务|问题)\W{{0,2}}{CANNOT}",
            r"我还没有?学[会习](?:如何)?回答",
            r"\bAs an AI\b.*(?:n't|cannot|can not|not able|unable)",
            rf"{I_CANNOT}(?:help (?:you )?with|assist|comply)\b",
            rf"{I_CANNOT}(?:provide|write|create|generate|produce|fulfil|complete|share)\b.{{0,40}}"
            r"\b(?:content|dialogues?|conversations?|examples?|samples?|sentences?|training data"
            r"|(?:this|that|your) request)\b",
        ]
    ),
    re.IGNORECASE,
)
FENCE = re.compile(r"^[^\S\n]*```\w*[^\S\n]*$", re.MULTILINE)

# start of JSON; "[" may also start a line such as "[笑声] 您好"
JSON = re.compile(r"""\A\s*(?=\{)|(?=\{\s*")|(?=\[\s*(?:["'{[\]]|\Z))""")
BETWEEN = re.compile(r"[\s,]*")
TURNS = re.compile(r"(?=\[\s*\")")  # possible start of a list of turns
TEXT_KEYS = ("text", "content", "utterance", "sentence", "内容", "文本", "句子", "话")
ROLE_KEYS = frozenset({"speaker", "role", "角色", "说话人"})
DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class ReadReply:
    """Texts of samples, or the problem: empty, refused, truncated or unreadable."""

    samples: tuple[str, ...]
    problem: str | None


def read_samples(
    response: Response, request: Request, opening: str, separator: str | None
) -> ReadReply:
    """Read the samples of a reply.

    Args:
        response: the response of the model.
        request: its API determines the format: a chat reply is a numbered list or JSON, a base
            model's reply continues the prompt.
        opening: the first turn, which a base model's prompt already contains.
        separator: between the turns of a row; None if a row is a single utterance.
    """
    text = without_thoughts(response.text)
    if response.finish_reason == "content_filter":
        return ReadReply((), "refused")
    if not text.strip():
        return ReadReply((), "empty")
    if request.endpoint.api == "completions":
        reply = _whole_lines(text) if response.truncated else text
        parts = [f"{opening}\n{reply}"] if _sample(reply, separator) else []
    else:
        text = FENCE.sub("", text)
        if _refuses(text):
            return ReadReply((), "refused")
        parts = _parts(text, response.truncated)
    samples = tuple(sample for part in parts if (sample := _sample(part, separator)))
    if samples:
        return ReadReply(samples, None)
    return ReadReply((), "truncated" if response.truncated else "unreadable")


def _sample(part: str, separator: str | None) -> str:
    """Return the text of a sample, or an empty text if it has no turn."""
    text = read_reply(part, separator)
    return text if split_turns(text, separator) else ""


def _whole_lines(text: str) -> str:
    """Return the text without its last line, which max_tokens cut."""
    return text.rpartition("\n")[0]


def _refuses(text: str) -> bool:
    """Whether the model refuses the task.

    An agent in a call may also apologise or say that something cannot be done. A refusal says in
    its first line that the text cannot be written.
    """
    stripped = text.strip()
    if NUMBERED.match(stripped) or JSON.match(stripped):
        return False
    first = stripped.partition("\n")[0][:200].replace("’", "'")
    return bool(REFUSAL.search(first))


def _parts(text: str, truncated: bool) -> list[str]:
    """Split a chat reply into samples, one turn per line; of a cut reply only complete samples."""
    if JSON.search(text):
        try:
            return ["\n".join(turns) for turns in _turn_lists(_json(text))]
        except RecursionError:  # hundreds of nested brackets
            return []
    parts = NUMBERED.split(text)
    parts = parts[1:] if len(parts) > 1 else parts
    if truncated:
        return parts[:-1] if len(parts) > 1 else [_whole_lines(parts[0])]
    return parts


def _json(text: str) -> Any:  # noqa: ANN401  (any JSON value)
    """Parse the JSON in a reply, ignoring text around it.

    Several values are returned as a list; of a cut or broken value, a list of its complete items.
    """
    values: list[Any] = []
    found = JSON.search(text)
    while found:
        try:
            value, position = DECODER.raw_decode(text, found.end())
        except ValueError:
            return values or list(_whole_items(text[found.end() :]))
        values.append(value)
        found = JSON.search(text, position)
    return values[0] if len(values) == 1 else values


def _whole_items(text: str) -> Iterator[Any]:
    """Yield items of the first list and, after a broken item, lists that look like samples."""
    found = re.search(r"\[\s*", text)
    while found:
        position = found.end()
        try:
            item, position = DECODER.raw_decode(text, position)
            yield item
            found = BETWEEN.match(text, position)
        except ValueError:
            found = TURNS.search(text, position + 1)


def _turn_lists(value: Any) -> Iterator[list[str]]:  # noqa: ANN401  (any JSON value)
    """Yield samples in the formats that models use: lists of turns or texts, under any key."""
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        lists = [value["samples"]] if value.get("samples") in lists else lists
        value = lists[0] if len(lists) == 1 else lists or [value]
    if value and all(isinstance(item, dict) and not ROLE_KEYS.isdisjoint(item) for item in value):
        value = [value]  # the turns of one call
    for item in value:
        turns = _texts(item)
        if turns:
            yield turns


def _texts(item: Any) -> list[str]:  # noqa: ANN401  (any JSON value)
    if isinstance(item, str):
        return [item.encode("utf-8", "replace").decode()]  # replace lone surrogates such as \ud800
    if isinstance(item, dict):  # {"turns": [...]}, {"speaker": "客服", "text": "..."}
        lists = [value for value in item.values() if isinstance(value, list)]
        if lists:
            return _texts(lists[0])
        texts = {key: value for key, value in item.items() if isinstance(value, str)}
        named = [texts[key] for key in TEXT_KEYS if key in texts]
        return _texts(named[0] if named else max(texts.values(), key=len, default=None))
    if isinstance(item, list):
        return [text for part in item for text in _texts(part)]
    return []
