"""Trip counts of a template's spatial loops: every legal choice, and the ``min_usage`` rule.

The explorer fixes the trip counts of all spatial loops first. What is left is a problem in
temporal tile sizes alone, in which each count depends on the tile sizes at one cut only, and the
lattices of all spatial choices together are hardly larger than the one lattice without spatial
loops (what runs in space no longer runs in time).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property

import attrs

from ffcore.explore.numbers import divisors
from ffcore.spec.problem import Component, LoopBound, MapperOptions
from ffcore.templates import SpatialLoop, Template

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SLACK = 1e-9  # usage is a ratio of integers times a scale


def compare(op: str, left: float, right: float) -> bool:
    """``left op right`` for a constraint's operator."""
    return _COMPARE[op](left, right)


@attrs.frozen
class SpatialChoice:
    """Trip counts of the spatial loops of one template (those that run once left out)."""

    loops: tuple[SpatialLoop, ...]
    trips: tuple[int, ...]

    @cached_property
    def _items(self) -> tuple[tuple[SpatialLoop, int], ...]:
        return tuple(zip(self.loops, self.trips, strict=True))

    def below(self, index: int) -> dict[str, int]:
        """Per rank variable, the trips of loops across components further in than ``index``."""
        return self._product(lambda loop: loop.index > index)

    def upto(self, index: int) -> int:
        """Instances of component ``index`` in use: trips across it and all outer components."""
        result = 1
        for loop, n in self._items:
            if loop.index <= index:
                result *= n
        return result

    def total(self) -> dict[str, int]:
        """Per rank variable, the trips of all its spatial loops."""
        return self._product(lambda loop: True)

    def multicast(self, outer: int, inner: int, irrelevant: Callable[[SpatialLoop], bool]) -> int:
        """Trips between components ``outer`` (exclusive) and ``inner`` that save traffic."""
        result = 1
        for loop, n in self._items:
            if outer < loop.index <= inner and irrelevant(loop):
                result *= n
        return result

    def usage(self, components: Sequence[Component], index: int, dimension: int) -> float:
        """Share of one dimension in use (semantics, section 3)."""
        result = 1
        for loop, n in self._items:
            if loop.index == index and loop.dimension == dimension:
                result *= n
        d = components[index].spatial[dimension]
        return result / d.fanout * d.usage_scale

    def _product(self, wanted: Callable[[SpatialLoop], bool]) -> dict[str, int]:
        result: dict[str, int] = {}
        for loop, n in self._items:
            if wanted(loop):
                result[loop.variable] = result.get(loop.variable, 1) * n
        return result


def _all_trips(template: Template, options: MapperOptions) -> Iterator[tuple[int, ...]]:
    """Trips of each of ``template.spatial``: all choices within fanouts, loop bounds and perfect factors."""
    temporal = {v for block in template.blocks for v in block}
    for loops in _by_dimension(template, options, dict(template.einsum.bounds), 0):
        total: dict[str, int] = {}
        for loop, n in loops:
            total[loop.variable] = total.get(loop.variable, 1) * n
        if all(v in temporal or total.get(v, 1) == bound for v, bound in template.einsum.bounds.items()):
            trips = dict(loops)
            yield tuple(trips[loop] for loop in template.spatial)


_Loops = tuple[tuple[SpatialLoop, int], ...]


def _dimensions(template: Template) -> list[tuple[int, int]]:
    return [(i, d) for i, c in enumerate(template.components) for d in range(len(c.spatial))]


def _by_dimension(template: Template, options: MapperOptions, left: dict[str, int], k: int) -> Iterator[_Loops]:
    dimensions = _dimensions(template)
    if k == len(dimensions):
        yield ()
        return
    index, d = dimensions[k]
    loops = [s for s in template.spatial if (s.index, s.dimension) == (index, d)]
    dimension = template.components[index].spatial[d]
    limit = dimension.fanout / dimension.usage_scale if dimension.usage_scale > 0 else float("inf")
    for chosen in _trips(loops, left, limit + _SLACK):
        if sum(n > 1 for _, n in chosen) > options.max_loops_per_spatial_dimension:
            continue
        if not all(_bound_holds(b, chosen) for b in dimension.loop_bounds):
            continue
        rest = dict(left)
        for loop, n in chosen:
            rest[loop.variable] //= n
        for tail in _by_dimension(template, options, rest, k + 1):
            yield chosen + tail


