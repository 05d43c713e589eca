"""What is installed: entry points of the group ``ffcore``, whatever state the metadata of distributions is in."""

from __future__ import annotations

import importlib.metadata
from contextlib import suppress
from functools import cache
from typing import Any, Protocol

import attrs

from ffcore.errors import printable
from ffcore.plugin import hooks


class EntryPoint(Protocol):
    """The part of ``importlib.metadata.EntryPoint`` that the manager uses."""

    @property
    def name(self) -> str:
        """What the distribution calls it; unique in the distribution only."""

    @property
    def value(self) -> str:
        """The module that holds the hooks."""

    @property
    def dist(self) -> Any:
        """The distribution that it comes with; None where that is not known."""

    def load(self) -> Any:
        """Import the module and return it. Raises whatever the module does."""


@cache
def scan() -> tuple[EntryPoint, ...]:
    """The entry points of the group ``ffcore``: read from disk once per process."""
    try:
        return tuple(importlib.metadata.entry_points(group=hooks.NAME))
    except Exception:  # the metadata of one distribution is damaged: all others count
        seen: dict[str, list[EntryPoint]] = {}
        for distribution in importlib.metadata.distributions():
            seen.setdefault(named(distribution)[0], _entry_points(distribution))
        return tuple(point for points in seen.values() for point in points)


@attrs.frozen
class _Unreadable:
    """Stands for the entry points of a distribution that cannot be read, to be listed as broken."""

    name: str
    value: str
    dist: importlib.metadata.Distribution

    def load(self) -> Any:
        raise ValueError("its entry_points.txt is damaged")


def _entry_points(distribution: importlib.metadata.Distribution) -> list[EntryPoint]:
    try:
        return list(distribution.entry_points.select(group=hooks.NAME))
    except Exception:
        with suppress(Exception):
            if hooks.NAME in (distribution.read_text("entry_points.txt") or ""):
                return [_Unreadable(named(distribution)[0], "entry_points.txt", distribution)]
        return []


def named(distribution: Any) -> tuple[str, str]:
    """Name and version of a distribution whose metadata may be damaged, in characters that a terminal shows."""
    found = []
    for attribute, otherwise in (("name", "unknown"), ("version", "0")):
        value = None
        with suppress(Exception):
            value = getattr(distribution, attribute)
        found.append(printable(str(value or otherwise)))
    return found[0], found[1]
