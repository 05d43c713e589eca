"""Mappers by name: ``ffcore.mapper.FFM`` is the fast and fusiest mapper.

Baselines to compare it with, `ffcore.plugin.known.BASELINES`, come with a plugin of their own (docs/baselines.md).
"""

from __future__ import annotations

from ffcore.mapper import ffm as FFM
from ffcore.mapper.tracked import TrackedMapper
from ffcore.plugin.known import BASELINES


def __getattr__(name: str) -> TrackedMapper:
    if name not in BASELINES:
        raise AttributeError(f"module 'ffcore.mapper' has no attribute {name!r}")
    return TrackedMapper(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *BASELINES})


__all__ = ["FFM", "TrackedMapper"]
