"""The HTML report: sections, words and numbers follow the metrics; the page is self-contained."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from src.config.data import Language
from src.privacy.kinds import KINDS
from src.records.metrics.evaluate import Detectability, Feature, Second
from src.records.metrics.filter import (
    ComparedWith,
    LargestDifference,
    RejectRate,
    Review,
    ReviewerAgreement,
)
from src.records.rounds import RoundSummary
from src.reporting import card, html, write
from src.reporting.html import class_rows, conclusion_in, render_html, varied
from src.reporting.report import METRIC_NAMES, Metrics, conclusion_sentence
from src.reporting.results import Confused, Results
from src.reporting.settings import Settings
from src.reporting.words import WORDS, named
from tests.reporting.conftest import spread, with_difference, with_metrics, without_samples

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)
FAILURES = ("refused", "empty", "truncated", "unreadable", "no_response")  # of generate
both = pytest.mark.parametrize("language", ["en", "zh"])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The charts, each a PNG of one pixel."""
    path = tmp_path_factory.mktemp("pictures") / "pixel.png"
    path.write_bytes(PIXEL)
    names = ("headline", "learning_curve", "recall_per_class", "class_counts", "confusion")
    return dict.fromkeys(names, path)


class Page:
    """Renders the page of a run in a language."""

    def __init__(self, settings: Settings, pictures: Mapping[str, Path]) -> None:
        self.settings, self.pictures = settings, pictures

    def source(self, results: Results, language: Language = "en") -> str:
        """Return the HTML."""
        return render_html(results, self.settings, self.pictures, language)

    def text(self, results: Results, language: Language = "en") -> str:
        """Return the visible text."""
        return str(Text(self.source(results, language)))


@pytest.fixture(scope="module")
def page(settings: Settings, pictures: Mapping[str, Path]) -> Page:
    """A renderer with the settings of the small run."""
    return Page(settings, pictures)


class Text(HTMLParser):
    """The visible text: everything between tags, without the style sheet."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the tag and its links."""
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        if self.tags[-1:] != ["style"]:
            self.words.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_both_languages_have_the_same_keys_and_placeholders():
    """Every text exists in both languages, with the same placeholders."""

    def gaps(language: Language) -> dict[str, set[str | None]]:
        return {
            key: {gap for _, gap, _, _ in string.Formatter().parse(text) if gap is not None}
            for key, text in WORDS[language].items()
        }

    assert gaps("en") == gaps("zh")


def test_every_word_is_used():
    """Every key is used by the code or a template."""
    sources = [
        *map(Path, (html.__file__, card.__file__, write.__file__)),
        *html.TEMPLATES.iterdir(),
    ]
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    # these end in a value of the metrics, which the code does not spell out
    derived = (
        "method_",
        "rule_",
        "direction_",
        "private_",
        "failure_",
        "conclusion_",
        "facet_",
        "gender_",
        "real_",
    )
    for key in WORDS["en"]:
        name = key.removeprefix("picture_")
        known = key.startswith(derived) or key in METRIC_NAMES
        assert known or re.search(rf"\b{name}\b", text), key


@both
def test_every_kind_of_private_data_has_a_name(language: Language):
    """An unknown kind would be shown by its key."""
    assert {f"private_{kind}" for kind in KINDS} <= WORDS[language].keys()
    assert named("private", "shoe_size", language) == "shoe size"


@both
def test_every_kind_of_failure_has_a_name(language: Language):
    """All reasons why a request may return no sample."""
    assert {f"failure_{kind}" for kind in FAILURES} <= WORDS[language].keys()


@both
def test_report_is_self_contained(
    results: Results, page: Page, pictures: Mapping[str, Path], language: Language
):
    """No script, and no URLs except data: every picture is embedded."""
    source = page.source(results, language)
    read = Text(source)
    assert "script" not in read.tags
    assert all(link.startswith("data:") for link in read.links)
    assert not re.search(r"url\(|@import|https?://", source.partition("<pre>")[0])
    assert source.count(base64.b64encode(PIXEL).decode()) == len(pictures)
    for name in pictures:
        assert named("picture", name, language) in str(read)


def test_english_conclusion_is_that_of_the_markdown_report(metrics: Metrics):
    """Both come from one function."""
    assert conclusion_in(metrics.evaluate, "en") == conclusion_sentence(metrics.evaluate)


