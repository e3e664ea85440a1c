"""params.yaml: errors name key, value and remedy; every setting is read by code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from src.config.filter import FilterParams
from src.config.load import load
from src.config.params import MOVED, Params, load_params
from src.config.plan import PlanParams
from src.config.section import Section
from src.errors import UserError
from src.gate.rules import RULES

SHIPPED = Path("params.yaml")


def write_params(folder: Path, path: tuple[str | int, ...], value: object = ...) -> Path:
    """Write the shipped settings with one value changed, or removed if it is `...`."""
    raw = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    position = raw
    for part in path[:-1]:
        position = position[part]
    if value is ...:
        del position[path[-1]]
    else:
        position[path[-1]] = value
    file = folder / "params.yaml"
    file.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return file


def test_the_shipped_settings_are_legal() -> None:
    """The params.yaml in the repository loads and contains every section."""
    params = load_params()
    assert params.llm.endpoints[0].embedded
    raw = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    assert list(raw) == list(Params.model_fields)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        pytest.param(
            ("plan", "target_per_clas"),
            5,
            "plan.target_per_clas is not a setting (did you mean target_per_class?); "
            "correct or remove it",
            id="unknown-key-near-a-known-one",
        ),
        pytest.param(
            ("filter", "length", "min_char"),
            5,
            "filter.length.min_char is not a setting (did you mean min_chars?); "
            "correct or remove it",
            id="unknown-key-two-levels-down",
        ),
        pytest.param(
            ("llm", "endpoints", 0, "api_key"),
            "sk-1",
            "llm.endpoints.0.api_key is not a setting (did you mean api_key_env?); "
            "correct or remove it",
            id="unknown-key-in-a-list",
        ),
        pytest.param(
            ("zzz",), {}, "zzz is not a setting; correct or remove it", id="unknown-section"
        ),
        pytest.param(("data", "train"), ..., "data.train is missing; add it", id="missing-key"),
        pytest.param(("runtime",), ..., "runtime is missing; add it", id="missing-section"),
        pytest.param(
            ("corpus", "noise"),
            1.5,
            "corpus.noise is 1.5 but should be less than or equal to 1; correct it",
            id="too-large",
        ),
        pytest.param(
            ("data", "language"),
            "fr",
            "data.language is 'fr' but should be 'zh' or 'en'; correct it",
            id="not-a-choice",
        ),
        pytest.param(
            ("data", "turn_separator"),
            "",
            "data.turn_separator is '' but string should have at least 1 character; correct it",
            id="empty-separator",
        ),
        pytest.param(
            ("plan", "keywords_per_class"),
            "many",
            "plan.keywords_per_class is 'many' but should be a valid integer, "
            "unable to parse string as an integer",
            id="no-number",
        ),
        pytest.param(
            ("filter", "length", "quantiles"),
            [0.9, 0.1],
            "filter.length.quantiles: the first must not be above the second, got [0.9, 0.1]",
            id="quantiles-the-wrong-way-round",
        ),
        pytest.param(
            ("baseline", "ngram_range"),
            [2, 1],
            "baseline.ngram_range: the first must not be above the second, got [2, 1]",
            id="ngrams-the-wrong-way-round",
        ),
        pytest.param(
            ("evaluate", "methods"),
            ["original", "augmented"],
            "evaluate: methods must include ['class_weight', 'oversample']: "
            "results are compared with them",
            id="methods-without-competitors",
        ),
    ],
)
def test_a_wrong_setting_is_named(
    path: tuple[str | int, ...], value: object, expected: str, tmp_path: Path
) -> None:
    """The error is one line with key, value and remedy."""
    file = write_params(tmp_path, path, value)
    with pytest.raises(UserError) as error:
        load_params(file)
    assert str(error.value).startswith(f"{file}: {expected}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("judge", "label_check", "expected"),
    [
        pytest.param(
            {"endpoints": ["chat"]},
            {"enabled": False},
            "filter: judge.classifier is true but label_check.enabled is false, so the label check "
            "cannot vote; enable it, or set judge.classifier: false",
            id="nothing-to-vote",
        ),
        pytest.param(
            {"endpoints": ["chat", "classifier"]},
            {},
            "filter.judge: an endpoint is called 'classifier', but that is the name of the label "
            "check's vote; rename the endpoint, or set classifier: false",
            id="two-voters-with-the-same-name",
        ),
        pytest.param(
            {"endpoints": ["chat"]},
            {"action": "relabel"},
            "filter: label_check.action is relabel but judge.classifier is true, and a label check "
            "that votes relabels nothing; set action: drop, or judge.classifier: false",
            id="relabels-or-votes",
        ),
    ],
)
def test_a_classifier_that_cannot_vote_is_refused(
    judge: dict[str, Any], label_check: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    """The error names the remedy; with judge.classifier: false the same settings are valid."""
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["filter"]
    changed = {"label_check": {**shipped["label_check"], **label_check}}
    votes = {**shipped["judge"], "enabled": True, "classifier": True, **judge}
    file = write_params(tmp_path, ("filter",), {**shipped, **changed, "judge": votes})
    with pytest.raises(UserError) as error:
        load(FilterParams, file)
    assert str(error.value) == f"{file}: {expected}"
    (tmp_path / "silent").mkdir()
    silent = {**shipped, **changed, "judge": {**votes, "classifier": False}}
    read = load(FilterParams, write_params(tmp_path / "silent", ("filter",), silent))
    assert label_check.items() <= read.label_check.model_dump().items()


@pytest.mark.parametrize(("old", "new"), MOVED.items(), ids=MOVED)
def test_a_renamed_setting_is_reported_with_its_new_name(
    old: str, new: str, tmp_path: Path
) -> None:
    """An old params.yaml gives the new name, which exists, instead of an unknown key."""
    file = write_params(tmp_path, tuple(old.split(".")), {})
    with pytest.raises(UserError) as error:
        load_params(file)
    remedy = "rename" if old.split(".")[0] == new.split(".")[0] else "move"
    assert str(error.value) == f"{file}: {old} is now called {new}; {remedy} it"
    found = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    for key in new.split("."):
        found = found[key]


def test_a_misspelt_setting_is_not_reported_as_missing_too(tmp_path: Path) -> None:
    """The suggestion alone: who follows "add it" would keep the typo."""
    file = write_params(tmp_path, ("generate", "surplus"), ...)
    raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    raw["generate"]["surplsu"] = 0.5
    file.write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_params(file)
    assert str(error.value) == (
        f"{file}: generate.surplsu is not a setting (did you mean surplus?); correct or remove it"
    )


def test_all_renamed_settings_are_reported_at_once(tmp_path: Path) -> None:
    """One run reports every old key."""
    file = write_params(tmp_path, ("evaluate", "arms"), [])
    raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    raw["generate"]["avoid_phrases"] = 5
    file.write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(
        UserError, match=r"evaluate\.methods; rename it; generate\.avoid_phrases is"
    ):
        load_params(file)


def test_a_stage_reads_its_own_section(tmp_path: Path) -> None:
    """`load` ignores mistakes in other sections; `cli.stage` checks the whole file first."""
    file = write_params(tmp_path, ("plan", "minority_ratio"), 2)
    assert load(FilterParams, file).diversity == 0.5
    with pytest.raises(UserError, match=r"plan\.minority_ratio is 2"):
        load(PlanParams, file)


def test_a_missing_section_is_named(tmp_path: Path) -> None:
    """The error names the section."""
    file = write_params(tmp_path, ("plan",), ...)
    with pytest.raises(UserError, match=f"{file}: plan is missing; add it"):
        load(PlanParams, file)


def test_a_process_sees_one_set_of_settings(tmp_path: Path) -> None:
    """Editing the file while a stage runs changes the next run, not half of this one."""
    file = write_params(tmp_path, ("plan", "target_per_class"), 7)
    assert load_params(file).plan.target_per_class == 7
    write_params(tmp_path, ("plan", "target_per_class"), 8)
    assert load(PlanParams, file).target_per_class == 7


def test_endpoint_names_differ(tmp_path: Path) -> None:
    """Two endpoints with the same name are rejected."""
    endpoint = {"name": "a", "base_url": "embedded", "model": "m", "api": "completions"}
    file = write_params(tmp_path, ("llm", "endpoints"), [endpoint, endpoint])
    with pytest.raises(UserError, match=r"llm: endpoint names must differ, got \['a', 'a'\]"):
        load_params(file)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    """One run reports both mistakes."""
    file = write_params(tmp_path, ("plan",), {"minority_ratio": 2})
    with pytest.raises(UserError, match=r"minority_ratio is 2.*; plan\.overrides is missing"):
        load_params(file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            b"plan:\n  a: [1\ndata: 2\n", " line 3: not valid YAML (", id="broken-yaml-with-line"
        ),
        pytest.param(b"plan: \x07\n", ": not valid YAML (", id="control-character"),
        pytest.param(b"", ": expected sections such as data: and plan:, got None", id="empty"),
        pytest.param(b"- 1\n", ": expected sections such as data: and plan:, got [1]", id="a-list"),
        pytest.param("domain: 移动".encode("gbk"), " is not UTF-8 (", id="not-utf-8"),
    ],
)
def test_a_broken_file_is_named(content: bytes, expected: str, tmp_path: Path) -> None:
    """A file that is not a YAML mapping is a user error, not a traceback."""
    file = tmp_path / "params.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        load_params(file)
    assert str(error.value).startswith(f"{file}{expected}")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The remedy is to run from the project's root."""
    file = tmp_path / "params.yaml"
    with pytest.raises(UserError, match=f"{file} not found; run from the project's root"):
        load_params(file)


