"""How many tile choices a template has where some rank variables have imperfect factors.

There are no divisors to count with: the spatial trips are listed, which is quick as fanouts bound them, and with each
of them the chains of temporal tiles of each rank variable are counted.
"""

from __future__ import annotations

import math

from ffcore.explore.search.spatial import End, all_trips, ends_of
from ffcore.mapspace.chains import divisor_chains
from ffcore.spec.problem import MapperOptions
from ffcore.templates import Template


def tile_choices(template: Template, options: MapperOptions) -> int:
    """Tile choices in all, spatial trips within fanouts and their own constraints."""
    ends, bounds = ends_of(template), template.einsum.bounds
    temporal = {v: sum(v in block for block in template.blocks) for v in bounds}
    own = {v: [k for k, s in enumerate(template.spatial) if s.variable == v] for v in bounds}
    known: dict[tuple[str, tuple[int, ...]], int] = {}

    def chains(v: str, trips: tuple[int, ...]) -> int:
        key = v, tuple(trips[k] for k in own[v])
        if key not in known:
            if v in ends:
                known[key] = _to_bound(ends[v], bounds[v], temporal[v], dict(zip(own[v], key[1], strict=True)))
            else:
                left, rest = divmod(bounds[v], math.prod(key[1]))
                known[key] = 0 if rest else divisor_chains(left, temporal[v])
        return known[key]

    return sum(math.prod(chains(v, trips) for v in bounds) for trips in all_trips(template, options, ends))


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