@pytest.mark.parametrize(
    ("low", "high", "opening", "mark"),
    [
        pytest.param(0.01, 0.1, "合成样本有用：", "helped", id="helped"),
        pytest.param(0.0, 0.1, "合成样本没有带来超出噪声的差别：", "noise", id="touches-0"),
        pytest.param(-0.1, -0.01, "合成样本有害：", "hurt", id="hurt"),
    ],
)
def test_chinese_conclusion_follows_the_interval(
    results: Results, page: Page, low: float, high: float, opening: str, mark: str
):
    """It has the same structure and numbers as the English one, with Chinese names."""
    changed = with_difference(results.metrics, low, (low + high) / 2, high)
    sentence = conclusion_in(changed.evaluate, "zh")
    assert sentence.startswith(opening)
    for method, form in (
        (changed.evaluate.ours, "“{}”的宏平均 F1 为 {:.3f}"),
        (changed.evaluate.best_free, "“{}”为 {:.3f}"),
    ):
        score = changed.evaluate.methods[method].macro_f1.value
        assert form.format(named("method", method, "zh"), score) in sentence
    source = page.source(with_metrics(results, changed), "zh")
    assert f'class="conclusion {mark}"' in source
    assert "合成样本有用吗？" in source


def test_report_shows_the_metrics(results: Results, page: Page):
    """One sentence or cell per section of the small run."""
    text, e = page.text(results), results.metrics.evaluate
    ours, free = named("method", e.ours, "en"), named("method", e.best_free, "en")
    assert (e.ours, e.best_free) == ("chosen", "oversample")
    rare = e.per_class["开发票"]
    for stated in [
        "48 generated samples were added to 162 real rows of 6 classes. Evaluated on 48 test rows",
        f"Recommendation: use no generated samples for this data; {free} does as well without "
        f"them. {e.chosen.why}",
        f'{e.mcnemar.only_ours_right} test rows are classified correctly only with "{ours}", '
        f'{e.mcnemar.only_theirs_right} only with "{free}" (McNemar, p = {e.mcnemar.p:.3f}).',
        "Test rows wrongly predicted as a tail class: "
        f'{e.tail_false_positives.best_free} with "{free}", {e.tail_false_positives.ours} with '
        f'"{ours}".',
        "No head-class regression: no class outside the tail lost recall beyond noise.",
        "0 CNY 17,280 tokens",
        "Brackets are 95% intervals.",
        "Oversampling best free oversample 0.533 [0.398, 0.638]",
        "Real rows only free original",
        "Chosen on dev ours chosen 0.570 [0.448, 0.660]",
        "Further metrics",
        "The same with another classifier: logistic regression on embeddings (tfidf)",
        "The dotted vertical line marks the recommended 0 samples per class.",
        f"开发票 2 20 10.0× 8 {rare.recall_before:.3f} {rare.recall_after:.3f}",
        "查询话费 60 60 1.0× 8",
        "candidates 119 100.0% rejected: repetition 47 39.5% accepted 72 60.5% "
        "accepted, but not needed 24 20.2%",
        "No sample has been reviewed yet.",
        "Rejected: repetition (47)",
        "the same 12 times in a row, over 8",
        "开发票 opens with 我想开发 100.0% 0.0% all classes",
        "72 samples were compared with the dev and test rows; copies found: 0.",
        f"reaches an AUC of {e.detectability.auc:.3f}" if e.detectability else "",
        "tokens per accepted sample 240",
        "requests 144",
        "requests that returned no sample empty 25",
        "domain: 中国移动客服热线的通话记录",
        f"Signature {e.signature}",
    ]:
        assert stated in text


