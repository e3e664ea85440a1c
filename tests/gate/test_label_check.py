"""Label check: wrong labels are found, new phrasings of small classes are accepted."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pandas as pd
import pytest

from src.data.schema import LabelInfo
from src.gate.label_check import (
    MIN_OTHERS,
    RIDGE,
    ROWS_PER_CLASS,
    SUSPECT_RANK,
    SUSPECT_SHARE,
    LabelCheck,
    LabelScores,
    check_labels,
    leave_one_out,
    suspects,
)
from src.records.samples import Candidate

WORDS = {
    "查询话费": "话费 余额 扣费 账单 欠费 明细 缴清 查账",
    "办理宽带": "宽带 安装 师傅 上门 光纤 路由 新装 预约",
    "投诉网络": "信号 断网 很慢 投诉 基站 卡顿 掉线 没网",
    "取消彩铃": "彩铃 取消 退订 铃音 关掉 炫铃 音乐 停用",
    "开发票": "发票 抬头 税号 报销 电子 开具 公司 凭证",
}
MORE = {
    "改套餐": "套餐 资费 升档 降档 更换 合约 优惠 档位",
    "国际漫游": "漫游 出国 国外 境外 国际 香港 开通 航班",
    "积分兑换": "积分 兑换 商城 礼品 换购 到期 清零 会员",
    "销户": "销户 注销 退网 不用 号销 结清 停机 退卡",
    "查流量": "流量 用量 兆数 跑掉 超出 剩余 套外 上网",
}
SHARED = [
    "您好",
    "请问",
    "那个",
    "现在",
    "这边",
    "麻烦",
    "可以",
    "知道",
    "谢谢",
    "稍等",
    "然后",
    "客服",
]
ENGLISH = {
    "lost_card": "lost card wallet stolen missing block replace",
    "exchange_rate": "exchange rate euro dollar currency convert market",
    "top_up": "top up balance add money transfer deposit",
    "pin_blocked": "pin code blocked unlock tries wrong keypad",
}
POLITE = [
    "hello",
    "please",
    "can",
    "you",
    "tell",
    "me",
    "thanks",
    "i",
    "the",
    "my",
    "want",
    "to",
    "know",
]


def call(label: str, seed: object) -> str:
    """Return three turns made of words of the class and words of all classes."""
    rng = Random(f"{label}/{seed}")
    own = (WORDS | MORE)[label].split()
    turns = ["".join(rng.choices(own, k=2) + rng.choices(SHARED, k=3)) for _ in range(3)]
    return "[SEP]".join(turns)


def rows(counts: dict[str, int], split: str = "real") -> pd.DataFrame:
    """Return real rows, with the given number per class."""
    return pd.DataFrame(
        [
            {"row_id": f"{label}-{n}", "text": call(label, f"{split}/{n}"), "label": label}
            for label, count in counts.items()
            for n in range(count)
        ]
    )


def samples(counts: dict[str, int], split: str = "sample") -> list[Candidate]:
    """Return candidates, with the given number per class."""
    frame = rows(counts, split)
    return [
        Candidate(*row) for row in zip(frame["row_id"], frame["label"], frame["text"], strict=True)
    ]


TRAIN = rows(dict.fromkeys(WORDS, 12))
LABELS = {label: LabelInfo("0", label, f"客户要{label}", (f"我想{label}",)) for label in WORDS}


def check(candidates: list[Candidate], train: pd.DataFrame = TRAIN) -> LabelCheck:
    """Check calls with turns, without definitions."""
    return check_labels(candidates, train, {}, "[SEP]")


@pytest.mark.parametrize("labels", [{}, LABELS], ids=["no-labels", "labels"])
@pytest.mark.parametrize("own", WORDS)
def test_a_wrong_label_is_found(own: str, labels: dict[str, LabelInfo]) -> None:
    """A sample of another class has that class as most likely, and a low score for its own."""
    planted = next(label for label in WORDS if label != own)
    candidates = samples(dict.fromkeys(WORDS, 6))
    candidates.append(Candidate("wrong", own, call(planted, "planted")))
    scores = check_labels(candidates, TRAIN, labels, "[SEP]").candidates
    assert scores.best[-1] == planted
    assert scores.rank[-1] > 0
    assert scores.score[-1] < 0.3 < scores.score[:-1].min()
    assert set(scores.rank[:-1]) == {0}
    assert scores.neighbours[-1] < scores.neighbours[:-1].mean() / 2


def test_scores_keep_the_order_of_the_texts() -> None:
    """There is one score per candidate, and reversing the candidates reverses the scores."""
    candidates = samples({"开发票": 5, "查询话费": 3, "投诉网络": 4})
    candidates[4] = replace(candidates[4], text=call("办理宽带", "other"))
    forth, back = check(candidates), check(candidates[::-1])
    assert forth.candidates.score.shape == forth.candidates.rank.shape == (12,)
    assert forth.candidates.neighbours.shape == (12,)
    assert forth.candidates.score == pytest.approx(back.candidates.score[::-1], abs=1e-4)
    assert forth.candidates.rank.tolist() == back.candidates.rank[::-1].tolist()
    assert forth.candidates.best == back.candidates.best[::-1]
    assert forth.candidates.best[4] == "办理宽带"
    assert forth.train_rows == tuple(TRAIN["row_id"])
    assert forth.train.score.shape == (len(TRAIN),)


def test_scores_and_shares_are_within_0_and_1() -> None:
    """Scores are in range, and the most likely class is the text's own if none ranks higher."""
    checked = check(samples(dict.fromkeys(WORDS, 4)))
    for scores in (checked.candidates, checked.train):
        for values in (scores.score, scores.neighbours):
            assert values.min() >= 0
            assert values.max() <= 1
    own = TRAIN["label"].tolist()
    likeliest = [best == label for best, label in zip(checked.train.best, own, strict=True)]
    assert (checked.train.rank == 0).tolist() == likeliest


