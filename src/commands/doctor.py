"""Check what this machine needs for a run: one line per check, with a remedy if it fails.

python -m src.commands.doctor
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer
from packaging.requirements import Requirement

from src.config.data import DataParams
from src.config.llm import EndpointParams
from src.config.params import Params, load_params
from src.errors import UserError
from src.paths import PARAMS, STANDIN

REQUIREMENTS = Path("requirements.txt")
OLDEST_PYTHON = (3, 11)
MODEL_BYTES = 300_000_000  # size of the model file assembled from its package
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Check:
    """One requirement of a run; the remedy is empty if it is met."""

    name: str
    ok: bool
    remedy: str = ""

    def __str__(self) -> str:
        """Return the line shown to the user."""
        return f"ok    {self.name}" if self.ok else f"FAIL  {self.name}: {self.remedy}"


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """Check that Python is new enough."""
    name = f"Python {'.'.join(map(str, found))}"
    remedy = f"install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer, then `make setup`"
    return _check(name, None if found >= OLDEST_PYTHON else remedy)


def check_packages(
    requirements: str, installed: Callable[[str], str | None] | None = None
) -> Check:
    """Check that the installed packages match the lock.

    Args:
        requirements: text of requirements.txt.
        installed: function from the name of a package to its version, None if not installed.
    """
    find = installed or _installed
    wrong = [
        f"{item.name} {find(item.name) or 'missing'} instead of {item.specifier}"
        for item in _requirements(requirements)
        if not item.specifier.contains(find(item.name) or "0", prereleases=True)
    ]
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return _check(
        "packages of requirements.txt", f"{wrong[0]}{more}; `make setup`" if wrong else None
    )


def check_git_identity(name: str, email: str) -> Check:
    """Check that git has a name and an e-mail address; `dvc exp` makes commits."""
    return _check(
        "git identity",
        None if name and email else "`git config --global user.name NAME`, and user.email",
    )


def check_first_commit(head: str) -> Check:
    """Check that the repository has a commit; `dvc exp` needs one to start from."""
    return _check("first commit", None if head else "`git init`, `git add .` and `git commit`")


def check_settings() -> tuple[Check, Params | None]:
    """Check params.yaml; return the settings too if they are valid."""
    try:
        params = load_params()
    except UserError as error:
        return _check(str(PARAMS), str(error)), None
    return _check(str(PARAMS), None), params


def check_data(data: DataParams) -> Check:
    """Check that the CSV files can be read, or are the stand-in that the first run creates."""
    from src.data.schema import load_splits, read_labels

    paths = (data.train, data.dev, data.test)
    missing = [path for path in paths if not path.exists()]
    try:
        if missing and all(STANDIN in path.parents for path in missing):
            read_labels(data.labels)
            return _check("data (the first run creates the stand-in)", None)
        splits = load_splits(data)
    except UserError as error:
        return _check("data", str(error))
    rows = ", ".join(f"{len(frame):,}" for frame in (splits.train, splits.dev, splits.test))
    return _check(f"data ({rows} rows)", None)


def check_model(endpoint: EndpointParams) -> Check:
    """Check that the embedded model exists: a .gguf file, or an installed package."""
    if endpoint.model.endswith(".gguf"):
        exists = Path(endpoint.model).is_file()
    else:
        exists = importlib.util.find_spec(endpoint.model.replace("-", "_")) is not None
    return _check(
        f"model {endpoint.model}",
        None
        if exists
        else "not found; correct llm.endpoints model: the path of a .gguf file, or a package of "
        "requirements.txt",
    )


def check_disk(endpoint: EndpointParams, free: int | None = None) -> Check:
    """Check that the home folder has room for the packaged model, which is assembled there.

    Args:
        endpoint: the embedded endpoint.
        free: free bytes; measured if None.
    """
    free = shutil.disk_usage(Path.home()).free if free is None else free
    enough = endpoint.model.endswith(".gguf") or free >= MODEL_BYTES
    remedy = f"{free / 1e6:.0f} MB free at {Path.home()}; make {MODEL_BYTES / 1e6:.0f} MB free"
    return _check("disk for the model", None if enough else remedy)


def check_key(endpoint: EndpointParams) -> Check:
    """Check that the environment variable with the endpoint's key is set."""
    from src.llm.keys import api_key

    try:
        api_key(endpoint.name, endpoint.api_key_env)
    except UserError as error:
        return _check(f"key of {endpoint.name}", str(error))
    return _check(f"key of {endpoint.name}", None)


def check_endpoint(endpoint: EndpointParams, timeout_s: float = TIMEOUT_S) -> Check:
    """Check that the server responds to a request for its models and accepts the key.

    Any other error is fine: not every server lists its models.
    """
    import openai

    from src.llm.keys import api_key

    name = f"endpoint {endpoint.name}"
    try:
        with openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=api_key(endpoint.name, endpoint.api_key_env),
            timeout=timeout_s,
            max_retries=0,
        ) as client:
            client.models.with_raw_response.list()
    except UserError as error:
        return _check(name, str(error))
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        return _check(name, f"HTTP {error.status_code}; correct the key in {endpoint.api_key_env}")
    except openai.APIConnectionError:
        remedy = "start it, or correct its base_url in params.yaml"
        return _check(name, f"no response from {endpoint.base_url} in {timeout_s:.0f} s; {remedy}")
    except openai.OpenAIError:
        pass
    return _check(name, None)


def run_checks() -> Iterator[Check]:
    """Run all checks, the cheap ones first."""
    yield check_python()
    if not REQUIREMENTS.is_file():
        yield _check(str(REQUIREMENTS), "not found; run from the project's root")
        return
    yield check_packages(REQUIREMENTS.read_text(encoding="utf-8"))
    yield check_git_identity(_git("config", "user.name"), _git("config", "user.email"))
    yield check_first_commit(_git("rev-parse", "--verify", "--quiet", "HEAD"))
    settings, params = check_settings()
    yield settings
    if params is None:
        return
    yield check_data(params.data)
    for endpoint in params.llm.endpoints:
        if endpoint.embedded:
            yield check_model(endpoint)
            yield check_disk(endpoint)
        else:
            yield check_key(endpoint)
            yield check_endpoint(endpoint)


def main() -> None:
    """Print the checks; exit code 2 if one fails."""
    tell(run_checks())


def tell(checks: Iterable[Check]) -> None:
    """Print each check as soon as it is done.

    Raises:
        SystemExit: code 2 after the last check, if one failed.
    """
    all_ok = True
    for check in checks:
        typer.echo(str(check))
        all_ok = all_ok and check.ok
    if not all_ok:
        raise SystemExit(2)


def _check(name: str, problem: str | None) -> Check:
    return Check(name, ok=problem is None, remedy=problem or "")


def _requirements(text: str) -> Iterator[Requirement]:
    """Yield the requirements of the lock that apply to this machine."""
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            item = Requirement(line)
            if item.marker is None or item.marker.evaluate():
                yield item


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str:
    """Return the output of git; empty if git fails or is not installed."""
    try:
        found = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()


if __name__ == "__main__":
    typer.run(main)
