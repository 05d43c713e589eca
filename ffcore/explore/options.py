"""Mapper options that shape the mapspace, and that searches over templates and perfect factors do not have."""

from __future__ import annotations

from ffcore.spec.problem import MapperOptions

_NOT_OFFERED = (
    "explore_imperfect_temporal_loops",
    "explore_imperfect_spatial_loops",
    "tiling_coarseness",
    "prioritize_reuse_of_unfused_tensors",
    "time_limit",
    "time_limit_per_pmapping_template",
    "memory_limit",
)


def not_offered(options: MapperOptions) -> list[str]:
    """Names of the options that are set and would be ignored: a search that sees any must refuse them."""
    default = MapperOptions()
    return [name for name in _NOT_OFFERED if getattr(options, name) != getattr(default, name)]
