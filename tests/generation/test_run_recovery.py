"""The stage generate after a crash, and beside another run: each response is paid for once."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from src.commands import record
from src.stages import generate
from tests.generation.processes import finish, keys_of, start
from tests.llm.server import Call, Sent, Server, says
from tests.stages.small_project import Project, call, endpoint, make_project

PLAN = (
    "label,support,tier,target,needed,keywords,neighbours\n"
    "查询话费,60,majority,60,0,,[]\n"
    "补换卡,4,ultra,20,16,补卡;换卡,[]\n"
    "开发票,2,ultra,20,18,发票;抬头,[]\n"
)


@pytest.fixture
def project(tmp_path: Path, server: Server) -> Project:
    """Two classes that need 34 samples from the loopback server, which responds slowly."""
    project = make_project(tmp_path / "project")
    project.settings(endpoint(server.url))
    project.settings(lambda values: values["filter"]["near_duplicate"].update(enabled=False))
    (project.path / "data/interim").mkdir()
    (project.path / "data/interim/plan.csv").write_text(PLAN, encoding="utf-8")
    server.default = response
    return project


def response(asked: Call) -> Sent:
    """A call of the class that the prompt names; equal prompts get equal responses."""
    label = next(label for label in ("补换卡", "开发票") if f"类型：{label}" in asked.prompt)
    return says("，" + "\n- ".join(call(label, asked.prompt)), delay=0.1)


def requests_of(project: Project) -> int:
    """Number of requests that the run needed, recorded or new."""
    metrics: dict[str, Any] = json.loads(
        (project.path / "metrics/generate.json").read_text("utf-8")
    )
    assert metrics["shortfall"] == 0
    return int(metrics["requests"])


@pytest.fixture
def no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn off MLflow for runs inside the test process."""
    monkeypatch.setenv("MLFLOW_TRACKING", "off")


def test_after_a_kill_only_the_missing_is_asked(project: Project, server: Server) -> None:
    """`kill -9` in the middle; the next run continues; the one after it sends nothing."""
    root = project.path
    process = start(project, root)
    while len(server.calls) < 12:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    kept = len(keys_of(root))
    assert kept >= 12 - 4  # all but the four in flight
    assert not (root / "data/interim/candidates.jsonl").exists()

    server.calls.clear()
    finish(start(project, root))
    assert len(server.calls) == requests_of(project) - kept
    candidates = (root / "data/interim/candidates.jsonl").read_bytes()

    server.calls.clear()
    finish(start(project, root))
    assert server.calls == []
    assert (root / "data/interim/candidates.jsonl").read_bytes() == candidates


def test_ctrl_c_ends_a_run_at_once(project: Project, server: Server) -> None:
    """Even while a server keeps it waiting; paid responses are kept."""
    server.script += [says("好的"), says("好的")]
    server.default = lambda _: says("好的", delay=60)
    process = start(project, project.path)
    while len(server.calls) < 6:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "stopped; run the same command again to continue"
    assert "Traceback" not in errors
    assert len(keys_of(project.path)) == 2


def test_two_runs_share_a_cache(project: Project, server: Server, tmp_path: Path) -> None:
    """Two workspaces of one project at the same time: both succeed with equal results."""
    root = tmp_path / "root"
    other = make_project(tmp_path / "other")
    for name in ("params.yaml", "data/interim/plan.csv"):
        (other.path / name).parent.mkdir(exist_ok=True)
        (other.path / name).write_bytes((project.path / name).read_bytes())
    for process in [start(project, root), start(other, root)]:
        finish(process)
    needed = requests_of(project)
    assert len(keys_of(root)) == needed == requests_of(other)
    assert needed <= len(server.calls) <= 2 * needed
    outputs = [p.path / "data/interim/candidates.jsonl" for p in (project, other)]
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_ten_kills_change_nothing(project: Project, server: Server, tmp_path: Path) -> None:
    """`kill -9` at ten moments: the samples are those of an uninterrupted run, and requests that
    were in the cache at a kill are not sent again.
    """
    plan = project.path / "data/interim/plan.csv"
    plan.write_text(PLAN.replace("20,16", "120,110").replace("20,18", "120,110"), encoding="utf-8")
    other = make_project(tmp_path / "other")
    for name in ("params.yaml", "data/interim/plan.csv"):
        (other.path / name).parent.mkdir(exist_ok=True)
        (other.path / name).write_bytes((project.path / name).read_bytes())
    rng = Random(11)
    for _ in range(10):
        kept = keys_of(project.path)
        server.calls.clear()
        process = start(project, project.path)
        until = 1 + int(rng.random() * 30)
        while len(server.calls) < until:
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(rng.random() / 10)
        process.kill()
        process.communicate()
        assert not kept & {call.headers["idempotency-key"] for call in server.calls}
    kept = keys_of(project.path)
    server.calls.clear()
    finish(start(project, project.path))
    assert len(server.calls) == requests_of(project) - len(kept) > 0
    finish(start(other, other.path))
    outputs = [p.path / "data/interim/candidates.jsonl" for p in (project, other)]
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


@pytest.mark.usefixtures("no_mlflow")
def test_nothing_is_asked_that_the_store_has(
    project: Project, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Offline with a packed file: no server, no cache, the same bytes."""
    monkeypatch.chdir(project.path)
    generate.main(cache=tmp_path / "a.sqlite")
    outputs = {
        path: path.read_bytes()
        for path in (*Path("data/interim").glob("*.jsonl"), Path("metrics/generate.json"))
    }
    assert len(outputs) == 4
    server.calls.clear()
    record.main([Path("data/interim/responses.jsonl")], Path("packed/r.jsonl.gz"))
    project.settings(lambda values: values["runtime"].update(offline=True))
    generate.main(cache=tmp_path / "b.sqlite", packed=Path("packed"))
    assert server.calls == []
    assert {path: path.read_bytes() for path in outputs} == outputs


@pytest.mark.usefixtures("no_mlflow")
def test_offline_a_missing_response_is_an_error(
    project: Project,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error names it and the remedy; nothing is sent."""
    project.settings(lambda values: values["runtime"].update(offline=True))
    monkeypatch.chdir(project.path)
    with pytest.raises(SystemExit) as exit_:
        generate.main(cache=project.path / "a.sqlite")
    assert exit_.value.code == 2
    assert capsys.readouterr().err == (
        "error: no recorded response for request 0 of class '补换卡'; "
        "set runtime.offline: false to call the endpoint\n"
    )
    assert server.calls == []
