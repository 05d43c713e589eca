"""What a joint mapping has to know of one Einsum's pmapping."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property
from typing import Any, TypeAlias

import attrs

FusedLoop: TypeAlias = tuple[tuple[str, ...], int, int, bool]
"""A loop above a shared tensor's reservation: ranks of the tensor, trips, tile, spatial or not."""


@attrs.frozen(eq=False, slots=False)
class Key:
    """What Einsums that share a tensor must agree on. Equal keys of one table are one object."""

    memory: str
    persistent: bool
    loops: tuple[FusedLoop, ...]

    @cached_property
    def depth(self) -> int:
        """Loops that the tensor ties together."""
        return 0 if self.persistent else len(self.loops)

    @cached_property
    def level(self) -> int:
        """Loops above the reservation; -1 for a persistent tensor, which stays for good."""
        return -1 if self.persistent else len(self.loops)

    @cached_property
    def trips(self) -> tuple[int, ...]:
        return () if self.persistent else tuple(loop[1] for loop in self.loops)


@attrs.define
class KeyTable:
    """Makes keys, equal ones once, so that ``is`` compares them."""

    _keys: dict[Hashable, Key] = attrs.Factory(dict)

    def key(self, memory: str, persistent: bool, loops: tuple[FusedLoop, ...]) -> Key:
        name = (memory, persistent, loops)
        found = self._keys.get(name)
        if found is None:
            found = self._keys[name] = Key(memory, persistent, loops)
        return found


@attrs.frozen(eq=False)
class Part:
    """One pmapping of one Einsum, as the join sees it. Shares are of a memory's size.

    ``own[m]``: all of the Einsum's reservations in limited memory m. ``open``: for each memory where there are any,
    (m, by depth): of these, private ones at levels below each depth. They stay while another Einsum runs with
    which that many loops are shared; the last entry stands for all greater depths. ``keys``, ``shares``, ``places``:
    for each shared tensor of the Einsum its key, the share of its memory that it takes, and that memory's number, -1
    if it is not limited.
    """

    energy: float  # J
    latency: float  # s
    own: tuple[float, ...]
    open: tuple[tuple[int, tuple[float, ...]], ...]
    keys: tuple[Key, ...]
    shares: tuple[float, ...]
    places: tuple[int, ...]
    source: Any  # what the pmapping is made of, for its nest
