"""How many tile choices a template has where some rank variables have imperfect factors.

There are no divisors to count with. Rank variable by rank variable, the trips of its spatial loops are listed, each
with the number of chains of its temporal tiles; what all of them come to in each dimension is all that is kept.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.explore.search.spatial import End, all_trips, ends_of
from ffcore.mapspace.chains import divisor_chains
from ffcore.mapspace.valid import EXACT
from ffcore.numbers import divisors
from ffcore.pmappings.arrays import Ints
from ffcore.spec.problem import MapperOptions
from ffcore.templates import Template

_ROWS = 1_000_000  # that are made at once


@attrs.define
class ImperfectCounter:
    """Counts tile choices; templates that pose the same problem share the counts."""

    options: MapperOptions
    _known: dict[Hashable, int] = attrs.Factory(dict)
    _tables: dict[Hashable, _Table] = attrs.Factory(dict)

    def tile_choices(self, template: Template) -> int:
        """Tile choices in all, spatial trips within fanouts and their own constraints."""
        ends, bounds = ends_of(template), template.einsum.bounds
        temporal = tuple(sum(v in block for block in template.blocks) for v in bounds)
        loops = tuple((s.variable, s.index, s.dimension) for s in template.spatial)
        key = tuple(bounds.items()), temporal, loops, tuple(ends.items()), tuple(c.spatial for c in template.components)
        if key not in self._known:
            ways = _Ways(template, ends, dict(zip(bounds, temporal, strict=True)), self._tables)
            dimensions = {place: template.components[place[0]].spatial[place[1]] for place in ways.places}
            limited = self.options.max_loops_per_spatial_dimension < math.inf
            if limited or any(d.loop_bounds for d in dimensions.values()):
                trips = all_trips(template, self.options, ends)
                self._known[key] = sum(math.prod(ways.chains(v, chosen) for v in bounds) for chosen in trips)
            else:
                self._known[key] = ways.within([d.most for d in dimensions.values()])
        return self._known[key]


@attrs.define
class _Ways:
    """The loops of a template, rank variable by rank variable. ``known``: see `_Table`, of any template's variables."""

    template: Template
    ends: dict[str, End]
    temporal: dict[str, int]
    known: dict[Hashable, _Table]
    _chains: dict[tuple[str, tuple[int, ...]], int] = attrs.Factory(dict)

    @property
    def places(self) -> list[tuple[int, int]]:
        """The dimensions that loops may run across."""
        return list(dict.fromkeys((s.index, s.dimension) for s in self.template.spatial))

    def own(self, v: str) -> list[int]:
        """Numbers of the spatial loops over a variable."""
        return [k for k, s in enumerate(self.template.spatial) if s.variable == v]

    def chains(self, v: str, trips: Sequence[int]) -> int:
        """Chains of temporal tiles with these trips of all spatial loops."""
        own = tuple(trips[k] for k in self.own(v))
        if (v, own) not in self._chains:
            self._chains[v, own] = self._loops(v).chains(own)
        return self._chains[v, own]

    def within(self, most: Sequence[float]) -> int:
        """Tile choices whose trips come to no more than ``most`` in each dimension."""
        counts = _Table(np.ones((1, len(most)), np.int64), np.ones(1, np.int64))
        for v in self.template.einsum.bounds:
            loops = self._loops(v)
            key = loops, tuple(most)
            if key not in self.known:
                self.known[key] = loops.table(most)
            counts = counts.times(self.known[key], most)
        return int(counts.ways.sum())

    def _loops(self, v: str) -> _Loops:
        own, places = self.own(v), self.places
        across = tuple(places.index((s.index, s.dimension)) for s in (self.template.spatial[k] for k in own))
        bound, temporal = self.template.einsum.bounds[v], self.temporal[v]
        if v not in self.ends:
            return _Loops(bound, temporal, across, None, None)
        outermost = self.ends[v].outermost
        return _Loops(bound, temporal, across, self.ends[v].tiles, None if outermost is None else own.index(outermost))


