"""Mappers by name: ``ffcore.mapper.FFM`` is the fast and fusiest mapper."""

from __future__ import annotations

from ffcore.mapper import ffm as FFM

__all__ = ["FFM"]
