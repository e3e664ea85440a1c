"""The HTML report: sections, words and numbers follow the metrics; nothing comes from outside."""

from __future__ import annotations

import base64
import dataclasses
import re
import string
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from src.files import Record
from src.privacy.kinds import KINDS, Language
from src.reporting import html
from src.reporting.html import (
    Examples,
    class_rows,
    learning_curve,
    render_html,
    varied,
    verdict_in,
    write_reports,
)
from src.reporting.report import Metrics, verdict
from src.reporting.words import WORDS, named
from tests.reporting.conftest import interval, scores

SETTINGS = {
    "llm": {"currency": "CNY"},
    "generate": {"domain": "客服<通话>", "seed": 7},
    "evaluate": {"confidence": 0.9},
}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)
EXAMPLES = Examples(
    accepted=[
        {
            "label": "办理缴费",
            "text": f"我要缴费[SEP]缴{n}个月的",
            "model": "gemma-3",
            "prompt_version": "p1",
        }
        for n in range(6)
    ],
    rejected=[
        {
            "label": "办理缴费",
            "text_before_style": f"我要交{n}月话费。",
            "reason": "near_duplicate",
            "detail": f"0.9{n} of it stands in candidate c{n}, over 0.85",
        }
        for n in range(6)
    ],
    confused=pd.DataFrame(
        [
            ("办理补换卡", "办理取消", 20, 8, -12),
            ("办理取消", "办理缴费", 3, 9, 6),
            ("办理取消", "办理取消", 900, 880, -20),
            ("办理缴费", "办理取消", 5, 5, 0),
        ],
        columns=["actual", "predicted", "before", "after", "change"],
    ),
    turn_separator="[SEP]",
)
both = pytest.mark.parametrize("language", ["en", "zh"])


def point(samples: int, macro_f1: float, *, class_weight: bool, weight: float) -> Record:
    """One point of the learning curve."""
    return {
        "samples_per_class": samples,
        "class_weight": class_weight,
        "sample_weight": weight,
        "by_quality": False,
        "macro_f1": interval(macro_f1),
        "tail_recall": interval(macro_f1 - 0.2, 0.05),
    }


def full_run(metrics: Metrics) -> Metrics:
    """The small run with all that an evaluation can hold."""
    measured = {
        "办理取消": (1000, 0.9, 0.88, 0.0001, True),
        "办理缴费": (30, 0.1, 0.5, 0.012, True),
        "办理补换卡": (30, 0.0, 0.5, 0.0002, False),
    }
    evaluate = {
        **metrics.evaluate,
        "arms": {
            arm: {
                **values,
                "balanced_accuracy": interval(0.5),
                "tail_recall_micro": interval(0.4),
                "tail_false_positives": 12,
            }
            for arm, values in metrics.evaluate["arms"].items()
        },
        "per_class": {
            label: {
                "support": support,
                "recall_before": before,
                "recall_after": after,
                "p": p / 3,
                "p_adjusted": p,
                "measurable": measurable,
            }
            for label, (support, before, after, p, measurable) in measured.items()
        },
        "chosen": {
            "samples_per_class": 20,
            "class_weight": True,
            "sample_weight": 0.5,
            "by_quality": False,
            "why": "the smallest within noise of the best",
            "best_free_on_dev": "class_weight",
        },
        "curve": [
            point(20, 0.6, class_weight=False, weight=1.0),
            point(0, 0.5, class_weight=False, weight=1.0),
            point(10, 0.57, class_weight=False, weight=1.0),
            point(0, 0.55, class_weight=True, weight=1.0),
            point(20, 0.62, class_weight=True, weight=1.0),
            point(10, 0.61, class_weight=True, weight=0.5),
            point(20, 0.63, class_weight=True, weight=0.5),
        ],
        "recommended": 20,
        "mcnemar": {
            "against": "class_weight",
            "only_ours_right": 90,
            "only_theirs_right": 40,
            "p": 0.00001,
        },
        "heads_lost": ["办理取消"],
        "leakage": {"checked": 36, "copies": 0},
        "giveaway": {
            "auc": 0.9,
            "low": 0.85,
            "high": 0.95,
            "features": [{"name": "turns", "direction": "real", "weight": -2.1}],
        },
        "second": {
            "family": "complement_nb",
            "arms": {"augmented": {"macro_f1": 0.5, "tail_recall": interval(0.3)}},
            "versus_best_free": {"augmented": scores(0.01, 0.02, 0.0)},
        },
        "signature": "arms:4|seeds:5|v:0.1.0",
    }
    reviewed = {
        "decided": 20,
        "rejected": {"rate": 0.1, "low": 0.02, "high": 0.3},
    }
    screened = {**metrics.filter, "private": {"mobile": 3, "name": 0}, "review": reviewed}
    return dataclasses.replace(metrics, evaluate=evaluate, filter=screened)


