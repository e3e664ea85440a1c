"""params.yaml as frozen pydantic models: one class a section, an unknown key is an error.

Every section says in params.yaml what its keys do; this module says what values are legal.

    params = load_params()
    params.plan.target_per_class
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

PARAMS = Path("params.yaml")
ROOT = Path(os.environ.get("DVC_ROOT", "."))

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Points = Annotated[float, Field(ge=0, le=10)]
Arm = Literal[
    "original",
    "class_weight",
    "oversample",
    "effective_number",
    "logit_adjustment",
    "eda",
    "smote",
    "unfiltered",
    "augmented",
    "augmented_class_weight",
    "chosen",
]
Strategy = Literal["quota", "floor", "power", "effective_number", "gini"]
FREE_ARMS: tuple[Arm, ...] = (
    "original",
    "class_weight",
    "oversample",
    "effective_number",
    "logit_adjustment",
    "eda",
    "smote",
)
OUR_ARMS: tuple[Arm, ...] = ("augmented", "augmented_class_weight", "chosen")

P = ParamSpec("P")
R = TypeVar("R")


class UserError(Exception):
    """A mistake in the user's data, settings, key or endpoint: one line, exit code 2."""


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the first must not be above the second, got {list(pair)}")
    return pair


def is_remote(url: str) -> bool:
    """Whether the host of a URL is another machine."""
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    return host not in ("localhost", "::1") and not host.startswith("127.")


class Section(BaseModel):
    """A frozen section of params.yaml; keys that no code reads are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CorpusParams(Section):
    """How the stand-in corpus is composed (`src/data/standin.py`)."""

    noise: Share
    length: Annotated[float, Field(gt=0, le=2)]
    label_noise: Share
    side_intents: Annotated[float, Field(ge=0, le=3)]
    seed: int


class DataParams(Section):
    """Where the rows are and what their columns are called."""

    train: Path
    dev: Path
    test: Path
    labels: Path
    text_column: str
    label_column: str
    label_name_column: str
    id_column: str | None
    turn_separator: Annotated[str, Field(min_length=1)] | None
    language: Literal["zh", "en"]


class PlanParams(Section):
    """How many rows each class is to have (`src/planning/strategies.py`)."""

    policy: Literal["uniform", "error_driven"] = "uniform"
    round_samples: Count | None = None
    patience: Annotated[int, Field(ge=0)] = 1
    strategy: Strategy = "quota"
    target_per_class: Count
    temperature: Annotated[float, Field(gt=0, le=1)] = 0.5
    beta: Annotated[float, Field(gt=0, lt=1)] = 0.999
    target_gini: Annotated[float, Field(ge=0, lt=1)] | None = None
    minority_ratio: Share
    ultra_minority_max: Annotated[int, Field(ge=0)]
    overrides: dict[str, Annotated[int, Field(ge=0)]]
    max_synthetic_share: Share | None = None
    max_synthetic_total: Share | None = None
    head_cap: Count | None = None
    keywords_per_class: Count

    @model_validator(mode="after")
    def _strategy_has_what_it_needs(self) -> PlanParams:
        if self.strategy == "gini" and self.target_gini is None:
            raise ValueError(
                "strategy gini needs target_gini, the Gini coefficient to reach (such as 0.35), "
                "got None"
            )
        fills = self.strategy in ("quota", "floor")
        if fills and self.head_cap is not None and self.head_cap < self.target_per_class:
            raise ValueError(
                f"head_cap {self.head_cap} is below target_per_class {self.target_per_class}: a "
                "class would be cut to fewer rows than others are filled up to; raise head_cap or "
                "lower target_per_class"
            )
        return self


class PriceParams(Section):
    """What an endpoint charges a million tokens, in `llm.currency`."""

    prompt: Amount = 0.0
    cached_prompt: Amount | None = None  # null: the same as prompt
    completion: Amount = 0.0


class EndpointParams(Section):
    """One OpenAI-compatible server, or the embedded model, with its limits and prices."""

    name: str
    base_url: str
    model: str
    api: Literal["chat", "completions"]
    api_key_env: str | None = None
    weight: Annotated[float, Field(ge=0)] = 1.0
    output: Literal["auto", "json_schema", "text"] = "auto"
    concurrency: Count | None = None
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    price: PriceParams = PriceParams()

    @property
    def embedded(self) -> bool:
        """Whether the model runs inside this process."""
        return self.base_url == "embedded"

    @property
    def remote(self) -> bool:
        """Whether what is sent leaves this machine."""
        return not self.embedded and is_remote(self.base_url)

    @model_validator(mode="after")
    def _output_fits_the_api(self) -> EndpointParams:
        if self.output == "json_schema" and self.api == "completions":
            raise ValueError(
                f"endpoint {self.name!r}: output json_schema needs api: chat, got completions"
            )
        return self


class LlmParams(Section):
    """The endpoints, how requests are spread over them, and who stands in for a dead one."""

    endpoints: Annotated[tuple[EndpointParams, ...], Field(min_length=1)]
    share: Literal["weight", "acceptance"] = "weight"
    explore: Share = 0.03
    fallback: tuple[str, ...]
    currency: str
    cache_salt: str

    @model_validator(mode="after")
    def _names_fit(self) -> LlmParams:
        names = [endpoint.name for endpoint in self.endpoints]
        if len(set(names)) < len(names):
            raise ValueError(f"endpoint names must differ, got {names}")
        unknown = [name for name in self.fallback if name not in names]
        if unknown:
            raise ValueError(f"fallback {unknown[0]!r} is none of the endpoints {names}")
        if not any(endpoint.weight for endpoint in self.endpoints):
            raise ValueError("one endpoint at least needs a weight above 0")
        if self.explore * len(self.ensemble) > 1:
            raise ValueError(
                f"explore {self.explore:g} is more than an equal share of the "
                f"{len(self.ensemble)} endpoints of a weight above 0; lower it"
            )
        return self

    @property
    def ensemble(self) -> tuple[EndpointParams, ...]:
        """The endpoints that requests are spread over; the others only stand in for them."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint.weight > 0)


