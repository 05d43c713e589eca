"""Mapper options that shape the mapspace, and that searches may not have."""

from __future__ import annotations

from ffcore.spec.problem import MapperOptions

LIMITS = ("time_limit", "memory_limit")
"""What ends a search early; pmappings that are complete don't depend on it."""

_NOT_OFFERED = (
    "tiling_coarseness",
    "prioritize_reuse_of_unfused_tensors",
    "time_limit_per_pmapping_template",
)


def not_offered(options: MapperOptions, *, limited: bool = False) -> list[str]:
    """Names of the options that are set and would be ignored: a search that sees any must refuse them.

    ``limited``: the search keeps limits of time and memory.
    """
    default = MapperOptions()
    names = _NOT_OFFERED if limited else (*_NOT_OFFERED, *LIMITS)
    return [name for name in names if getattr(options, name) != getattr(default, name)]
