"""Trip counts of a template's spatial loops: every legal choice, and the ``min_usage`` rule.

The explorer fixes the trip counts of all spatial loops first. What is left is a problem in
temporal tile sizes alone, in which each count depends on the tile sizes at one cut only, and the
lattices of all spatial choices together are hardly larger than the one lattice without spatial
loops (what runs in space no longer runs in time).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

import attrs
import numpy as np

from ffcore.explore.search.bookings import tiles_of
from ffcore.explore.search.outline import imperfect_blocks
from ffcore.numbers import closed_under_divisors, divisors
from ffcore.pmappings.arrays import Bools, Floats, Ints
from ffcore.pmappings.rows import SpatialChoice
from ffcore.spec.problem import EinsumProblem, MapperOptions, Tensor, rank_values
from ffcore.templates import SpatialLoop, Template
from ffcore.tolerances import FITS


@attrs.frozen
class End:
    """A variable whose outermost loop may have an imperfect tile."""

    tiles: tuple[int, ...]
    outermost: int | None  # number of that loop among the template's spatial ones; None: it is temporal
    several: bool  # a temporal loop stands below it

    def trips(self, number: int, bound: int) -> tuple[int, ...]:
        """How often a spatial loop may run."""
        if number == self.outermost:
            return tuple(sorted({-(-bound // t) for t in self.tiles}))
        return closed_under_divisors(self.tiles)

    def extra(self, trips: int, inside: int, bound: int) -> int:
        """The least tile of the outermost loop, over the trips of all spatial loops ``inside`` of it; 0: there is none.

        ``trips``: of that loop, if it is spatial.
        """
        for tile in self.tiles:
            alike = self.outermost is None or -(-bound // tile) == trips
            if alike and tile % inside == 0 and (self.several or tile == inside):
                return tile // inside
        return 0


def ends_of(template: Template) -> dict[str, End]:
    """The variables with imperfect factors whose outermost loop may make use of them."""
    tiles = tiles_of(template.einsum, template.components)
    found = {}
    for v, block in imperfect_blocks(template, tiles).items():
        temporal = [b for b, own in enumerate(template.blocks) if v in own]
        spatial = [(s.block, s.index, s.dimension, k) for k, s in enumerate(template.spatial) if s.variable == v]
        outermost = None if temporal and temporal[0] == block else min(spatial)[3]
        found[v] = End(tiles[v], outermost, len(temporal) > (outermost is None))
    return found


def all_trips(template: Template, options: MapperOptions, ends: Mapping[str, End]) -> Iterator[tuple[int, ...]]:
    """Trips of each of ``template.spatial``: all choices within fanouts, loop bounds and factors.

    Whether the tiles of variables in ``ends`` go with them is not looked at.
    """
    for loops in _by_dimension(template, options, dict(template.einsum.bounds), ends, 0):
        trips = dict(loops)
        yield tuple(trips[loop] for loop in template.spatial)


_Loops = tuple[tuple[SpatialLoop, int], ...]


def _dimensions(template: Template) -> list[tuple[int, int]]:
    return [(i, d) for i, c in enumerate(template.components) for d in range(len(c.spatial))]


def _by_dimension(
    template: Template, options: MapperOptions, left: dict[str, int], ends: Mapping[str, End], k: int
) -> Iterator[_Loops]:
    dimensions = _dimensions(template)
    if k == len(dimensions):
        yield ()
        return
    index, d = dimensions[k]
    loops = [s for s in template.spatial if (s.index, s.dimension) == (index, d)]
    dimension = template.components[index].spatial[d]
    free = {s: ends[s.variable].trips(template.spatial.index(s), left[s.variable]) for s in loops if s.variable in ends}
    for chosen in _trips(loops, left, free, dimension.most):
        if sum(n > 1 for _, n in chosen) > options.max_loops_per_spatial_dimension:
            continue
        if not all(b.allows(n for s, n in chosen if s.variable in b.variables) for b in dimension.loop_bounds):
            continue
        rest = dict(left)
        for loop, n in chosen:
            if loop.variable not in ends:
                rest[loop.variable] //= n
        for tail in _by_dimension(template, options, rest, ends, k + 1):
            yield chosen + tail


def _trips(
    loops: Sequence[SpatialLoop], left: dict[str, int], free: Mapping[SpatialLoop, Sequence[int]], limit: float
) -> Iterator[_Loops]:
    if not loops:
        if limit >= 1:
            yield ()
        return
    for n in free[loops[0]] if loops[0] in free else divisors(left[loops[0].variable]):
        if n > limit:
            break
        for tail in _trips(loops[1:], left, free, limit / n):
            yield ((loops[0], n), *tail)


@attrs.frozen(eq=False)
class SpatialTable:
    """All spatial choices of templates with the same candidate loops, as an array.

    ``classes``: numbers of the choices that the ``min_usage`` rule prefers alike, most preferred first.
    """

    number: int  # of the table in its menu
    variables: tuple[str, ...]  # of each candidate loop
    indices: tuple[int, ...]  # component of each
    trips: Ints  # (choices, candidate loops)
    classes: tuple[Ints, ...]
    extras: Mapping[str, Ints]  # per variable with imperfect factors and choice, see `End.extra`
    outermost: Mapping[str, int]  # of those whose outermost loop is spatial, the component that it runs across
    _products: dict[tuple[int, ...], Ints] = attrs.Factory(dict)
    _tiles: dict[Hashable, Floats] = attrs.Factory(dict)

    def product(self, variable: str, beyond: int = -1) -> Ints:
        """Per choice, the trips over one rank variable across components further in than ``beyond``."""
        own = tuple(k for k, v in enumerate(self.variables) if v == variable and self.indices[k] > beyond)
        if own not in self._products:
            self._products[own] = np.asarray(self.trips[:, own].prod(axis=1), np.int64)
        return self._products[own]

    def tile(
        self, einsum: EinsumProblem, tensor: Tensor, index: int, whole: frozenset[str], between: frozenset[str]
    ) -> Floats:
        """Per choice, the values of a tensor in component ``index`` below temporal loops over all but ``whole``.

        ``between``: variables with several temporal loops of which one stands above.
        """
        key = (tensor.name, tensor.ranks, index, whole, between)
        if key not in self._tiles:
            values: Floats = np.ones(len(self.trips))
            for rank in tensor.ranks:
                extents = {}
                for v, _ in rank.terms:
                    extents[v] = self._extent(v, einsum.bounds[v], index, v in whole, v in between)
                if rank.terms:
                    values = values * rank_values(rank.terms, extents)
            self._tiles[key] = values
        return self._tiles[key]

    def _extent(self, v: str, bound: int, index: int, whole: bool, between: bool) -> Ints:
        inside = self.product(v, index)
        if v in self.extras:
            if whole and self.outermost.get(v, index + 1) > index:
                return np.full(len(self.trips), bound)
            return inside * self.extras[v] if whole or between else inside
        return inside * (bound // self.product(v)) if whole else inside

    def choice(self, template: Template, number: int) -> SpatialChoice:
        """One choice, in the loops of a template."""
        return spatial_choice(template.spatial, self.trips[number].tolist())


def spatial_choice(loops: Sequence[SpatialLoop], trips: Sequence[int]) -> SpatialChoice:
    """A choice of trips for some loops; those that run once are left out."""
    kept = [(loop, n) for loop, n in zip(loops, trips, strict=True) if n > 1]
    return SpatialChoice(tuple(loop for loop, _ in kept), tuple(n for _, n in kept))


@attrs.define
class SpatialMenu:
    """Spatial choices of one Einsum's templates; templates with the same candidates share a table."""

    options: MapperOptions
    _tables: dict[Hashable, SpatialTable] = attrs.Factory(dict)
    _everything: dict[Hashable, tuple[Ints, list[tuple[float, ...]]]] = attrs.Factory(dict)

    def fitting(self, template: Template) -> tuple[SpatialTable, Ints]:
        """(table, numbers of choices) for which some tile choice fits all memories, after the ``min_usage`` rule.

        Whether a ``tile_shape`` leaves any is not looked at.

        Occupancy grows with every tile size and the smallest of all tiles (each rank variable's
        outermost temporal loop does everything) are one choice, so testing that one decides. The
        rule keeps, dimension by dimension, what reaches ``min_usage`` or else the highest usage:
        that is the lexicographic maximum of the usages cut off at ``min_usage``.
        """
        table = self.table(template)
        fits = smallest_fits(template, table)
        for members in table.classes:
            if fits[members].any():
                return table, members[fits[members]]
        return table, np.zeros(0, np.int64)

    def table(self, template: Template) -> SpatialTable:
        """All choices, whether they fit or not."""
        bounds = template.einsum.bounds
        temporal = frozenset(v for block in template.blocks for v in block)
        ends = ends_of(template)
        key = (_candidates(template), temporal, tuple(ends.items()))
        if key not in self._tables:
            everything, preferences = self._choices(template, ends)
            total = {v: everything[:, [s.variable == v for s in template.spatial]].prod(axis=1) for v in bounds}
            done = np.ones(len(everything), np.bool_)
            extras = {v: _extras(end, v, template, everything, total[v]) for v, end in ends.items()}
            for v, bound in bounds.items():
                if v in extras:
                    done &= extras[v] > 0
                elif v not in temporal:
                    done &= total[v] == bound
            trips = everything[done]
            classes: dict[tuple[float, ...], list[int]] = {}
            for number, source in enumerate(np.flatnonzero(done).tolist()):
                classes.setdefault(preferences[source], []).append(number)
            self._tables[key] = SpatialTable(
                len(self._tables),
                tuple(s.variable for s in template.spatial),
                tuple(s.index for s in template.spatial),
                trips,
                tuple(np.array(members) for _, members in sorted(classes.items(), reverse=True)),
                {v: extra[done] for v, extra in extras.items()},
                {v: template.spatial[e.outermost].index for v, e in ends.items() if e.outermost is not None},
            )
        return self._tables[key]

    def _choices(self, template: Template, ends: Mapping[str, End]) -> tuple[Ints, list[tuple[float, ...]]]:
        """(trips of each loop, preference) of every choice within fanouts and bounds, whatever runs in time too."""
        key = _candidates(template), tuple((v, end.outermost, end.tiles) for v, end in ends.items())
        if key not in self._everything:
            trips = list(all_trips(template, self.options, ends))
            preferences = [_preference(template, spatial_choice(template.spatial, chosen)) for chosen in trips]
            self._everything[key] = np.array(trips, np.int64).reshape(len(trips), len(template.spatial)), preferences
        return self._everything[key]