class BudgetParams(Section):
    """What a run may spend, answers that it finds recorded included; null is no limit."""

    cost: Amount | None
    tokens: Count | None


class GenerateParams(Section):
    """What is asked of the model, and when a class is given up."""

    domain: str
    attributes: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]
    avoid_phrases: Annotated[int, Field(ge=0, le=20)]
    mask_seeds: bool
    surplus: Annotated[float, Field(ge=0, le=5)]
    samples_per_request: Annotated[int, Field(ge=1, le=20)]
    seeds_per_prompt: Count
    seed_max_chars: Annotated[int, Field(ge=10)]
    contrast: Annotated[int, Field(ge=0, le=8)] = 0
    requests_per_prompt: Count
    temperature: Annotated[float, Field(ge=0, le=2)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)]
    presence_penalty: Annotated[float, Field(ge=-2, le=2)]
    max_tokens: Annotated[int, Field(ge=8)]
    max_attempts_per_class: Count
    min_acceptance: Share
    budget: BudgetParams
    reuse: bool = True
    seed: int


class StyleRule(Section):
    """Bring punctuation and digits to the surface of the real rows (a transformation)."""

    enabled: bool


class FormatRule(Section):
    """Leftovers of the prompt, numbering, role names, foreign script."""

    enabled: bool
    min_language_share: Share


class LengthRule(Section):
    """Characters and turns; a bound that is null is taken from the train quantiles."""

    enabled: bool
    quantiles: Annotated[tuple[Share, Share], AfterValidator(_ascending)]
    min_chars: int | None
    max_chars: int | None
    min_turns: int | None
    max_turns: int | None


class RepetitionRule(Section):
    """Degenerate loops inside one sample."""

    enabled: bool
    max_loop_share: Share
    max_repeated_turns: Share


class KeywordRule(Section):
    """At least `min_hits` keywords of the class, given here or mined from train."""

    enabled: bool
    min_hits: Count
    given: dict[str, tuple[str, ...]]