def test_optional_metrics_are_reported(results: Results, page: Page):
    """A recommendation, a head-class regression, private data, decisions of reviewers."""
    measured = results.metrics
    chosen = replace(
        measured.evaluate.chosen, samples_per_class=20, class_weight=True, sample_weight=0.5
    )
    mcnemar = replace(measured.evaluate.mcnemar, p=0.00001)
    rate = RejectRate(2, 20, 0.1, 0.02, 0.3, 72, 7)
    review = Review(20, rate, ReviewerAgreement(0, None, ()), 0)
    more = replace(
        measured,
        generate=replace(measured.generate, failures={"truncated": 11, "no_response": 2}),
        filter=replace(measured.filter, private={"mobile": 3, "name": 0}, review=review),
        evaluate=replace(
            measured.evaluate, chosen=chosen, mcnemar=mcnemar, head_class_regressions=("查询话费",)
        ),
    )
    text = page.text(with_metrics(results, more))
    for stated in [
        "Recommendation, chosen on dev: 20 samples per class, with class weights; a sample has "
        "weight 0.5, a real row weight 1.",
        "(McNemar, p < 0.001).",
        "Head-class regressions (recall lost beyond noise): 查询话费.",
        "Private data found in the samples: mobile numbers 3.",
        "Reviewers decided on 20 samples. Reviewers would reject an estimated 10.0% [2.0%, 30.0%]",
        "requests that returned no sample truncated 11, no response 2",
    ]:
        assert stated in text


def test_features_of_detectability_are_listed(results: Results, page: Page):
    """With direction and weight, in both languages."""
    features = (
        Feature("characters", "less", 2.1, 74.0, 389.0),
        Feature("opens with 您好", "more", 1.25, 0.6, 0.2),
    )
    found = Detectability(0.9, 0.85, 0.95, features, 72, 12)
    shown = with_evaluation(results, detectability=found)
    text = page.text(shown)
    assert "reaches an AUC of 0.900 [0.850, 0.950]" in text
    assert "feature samples have weight characters less 2.100 opens with 您好 more 1.250" in text
    assert "characters 更少 2.100 opens with 您好 更多 1.250" in page.text(shown, "zh")


def test_optional_parts_are_left_out(results: Results, page: Page):
    """Second classifier, rounds and detectability."""
    text = page.text(with_evaluation(results, second=None, detectability=None, rounds=None))
    words = WORDS["en"]
    assert words["second"].partition("{")[0] not in text
    assert "AUC" not in text
    assert words["rounds_note"] not in text


def test_second_classifier_and_rounds_have_tables(results: Results, page: Page):
    """With differences to their references."""
    scores = results.metrics.evaluate.methods["augmented"]
    second = Second("complement_nb", {"augmented": scores}, {"augmented": scores})
    one = RoundSummary(True, 162, 48, 5, 48, {"review": 2}, spread(0.6), spread(0.5), spread(0.07))
    text = page.text(with_evaluation(results, second=second, rounds={"1": one}))
    assert "The same with another classifier: complement_nb" in text
    assert "1 162 48 48 2 0.600 +0.070 [+0.050, +0.090] yes" in text


@pytest.mark.parametrize(
    ("language", "heading"), [("en", "Contribution of each model"), ("zh", "各模型的贡献")]
)
def test_several_models_have_a_table(
    results: Results, several: Results, page: Page, language: Language, heading: str
):
    """The contribution of each model, a dash if unknown; a single model has no table."""
    source = page.source(several, language)
    text = str(Text(source))
    assert heading in text
    assert (
        "glm<4> 1,100 1,090 990 90.0% 720 2.00 CNY 0.812 "
        "+0.070 [+0.050, +0.090] +0.010 [-0.010, +0.030]"
    ) in text
    row = source[source.index("<td>glm&lt;4&gt;</td>") :]
    assert re.findall(r'class="n (\w+)"', row[: row.index("</tr>")]) == ["better"]
    assert "small|one 30 0 0 0.0% - - - - -" in text
    assert heading not in page.text(results, language)


@pytest.mark.parametrize(
    ("language", "agreed", "unknown"),
    [
        pytest.param(
            "en",
            "Observed agreement of two voters: 87.5% of the samples; Fleiss' kappa: 0.62.",
            "Observed agreement of two voters: - of the samples; Fleiss' kappa: -.",
            id="en",
        ),
        pytest.param(
            "zh",
            "两个投票者的观察一致率为 87.5%，Fleiss kappa 系数为 0.62。",
            "两个投票者的观察一致率为 -，Fleiss kappa 系数为 -。",
            id="zh",
        ),
    ],
)
def test_judges_have_a_table(
    results: Results, several: Results, page: Page, language: Language, agreed: str, unknown: str
):
    """Share accepted by each judge, and their agreement; a dash if no two voted on a sample."""
    rows = "classifier 1,200 75.0% 0.62 glm<4> 30 0.0% 0.00 qwen|one 1,170 100.0% 0.25"
    assert f"{rows} {agreed}" in page.text(several, language)
    apart = replace(several.metrics.filter, judges_agreement=None, judges_kappa=None)
    changed = with_metrics(several, replace(several.metrics, filter=apart))
    assert unknown in page.text(changed, language)
    assert WORDS[language]["judges"] not in page.source(results, language)