def test_the_same_input_gives_the_same_scores() -> None:
    """This includes classes with more rows than are trained on, of which some are drawn."""
    train = pd.concat([TRAIN, rows({"开发票": ROWS_PER_CLASS + 30}, "many")], ignore_index=True)
    train = train.assign(row_id=[f"r{n}" for n in range(len(train))])
    candidates = samples({"开发票": 3, "取消彩铃": 3})
    first, second = check(candidates, train), check(candidates, train)
    assert first.train_rows == second.train_rows
    assert len(first.train_rows) == 4 * 12 + ROWS_PER_CLASS
    assert first.candidates.score.tolist() == second.candidates.score.tolist()
    assert first.train.score.tolist() == second.train.score.tolist()


def test_no_other_row_gives_no_verdict() -> None:
    """With one real row and one different candidate, there is no way to tell which is right."""
    train = pd.concat([rows(dict.fromkeys(list(WORDS)[:4], 12)), rows({"开发票": 1})])
    wrong = Candidate("wrong", "开发票", call("取消彩铃", "planted"))
    alone = check([wrong], train.reset_index(drop=True)).candidates
    assert alone.rank.tolist() == [0]
    assert alone.score.tolist() == [1.0]
    company = [wrong, *samples({"开发票": MIN_OTHERS})]
    judged = check(company, train.reset_index(drop=True)).candidates
    assert judged.rank[0] > 0
    assert judged.score[0] < 0.5


def test_a_class_of_one_real_row_is_not_condemned() -> None:
    """Good candidates support each other, although the real row is worded differently."""
    train = pd.concat([rows(dict.fromkeys(list(WORDS)[:4], 30)), rows({"开发票": 1})])
    counts = {"开发票": 20, "查询话费": 20}
    checked = check(samples(counts), train.reset_index(drop=True))
    assert checked.candidates.rank.tolist() == [0] * 40
    assert checked.candidates.score[:20].min() > 0.5
    assert checked.train.rank[-1] == 0


def test_a_real_row_of_a_wrong_class_is_listed_and_stays() -> None:
    """The most doubtful come first, with the better class; the rows themselves are unchanged."""
    train = rows(dict.fromkeys(WORDS | MORE, 20))
    wrong = train["row_id"].isin(["查询话费-3", "开发票-7"])
    train.loc[wrong, "text"] = [call("投诉网络", "a"), call("办理宽带", "b")]
    before = train.copy()
    listed = suspects(check([], train), train)
    assert list(listed.columns) == [
        *("row_id", "label", "suggested", "label_score", "label_rank", "text")
    ]
    found = listed.set_index("row_id")["suggested"].to_dict()
    assert found == {"查询话费-3": "投诉网络", "开发票-7": "办理宽带"}
    assert listed["label_score"].is_monotonic_increasing
    assert (listed["label_rank"] > SUSPECT_RANK).all()
    assert len(listed) <= len(train) // SUSPECT_SHARE
    pd.testing.assert_frame_equal(train, before)


