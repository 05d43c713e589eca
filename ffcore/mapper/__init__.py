"""Mappers by name: ``ffcore.mapper.FFM`` is the fast and fusiest mapper.

``simanneal``, ``simanneal2``, ``genetic`` and ``random`` are baselines to compare it with; they come with the plugin
ffcore-simanneal (docs/baselines.md).
"""

from __future__ import annotations

from ffcore.mapper import ffm as FFM
from ffcore.mapper.tracked import TrackedMapper

__all__ = ["FFM", "genetic", "random", "simanneal", "simanneal2"]

simanneal, simanneal2, genetic, random = (
    TrackedMapper(name) for name in ("simanneal", "simanneal2", "genetic", "random")
)
