"""Write the largest differences of a bias report as sentences."""

from __future__ import annotations

from src.diagnostics.differences import ATTRIBUTE, UNITS
from src.records.metrics.filter import BiasReport, LargestDifference

PHRASES = {
    "openings": "open with {}",
    "regions": "mention {}",
}

GENDER_PHRASES = {
    "both": "have male and female words",
    "male": "have male words only",
    "female": "have female words only",
    "none": "have no gender word",
}


def largest_lines(report: BiasReport) -> list[str]:
    """Return one sentence for each of the largest differences of a `bias_report`."""
    return [_line(entry) for entry in report.largest]


def _line(entry: LargestDifference) -> str:
    unit = UNITS.get(entry.facet)
    real = {"class": "real rows", "all": "all real rows", "even": "even share"}
    where, against = entry.label or "all classes", real[entry.compared_with]
    if unit:
        size, more = abs(entry.difference), "more" if entry.difference > 0 else "fewer"
        finding = (
            f"the samples have {entry.synthetic:.1f} {unit} on average "
            f"({against}: {entry.real:.1f}; {size:.1f} standard deviations {more})"
        )
    else:
        finding = (
            f"{_percent(entry.synthetic)} of the samples {_phrase(entry)} "
            f"({against}: {_percent(entry.real)})"
        )
    return f"{where}: {finding}{_remarks(entry)}"


def _phrase(entry: LargestDifference) -> str:
    facet, value = entry.facet, entry.value
    if facet == "genders":
        return GENDER_PHRASES[value]
    if facet in PHRASES:
        return PHRASES[facet].format(value)
    return f"were requested with {facet.removeprefix(ATTRIBUTE)} {value}"


def _percent(share: float) -> str:
    """Format as percent; below 1 % with one decimal, so that it does not read as 0 %."""
    return f"{100 * share:.{int(0 < share < 0.01)}f} %"


def _remarks(entry: LargestDifference) -> str:
    others = entry.also_in
    also = f", also in {others} other class{'' if others == 1 else 'es'}" if others else ""
    return also + (", which may be chance" if entry.at_least <= 0 else "")
