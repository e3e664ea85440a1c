"""Review page over HTTP: what it shows, saves and refuses."""

from __future__ import annotations

import re
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from src.config.data import DataParams
from src.errors import UserError
from src.records.decisions import CHOICES, Decision, read_decisions, write_decisions
from src.review import page, words
from src.review.desk import Desk, load_desk
from src.review.page import create_app, default_reviewer, listen
from src.review.queue import LABEL_DOUBT

ORIGIN = "http://localhost"
SOURCES = Path(page.__file__).parent


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of decisions."""
    return tmp_path / "review" / "decisions.csv"


@pytest.fixture
def client(desk: Desk, file: Path) -> FlaskClient:
    """The page for 小李."""
    return create_app(desk, file, "小李").test_client()


def send(client: FlaskClient, path: str, body: object, **headers: str) -> TestResponse:
    """Send a write request like the page's script."""
    return client.post(path, json=body, headers={"Origin": ORIGIN, **headers})


def state(client: FlaskClient) -> dict[str, Any]:
    """Return what the page's script loads."""
    response: dict[str, Any] = client.get("/api/state").get_json()
    return response


def test_the_page_is_in_the_language_of_the_data(client: FlaskClient, desk: Desk) -> None:
    """All files come from the server itself, none from other hosts."""
    response = client.get("/")
    assert '<html lang="zh">' in response.text
    assert "小李" in response.text
    assert not re.search(r"https?://", response.text)
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', response.text):
        with client.get(path) as part:
            assert part.status_code == 200
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_a_sample_comes_with_all_that_helps_to_decide(client: FlaskClient) -> None:
    """It has turns, named scores, the reason, seeds found in train, and the suggested class."""
    shown = state(client)
    assert shown["samples"][0] == {
        "id": "a-1",
        "label": "查话费",
        "turns": ["你好", "话费还剩多少", "三十块"],
        "reason": "与先前合成样本的重合度：0.82",
        "scores": [["字数", "12"], ["与先前合成样本的重合度", "0.82"]],
        "seeds": [
            {"id": "t-1", "turns": ["帮我查话费", "好的您请稍等"]},
            {"id": "t-9", "turns": None},
        ],
        "suggested": "办停机",
        "decision": None,
    }
    assert shown["classes"][0] == {
        "id": "0",
        "name": "查话费",
        "definition": "客户询问余额",
        "requests": ["话费还剩多少", "余额查询"],
        "keywords": ["话费", "余额"],
    }
    assert [one["name"] for one in shown["classes"]] == ["查话费", "办停机", "投诉网络"]


def test_optional_columns_and_files_may_be_missing(data: DataParams, tmp_path: Path) -> None:
    """English texts can be reviewed without train, plan or labels."""
    queue, labels = tmp_path / "q.csv", tmp_path / "no_labels.csv"
    queue.write_text("id,label,text\nx,refund,give it back\ny,top_up,add ten\n", encoding="utf-8")
    labels.write_text("id,name,definition,requests\n", encoding="utf-8")
    english = data.model_copy(
        update={"labels": labels, "language": "en", "turn_separator": None, "train": Path("none")}
    )
    desk = load_desk(queue, english.train, Path("none"), english)
    shown = state(create_app(desk, tmp_path / "d.csv", "Li").test_client())
    assert shown["samples"][0]["turns"] == ["give it back"]
    assert [one["name"] for one in shown["classes"]] == ["refund", "top_up"]
    assert shown["words"]["accept"] == "Accept"


def test_every_decision_is_in_the_file_at_once(client: FlaskClient, file: Path) -> None:
    """Accept and reject keep the class, relabel takes the new one; a reason is one line."""
    send(client, "/api/decide", {"id": "a-1", "decision": "accept"})
    assert [one.id for one in read_decisions(file)] == ["a-1"]
    send(client, "/api/decide", {"id": "a-2", "decision": "reject", "reason": " 太\n短 "})
    send(client, "/api/decide", {"id": "b-1", "decision": "relabel", "label": "投诉网络"})
    assert [(one.id, one.decision, one.label, one.reason) for one in read_decisions(file)] == [
        ("a-1", "accept", "查话费", ""),
        ("a-2", "reject", "查话费", "太 短"),
        ("b-1", "relabel", "投诉网络", ""),
    ]
    assert {one.reviewer for one in read_decisions(file)} == {"小李"}
    assert [sample["decision"] is not None for sample in state(client)["samples"]] == [
        True,
        True,
        True,
        False,
    ]


def test_a_second_decision_replaces_the_first(client: FlaskClient, file: Path) -> None:
    """There is one row per sample and reviewer."""
    for decision in ("accept", "reject"):
        send(client, "/api/decide", {"id": "a-1", "decision": decision})
    assert [one.decision for one in read_decisions(file)] == ["reject"]


def test_reviewers_do_not_see_or_undo_each_other(
    client: FlaskClient, desk: Desk, file: Path
) -> None:
    """Two pages share one file."""
    other = create_app(desk, file, "王").test_client()
    send(client, "/api/decide", {"id": "a-1", "decision": "accept"})
    send(other, "/api/decide", {"id": "a-1", "decision": "reject"})
    assert state(client)["samples"][0]["decision"]["decision"] == "accept"
    assert send(client, "/api/undo", {}).get_json() == {"id": "a-1"}
    assert [one.reviewer for one in read_decisions(file)] == ["王"]


