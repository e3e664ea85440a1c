"""The section `report`."""

from __future__ import annotations

from typing import ClassVar

from src.config.data import Language
from src.config.section import Section


class ReportParams(Section):
    """How the report is written."""

    KEY: ClassVar = "report"

    language: Language