class OverlapRule(Section):
    """Reject when more than this share of the sample's character 3-grams stands in one row."""

    enabled: bool
    max_overlap: Share


class PiiRule(Section):
    """Private data in a sample: replaced by words, or the sample dropped."""

    enabled: bool
    action: Literal["replace", "drop"]
    allowed: tuple[Annotated[str, Field(pattern=r"^\d+$")], ...]


class LabelRule(Section):
    """A classifier that has not learned from the sample must find its class likely enough."""

    enabled: bool
    min_score: Share
    action: Literal["drop", "relabel"]


class JudgeRule(Section):
    """Models score each sample from 0 to 10 and vote on it; the thresholds are of one judge."""

    enabled: bool
    endpoints: tuple[str, ...]
    classifier: bool
    min_label_consistency: Points
    min_score: Points
    vote: Literal["majority", "weighted", "all", "any"]
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    max_tokens: Annotated[int, Field(ge=64)] = 400

    @model_validator(mode="after")
    def _has_judges(self) -> JudgeRule:
        if self.enabled and not self.endpoints:
            raise ValueError("an enabled judge needs the name of an endpoint in endpoints, got []")
        if len(set(self.endpoints)) < len(self.endpoints):
            raise ValueError(f"endpoints must differ, got {list(self.endpoints)}")
        if self.classifier and "classifier" in self.endpoints:
            raise ValueError(
                "an endpoint is called 'classifier', which is the name under which the label check "
                "votes; rename the endpoint, or set classifier: false"
            )
        return self


class EmbeddingParams(Section):
    """How texts become vectors that are near where the meaning is (`src/quality/embedding.py`).

    Vectors are cached by model, its place (a GGUF: its bytes and pooling), and the text as sent.
    """

    backend: Literal["tfidf", "endpoint", "gguf"] = "tfidf"
    model: str | None = None  # its name at the endpoint; a .gguf file or an installed package
    base_url: str | None = None
    api_key_env: str | None = None
    pooling: Literal["model", "mean", "cls", "last"] = "model"  # of a GGUF; model = as it says
    prefix: str = ""  # put before every text; E5 wants "query: "
    max_chars: Count = 500  # texts are cut: most embedding models read 512 tokens
    batch_size: Count = 32

    @model_validator(mode="after")
    def _backend_has_what_it_needs(self) -> EmbeddingParams:
        needed = {"tfidf": (), "endpoint": ("base_url", "model"), "gguf": ("model",)}
        for name in needed[self.backend]:
            if not getattr(self, name):
                raise ValueError(f"backend {self.backend} needs {name}, got {getattr(self, name)}")
        return self


class FilterParams(Section):
    """The quality gate, one switch a rule."""

    style: StyleRule
    format: FormatRule
    length: LengthRule
    repetition: RepetitionRule
    keywords: KeywordRule
    seed_similarity: OverlapRule
    near_duplicate: OverlapRule
    contamination: OverlapRule
    contradiction: OverlapRule = OverlapRule(enabled=True, max_overlap=0.85)
    pii: PiiRule
    label_check: LabelRule
    judge: JudgeRule
    diversity: Share
    review_ratio: Share
    review_min_per_class: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _the_classifier_that_votes_is_on(self) -> FilterParams:
        if self.judge.enabled and self.judge.classifier and not self.label_check.enabled:
            raise ValueError(
                "judge.classifier is true and label_check.enabled is false, so that there is no "
                "label check to vote; enable it, or set judge.classifier: false"
            )
        if self.judge.enabled and self.judge.classifier and self.label_check.action == "relabel":
            raise ValueError(
                "label_check.action is relabel and judge.classifier is true: a check that votes moves "
                "no samples; set action: drop, or judge.classifier: false"
            )
        return self


class ConvertParams(Section):
    """The chat fine-tuning files."""

    system_prompt: str


class BaselineParams(Section):
    """TF-IDF and a linear classifier, the same for every arm."""

    analyzer: Literal["char", "char_wb", "word"]
    ngram_range: Annotated[tuple[Count, Count], AfterValidator(_ascending)]
    min_df: Count
    max_features: Count
    classifier: Literal["linear_svc", "logistic_regression"]
    c: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
    seed: int