@pytest.fixture
def full(metrics: Metrics) -> Metrics:
    """A run as it is written today."""
    return full_run(metrics)


@pytest.fixture
def examples() -> Examples:
    """Six accepted samples, six rejected by one rule, four pairs of classes."""
    return EXAMPLES


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A PNG of one pixel."""
    (tmp_path / "pixel.png").write_bytes(PIXEL)
    return tmp_path / "pixel.png"


class Text(HTMLParser):
    """What a reader sees: the texts between tags, without the style sheet."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, and every address in it."""
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        if self.tags[-1:] != ["style"]:
            self.words.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_both_languages_have_the_same_words_and_the_same_gaps():
    """A key or a placeholder of the one is one of the other."""

    def gaps(language: Language) -> dict[str, set[str | None]]:
        return {
            key: {gap for _, gap, _, _ in string.Formatter().parse(text) if gap is not None}
            for key, text in WORDS[language].items()
        }

    assert gaps("en") == gaps("zh")


def test_every_word_is_used():
    """No word stands here that neither the code nor the template asks for."""
    sources = [Path(html.__file__), html.TEMPLATES / "report.html.j2"]
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    # these end in a value of the metrics, which the code does not spell out
    derived = (
        "arm_",
        "rule_",
        "direction_",
        "private_",
        "failure_",
        "verdict_",
        "facet_",
        "gender_",
        "real_",
    )
    columns = ("fewer", "more", *html.METRIC_NAMES)
    for key in WORDS["en"]:
        assert key.startswith(derived) or key in columns or re.search(rf"\b{key}\b", text), key


@both
def test_every_kind_of_private_data_has_a_name(language: Language):
    """The name is not the value itself, as it would be of an unknown kind."""
    assert {f"private_{kind}" for kind in KINDS} <= WORDS[language].keys()
    assert named("private", "shoe_size", language) == "shoe size"


@both
def test_report_needs_nothing_but_itself(
    metrics: Metrics, examples: Examples, picture: Path, language: Language
):
    """No script and no address but data: the picture is in the page, byte for byte."""
    page = render_html(metrics, examples, SETTINGS, {"Recall": picture}, language)
    read = Text(page)
    assert "script" not in read.tags
    assert all(link.startswith("data:") for link in read.links)
    assert not re.search(r"url\(|@import|https?://", page)
    assert base64.b64encode(picture.read_bytes()).decode() in page


def test_english_verdict_is_that_of_the_markdown_report(metrics: Metrics):
    """One sentence, one source."""
    assert verdict_in(metrics.evaluate, "en") == verdict(metrics.evaluate)


@pytest.mark.parametrize(
    ("low", "high", "opening", "mark"),
    [
        pytest.param(0.01, 0.1, "生成的样本有用：", "helped", id="helped"),
        pytest.param(0.0, 0.1, "生成的样本没有带来超出噪声的差别：", "noise", id="touches-0"),
        pytest.param(-0.1, -0.01, "生成的样本有害：", "hurt", id="hurt"),
    ],
)
def test_chinese_verdict_follows_the_interval(
    metrics: Metrics, examples: Examples, low: float, high: float, opening: str, mark: str
):
    """It opens like the English one, with names in Chinese and the same numbers."""
    metrics.evaluate["versus_best_free"]["augmented_class_weight"]["macro_f1"] = {
        "value": (low + high) / 2,
        "low": low,
        "high": high,
    }
    sentence = verdict_in(metrics.evaluate, "zh")
    assert sentence.startswith(opening)
    assert "“生成样本 + 类别权重”的 macro-F1 为 0.642" in sentence
    assert "“类别权重”为 0.579" in sentence
    assert f'class="verdict {mark}"' in render_html(metrics, examples, SETTINGS, {}, "zh")