def test_settings_are_frozen() -> None:
    """Code cannot change a setting."""
    with pytest.raises(ValidationError, match="frozen"):
        load_params().plan.target_per_class = 5


def settings_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str, set[str]]]:
    """Yield (dotted path, name, names of its section in code) for every setting of a section."""
    owner = {model.__name__, path.rstrip(".").rpartition(".")[2]}
    for name, field in model.model_fields.items():
        yield f"{path}{name}", name, owner
        item: Any = (get_args(field.annotation) or (field.annotation,))[0]
        if isinstance(item, type) and issubclass(item, BaseModel):
            yield from settings_of(item, f"{path}{name}.")


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Params.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}


@cache
def names_by_module() -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    """For each module outside config: the attributes that it reads, and all names in it."""
    modules = []
    for path in sorted(Path("src").rglob("*.py")):
        if path.parts[1] != "config":
            nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
            read = {n.attr for n in nodes if isinstance(n, ast.Attribute)}
            named = {n.id for n in nodes if isinstance(n, ast.Name)}
            modules.append((frozenset(read), frozenset(read | named)))
    return tuple(modules)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        pytest.param(name, owner, id=path)
        for key, section in SECTIONS.items()
        for path, name, owner in settings_of(section, f"{key}.")
    ],
)
def test_every_setting_is_read(name: str, owner: set[str]) -> None:
    """A setting that no code reads would have no effect.

    Its name must be an attribute in a module that also names its section, because several sections
    have keys with the same name. The switches of the gate's rules are read by the names in `RULES`.
    """
    if name in dict(RULES) or (name == "enabled" and owner & dict(RULES).keys()):
        return
    assert any(name in read and named & owner for read, named in names_by_module())


@pytest.mark.parametrize("key", SECTIONS)
def test_every_section_is_loaded(key: str) -> None:
    """Code loads every section by its class, and `KEY` is the field name in `Params`."""
    section = SECTIONS[key]
    assert key == section.KEY
    assert any({"load", section.__name__} <= named for _, named in names_by_module())