class ChooseParams(Section):
    """What is tried on dev for the arm `chosen`."""

    samples_per_class: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    sample_weights: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]
    seeds: Count


class EvaluateParams(Section):
    """Which arms are compared and how their intervals are made."""

    seeds: Count
    choose: ChooseParams
    second_classifier: bool
    report_language: Literal["en", "zh"]
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)]
    tail_max_support: Count
    bootstrap: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    seed: int

    @model_validator(mode="after")
    def _has_the_arms_compared_against(self) -> EvaluateParams:
        needed = ("original", "class_weight", "oversample", "augmented")
        missing = [arm for arm in needed if arm not in self.arms]
        if missing:
            raise ValueError(f"arms must include {missing}: every verdict is against them")
        return self


class EngineParams(Section):
    """The llama.cpp server inside this process."""

    threads: Count | None
    slots: Count
    context_per_slot: Annotated[int, Field(ge=256)]


class RuntimeParams(Section):
    """How requests are made. No DVC stage names this section: changing it reruns nothing."""

    concurrency: Count
    timeout_s: Annotated[float, Field(gt=0)]
    tries: Count
    breaker_failures: Count
    max_error_rate: Share
    error_window: Count
    offline: bool
    engine: EngineParams


class Params(Section):
    """The whole of params.yaml."""

    corpus: CorpusParams
    data: DataParams
    plan: PlanParams
    llm: LlmParams
    embedding: EmbeddingParams
    generate: GenerateParams
    filter: FilterParams
    convert: ConvertParams
    baseline: BaselineParams
    evaluate: EvaluateParams
    runtime: RuntimeParams


def load_params(path: Path = PARAMS) -> Params:
    """Read and check the settings.

    Raises:
        UserError: the file is missing or broken, or a key is unknown or has an illegal value;
            the message names the key, the value and what is allowed.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} not found; run from the project's root") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}); save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise UserError(f"{path}{place}: not valid YAML ({problem}); mend that line") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected sections such as data: and plan:, got {raw!r}")
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: " + "; ".join(map(_explain, error.errors()))) from None


def _explain(error: Any) -> str:  # noqa: ANN401  (pydantic's ErrorDetails)
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{key} is not a setting{_nearest(error['loc'])}; correct or remove it"
    if error["type"] == "missing":
        return f"{key} is missing; add it"
    if error["type"] == "value_error":  # from a validator above; it quotes what it got
        return f"{key}: {error['ctx']['error']}"
    return f"{key} is {error['input']!r}: {error['msg']}"


def _nearest(loc: tuple[str | int, ...]) -> str:
    """The setting that an unknown key was probably meant to be."""
    from difflib import get_close_matches

    model: type[BaseModel] = Params
    for part in loc[:-1]:
        if isinstance(part, str):  # a number counts items of a list, whose section is known
            model = _section(model.model_fields[part].annotation)
    close = get_close_matches(str(loc[-1]), list(model.model_fields), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _section(annotation: Any) -> type[BaseModel]:  # noqa: ANN401  (any annotation)
    """The section that a field holds, one or a tuple of them."""
    section: type[BaseModel] = (get_args(annotation) or (annotation,))[0]
    return section


LOG_FORMAT = "%(levelname)s %(message)s"


def also_log_to(path: Path) -> None:
    """Append the log to a file, with the time of each line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(f"%(asctime)s {LOG_FORMAT}"))
    logging.getLogger().addHandler(handler)


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Make a stage's `main` a command: logging on, user errors as one line and exit code 2."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
        for noisy in ("httpx", "httpx2", "openai", "alembic", "mlflow"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        try:
            return function(*args, **kwargs)
        except UserError as error:
            sys.stderr.write(f"error: {error}\n")
            raise SystemExit(2) from None
        except KeyboardInterrupt:
            sys.stderr.write("stopped; run the same command again to go on\n")
            raise SystemExit(130) from None

    return run
