"""The mapper as one call, and what it is made of."""

from __future__ import annotations

from ffcore.plugin import Problem
from ffcore_exhaustive.join import Solution, exhaustive_join
from ffcore_exhaustive.pmappings import Pmapping, PmappingCounts, count_pmappings, exhaustive_pmappings
from ffcore_exhaustive.templates import Template, templates


def exhaustive_map(problem: Problem, dominance: bool = False) -> list[Solution]:
    """The exact Pareto set of mappings of a whole problem, by energy; empty if nothing fits.

    ``dominance``: see `exhaustive_join`. Raises what `exhaustive_pmappings` raises.
    """
    return exhaustive_join(problem, exhaustive_pmappings(problem), dominance)


__all__ = [
    "Pmapping",
    "PmappingCounts",
    "Solution",
    "Template",
    "count_pmappings",
    "exhaustive_join",
    "exhaustive_map",
    "exhaustive_pmappings",
    "templates",
]
