"""What values of the problem's classes are equal but for names: derived from their fields, so that none is forgotten.

A field's metadata say what is a name: see `ffcore.spec.problem.Named`. Everything else counts as it is.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, cast

import attrs

from ffcore.spec.problem import NAMES, Named


@attrs.frozen
class Positions:
    """Positions in place of the names of tensors and rank variables."""

    variables: Mapping[str, int]
    tensors: Mapping[str, int]

    def of(self, kind: Named) -> Mapping[str, int]:
        """The positions of one kind of names."""
        return self.tensors if kind is Named.TENSORS else self.variables


def key_of(value: Any, positions: Positions | None, without: frozenset[str] = frozenset()) -> Hashable:
    """All fields of a value of an attrs class, and of what they hold, as one hashable value.

    With ``positions``, names are replaced by them, labels are left out, and names that have no position do not
    count. ``without``: fields of the value itself to leave out.
    """
    return (
        type(value).__name__,
        *(
            _plain(getattr(value, name), named, positions)
            for name, named in _fields(cast(Hashable, type(value)))
            if name not in without and (positions is None or named is not Named.LABEL)
        ),
    )


@cache
def _fields(cls: Hashable) -> tuple[tuple[str, Named | None], ...]:
    return tuple((field.name, field.metadata.get(NAMES)) for field in attrs.fields(cast(Any, cls)))


class _Nameless(enum.Enum):
    """In place of a name without a position."""

    NAME = 0


def _plain(value: Any, named: Named | None, positions: Positions | None) -> Hashable:
    if isinstance(value, str):
        if named is None or named is Named.LABEL or positions is None:
            return value
        return positions.of(named).get(value, _Nameless.NAME)
    if value is None or isinstance(value, int | float | enum.Enum):
        return value
    if isinstance(value, Mapping):
        items = [(_plain(k, named, positions), _plain(v, named, positions)) for k, v in value.items()]
        return tuple(sorted((k, v) for k, v in items if k is not _Nameless.NAME))
    if isinstance(value, frozenset):
        return frozenset(p for p in (_plain(v, named, positions) for v in value) if p is not _Nameless.NAME)
    if isinstance(value, tuple):
        return tuple(_plain(v, named, positions) for v in value)
    if attrs.has(type(value)):
        return key_of(value, positions)
    raise TypeError(f"a key cannot be made of {type(value).__name__}")
