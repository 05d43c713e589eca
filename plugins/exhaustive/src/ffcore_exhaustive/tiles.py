"""All tile sizes of a template, and the constraints on them that need no model (semantics, section 2)."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence

from ffcore.plugin import Holder, MapperOptions, Spatial
from ffcore_exhaustive.templates import Template

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TOLERANCE = 1e-9  # relative; shares and usages are quotients of floats


def tile_choices(template: Template, options: MapperOptions, perfect_only: frozenset[str]) -> Iterator[list[int]]:
    """Every choice of tile sizes: one for each loop of the template, outermost first.

    The innermost loop of each rank variable has tile 1. ``perfect_only`` are the rank variables
    that must be tiled by perfect factors even if imperfect ones are asked for.
    """
    positions, chains = _chains_by_variable(template, options, perfect_only)
    for chosen in itertools.product(*chains):
        tiles = [0] * len(template.loops())
        for own, chain in zip(positions, chosen, strict=True):
            for position, tile in zip(own, chain, strict=True):
                tiles[position] = tile
        yield tiles


def count_tile_choices(template: Template, options: MapperOptions, perfect_only: frozenset[str]) -> int:
    """How many `tile_choices` there are, without listing them."""
    return math.prod(len(chains) for chains in _chains_by_variable(template, options, perfect_only)[1])


def _chains_by_variable(
    template: Template, options: MapperOptions, perfect_only: frozenset[str]
) -> tuple[list[list[int]], list[list[tuple[int, ...]]]]:
    """For each rank variable: the positions of its loops, and what tile sizes they may have.

    Decision: imperfect tiles are open to a variable's outermost loop in the template, whether or
    not that loop ends up running.
    """
    loops = template.loops()
    positions, chains = [], []
    for variable, bound in template.einsum.bounds.items():
        own = [i for i, loop in enumerate(loops) if loop.variable == variable]
        if not own:
            continue
        spatial = isinstance(loops[own[0]], Spatial)
        asked = options.explore_imperfect_spatial_loops if spatial else options.explore_imperfect_temporal_loops
        wanted = asked if isinstance(asked, bool) else variable in asked
        fanouts = [d.fanout for c in template.components for d in c.spatial]
        positions.append(own)
        chains.append(tile_chains(bound, len(own), wanted and variable not in perfect_only, fanouts))
    return positions, chains


def tile_chains(bound: int, count: int, imperfect: bool, fanouts: Sequence[int] = ()) -> list[tuple[int, ...]]:
    """Tile sizes of ``count`` loops over one variable, outermost first; ``fanouts``: of the path.

    >>> tile_chains(4, 2, imperfect=False)
    [(1, 1), (2, 1), (4, 1)]
    >>> tile_chains(7, 2, imperfect=True)
    [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1)]
    >>> tile_chains(11, 2, imperfect=True) == [(t, 1) for t in range(1, 12)]
    True
    >>> (22, 1) in tile_chains(50, 2, True), (22, 1) in tile_chains(50, 2, True, [11])
    (False, True)
    """
    if count == 1:
        return [(1,)]
    if imperfect:
        first_with = {-(-bound // t): t for t in range(bound, 0, -1)}
        outermost = [t for t in range(1, bound + 1) if first_with[-(-bound // t)] == t or _is_smooth(t, fanouts)]
    else:
        outermost = [t for t in range(1, bound + 1) if bound % t == 0]
    return [(tile, *rest) for tile in outermost for rest in tile_chains(tile, count - 1, False)]


def _is_smooth(tile: int, fanouts: Sequence[int]) -> bool:
    """Is every prime factor of the tile at most 7, or does it divide a fanout?"""
    primes = [p for p in range(2, tile + 1) if tile % p == 0 and all(p % q for q in range(2, p))]
    return all(p <= 7 or any(n % p == 0 for n in fanouts) for p in primes)


def trip_counts(template: Template, tiles: Sequence[int]) -> list[int]:
    """How often each loop runs (imperfect factors: rounded up)."""
    extent = dict(template.einsum.bounds)
    trips = []
    for loop, tile in zip(template.loops(), tiles, strict=True):
        trips.append(-(-extent[loop.variable] // tile))
        extent[loop.variable] = tile
    return trips


def spatial_usage(template: Template, trips: Sequence[int]) -> dict[tuple[str, str], float]:
    """(component, dimension) -> share of the fanout in use."""
    used = {(c.name, d.name): d.usage_scale / d.fanout for c in template.components for d in c.spatial}
    for loop, n in zip(template.loops(), trips, strict=True):
        if isinstance(loop, Spatial):
            used[loop.component, loop.dimension] *= n
    return used


def satisfies_spatial_limits(template: Template, options: MapperOptions, tiles: Sequence[int]) -> bool:
    """Do the tile sizes keep the limits of every spatial dimension: fanout, loop bounds, number of loops?"""
    trips = trip_counts(template, tiles)
    return (
        all(u <= 1 + TOLERANCE for u in spatial_usage(template, trips).values())
        and _satisfies_loop_bounds(template, trips)
        and _satisfies_loops_per_dimension(template, options, trips)
    )


def satisfies_limits(template: Template, options: MapperOptions, tiles: Sequence[int]) -> bool:
    """Do the tile sizes keep the other limits on loops: fused loops and tile shapes?"""
    trips = trip_counts(template, tiles)
    return _satisfies_fused_limits(template, options, trips) and _satisfies_tile_shapes(template, tiles)


def _satisfies_loop_bounds(template: Template, trips: Sequence[int]) -> bool:
    dimensions = {(c.name, d.name): d for c in template.components for d in c.spatial}
    for (component, name), dimension in dimensions.items():
        for bound in dimension.loop_bounds:
            bounded = [
                n
                for loop, n in zip(template.loops(), trips, strict=True)
                if isinstance(loop, Spatial)
                and (loop.component, loop.dimension) == (component, name)
                and loop.variable in bound.variables
            ]
            if not compare(bounded, bound.operator, bound.value):
                return False
    return True


def compare(values: Sequence[int], name: str, limit: float) -> bool:
    """Each value against the limit, or their product if the operator says ``product``."""
    if "product" in name:
        return _COMPARE[name.replace("product", "")](math.prod(values), limit)
    return all(_COMPARE[name](value, limit) for value in values)


def _satisfies_loops_per_dimension(template: Template, options: MapperOptions, trips: Sequence[int]) -> bool:
    """Loops that run more than once, per spatial dimension."""
    running = [
        (loop.component, loop.dimension)
        for loop, n in zip(template.loops(), trips, strict=True)
        if isinstance(loop, Spatial) and n > 1
    ]
    return all(running.count(d) <= options.max_loops_per_spatial_dimension for d in running)


def _satisfies_fused_limits(template: Template, options: MapperOptions, trips: Sequence[int]) -> bool:
    """Fused loops, in all and per rank variable: those that run more than once count."""
    running = iter(trips)
    fused: list[str] = []
    last = template.last_fused_node()
    for index, node in enumerate(template.nodes):
        if not isinstance(node, Holder) and next(running) > 1 and index < last:
            fused.append(node.variable)
    return len(fused) <= options.max_fused_loops and all(
        fused.count(v) <= options.max_fused_loops_per_rank_variable for v in fused
    )


def _satisfies_tile_shapes(template: Template, tiles: Sequence[int]) -> bool:
    """``tile_shape`` limits the extents, in the rank variables of its tensor, of each tile that
    the memory holds (where the holder stands)."""
    names = [c.name for c in template.components]
    sizes = iter(tiles)
    loops = [(n, 0 if isinstance(n, Holder) else next(sizes)) for n in template.nodes]
    for position, (holder, _) in enumerate(loops):
        if not isinstance(holder, Holder):
            continue
        holding = template.component(holder.component).holding
        if holding is None or not holding.tile_shape:
            continue
        extent, left = dict(template.einsum.bounds), dict(template.einsum.bounds)
        for other, (node, tile) in enumerate(loops):
            if isinstance(node, Holder):
                continue
            if isinstance(node, Spatial):
                above = names.index(node.component) <= names.index(holder.component)
            else:
                above = other < position
            if above:  # it takes its share, whatever loops below the holder stand above it
                extent[node.variable] = -(-extent[node.variable] * tile // left[node.variable])
            left[node.variable] = tile
        for shape in holding.tile_shape:
            variables = shape.variables & template.einsum.tensor[holder.tensor].variables
            if not compare([extent[v] for v in variables], shape.operator, shape.value):
                return False
    return True


def uses_min_usage(template: Template) -> bool:
    """Can ``min_usage`` remove any tile choice of the template?"""
    return not template.einsum.is_copy and any(
        d.min_usage > 0 and d.fanout > 1 for c in template.components for d in c.spatial
    )


def min_usage_filter(template: Template, usages: Sequence[Mapping[tuple[str, str], float]]) -> list[bool]:
    """Which of the given tile choices of one template ``min_usage`` leaves.

    Dimensions from the innermost component out, in declaration order: those choices stay whose
    usage reaches the minimum, or, if none does, those with the highest. Copies ignore it.
    """
    left = [True] * len(usages)
    if template.einsum.is_copy:
        return left
    for component in reversed(template.components):
        for dimension in component.spatial:
            if dimension.fanout == 1 or not any(left):
                continue
            key = component.name, dimension.name
            best = max(u[key] for u, keep in zip(usages, left, strict=True) if keep)
            threshold = min(dimension.min_usage, best) * (1 - TOLERANCE)
            left = [keep and u[key] >= threshold for u, keep in zip(usages, left, strict=True)]
    return left
