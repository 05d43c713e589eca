"""Mapper options that a search may not have."""

from __future__ import annotations

from ffcore.spec.problem import MapperOptions

LIMITS = ("time_limit", "memory_limit")
"""What ends a search early; pmappings that are complete don't depend on it."""


def not_offered(options: MapperOptions) -> list[str]:
    """Names of the limits that are set: a search that does not keep them must refuse them, not ignore them."""
    default = MapperOptions()
    return [name for name in LIMITS if getattr(options, name) != getattr(default, name)]