def _extras(end: End, variable: str, template: Template, trips: Ints, total: Ints) -> Ints:
    """Per choice, see `End.extra`."""
    bound = template.einsum.bounds[variable]
    own = trips[:, end.outermost] if end.outermost is not None else np.ones(len(trips), np.int64)
    pairs, which = np.unique(np.stack([own, total // own], axis=1), axis=0, return_inverse=True)
    found = np.array([end.extra(n, inside, bound) for n, inside in pairs.tolist()], np.int64)
    return np.asarray(found[which.reshape(-1)], np.int64)


def _candidates(template: Template) -> Hashable:
    """What the choices of a template's spatial loops depend on."""
    return (
        tuple((s.variable, s.index, s.dimension) for s in template.spatial),
        tuple(c.spatial for c in template.components),
    )


def _preference(template: Template, choice: SpatialChoice) -> tuple[float, ...]:
    """Usages cut off at ``min_usage``, innermost component first; copies do not care."""
    if template.einsum.is_copy:
        return ()
    return tuple(
        dimension.rank(choice.across(index, d))
        for index in reversed(range(len(template.components)))
        for d, dimension in enumerate(template.components[index].spatial)
        if dimension.min_usage > 0
    )


def smallest_fits(template: Template, table: SpatialTable) -> Bools:
    """Per choice: do the smallest tiles fit all memories? (``tile_shape`` apart.)"""
    fits = np.ones(len(table.trips), np.bool_)
    for i, bits in smallest_usage(template, table).items():
        fits &= bits <= template.components[i].size * FITS
    return fits


def smallest_usage(template: Template, table: SpatialTable) -> dict[int, Floats]:
    """Per component and choice, the bits that the smallest tiles take, of one instance."""
    first: dict[str, int] = {}
    second: dict[str, int] = {}
    for b, block in enumerate(template.blocks):
        for v in block:
            (second if v in first and v not in second and v not in table.outermost else first).setdefault(v, b)
    usage: dict[int, Floats] = {}
    for site in template.sites:
        tensor = template.einsum.kept(site.tensor, site.backing)
        whole = frozenset(v for v in tensor.variables if v in first and site.reservation <= first[v])
        between = frozenset(
            v
            for v in tensor.variables
            if v in table.extras and site.reservation <= second.get(v, -1) and v not in whole
        )
        values = table.tile(template.einsum, tensor, site.index, whole, between)
        bits = template.einsum.bits(tensor, template.components[site.index], values, site.persistent)
        usage[site.index] = usage.get(site.index, 0.0) + bits
    return usage