def test_full_report_says_what_was_measured(full: Metrics, examples: Examples, picture: Path):
    """One sentence or cell of every section."""
    text = str(Text(render_html(full, examples, SETTINGS, {"Recall": picture}, "en")))
    for said in [
        "Recommendation, by the dev rows: 20 samples a class, with class weights, each sample "
        "counting 0.5 of a real row. the smallest within noise of the best",
        '90 test rows are right with "Generated samples + class weights" only, 40 with "Class '
        'weights" only (McNemar, p < 0.001).',
        "Large classes that lost recall beyond noise: 办理取消.",
        "0 CNY 131,346 tokens",
        "Brackets are 90% intervals.",
        "Generated samples + class weights ours augmented_class_weight 0.642 [0.622, 0.662] "
        "0.520 [0.470, 0.570] 0.690 [0.680, 0.700] +0.063 [+0.043, +0.083] "
        "+0.170 [+0.120, +0.220]",
        "Class weights best free class_weight 0.579 [0.559, 0.599]",
        "Real rows only free original",
        "The same with another classifier: complement_nb",
        "The dashed line marks the recommended 20.",
        "办理补换卡 1 15 15.0× 30 0.000 0.500 +0.500 not measurable",
        "办理缴费 4 20 5.0× 30 0.100 0.500 +0.400 0.012",
        "办理取消 100 100 1.0× 1,000 0.900 0.880 -0.020 < 0.001",
        "Short of the target by 6 samples: 办理补换卡 6.",
        "办理补换卡 办理取消 20 8 -12",
        "办理取消 办理缴费 3 9 +6",
        "candidates 1,200 100.0% rejected: copies an earlier sample 1,000 83.3% "
        "rejected: length 170 14.2% accepted 30 2.5%",
        "Private data found in the samples: mobile numbers 3.",
        "People decided on 20 samples. People would reject an estimated 10.0% [2.0%, 30.0%]",
        "Rejected: copies an earlier sample (6)",
        "0.90 of it stands in candidate c0, over 0.85",
        "办理缴费 opens with 您好请问 75.0% 25.0% 1 more",
        "all classes number of turns, mean may be chance 4.5 16.0 all classes",
        "36 samples were compared with the dev and test rows; 0 copy one.",
        "reaches an AUC of 0.900 [0.850, 0.950]",
        "turns real rows -2.100",
        "requests that gave no sample cut off 11, timeout 2",
        "domain: 客服<通话>",
        "Signature arms:4|seeds:5|v:0.1.0",
    ]:
        assert said in text


@pytest.mark.parametrize(
    ("language", "heading"), [("en", "What each model is worth"), ("zh", "各模型的贡献")]
)
def test_models_have_a_table_where_there_are_several(
    several: Metrics, examples: Examples, language: Language, heading: str
):
    """What each is worth, a dash where nothing can be said; one alone has none."""
    page = render_html(several, examples, SETTINGS, {}, language)
    text = str(Text(page))
    assert heading in text
    assert (
        "glm<4> 1,100 1,090 990 90.0% 720 2.00 CNY 0.812 "
        "+0.070 [+0.050, +0.090] +0.010 [-0.010, +0.030]"
    ) in text
    row = page[page.index("<td>glm&lt;4&gt;</td>") :]
    assert re.findall(r'class="n (\w+)"', row[: row.index("</tr>")]) == ["better"]
    assert "small|one 30 0 0 0.0% - - - - -" in text
    del several.generate["per_model"]["small|one"]
    assert heading not in str(Text(render_html(several, examples, SETTINGS, {}, language)))


