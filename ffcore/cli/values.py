"""Reading ``NAME=VALUE`` arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from ffcore.errors import SpecError

Scalar: TypeAlias = bool | int | float | str | None

_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}


def parse_value(text: str) -> Scalar:
    """A number, ``true``, ``false``, ``null``, or else the text itself."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def split_assignments(option: str, items: Iterable[str]) -> dict[str, str]:
    """``["M=64", "keep=All()"]`` as a dict of texts.

    Raises ``SpecError`` for a missing ``=`` or name, and for a name given twice.
    """
    result: dict[str, str] = {}
    for item in items:
        name, equals, text = item.partition("=")
        name = name.strip()
        if not equals or not name:
            raise SpecError.one(f"{option} {item}: expected NAME=VALUE")
        if name in result:
            raise SpecError.one(f"{option} {item}: {name} is given twice")
        result[name] = text.strip()
    return result


def parse_assignments(option: str, items: Iterable[str]) -> dict[str, Scalar]:
    """The same with the values read by `parse_value`."""
    return {name: parse_value(text) for name, text in split_assignments(option, items).items()}
