"""The section `filter`: one model per rule of the gate."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from src.config.section import Count, Part, Points, Section, Share, ascending


class StyleParams(Part):
    """Rewrite punctuation and digits as in the real rows (a transformation)."""

    enabled: bool


class FormatParams(Part):
    """Leftovers of the prompt, numbering, role names, foreign script."""

    enabled: bool
    min_language_share: Share


class LengthParams(Part):
    """Characters and turns; a bound of null is taken from the train quantiles."""

    enabled: bool
    quantiles: Annotated[tuple[Share, Share], AfterValidator(ascending)]
    min_chars: int | None
    max_chars: int | None
    min_turns: int | None
    max_turns: int | None


class RepetitionParams(Part):
    """Degenerate loops inside one sample."""

    enabled: bool
    max_loop_share: Share
    max_repeated_turns: Share


class KeywordParams(Part):
    """At least `min_hits` keywords of the class; given here, or mined from the train rows."""

    enabled: bool
    min_hits: Count
    given: dict[str, tuple[str, ...]]


class OverlapParams(Part):
    """Reject if more than this share of the sample's character 3-grams is in one row."""

    enabled: bool
    max_overlap: Share


class PiiParams(Part):
    """Private data in a sample: replace it by words, or drop the sample."""

    enabled: bool
    action: Literal["replace", "drop"]
    allowed: tuple[Annotated[str, Field(pattern=r"^\d+$")], ...]


class LabelParams(Part):
    """A classifier that was not trained on the sample must find its class likely enough."""

    enabled: bool
    min_score: Share
    action: Literal["drop", "relabel"]


class JudgeParams(Part):
    """Models score each sample from 0 to 10 and vote on it; each judge applies the thresholds."""

    enabled: bool
    endpoints: tuple[str, ...]
    classifier: bool
    min_label_consistency: Points
    min_score: Points
    vote: Literal["majority", "weighted", "all", "any"]
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    max_tokens: Annotated[int, Field(ge=64)] = 400

    @model_validator(mode="after")
    def _has_judges(self) -> JudgeParams:
        if self.enabled and not self.endpoints:
            raise ValueError("judge is enabled but endpoints is []; name at least one endpoint")
        if len(set(self.endpoints)) < len(self.endpoints):
            raise ValueError(f"endpoints must differ, got {list(self.endpoints)}")
        if self.classifier and "classifier" in self.endpoints:
            raise ValueError(
                "an endpoint is called 'classifier', but that is the name of the label check's "
                "vote; rename the endpoint, or set classifier: false"
            )
        return self


class FilterParams(Section):
    """The quality gate, one switch per rule."""

    KEY: ClassVar = "filter"

    style: StyleParams
    format: FormatParams
    length: LengthParams
    repetition: RepetitionParams
    keywords: KeywordParams
    seed_similarity: OverlapParams
    near_duplicate: OverlapParams
    contamination: OverlapParams
    contradiction: OverlapParams = OverlapParams(enabled=True, max_overlap=0.85)
    pii: PiiParams
    label_check: LabelParams
    judge: JudgeParams
    diversity: Share
    review_ratio: Share
    review_min_per_class: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _the_classifier_that_votes_is_on(self) -> FilterParams:
        if self.judge.enabled and self.judge.classifier and not self.label_check.enabled:
            raise ValueError(
                "judge.classifier is true but label_check.enabled is false, so the label check "
                "cannot vote; enable it, or set judge.classifier: false"
            )
        if self.judge.enabled and self.judge.classifier and self.label_check.action == "relabel":
            raise ValueError(
                "label_check.action is relabel but judge.classifier is true, and a label check "
                "that votes relabels nothing; set action: drop, or judge.classifier: false"
            )
        return self
