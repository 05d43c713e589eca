"""Results: pmappings to look at and filter, mappings, and the tables that break their numbers down."""

from __future__ import annotations

from ffcore.results.columns import SEP
from ffcore.results.mappings import Mappings
from ffcore.results.pmappings import PmappingGroup, Pmappings
from ffcore.results.table import ResultTable

__all__ = ["SEP", "Mappings", "PmappingGroup", "Pmappings", "ResultTable"]
