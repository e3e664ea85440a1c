"""Commands: user errors, Ctrl-C and programming errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.cli import command, stage
from src.errors import UserError


def test_user_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A user error is one line on stderr with exit code 2."""

    @command
    def main() -> None:
        raise UserError("train.csv line 3: label is empty; fill it in")

    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    captured = capsys.readouterr()
    assert captured.err == "error: train.csv line 3: label is empty; fill it in\n"
    assert captured.out == ""


def test_ctrl_c_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    """An interrupted command says how to continue."""

    @command
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 130
    assert capsys.readouterr().err == "stopped; run the same command again to continue\n"


def test_a_command_passes_arguments_and_other_errors() -> None:
    """Return values are passed on; other exceptions keep their traceback."""

    @command
    def main(number: int) -> float:
        """Say it."""
        return 1 / number

    assert main(4) == 0.25
    assert main.__doc__ == "Say it."
    with pytest.raises(ZeroDivisionError):
        main(0)


def test_a_stage_checks_the_whole_file_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in a section that the stage does not read stops it before it starts."""
    text = Path("params.yaml").read_text(encoding="utf-8")
    broken = text.replace("  target_per_class:", "  target_per_clas:")
    (tmp_path / "params.yaml").write_text(broken, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done: list[str] = []

    @stage
    def main(what: str) -> None:
        done.append(what)

    with pytest.raises(SystemExit) as exit_:
        main("ran")
    assert exit_.value.code == 2
    assert "plan.target_per_clas is not a setting (did you mean" in capsys.readouterr().err
    assert done == []
