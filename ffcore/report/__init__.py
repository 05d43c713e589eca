"""What is told about mappings: the numbers of a report, and the folder that ``--out`` asks for."""

from __future__ import annotations

from ffcore.report.gather import gather
from ffcore.report.types import ReportData

__all__ = ["ReportData", "gather"]
