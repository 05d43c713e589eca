"""How many tile choices a template has where some rank variables have imperfect factors.

There are no divisors to count with. Rank variable by rank variable, the trips of its spatial loops are listed, each
with the number of chains of its temporal tiles; what all of them come to in each dimension is all that is kept.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from itertools import product

import attrs

from ffcore.explore.search.spatial import End, all_trips, ends_of
from ffcore.mapspace.chains import divisor_chains
from ffcore.numbers import divisors
from ffcore.spec.problem import MapperOptions
from ffcore.templates import Template


@attrs.define
class ImperfectCounter:
    """Counts tile choices; templates that pose the same problem share the counts."""

    options: MapperOptions
    _known: dict[Hashable, int] = attrs.Factory(dict)

    def tile_choices(self, template: Template) -> int:
        """Tile choices in all, spatial trips within fanouts and their own constraints."""
        ends, bounds = ends_of(template), template.einsum.bounds
        temporal = tuple(sum(v in block for block in template.blocks) for v in bounds)
        loops = tuple((s.variable, s.index, s.dimension) for s in template.spatial)
        key = tuple(bounds.items()), temporal, loops, tuple(ends.items()), tuple(c.spatial for c in template.components)
        if key not in self._known:
            ways = _Ways(template, ends, dict(zip(bounds, temporal, strict=True)))
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
    """The loops of a template, rank variable by rank variable."""

    template: Template
    ends: dict[str, End]
    temporal: dict[str, int]
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
        return self._of(v, tuple(trips[k] for k in self.own(v)))

    def _of(self, v: str, own: tuple[int, ...]) -> int:
        if (v, own) not in self._chains:
            bound = self.template.einsum.bounds[v]
            if v in self.ends:
                trips = dict(zip(self.own(v), own, strict=True))
                found = _to_bound(self.ends[v], bound, self.temporal[v], trips)
            else:
                left, rest = divmod(bound, math.prod(own))
                found = 0 if rest else divisor_chains(left, self.temporal[v])
            self._chains[v, own] = found
        return self._chains[v, own]

    def within(self, most: Sequence[float]) -> int:
        """Tile choices whose trips come to no more than ``most`` in each dimension."""
        places = self.places
        counts: dict[tuple[int, ...], int] = {(1,) * len(places): 1}
        for v in self.template.einsum.bounds:
            added: dict[tuple[int, ...], int] = {}
            for trips, ways in self._choices(v, most):
                for before, n in counts.items():
                    after = tuple(a * b for a, b in zip(before, trips, strict=True))
                    if all(a <= m for a, m in zip(after, most, strict=True)):
                        added[after] = added.get(after, 0) + n * ways
            counts = added
        return sum(counts.values())

    def _choices(self, v: str, most: Sequence[float]) -> Iterator[tuple[tuple[int, ...], int]]:
        """(trips across each dimension, chains of temporal tiles) of one variable."""
        bound, own = self.template.einsum.bounds[v], self.own(v)
        places = [self.places.index((s.index, s.dimension)) for s in (self.template.spatial[k] for k in own)]
        options = [self.ends[v].trips(k, bound) if v in self.ends else divisors(bound) for k in own]
        for trips in product(*([n for n in o if n <= most[p]] for o, p in zip(options, places, strict=True))):
            ways = self._of(v, trips)
            if ways:
                across = [1] * len(most)
                for p, n in zip(places, trips, strict=True):
                    across[p] *= n
                yield tuple(across), ways


def _to_bound(end: End, bound: int, temporal: int, trips: dict[int, int]) -> int:
    """Chains of tiles of a variable whose outermost loop leads from any tile to the bound; ``trips``: of its spatial
    loops, by number."""
    inside = math.prod(n for k, n in trips.items() if k != end.outermost)
    loops = temporal - (end.outermost is None)
    result = 0
    for tile in end.tiles:
        if end.outermost is None or -(-bound // tile) == trips[end.outermost]:
            left, rest = divmod(tile, inside)
            result += 0 if rest else divisor_chains(left, loops)
    return result