@attrs.frozen
class _Loops:
    """The loops over one rank variable.

    ``across``: the dimension (its number) of each spatial one. ``tiles``: what the outermost loop leads from, straight
    to the bound; None: perfect factors only. ``outermost``: which spatial loop that is; None: a temporal one.
    """

    bound: int
    temporal: int
    across: tuple[int, ...]
    tiles: tuple[int, ...] | None
    outermost: int | None

    def chains(self, trips: Sequence[int]) -> int:
        """Chains of temporal tiles with these trips of the spatial loops."""
        if self.tiles is None:
            left, rest = divmod(self.bound, math.prod(trips))
            return 0 if rest else divisor_chains(left, self.temporal)
        inside = math.prod(n for k, n in enumerate(trips) if k != self.outermost)
        loops = self.temporal - (self.outermost is None)
        result = 0
        for tile in self.tiles:
            if self.outermost is None or -(-self.bound // tile) == trips[self.outermost]:
                left, rest = divmod(tile, inside)
                result += 0 if rest else divisor_chains(left, loops)
        return result

    def table(self, most: Sequence[float]) -> _Table:
        """All ways to run within ``most``."""
        counts: dict[tuple[int, ...], int] = {}
        loops = self.temporal - (self.tiles is not None and self.outermost is None)
        for tile in (self.bound,) if self.tiles is None else self.tiles:
            for own, left in self._inside(0, tile):
                across = [1] * len(most)
                for k, n in enumerate(own):
                    across[self.across[k]] *= -(-self.bound // tile) if k == self.outermost else n
                if all(n <= m for n, m in zip(across, most, strict=True)):
                    counts[tuple(across)] = counts.get(tuple(across), 0) + divisor_chains(left, loops)
        trips = np.array(list(counts), np.int64).reshape(len(counts), len(most))
        return _Table(trips, np.array(list(counts.values()), object)).exact()

    def _inside(self, k: int, left: int) -> Iterator[tuple[tuple[int, ...], int]]:
        """(trips of the spatial loops from number ``k`` on, what is left of a tile); 1 for the outermost loop."""
        if k == len(self.across):
            yield (), left
            return
        for n in (1,) if k == self.outermost else divisors(left):
            for trips, rest in self._inside(k + 1, left // n):
                yield (n, *trips), rest


@attrs.frozen(eq=False)
class _Table:
    """In how many ways some rank variables' loops come to so many instances in use."""

    trips: Ints  # (rows, dimensions)
    ways: NDArray[Any]  # whole numbers; objects where 64 bits could be too few

    def times(self, other: _Table, most: Sequence[float]) -> _Table:
        """Each way with each of another variable's, within ``most`` of each dimension."""
        if not len(other.ways):
            return other
        ours, theirs = self.ways, other.ways
        if int(ours.sum()) * int(theirs.sum()) >= EXACT:
            ours, theirs = ours.astype(object), theirs.astype(object)
        block = max(1, _ROWS // max(1, len(ours)))
        parts = []
        for at in range(0, len(theirs), block):
            own = slice(at, at + block)
            fits = np.ones((len(ours), len(theirs[own])), np.bool_)  # there may be no dimension at all
            for d, limit in enumerate(most):
                # Told by floats: in 64 bits products of large fanouts would go round.
                fits &= np.multiply.outer(self.trips[:, d].astype(np.float64), other.trips[own, d]) <= limit
            i, j = np.nonzero(fits)
            parts.append(_Table(self.trips[i] * other.trips[own][j], ours[i] * theirs[own][j]).merged())
        if len(parts) == 1:
            return parts[0]
        return _Table(np.concatenate([p.trips for p in parts]), np.concatenate([p.ways for p in parts])).merged()

    def merged(self) -> _Table:
        """Rows with the same trips as one."""
        if not len(self.ways):
            return self
        order = np.lexsort((*self.trips.T, np.zeros(len(self.ways))))
        trips, ways = self.trips[order], self.ways[order]
        starts = np.flatnonzero(np.concatenate([[True], (trips[1:] != trips[:-1]).any(axis=1)]))
        return _Table(trips[starts], np.add.reduceat(ways, starts))

    def exact(self) -> _Table:
        """In 64 bits, if they are enough."""
        return self if sum(self.ways) >= EXACT else _Table(self.trips, self.ways.astype(np.int64))
