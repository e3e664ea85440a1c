"""Private data: what is found, what is not, and what masking leaves."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from cn2an import an2cn
from hypothesis import given
from hypothesis import strategies as st

from src.config.data import Language
from src.privacy.find import find_private, mask
from src.privacy.kinds import KINDS, Found

ALLOWED = ("10086", "10085", "12530", "12580", "110", "95588", "12315")
SEPARATORS: dict[str, str | None] = {"zh": "[SEP]", "en": None}
GOLDEN = Path(__file__).parents[1] / "golden" / "pii.csv"
ENOUGH = 0.98

PREFIXES = ("130", "138", "147", "150", "166", "177", "189", "191", "199")
SPELLINGS = {"0": "0零〇洞", "1": "1一幺", "2": "2二两"} | {
    digit: digit + spoken for digit, spoken in zip("3456789", "三四五六七八九", strict=True)
}
UNITS = ("块", "元", "兆", "个", "分钟", "次", "天")


def golden() -> list[dict[str, str]]:
    """Handwritten cases: text, language, kinds in order (empty: nothing private), form."""
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def found(text: str, language: Language = "zh") -> list[Found]:
    """Call it with the allowed numbers and the separator of these tests."""
    return find_private(text, language, ALLOWED, SEPARATORS[language])


def masked(text: str, language: Language = "zh") -> tuple[str, Counter[str]]:
    """Call it with the allowed numbers and the separator of these tests."""
    return mask(text, language, ALLOWED, SEPARATORS[language])


def rates(pairs: list[tuple[Counter[str], Counter[str]]]) -> tuple[float, float]:
    """Return precision and recall over pairs of found and expected kinds."""
    hits = sum((got & expected).total() for got, expected in pairs)
    reported = sum(got.total() for got, _ in pairs)
    private = sum(expected.total() for _, expected in pairs)
    return hits / max(1, reported), hits / max(1, private)


def judged(case: dict[str, str]) -> tuple[Counter[str], Counter[str]]:
    """Return the kinds found in a case and those expected."""
    got = Counter(one.kind for one in found(case["text"], case["language"]))
    return got, Counter(case["kind"].split(";") if case["kind"] else [])


def only(counts: Counter[str], kind: str) -> Counter[str]:
    """Return the counts restricted to one kind."""
    return Counter({kind: counts[kind]})


def test_golden_table_is_large_and_a_third_of_it_is_clean() -> None:
    """It has at least 260 distinct cases, a third without private data, and all kinds and forms."""
    cases = golden()
    assert len({case["text"] for case in cases}) == len(cases) >= 260
    assert sum(not case["kind"] for case in cases) * 3 >= len(cases)
    assert {k for case in cases for k in case["kind"].split(";") if k} == set(KINDS)
    assert {case["form"] for case in cases} == {"digits", "spoken", "mixed", "words"}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_found_and_nothing_else_is_taken_for_it(kind: str) -> None:
    """Check precision and recall of each kind over the golden table."""
    pairs = [judged(case) for case in golden()]
    precision, recall = rates([(only(got, kind), only(exp, kind)) for got, exp in pairs])
    assert (precision >= ENOUGH, recall >= ENOUGH) == (True, True), (precision, recall)


@pytest.mark.parametrize("form", ["digits", "spoken", "mixed", "words", "all"])
def test_each_form_is_read(form: str) -> None:
    """Check precision and recall of each form of numbers, and of all together."""
    precision, recall = rates([judged(c) for c in golden() if form in (c["form"], "all")])
    assert (precision >= ENOUGH, recall >= ENOUGH) == (True, True), (precision, recall)


def test_kinds_come_in_the_order_of_the_text() -> None:
    """Several kinds in one case are found from left to right."""
    cases = [case for case in golden() if ";" in case["kind"]]
    orders = [";".join(one.kind for one in found(c["text"], c["language"])) for c in cases]
    assert orders == [case["kind"] for case in cases]


@pytest.mark.parametrize("case", [pytest.param(c, id=c["text"]) for c in golden()])
def test_masking_leaves_nothing_and_is_done_once(case: dict[str, str]) -> None:
    """Masked cases are clean and keep their turns; clean cases are unchanged."""
    text, counts = masked(case["text"], case["language"])
    assert found(text, case["language"]) == []
    assert masked(text, case["language"]) == (text, Counter())
    assert text.count("[SEP]") == case["text"].count("[SEP]")
    assert (text == case["text"]) == (not counts)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        pytest.param(
            "我叫张伟我的号是幺三八零零幺三八零零零",
            "zh",
            "我叫某某我的号是某号码",
            id="name-and-number",
        ),
        pytest.param(
            "幺三八[SEP]嗯[SEP]零零幺三八零零零[SEP]好的",
            "zh",
            "某号码[SEP]嗯[SEP]某号码[SEP]好的",
            id="a-number-over-turns-keeps-the-turns",
        ),
        pytest.param(
            "地址是人民路八十八号三单元五零二室邮箱lili艾特qq点com",
            "zh",
            "地址是某地址邮箱某邮箱",
            id="the-address-swallows-its-room",
        ),
        pytest.param("车牌吉a八八六六零", "zh", "车牌某车牌", id="plate"),
        pytest.param("给幺三八零零幺三八零零零一下", "zh", "给某号码一下", id="the-word-behind"),
        pytest.param(
            "My name is John Smith, mail a@example.com, I live at 5 Elm Road, call 07700 900123",
            "en",
            "My name is some name, mail some email, I live at some address, call some number",
            id="english",
        ),
    ],
)
def test_masks_are_spoken_words(text: str, language: Language, expected: str) -> None:
    """Only the private part is replaced, with words without brackets."""
    assert masked(text, language)[0] == expected


def test_masked_kinds_are_counted() -> None:
    """Two numbers and one name are counted as such."""
    text = "我叫张伟从13800138000过户到15800001234"
    assert masked(text)[1] == Counter(mobile=2, name=1)


@pytest.mark.parametrize(
    "spelled", ["8510086", "八五幺零零八六", "85幺00八6", "账号是八五一零零八六"]
)
def test_an_allowed_number_is_allowed_in_every_spelling(spelled: str) -> None:
    """A long number is not private if the settings allow it."""
    assert [one.kind for one in find_private(spelled, "zh", [])] == ["number"]
    assert find_private(spelled, "zh", ["8510086"]) == []


def test_without_a_separator_turns_are_apart() -> None:
    """A number in pieces is only joined across the given turn separator."""
    text = "幺三八零 | 零幺三八 | 零零零"
    assert [one.kind for one in find_private(text, "zh", (), " | ")] == ["mobile"]
    assert find_private(text, "zh", ()) == []


LETTERS = "零幺一二两三五八九0138十百号楼栋室路街单元姓王张叫是点嗯个年月块元兆xX@-+ .吉京aB"
PARTS = (
    "[SEP] 我叫 我姓 贵姓 幺三八零零幺三八零零零 人民路八十八号 艾特qq点com 三单元五零二室 密码 "
    "验证码是 幺零零八六 某某 某地址 某号码 小区 姓名是 张先生"
)
PIECES = st.sampled_from(
    [*LETTERS, *PARTS.split(), "my name is ", " at gmail dot com ", "elm road"]
)


@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from(["zh", "en"]))
def test_spans_are_ordered_and_masking_ends(text: str, language: Language) -> None:
    """Spans are ordered and do not overlap; nothing is found in a masked text."""
    spans = [(one.start, one.end) for one in found(text, language)]
    bounds = [0, *(bound for span in spans for bound in span), len(text)]
    assert bounds == sorted(bounds)
    assert all(start < end for start, end in spans)
    again, _ = masked(text, language)
    assert found(again, language) == []
    assert masked(again, language) == (again, Counter())


@given(
    st.sampled_from(PREFIXES),
    st.text(alphabet="0123456789", min_size=8, max_size=8),
    st.data(),
    st.sampled_from(["我的手机号是", "您好请讲[SEP]", "给", "查一下"]),
    st.sampled_from(["", "停机了", "[SEP]好的请稍等", "这个号", "一共多少钱"]),
)
def test_a_mobile_number_is_found_in_any_spelling(
    prefix: str, rest: str, data: st.DataObject, before: str, after: str
) -> None:
    """In digits, spoken or mixed, the span is exactly the number."""
    number = "".join(data.draw(st.sampled_from(SPELLINGS[digit])) for digit in prefix + rest)
    finds = found(before + number + after)
    assert finds == [Found("mobile", len(before), len(before) + 11)]


@given(
    st.lists(
        st.tuples(st.integers(0, 99_999_999), st.sampled_from(UNITS), st.sampled_from(["", "嗯"])),
        max_size=12,
    )
)
def test_amounts_are_not_private(amounts: list[tuple[int, str, str]]) -> None:
    """Chinese amounts are not masked."""
    text = "".join(f"{an2cn(str(number), 'low')}{unit}{gap}" for number, unit, gap in amounts)
    assert found(text) == []