def test_no_more_rows_are_listed_than_people_will_look_at() -> None:
    """At most one in `SUSPECT_SHARE` rows is listed, the most doubtful ones."""
    count = 3 * SUSPECT_SHARE
    scores = LabelScores(
        score=np.arange(count)[::-1] / count,
        rank=np.arange(count) % (SUSPECT_RANK + 1),  # every fourth is in doubt
        best=("开发票",) * count,
        neighbours=np.zeros(count),
    )
    train = rows({"销户": count})
    listed = suspects(LabelCheck(scores, scores, tuple(train["row_id"])), train)
    assert listed["row_id"].tolist() == [f"销户-{count - 1 - 4 * n}" for n in range(3)]
    assert set(listed["label_rank"]) == {SUSPECT_RANK + 1}


def test_a_clean_set_has_no_suspects() -> None:
    """Rows with a plausible label are not listed."""
    assert suspects(check(samples({"开发票": 5})), TRAIN).empty


def test_english_utterances_without_turns() -> None:
    """A wrong label is also found with one utterance per row."""

    def utterance(label: str, seed: str) -> str:
        rng = Random(f"{label}/{seed}")
        return " ".join(rng.choices(POLITE, k=4) + rng.choices(ENGLISH[label].split(), k=4))

    train = pd.DataFrame(
        [
            {"row_id": f"{label}-{n}", "text": utterance(label, f"real/{n}"), "label": label}
            for label in ENGLISH
            for n in range(20)
        ]
    )
    candidates = [
        Candidate(f"{label}-{n}", label, utterance(label, f"sample/{n}"))
        for label in ENGLISH
        for n in range(5)
    ]
    candidates.append(Candidate("wrong", "lost_card", utterance("top_up", "x")))
    scores = check_labels(candidates, train, {}, None).candidates
    assert scores.best[-1] == "top_up"
    assert scores.score[-1] < scores.score[:-1].min()
    assert scores.rank[:-1].tolist() == [0] * 20


def test_what_is_wanted_comes_early() -> None:
    """Of two calls with the same turns, the one that starts with its class scores higher."""
    first, last = (call(label, "early").split("[SEP]") for label in ("开发票", "取消彩铃"))
    candidates = [
        Candidate("early", "开发票", "[SEP]".join([*first, *last])),
        Candidate("late", "开发票", "[SEP]".join([*last, *first])),
    ]
    scores = check([*candidates, *samples(dict.fromkeys(WORDS, 4))]).candidates
    assert (scores.best[0], scores.best[1]) == ("开发票", "取消彩铃")
    assert scores.score[0] > scores.score[1]


def test_leaving_one_out_equals_a_refit_without_it() -> None:
    """The closed form equals brute force: refit without each training row and predict it."""
    rng = np.random.default_rng(5)
    positions = rng.normal(size=(11, 4)).astype(np.float32)
    owner = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 1, 0])
    learned = np.array([0, 1, 2, 4, 5, 6, 7, 8, 9])  # 3 and 10 are predicted alone
    values = leave_one_out(positions, owner, learned, 3)
    points, label = positions.astype(float), owner[learned]
    weight = len(learned) / 3 / np.bincount(label)[label]  # each class weighs the same
    member = np.eye(3)[label] - 1 / 3

    def predicted(row: int, by: np.ndarray) -> np.ndarray:
        """Weighted ridge regression by its normal equations."""
        x, w = points[learned[by]], np.diag(weight[by])
        beta = np.linalg.solve(x.T @ w @ x + RIDGE * np.eye(4), x.T @ w @ member[by])
        return np.asarray(points[row] @ beta)

    everyone = np.arange(len(learned))
    for row in range(len(positions)):
        expected = predicted(row, everyone[learned != row])
        assert values[row] == pytest.approx(expected, abs=1e-9)
    assert values[0] != pytest.approx(predicted(0, everyone), abs=1e-3)
