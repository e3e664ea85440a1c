"""The section `filter`: one model a rule of the gate."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from src.config.section import Count, Part, Points, Section, Share, ascending


class StyleParams(Part):
    """Bring punctuation and digits to the surface of the real rows (a transformation)."""

    enabled: bool


class FormatParams(Part):
    """Leftovers of the prompt, numbering, role names, foreign script."""

    enabled: bool
    min_language_share: Share


class LengthParams(Part):
    """Characters and turns; a bound that is null is taken from the train quantiles."""

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
    """At least `min_hits` keywords of the class, given here or mined from train."""

    enabled: bool
    min_hits: Count
    given: dict[str, tuple[str, ...]]


class OverlapParams(Part):
    """Reject when more than this share of the sample's character 3-grams stands in one row."""

    enabled: bool
    max_overlap: Share


class PiiParams(Part):
    """Private data in a sample: replaced by words, or the sample dropped."""

    enabled: bool
    action: Literal["replace", "drop"]
    allowed: tuple[Annotated[str, Field(pattern=r"^\d+$")], ...]


class LabelParams(Part):
    """A classifier that has not learned from the sample must find its class likely enough."""

    enabled: bool
    min_score: Share
    action: Literal["drop", "relabel"]


class JudgeParams(Part):
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
    def _has_judges(self) -> JudgeParams:
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


class FilterParams(Section):
    """The quality gate, one switch a rule."""

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
                "judge.classifier is true and label_check.enabled is false, so that there is no "
                "label check to vote; enable it, or set judge.classifier: false"
            )
        if self.judge.enabled and self.judge.classifier and self.label_check.action == "relabel":
            raise ValueError(
                "label_check.action is relabel and judge.classifier is true: a check that votes moves "
                "no samples; set action: drop, or judge.classifier: false"
            )
        return self
