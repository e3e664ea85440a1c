"""After new real rows, responses are reused and only missing samples are requested."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from src import paths
from src.commands import record
from src.files import read_jsonl
from src.records.decisions import Decision, write_decisions
from src.stages import analyze, generate, score
from src.stages import filter as filter_stage
from tests.llm.server import Call, Sent, Server, says, serve
from tests.stages.small_project import WORDS, Project, call, endpoint, make_project, rows

NEW_CLASS = "办理副卡"
NEW_WORDS = "副卡 主卡 共享 家庭 添加 成员 套餐 绑定 孩子 老人"
APPENDED = {"查询话费": 24, "办理宽带": 19, "取消彩铃": 2, NEW_CLASS: 3}
CACHE, EMPTY = Path(".cache/llm.sqlite"), Path(".cache/empty.sqlite")


@pytest.fixture
def server() -> Iterator[Server]:
    """A model that writes a new good call of the class for each request."""
    with serve() as running:
        running.default = response
        yield running


def response(asked: Call) -> Sent:
    """Return a call of the class in the prompt; the same request gets the same call."""
    return says("，" + "\n- ".join(call(class_of(asked), asked.headers["idempotency-key"])))


def class_of(asked: Call) -> str:
    """Return the class of a request."""
    return next(label for label in WORDS if f"类型：{label}\n" in asked.prompt)


@pytest.fixture
def project(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with three rare classes, filled up, and one class just above the limit."""
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    project = make_project(tmp_path / "project")
    project.settings(endpoint(server.url))

    def edit(values: dict[str, Any]) -> None:
        values["plan"]["minority_ratio"] = 0.4
        values["generate"]["surplus"] = 0.0
        values["filter"]["near_duplicate"].update(enabled=False)
        values["filter"]["label_check"].update(enabled=False)
        values["filter"]["length"].update(min_chars=4, max_chars=400, min_turns=1, max_turns=20)

    project.settings(edit)
    project.frame("train", lambda frame: frame[~frame["call_id"].isin(beyond("投诉网络", 9))])
    monkeypatch.chdir(project.path)
    monkeypatch.setitem(WORDS, NEW_CLASS, NEW_WORDS)
    analyze.main()
    generate.main(cache=CACHE, packed=Path("none"))
    return project


def beyond(label: str, kept: int) -> set[str]:
    """Return the ids of the train rows of a class, without the first `kept`."""
    return {f"train-{label}-{n}" for n in range(kept, 100)}


def append(project: Project, *more: dict[str, object]) -> None:
    """Append rows to train, including a class that is new to every file."""
    with Path("data/labels.csv").open("a", encoding="utf-8") as file:
        file.write(f"{len(WORDS) - 1},{NEW_CLASS},客户要{NEW_CLASS},我想{NEW_CLASS}\n")
    new = rows("new", APPENDED)
    project.frame("train", lambda frame: pd.concat([frame, new, pd.DataFrame(more)]))


def again(cache: Path = CACHE, packed: Path = Path("none")) -> list[dict[str, Any]]:
    """Plan and generate again; return the candidates."""
    analyze.main()
    generate.main(cache=cache, packed=packed)
    return read_jsonl(paths.CANDIDATES)


def test_only_new_deficits_are_requested(project: Project, server: Server) -> None:
    """Other samples keep their ids; samples that contradict new rows are replaced."""
    before = read_jsonl(paths.CANDIDATES)
    keys = {asked.headers["idempotency-key"] for asked in server.calls}
    wanted = Counter({"取消彩铃": 14, "补换卡": 16, "开发票": 18})
    assert Counter(map(class_of, server.calls)) == wanted
    server.calls.clear()

    wrong = next(r for r in before if r["label"] == "补换卡")
    twin = {"sentence_sep": wrong["text"] + "[SEP]好", "call_id": "twin", "region": "北京"}
    append(project, {**twin, "c_numerical": 1, "label_raw": "办理宽带"})
    refused = next(r for r in before if r["label"] == "取消彩铃")["id"]
    word = Decision(refused, "reject", "取消彩铃", "", "Li", "2024-05-01T08:00:00.000000+00:00")
    write_decisions(paths.DECISIONS, [word])
    after = again()

    # 投诉网络 and the new class are rare now; 取消彩铃 needs fewer samples than before
    grew = Counter({"投诉网络": 11, "补换卡": 1, NEW_CLASS: 17})
    assert Counter(map(class_of, server.calls)) == grew
    assert not keys & {asked.headers["idempotency-key"] for asked in server.calls}
    known = {r["id"]: r for r in before}
    kept = [r for r in after if r["id"] in known]
    assert kept == [known[r["id"]] for r in kept]
    assert Counter(r["label"] for r in kept) == {"取消彩铃": 13, "补换卡": 16, "开发票": 18}

    score.main()
    filter_stage.main()
    gone = {r["id"]: (r["reason"], r["detail"]) for r in read_jsonl(paths.REJECTED)}
    assert gone[wrong["id"]][0] == "contradiction"
    assert "train row twin of class '办理宽带'" in gone[wrong["id"]][1]
    assert gone[refused] == ("review", "Li rejects it: no reason given")
    accepted = Counter(r["label"] for r in read_jsonl(paths.ACCEPTED))
    assert accepted == {**wanted, "取消彩铃": 12, "投诉网络": 11, NEW_CLASS: 17}