def test_empty_sections_are_left_out(results: Results, page: Page):
    """Without candidates, samples and differences the report is still written."""
    source = page.source(without_samples(results))
    assert "candidates 0 -" in str(Text(source))
    for heading in ("examples", "bias", "confusions"):
        assert f"<h2>{WORDS['en'][heading]}</h2>" not in source


def test_no_samples_can_be_the_recommendation(results: Results, page: Page):
    """If no samples are best on dev, the report says so and names the free method."""
    none = replace(results.metrics.evaluate.chosen, samples_per_class=0)
    text = page.text(with_evaluation(results, chosen=none, best_free="class_weight"), "zh")
    assert "建议：这批数据无需使用合成样本；不使用样本的“类别权重”效果相当。" in text


def test_only_significant_changes_are_coloured(results: Results, page: Page):
    """Changes for better or worse that may be chance have no colour."""
    planted = {
        "查询话费": (0.9, 0.88, 0.0001, True),
        "开发票": (0.1, 0.5, 0.012, True),
        "补换卡": (0.0, 0.5, 0.0002, False),
        "取消彩铃": (0.1, 0.3, 0.2, True),
    }
    per_class = {
        label: replace(
            results.metrics.evaluate.per_class[label],
            recall_before=before,
            recall_after=after,
            p_adjusted=p,
            measurable=measurable,
        )
        for label, (before, after, p, measurable) in planted.items()
    }
    source = page.source(with_evaluation(results, per_class=per_class))
    table = source[source.index('id="classes"') :]
    table = table[: table.index("</table>")]
    cells = re.findall(r'<td class="n (better|worse|)">([+-][\d.]+)', table)
    assert cells == [("better", "+0.400"), ("", "+0.500"), ("", "+0.200"), ("worse", "-0.020")]
    text = str(Text(table))
    assert "开发票 2 20 10.0× 8 0.100 0.500 +0.400 0.012" in text
    assert "补换卡 4 20 5.0× 8 0.000 0.500 +0.500 not measurable" in text
    assert "查询话费 60 60 1.0× 8 0.900 0.880 -0.020 < 0.001" in text


def test_names_and_samples_cannot_break_the_page(results: Results, page: Page):
    """Markup in a class name or a sample is escaped."""
    per_class = dict(results.metrics.balance.per_class)
    per_class["<b>"] = per_class.pop("查询话费")
    balance = replace(results.metrics.balance, per_class=per_class)
    first = results.accepted[0]
    quoted = replace(
        first,
        candidate=replace(first.candidate, label="<b>"),
        text="<script>alert(1)</script>",
    )
    changed = replace(results, accepted=[quoted])
    read = Text(page.source(with_metrics(changed, replace(results.metrics, balance=balance))))
    without = Text(page.source(results))
    assert read.tags.count("b") == without.tags.count("b")
    assert "script" not in read.tags
    assert "<script>alert(1)</script>" in str(read)


def test_confusions_are_the_largest_first(results: Results, page: Page):
    """Unchanged pairs are left out; a table shows ten pairs; empty tables are left out."""
    pairs = [Confused("a", f"b{n}", 0, n) for n in range(12)]
    source = page.source(replace(results, confused=pairs))
    assert re.findall(r"<td>a</td><td>(\w+)</td>", source) == [f"b{n}" for n in range(11, 1, -1)]
    assert WORDS["en"]["fewer"] not in source
    both_ways = [Confused("a", "b", 20, 8), Confused("b", "a", 3, 9), Confused("a", "c", 5, 5)]
    text = page.text(replace(results, confused=both_ways))
    assert "Confused less often class predicted as before after change a b 20 8 -12" in text
    assert "Confused more often class predicted as before after change b a 3 9 +6" in text
    assert "a c 5 5" not in text


