"""Mapper options that shape the mapspace, and that searches over templates and perfect factors may not have."""

from __future__ import annotations

from ffcore.spec.problem import MapperOptions
from ffcore.spec.resolve.imperfect import IMPERFECT

LIMITS = ("time_limit", "memory_limit")
"""What ends a search early; pmappings that are complete don't depend on it."""

_NOT_OFFERED = (
    *IMPERFECT,
    "tiling_coarseness",
    "prioritize_reuse_of_unfused_tensors",
    "time_limit_per_pmapping_template",
)


def not_offered(options: MapperOptions, *, limited: bool = False, imperfect: bool = False) -> list[str]:
    """Names of the options that are set and would be ignored: a search that sees any must refuse them.

    ``limited``: the search keeps limits of time and memory. ``imperfect``: it explores imperfect factors.
    """
    default = MapperOptions()
    names: tuple[str, ...] = _NOT_OFFERED if limited else (*_NOT_OFFERED, *LIMITS)
    if imperfect:
        names = tuple(name for name in names if name not in IMPERFECT)
    return [name for name in names if getattr(options, name) != getattr(default, name)]