def test_undo_goes_back_through_the_samples_of_the_queue(client: FlaskClient, file: Path) -> None:
    """Undo removes the last decision first; decisions on samples of an earlier queue stay."""
    old = Decision("old", "accept", "a", "", "小李", "2099-01-01T00:00:00.000000+00:00")
    write_decisions(file, [old])
    for sample in ("b-2", "a-1"):
        send(client, "/api/decide", {"id": sample, "decision": "accept"})
    undone = [send(client, "/api/undo", {}).get_json()["id"] for _ in range(3)]
    assert undone == ["a-1", "b-2", None]
    assert read_decisions(file) == [old]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param({"id": "z", "decision": "accept"}, "'z' is not in the queue", id="sample"),
        pytest.param({"id": "a-1", "decision": "yes"}, "'yes' is not one of", id="decision"),
        pytest.param({"id": "a-1"}, "'' is not one of", id="no-decision"),
        pytest.param(
            {"id": "a-1", "decision": "relabel", "label": "无"}, "'无' is not another", id="class"
        ),
        pytest.param(
            {"id": "a-1", "decision": "relabel", "label": "查话费"},
            "not another known class",
            id="same",
        ),
        pytest.param({"id": ["a-1"], "decision": "accept"}, "object of strings", id="list"),
        pytest.param(["a-1"], "object of strings", id="no-object"),
    ],
)
def test_what_is_no_decision_is_refused(
    client: FlaskClient, file: Path, body: object, says: str
) -> None:
    """The error explains the problem, and nothing is written."""
    response = send(client, "/api/decide", body)
    assert response.status_code == 400
    assert says in response.get_json()["error"]
    assert not file.exists()


@pytest.mark.parametrize("path", ["/api/decide", "/api/undo"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Origin": "http://elsewhere.example"}, 403, id="other-site"),
        pytest.param({"Origin": "http://localhost:9999"}, 403, id="other-port"),
        pytest.param({"Origin": "null"}, 403, id="sandboxed-page"),
        pytest.param({}, 403, id="no-origin"),
        pytest.param(
            {"Origin": "http://rebound.example", "Host": "rebound.example"}, 403, id="rebound-name"
        ),
        pytest.param({"Origin": ORIGIN, "Content-Type": "text/plain"}, 415, id="form-like"),
    ],
)
def test_other_sites_cannot_write(
    client: FlaskClient, file: Path, path: str, headers: dict[str, str], status: int
) -> None:
    """Forms, other origins and rebound host names are refused."""
    send(client, "/api/decide", {"id": "a-1", "decision": "accept"})
    before = file.read_bytes()
    sent = {"Content-Type": "application/json", **headers}
    body = '{"id": "a-1", "decision": "reject"}'
    assert client.post(path, data=body, headers=sent).status_code == status
    assert file.read_bytes() == before


def test_other_sites_cannot_read(client: FlaskClient) -> None:
    """Calls may be confidential, so a rebound host name cannot read them."""
    assert client.get("/api/state", headers={"Host": "rebound.example"}).status_code == 403
    assert client.get("/api/state", headers={"Host": "127.0.0.1:8765"}).status_code == 200


def test_a_failed_save_says_so(client: FlaskClient, file: Path) -> None:
    """The file cannot be replaced, here because a folder has its name."""
    file.mkdir(parents=True)
    response = send(client, "/api/decide", {"id": "a-1", "decision": "accept"})
    assert response.status_code == 500
    assert "decisions.csv" in response.get_json()["error"]


def test_a_file_that_was_broken_meanwhile_is_not_overwritten(
    client: FlaskClient, file: Path
) -> None:
    """A file with merge conflict marks is reported with its line."""
    send(client, "/api/decide", {"id": "a-1", "decision": "accept"})
    broken = file.read_text(encoding="utf-8") + "<<<<<<< HEAD\n"
    file.write_text(broken, encoding="utf-8")
    response = send(client, "/api/decide", {"id": "a-2", "decision": "accept"})
    assert response.status_code == 500
    assert "line 3" in response.get_json()["error"]
    assert file.read_text(encoding="utf-8") == broken


def test_the_server_listens_on_this_machine_alone(client: FlaskClient) -> None:
    """Port 0 picks a free port; a port in use is a UserError."""
    server = listen(client.application, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert server.server_address[0] == "127.0.0.1"
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/") as response:
            assert response.status == 200
        with pytest.raises(UserError, match=f"--port {server.port}: .*; choose another port"):
            listen(client.application, server.port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_reviewer_is_gits_user_or_the_login(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It also works without git."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = 小王\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("LOGNAME", "login")
    assert default_reviewer() == "小王"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert default_reviewer() == "login"


def test_both_languages_say_all_that_the_page_needs() -> None:
    """Both languages have the same keys, and each key is used."""
    english, chinese = words.WORDS["en"], words.WORDS["zh"]
    assert english.keys() == chinese.keys()
    for key in english:
        assert re.findall(r"\{\w+\}", english[key]) == re.findall(r"\{\w+\}", chinese[key])
    sources = "".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("page.[hj]*"))
    used = set(re.findall(r"\bwords\.(\w+)", sources))
    families = ("was_", "reason_")  # composed from a decision or a number
    assert used == {key for key in english if not key.startswith(families)}
    assert {f"was_{choice}" for choice in CHOICES} <= english.keys()


def test_a_doubtful_label_is_translated() -> None:
    """The label check's reason is no score column, and still in the page's language."""
    reason = f"0.93 {LABEL_DOUBT}"
    assert words.reason_to_look(reason, "zh") == "属于其他类别的可能性：0.93"
    assert words.reason_to_look(reason, "en") == reason
