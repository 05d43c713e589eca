"""Value and set expressions, evaluated without ``eval``."""

from __future__ import annotations

from collections.abc import Mapping

from ffcore.errors import Position


def evaluate(value: object, symbols: Mapping[str, object], position: Position | None = None) -> object:
    """Evaluate ``value``: text is an expression over ``symbols``, anything else is its own value."""
    raise NotImplementedError


def names_in(value: object, position: Position | None = None) -> frozenset[str]:
    """Free names of an expression (built-in functions excluded); empty for anything but text."""
    raise NotImplementedError