def test_a_class_without_test_rows_is_not_measurable(results: Results, page: Page):
    """Its counts are shown, sorted like the others."""
    measured = results.metrics
    per_class = {k: v for k, v in measured.evaluate.per_class.items() if k != "补换卡"}
    rows = class_rows(measured.balance, per_class)
    assert [row.label for row in rows][:3] == ["开发票", "补换卡", "取消彩铃"]
    text = page.text(with_evaluation(results, per_class=per_class))
    assert "补换卡 4 20 5.0× 0 - - - not measurable" in text


def test_rows_that_were_dropped_are_in_the_original_count(capped: Results, page: Page):
    """The train file has them; the balanced set has fewer rows."""
    text = page.text(capped)
    assert "48 generated samples were added to 102 real rows" in text
    assert "查询话费 60 30 0.5× 8" in text


def test_shortfall_is_reported(results: Results, page: Page):
    """The number of missing samples and their classes."""
    balance = results.metrics.balance
    short = replace(balance.per_class["开发票"], shortfall=6)
    lacking = replace(balance, per_class={**balance.per_class, "开发票": short})
    text = page.text(with_metrics(results, replace(results.metrics, balance=lacking)))
    assert "Shortfall of 6 samples: 开发票 6." in text


@both
def test_differences_are_described(results: Results, page: Page, language: Language):
    """What differs, by how much, compared with what, and whether it may be chance."""
    entries = (
        difference("办理缴费", "openings", "您好请问", (0.75, 0.25), also_in=1),
        difference("", "turns", "mean", (4.5, 16.0), compared_with="all", at_least=-0.1),
        difference("", "genders", "none", (0.9, 0.7)),
        difference("", "attribute 来电人", "老人", (0.5, 0.25), compared_with="even"),
    )
    bias = replace(results.metrics.filter.bias, largest=entries)
    screened = replace(results.metrics.filter, bias=bias)
    text = page.text(with_metrics(results, replace(results.metrics, filter=screened)), language)
    stated = {
        "en": [
            "办理缴费 opens with 您好请问 75.0% 25.0% 1 more",
            "all classes number of turns, mean may be chance 4.5 16.0 all classes",
            "all classes has no gender word 90.0% 70.0%",
            "all classes requested: 来电人 老人 50.0% 25.0% even share",
        ],
        "zh": [
            "办理缴费 以“您好请问”开头 75.0% 25.0% 另外 1 类",
            "全部类别 平均轮数 可能是偶然 4.5 16.0 全部类别",
            "全部类别 没有性别用词 90.0% 70.0%",
            "全部类别 按要求：来电人 老人 50.0% 25.0% 均分",
        ],
    }
    for line in stated[language]:
        assert line in text


def test_examples_are_of_different_classes_first(results: Results):
    """The first sample of each class in the order of the file, then the second ones."""
    first = results.accepted[0]
    samples = [
        replace(first, candidate=replace(first.candidate, id=str(n), label=label))
        for n, label in enumerate("aaabbc")
    ]
    assert [sample.id for sample in varied(samples)] == ["0", "3", "5", "1", "4"]


def test_long_examples_are_cut(results: Results, page: Page):
    """A long turn ends in three dots, and later ones are not shown."""
    long = replace(results.accepted[0], text="甲[SEP]" + "乙" * 300 + "[SEP]丙")
    source = page.source(replace(results, accepted=[long], rejected=[]), "zh")
    assert "<span>甲</span> <i>/</i> <span>" + "乙" * 199 + "…</span></p>" in source


def with_evaluation(results: Results, **changed: object) -> Results:
    """Return the same run with changed fields of its evaluation."""
    evaluate = replace(results.metrics.evaluate, **changed)  # type: ignore[arg-type]
    return with_metrics(results, replace(results.metrics, evaluate=evaluate))


def difference(
    label: str,
    facet: str,
    value: str,
    shares: tuple[float, float],
    compared_with: ComparedWith = "class",
    at_least: float = 0.2,
    also_in: int = 0,
) -> LargestDifference:
    """Return one of the largest differences."""
    synthetic, real = shares
    return LargestDifference(
        label,
        facet,
        value,
        synthetic,
        real,
        synthetic - real,
        20,
        20,
        compared_with,
        at_least,
        also_in,
    )
