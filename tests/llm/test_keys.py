"""Where an endpoint's API key is read from."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.errors import UserError
from src.llm.keys import api_key

KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        pytest.param(KEY, None, KEY, id="environment"),
        pytest.param(f" {KEY}\n", None, KEY, id="line-end-of-a-file"),
        pytest.param(None, f"TEST_KEY={KEY}\n", KEY, id="env-file"),
        pytest.param(None, f'TEST_KEY="{KEY}"\n', KEY, id="env-file-with-quotation-marks"),
        pytest.param(KEY, "TEST_KEY=other\n", KEY, id="environment-goes-first"),
        pytest.param("", f"TEST_KEY={KEY}\n", KEY, id="empty-in-the-environment"),
    ],
)
def test_where_the_key_is_from(
    environment: str | None,
    file: str | None,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment first, then .env in the project's root."""
    monkeypatch.delenv("TEST_KEY", raising=False)
    if environment is not None:
        monkeypatch.setenv("TEST_KEY", environment)
    if file is not None:
        (tmp_path / ".env").write_text(file, encoding="utf-8")
    assert api_key("small", "TEST_KEY", tmp_path) == expected


@pytest.mark.parametrize(
    "key", ["sk-\nabc", "sk-ключ", "sk-\x07"], ids=["lines", "letters", "bell"]
)
def test_an_impossible_key_is_refused_unseen(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP library would quote it in its error."""
    monkeypatch.setenv("TEST_KEY", key)
    with pytest.raises(UserError, match="TEST_KEY holds characters that are not allowed") as error:
        api_key("small", "TEST_KEY")
    assert key not in str(error.value)