def test_recorded_responses_replay_reused_samples(project: Project, server: Server) -> None:
    """Same bytes without the cache and offline; also after even more rows."""
    append(project)
    again()
    written = [path.read_bytes() for path in (paths.CANDIDATES, paths.RESPONSES)]
    asked = len(server.calls)
    record.main([paths.RESPONSES], Path("packed/one.jsonl.gz"))
    project.settings(lambda values: values["runtime"].update(offline=True))
    again(EMPTY, Path("packed"))
    assert [path.read_bytes() for path in (paths.CANDIDATES, paths.RESPONSES)] == written
    more = rows("newest", {"开发票": 1, NEW_CLASS: 2})
    project.frame("train", lambda frame: pd.concat([frame, more]))
    ids = [r["id"] for r in again(EMPTY, Path("packed"))]
    assert set(ids) < {json.loads(line)["id"] for line in written[0].splitlines()}
    assert len(server.calls) == asked


def test_a_replay_adds_reuse_keys_to_an_old_packed_file(project: Project, server: Server) -> None:
    """Its responses are found by key, and by reuse key after new rows."""
    old = [
        {name: entry[name] for name in entry if name not in ("reuse_key", "seeds")}
        for entry in read_jsonl(paths.RESPONSES)
    ]
    Path("old.jsonl").write_text("".join(json.dumps(e) + "\n" for e in old), encoding="utf-8")
    record.main([Path("old.jsonl")], Path("packed/one.jsonl.gz"))
    responses = paths.RESPONSES.read_bytes()
    again(EMPTY, Path("packed"))
    assert paths.RESPONSES.read_bytes() == responses
    bought = len(server.calls)
    append(project)
    again(EMPTY, Path("packed"))
    assert Counter(map(class_of, server.calls[bought:])) == {"投诉网络": 11, NEW_CLASS: 17}


def test_without_reuse_changed_prompts_are_sent_again(project: Project, server: Server) -> None:
    """With reuse on again, the newest responses are found by their keys."""
    bought = len(server.calls)
    append(project)
    project.settings(lambda values: values["generate"].update(reuse=False))
    without = again()
    asked = Counter(map(class_of, server.calls[bought:]))
    assert asked[NEW_CLASS] == 17
    assert asked["取消彩铃"] > 0
    bought = len(server.calls)
    project.settings(lambda values: values["generate"].update(reuse=True))
    assert again() == without
    assert len(server.calls) == bought


def test_responses_to_removed_seed_rows_are_not_reused(project: Project, server: Server) -> None:
    """Also after a seed row was relabelled or its text changed."""
    before = read_jsonl(paths.CANDIDATES)
    changed, moved = "train-取消彩铃-0", "train-补换卡-0"

    def correct(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.set_index("call_id")
        frame.loc[changed, "sentence_sep"] = "您好[SEP]别的话"
        frame.loc[moved, ["c_numerical", "label_raw"]] = [1, "办理宽带"]
        return frame.reset_index()

    project.frame("train", correct)
    after = again()
    ids = {r["id"] for r in after}
    written_from_them = {r["id"] for r in before if {changed, moved} & set(r["seed_ids"])}
    assert written_from_them
    assert not written_from_them & ids
    assert {r["id"] for r in before if r["label"] == "开发票"} <= ids


def test_a_dry_run_counts_reusable_responses(
    project: Project, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only new classes and classes that became rare cost anything."""
    append(project)
    analyze.main()
    bought = len(server.calls)
    capsys.readouterr()
    generate.main(cache=CACHE, packed=Path("none"), dry_run=True)
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if "|" in line]
    recorded = {line[0]: (line[3], line[5]) for line in lines[1:]}
    assert recorded["投诉网络"] == ("11", "0")
    assert recorded[NEW_CLASS] == ("17", "0")
    assert recorded["取消彩铃"] == ("12", "13")
    assert len(server.calls) == bought


def test_a_class_that_only_train_has_is_planned_and_filled(
    project: Project, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a labels file; if a labels file lacks the class, the error says where to add it."""
    new = rows("new", {NEW_CLASS: 3})
    project.frame("train", lambda frame: pd.concat([frame, new]))
    with pytest.raises(SystemExit, match="2"):
        analyze.main()
    assert "data/labels.csv; correct the row or add the class there" in capsys.readouterr().err
    Path("data/labels.csv").write_text("id,name,definition,requests\n", encoding="utf-8")
    written = [r["label"] for r in again()]
    assert written.count(NEW_CLASS) == 17