@pytest.mark.parametrize(
    ("language", "agreed", "unknown"),
    [
        pytest.param(
            "en",
            "Two of them agree on 87.5% of the samples, Fleiss' kappa 0.62.",
            "Two of them agree on - of the samples, Fleiss' kappa -.",
            id="en",
        ),
        pytest.param(
            "zh",
            "两个评审对 87.5% 的样本意见一致，Fleiss kappa 为 0.62。",
            "两个评审对 - 的样本意见一致，Fleiss kappa 为 -。",
            id="zh",
        ),
    ],
)
def test_judges_have_a_table_where_there_are_any(
    several: Metrics, examples: Examples, language: Language, agreed: str, unknown: str
):
    """Who accepted how much, and how far they agree; a dash where no two voted on a sample."""
    text = str(Text(render_html(several, examples, SETTINGS, {}, language)))
    rows = "classifier 1,200 75.0% 0.62 glm<4> 30 0.0% 0.00 qwen|one 1,170 100.0% 0.25"
    assert f"{rows} {agreed}" in text
    several.filter.update(judges_agree=None, judges_kappa=None)
    assert unknown in str(Text(render_html(several, examples, SETTINGS, {}, language)))
    several.filter["judges"] = {}
    page = render_html(several, examples, SETTINGS, {}, language)
    assert WORDS[language]["judges"] not in page


def test_older_metrics_leave_their_sections_out(metrics: Metrics, examples: Examples):
    """Counts of classes stay; what needs the new figures is not there, nor is its heading."""
    for measured in metrics.evaluate["arms"].values():
        del measured["balanced_accuracy"], measured["tail_recall_micro"]
    text = str(Text(render_html(metrics, examples, SETTINGS, {}, "en")))
    words = WORDS["en"]
    assert "办理补换卡 1 15 15.0×" in text
    for heading in ("curve", "checks", "p_adjusted", "more_measures", "charts", "signature"):
        assert words[heading] not in text.replace(words["heads_kept"], "")
    for start in ("Recommendation", "test rows are right with", "Large classes that lost"):
        assert start not in text


def test_sections_of_nothing_are_left_out(full: Metrics):
    """No candidates, no samples, no differences: the report is still written."""
    nothing = {"candidates": 0, "accepted": 0, "rejected_by": {}, "bias": {"largest": []}}
    none = Examples([], [], pd.DataFrame(columns=["actual", "predicted"]), None)
    page = render_html(dataclasses.replace(full, filter=nothing), none, {}, {}, "en")
    text = str(Text(page))
    assert "candidates 0 -" in text
    for heading in ("examples", "bias", "confusions"):
        assert f"<h2>{WORDS['en'][heading]}</h2>" not in page


def test_no_samples_can_be_the_recommendation(full: Metrics, examples: Examples):
    """Where none is best on dev, the report says so and names the free method."""
    full.evaluate["chosen"]["samples_per_class"] = 0
    text = str(Text(render_html(full, examples, SETTINGS, {}, "zh")))
    assert "建议：这批数据不必使用生成样本；不用样本的 类别权重 同样好。" in text


def test_colour_stands_only_beyond_noise(full: Metrics, examples: Examples):
    """One class of three changed significantly for the worse, one for the better, one may be chance."""
    page = render_html(full, examples, SETTINGS, {}, "en")
    table = page[page.index('id="classes"') :]
    table = table[: table.index("</table>")]
    cells = re.findall(r'<td class="n (better|worse|)">([+-][\d.]+)', table)
    assert cells == [("", "+0.500"), ("better", "+0.400"), ("worse", "-0.020")]


def test_names_and_samples_cannot_break_the_page(metrics: Metrics, examples: Examples):
    """Markup in a class name or a sample is shown, not obeyed."""
    per_class = metrics.balance["per_class"]
    per_class["<img src=x>"] = per_class.pop("办理取消")
    record = {"label": "<img src=x>", "text": "<script>alert(1)</script>"}
    quoted = dataclasses.replace(examples, accepted=[record])
    read = Text(render_html(metrics, quoted, SETTINGS, {}, "en"))
    assert "img" not in read.tags
    assert "script" not in read.tags
    assert "<script>alert(1)</script>" in str(read)