def _trips(loops: Sequence[SpatialLoop], left: dict[str, int], limit: float) -> Iterator[_Loops]:
    if not loops:
        yield ()
        return
    for n in divisors(left[loops[0].variable]):
        if n > limit:
            break
        for tail in _trips(loops[1:], left, limit / n):
            yield ((loops[0], n), *tail)


def _bound_holds(bound: LoopBound, chosen: _Loops) -> bool:
    trips = [n for loop, n in chosen if loop.variable in bound.variables]
    if bound.operator.startswith("product"):
        product = 1
        for n in trips:
            product *= n
        return compare(bound.operator.removeprefix("product"), product, bound.value)
    return all(compare(bound.operator, n, bound.value) for n in trips)


@attrs.define
class SpatialMenu:
    """Spatial choices of one Einsum's templates; templates with the same candidates share the list."""

    options: MapperOptions
    _classes: dict[Hashable, list[tuple[tuple[float, ...], list[tuple[int, ...]]]]] = attrs.Factory(dict)

    def fitting(self, template: Template) -> list[SpatialChoice]:
        """Choices for which some tile choice fits all memories, after the ``min_usage`` rule.

        Occupancy grows with every tile size and the smallest of all tiles (each rank variable's
        outermost temporal loop does everything) are one choice, so testing that one decides. The
        rule keeps, dimension by dimension, what reaches ``min_usage`` or else the highest usage:
        that is the lexicographic maximum of the usages cut off at ``min_usage``.
        """
        for _, members in self._of(template):
            choices = [_choice(template, trips) for trips in members]
            fitting = [c for c in choices if smallest_fits(template, c)]
            if fitting:
                return fitting
        return []

    def _of(self, template: Template) -> list[tuple[tuple[float, ...], list[tuple[int, ...]]]]:
        """(preference, trips of each of ``template.spatial``), most preferred first."""
        key = (
            tuple((s.variable, s.index, s.dimension) for s in template.spatial),
            frozenset(v for block in template.blocks for v in block),
            tuple(c.spatial for c in template.components),
        )
        if key not in self._classes:
            classes: dict[tuple[float, ...], list[tuple[int, ...]]] = {}
            for trips in _all_trips(template, self.options):
                classes.setdefault(_preference(template, _choice(template, trips)), []).append(trips)
            self._classes[key] = sorted(classes.items(), reverse=True)
        return self._classes[key]


def _choice(template: Template, trips: Sequence[int]) -> SpatialChoice:
    kept = [(loop, n) for loop, n in zip(template.spatial, trips, strict=True) if n > 1]
    return SpatialChoice(tuple(loop for loop, _ in kept), tuple(n for _, n in kept))


def _preference(template: Template, choice: SpatialChoice) -> tuple[float, ...]:
    """Usages cut off at ``min_usage``, innermost component first; copies do not care."""
    if template.einsum.is_copy:
        return ()
    return tuple(
        round(min(dimension.min_usage, choice.usage(template.components, index, d)), 12)
        for index in reversed(range(len(template.components)))
        for d, dimension in enumerate(template.components[index].spatial)
        if dimension.min_usage > 0
    )


def smallest_usage(template: Template, choice: SpatialChoice) -> dict[int, float]:
    """Bits that the smallest tiles occupy, per memory (component index) and instance."""
    first: dict[str, int] = {}
    for b, block in enumerate(template.blocks):
        for v in block:
            first.setdefault(v, b)
    total = choice.total()
    usage: dict[int, float] = {}
    for site in template.sites:
        below = choice.below(site.index)
        sizes = {}
        for v, bound in template.einsum.bounds.items():
            open_here = v in first and site.reservation <= first[v]
            sizes[v] = (bound // total.get(v, 1) if open_here else 1) * below.get(v, 1)
        tensor = template.einsum.tensor[site.tensor]
        bits = tensor.tile_values(sizes) * template.components[site.index].width(tensor)
        bits *= template.einsum.n_instances if site.persistent else 1.0
        usage[site.index] = usage.get(site.index, 0.0) + bits
    return usage


def smallest_fits(template: Template, choice: SpatialChoice) -> bool:
    """Does the choice of the smallest tiles fit all memories?"""
    return all(bits <= template.components[i].size for i, bits in smallest_usage(template, choice).items())
