"""A small project for review: three classes, four samples, seeds from train."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.config.data import DataParams
from src.review.desk import Desk, load_desk

QUEUE = """id,label,text,reason_to_look,chars,near_duplicate,seed_ids,suggested
a-1,查话费,你好[SEP]话费还剩多少[SEP]三十块,0.82 of it occurs in one earlier sample,12,0.8181,t-1 t-9,办停机
a-2,查话费,查一下余额[SEP]好的,,8,0.1,t-1,
b-1,办停机,我要停机,,4,0.0,,
b-2,办停机,<b>停机</b>[SEP]嗯,,5,0.0,t-2,
"""
LABELS = """id,name,definition,requests
0,查话费,客户询问余额,话费还剩多少；余额查询
1,办停机,客户要求停机,我要停机
2,投诉网络,客户说网络不好,没有信号
"""
TRAIN = """row,words,class
t-1,帮我查话费[SEP]好的您请稍等,查话费
t-2,停机怎么办,办停机
t-3,没有信号,投诉网络
"""
PLAN = """label,support,tier,target,needed,keywords
查话费,1,ultra,3,2,话费;余额
办停机,1,ultra,3,2,停机
投诉网络,1,ultra,1,0,信号
"""


@pytest.fixture
def data(tmp_path: Path) -> DataParams:
    """Settings of the small project, with its files in tmp_path."""
    for name, text in (("queue", QUEUE), ("labels", LABELS), ("train", TRAIN), ("plan", PLAN)):
        (tmp_path / f"{name}.csv").write_text("\ufeff" + text, encoding="utf-8")
    return DataParams(
        train=tmp_path / "train.csv",
        dev=tmp_path / "train.csv",
        test=tmp_path / "train.csv",
        labels=tmp_path / "labels.csv",
        text_column="words",
        label_column="class",
        label_name_column="class",
        id_column="row",
        turn_separator="[SEP]",
        language="zh",
    )


@pytest.fixture
def desk(data: DataParams, tmp_path: Path) -> Desk:
    """The desk of the small project."""
    return load_desk(tmp_path / "queue.csv", data.train, tmp_path / "plan.csv", data)