def test_confusions_are_of_two_classes_and_the_largest_first(full: Metrics, examples: Examples):
    """Right answers are none, nor is what did not change; a table shows ten pairs."""
    pairs = [("a", f"b{n}", 0, n, n) for n in range(12)] + [("a", "a", 9, 99, 90)]
    confused = pd.DataFrame(pairs, columns=examples.confused.columns)
    page = render_html(full, dataclasses.replace(examples, confused=confused), SETTINGS, {}, "en")
    assert re.findall(r"<td>a</td><td>(\w+)</td>", page) == [f"b{n}" for n in range(11, 1, -1)]
    assert WORDS["en"]["fewer"] not in page


def test_a_class_without_test_rows_is_not_measurable(full: Metrics, examples: Examples):
    """It keeps its counts, the rarest class first."""
    del full.evaluate["per_class"]["办理缴费"]
    assert [row["label"] for row in class_rows(full)] == ["办理补换卡", "办理缴费", "办理取消"]
    text = str(Text(render_html(full, examples, SETTINGS, {}, "en")))
    assert "办理缴费 4 20 5.0× 0 - - - not measurable" in text


def test_examples_are_of_different_classes_first():
    """One of each class in the order of the file, then the second ones."""
    records: list[Record] = [{"label": label, "n": n} for n, label in enumerate("aaabbc")]
    assert [record["n"] for record in varied(records)] == [0, 3, 5, 1, 4]


def test_long_examples_are_cut(metrics: Metrics, examples: Examples):
    """A long turn ends in three dots, and later ones are not shown."""
    long = {"label": "a", "text": "甲[SEP]" + "乙" * 300 + "[SEP]丙"}
    page = render_html(
        metrics, dataclasses.replace(examples, accepted=[long], rejected=[]), SETTINGS, {}, "zh"
    )
    assert "<span>甲</span> <i>/</i> <span>" + "乙" * 199 + "…</span></p>" in page


def test_learning_curve_is_drawn_to_scale(full: Metrics):
    """Higher scores lie higher, halfway is halfway, the mark stands at the recommended number."""
    f1, tail = learning_curve(full.evaluate["curve"], 20)
    assert (f1.metric, tail.metric) == ("macro_f1", "tail_recall")
    assert [(line.class_weight, line.sample_weight) for line in f1.lines] == [
        (False, 1.0),
        (True, 1.0),
        (True, 0.5),
    ]
    (x0, y0), (x1, y1), (x2, y2) = f1.lines[0].points
    assert x1 - x0 == pytest.approx(x2 - x1)
    assert y0 > y1 > y2
    assert f1.mark == x2
    assert [text for _, text in f1.x_ticks] == ["0", "10", "20"]
    # 0.50 to 0.60 in the data are two ticks of 0.05 on the axis
    places = {text: place for place, text in f1.y_ticks}
    assert y0 == pytest.approx(places["0.50"], abs=0.11)
    assert y2 == pytest.approx(places["0.60"], abs=0.11)
    assert learning_curve([], None) == []


def test_a_curve_of_one_point_is_drawn(full: Metrics):
    """No division by the empty range of counts."""
    (panel, _) = learning_curve(full.evaluate["curve"][:1], None)
    assert len(panel.lines[0].points) == 1
    assert panel.mark is None


def test_write_reports_writes_page_and_card(full: Metrics, examples: Examples, tmp_path: Path):
    """Two files, the page in the language of the data."""
    write_reports(tmp_path / "reports", full, examples, SETTINGS, {}, "zh", "As CMCC-34.")
    page = (tmp_path / "reports" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh">' in page
    assert "生成的样本有用：" in page
    card = (tmp_path / "reports" / "DATASET_CARD.md").read_text(encoding="utf-8")
    assert "As CMCC-34." in card
