"""What a template's cuts hold, in a form that different templates can share.

Two templates whose parts below some cut hold the same loops, traffic and reservations pose the same
problem there. An outline numbers these parts, so that a solver can look one up by a single integer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, cast

import attrs

from ffcore.explore.search.bookings import (
    Booker,
    Booking,
    Columns,
    EdgeShape,
    Factors,
    LoopName,
    Way,
    factors_of,
    slack_of,
)
from ffcore.spec.problem import ComponentKind, TileShape
from ffcore.templates import SpatialLoop, Template


@attrs.frozen
class Reserved:
    """A reservation of a tensor in component ``index``; ``factors``: of extents, where loops are out of order."""

    tensor: str
    index: int
    backing: bool
    persistent: bool
    factors: Factors = ()


@attrs.frozen
class Limited:
    """A holder whose tile is limited by ``tile_shape``."""

    tensor: str
    index: int
    shapes: tuple[TileShape, ...]
    factors: Factors = ()


@attrs.frozen
class Cut:
    """What stands at one cut of a template."""

    bookings: tuple[Booking, ...]
    reservations: tuple[Reserved, ...]
    limits: tuple[Limited, ...]
    closing: tuple[int, ...]  # memories of which nothing stands further out
    # A copy's backing holders, and the slacks outside of each: its cost depends on nothing else.
    backed: tuple[tuple[str, int, tuple[LoopName, ...]], ...]
    ways: tuple[Way, ...]  # over networks
    last: bool  # the compute stands here


@attrs.frozen
class Dimension:
    """One dimension's candidate loops and what limits their trips.

    ``usage``: what the ``min_usage`` rule asks for. ``fixed``: the trips, where they were chosen beforehand.
    """

    index: int
    dimension: int
    variables: tuple[str, ...]
    usage: float | None = None
    fixed: tuple[int, ...] | None = None

    def name(self, variable: str) -> LoopName:
        return self.index, self.dimension, variable


@attrs.frozen
class Outline:
    """A template as cuts and the loops between them.

    ``contents``, ``blocks`` and ``spaces`` number what stands at each cut and the temporal and spatial loops
    right below it; ``keys[c]`` numbers all that the labels at cut ``c`` depend on: what stands at or below it, and
    which variables are ``closed`` there, having no loop further out. ``space_above``: the root's own fanout. ``ends``:
    see `imperfect_blocks`.
    """

    template: Template
    cuts: tuple[Cut, ...]
    spatial: tuple[tuple[Dimension, ...], ...]  # per block, outermost first
    space_above: tuple[Dimension, ...]
    contents: tuple[int, ...]
    blocks: tuple[int, ...]
    spaces: tuple[int, ...]
    keys: tuple[int, ...]
    closed: tuple[frozenset[str], ...]
    ends: tuple[tuple[str, int], ...] = ()

    @property
    def fused(self) -> int:
        return self.template.fused_cut

    def item(self, cut: int) -> tuple[int, int, int]:
        """What tells templates apart that are the same above the loops below ``cut``."""
        return self.blocks[cut], self.spaces[cut], self.contents[cut + 1]

    def imperfect(self, cut: int) -> frozenset[str]:
        """Variables whose outermost loop stands in the block below ``cut`` and may have an imperfect tile."""
        return frozenset(v for v, block in self.ends if block == cut)

    def above(self) -> Hashable:
        """All that rows depend on down to the fused cut; outlines for which it is the same are explored at once."""
        fused = self.fused
        return (self.contents[: fused + 1], self.blocks[:fused], self.spaces[:fused], self.space_above, fused)


@attrs.define
class Outliner:
    """Makes outlines of one Einsum's templates on one path, with common numbers."""

    columns: Columns
    _numbers: dict[Hashable, int] = attrs.Factory(dict)
    _things: dict[Hashable, int] = attrs.Factory(dict)  # what stands at cuts, each once
    _made: list[object] = attrs.Factory(list)  # by these numbers
    _edges: dict[tuple[EdgeShape, int], int] = attrs.Factory(dict)
    _booker: Booker = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._booker = Booker(self.columns)

    def outline(self, template: Template, usages: Mapping[tuple[int, int], float], fixed: Fixed) -> Outline:
        """The outline of ``template``; ``usages``: of dimensions with a ``min_usage``.

        ``fixed``: the trips of the loops of `out_of_order` components.
        """
        last = len(template.blocks)
        ends = imperfect_blocks(template, self.columns.tiles)
        contents, cuts = self._cuts(template, fixed, ends)
        dimensions = _dimensions(template, usages, fixed)
        spatial = tuple(tuple(d for b, d in dimensions if b == block) for block in range(last))
        blocks = tuple(self._number(frozenset(block)) for block in template.blocks)
        spaces = tuple(self._number(space) for space in spatial)
        closed = self._closed(template)
        keys: list[int] = []
        key = -1
        for c in range(last, -1, -1):
            here = (key, contents[c], blocks[c] if c < last else -1, spaces[c] if c < last else -1)
            key = self._number(here)
            keys.append(self._number((key, closed[c])))
        above = tuple(d for b, d in dimensions if b < 0)
        numbers = contents, blocks, spaces, tuple(reversed(keys))
        return Outline(template, cuts, spatial, above, *numbers, closed, tuple(ends.items()))

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    @staticmethod
    def _closed(template: Template) -> tuple[frozenset[str], ...]:
        """Per cut, the variables without any loop further out."""
        outer = {s.variable for s in template.spatial if s.block < 0}
        closed = []
        for c in range(len(template.blocks) + 1):
            closed.append(frozenset(template.einsum.bounds) - outer)
            if c < len(template.blocks):
                outer |= {*template.blocks[c], *(s.variable for s in template.spatial if s.block == c)}
        return tuple(closed)

    def _cuts(
        self, template: Template, fixed: Fixed, imperfect: Mapping[str, int]
    ) -> tuple[tuple[int, ...], tuple[Cut, ...]]:
        """The number of what stands at each cut, and the cuts."""
        last = len(template.blocks)
        edges: list[list[int]] = [[] for _ in range(last + 1)]
        reservations: list[list[int]] = [[] for _ in edges]
        limits: list[list[int]] = [[] for _ in edges]
        closing: list[list[int]] = [[] for _ in edges]
        backed: list[tuple[str, int, tuple[LoopName, ...]]] = []
        slacks = [tuple(slack_of(v) for v, block in imperfect.items() if block < cut) for cut in range(last + 1)]
        loops = _loops(template, fixed, slacks)
        around = [self._number(own) for own in loops]
        for cut, shape in _edges(template):
            edges[cut].append(self._edge(shape, around[cut], loops[cut]))
        outermost: dict[int, int] = {}
        for site in template.sites:
            index, place = site.index, site.reservation
            factors = fixed.factors(index, place)
            what = site.tensor, index, site.backing, site.persistent
            reservations[place].append(self._thing(Reserved, *what, factors))
            outermost[index] = min(place, outermost.get(index, place))
            holding = template.components[index].holding
            if holding is not None and holding.tile_shape:
                factors = fixed.factors(index, site.cut)
                limits[site.cut].append(self._thing(Limited, site.tensor, index, holding.tile_shape, factors))
            if template.einsum.is_copy and site.backing:
                backed.append((site.tensor, index, slacks[site.cut]))
        for index in sorted(outermost):
            closing[outermost[index]].append(index)
        numbers, cuts = [], []
        for c in range(last + 1):  # what stands at one cut stands in no order
            here = [tuple(sorted(found[c])) for found in (edges, reservations, limits)]
            copied = tuple(backed) if c == last else ()
            ways = self._booker.ways(loops[c][0]) if c == last else ()
            number = self._thing(self._cut, *here, tuple(closing[c]), copied, ways, c == last)
            numbers.append(number)
            cuts.append(cast(Cut, self._made[number]))
        return tuple(numbers), tuple(cuts)

    def _edge(self, shape: EdgeShape, around: int, loops: _Loops) -> int:
        """The number of the bookings of an edge; ``around``: that of its ``loops``."""
        key = shape, around
        number = self._edges.get(key)
        if number is None:
            number = self._edges[key] = self._thing(self._booker.bookings, shape, *loops)
        return number

    def _thing(self, make: Callable[..., object], *arguments: Hashable) -> int:
        """The number of what ``make`` makes of the arguments; it is made once."""
        key = (make.__name__, *arguments)
        if key not in self._things:
            made = make(*arguments)
            self._things[key] = len(self._made)
            self._made.append(made)
        return self._things[key]

    def _cut(
        self,
        edges: Sequence[int],
        reservations: Sequence[int],
        limits: Sequence[int],
        closing: tuple[int, ...],
        backed: tuple[tuple[str, int, tuple[LoopName, ...]], ...],
        ways: tuple[Way, ...],
        last: bool,
    ) -> Cut:
        def all_of(numbers: Sequence[int]) -> list[Any]:
            return [self._made[n] for n in numbers]

        bookings = tuple(b for edge in all_of(edges) for b in edge)
        return Cut(bookings, tuple(all_of(reservations)), tuple(all_of(limits)), closing, backed, ways, last)


_Loops = tuple[tuple[LoopName, ...], tuple[tuple[LoopName, int], ...], tuple[tuple[LoopName, int], ...]]


def imperfect_blocks(template: Template, tiles: Iterable[str]) -> dict[str, int]:
    """Of the variables with imperfect ``tiles``: the block of the outermost loop, where that may have such a tile."""
    einsum = template.einsum
    found = {}
    for v in tiles:
        temporal = next((b for b, block in enumerate(template.blocks) if v in block), None)
        spatial = min((s.block for s in template.spatial if s.variable == v), default=None)
        if spatial is not None and (temporal is None or spatial < temporal):
            if v in einsum.imperfect_spatial:
                found[v] = spatial
        elif temporal is not None and v in einsum.imperfect_temporal:
            found[v] = temporal
    return found


def _loops(template: Template, fixed: Fixed, slacks: Sequence[tuple[LoopName, ...]]) -> list[_Loops]:
    """Per cut, loops (and slacks) outside of it, and those of known trips inside and outside of it."""
    named = [(s.block, _name(s)) for s in template.spatial]
    found: list[_Loops] = []
    for cut, own in enumerate(slacks):
        outside = (*(name for block, name in named if block < cut), *own)
        inside = tuple((_name(s), n) for s, n in fixed.trips.items() if s.block >= cut)
        around = tuple((_name(s), n) for s, n in fixed.trips.items() if s.block < cut)
        found.append((outside, inside, around))
    return found


@attrs.frozen
class Fixed:
    """Trips of the loops that were chosen beforehand, those that run once too."""

    trips: Mapping[SpatialLoop, int]

    def factors(self, index: int, cut: int) -> Factors:
        """What the extents at ``cut`` are multiplied by to give the tile of a holder in component ``index``."""
        if not self.trips:
            return ()
        inside = [(_name(s), n) for s, n in self.trips.items() if s.block >= cut]
        around = [(_name(s), n) for s, n in self.trips.items() if s.block < cut]
        return factors_of(index, inside, around)


def out_of_order(template: Template) -> frozenset[int]:
    """Components whose spatial loops stand inside of a holder that counts as further in, or the other way round.

    A tile belongs to one instance of its memory, so loops across that memory and all outer components count as if
    they stood above it; in the usual order they do.
    """
    places = {(site.index, cut) for site in template.sites for cut in (site.cut, site.reservation)}
    loops = {(s.block, s.index) for s in template.spatial}
    return frozenset(
        index for block, index in loops if any((block >= cut) == (index <= holder) for holder, cut in places)
    )


def _name(loop: SpatialLoop) -> LoopName:
    return loop.index, loop.dimension, loop.variable


def _dimensions(
    template: Template, usages: Mapping[tuple[int, int], float], fixed: Fixed
) -> list[tuple[int, Dimension]]:
    """(block, dimension) of every dimension, outermost first; those that no loop may run across too.

    What a dimension without loops asks for has been checked before (see ``paths``).
    """
    found: dict[tuple[int, int, int], list[SpatialLoop]] = {}
    for loop in sorted(template.spatial, key=lambda s: (s.block, s.index, s.dimension)):
        found.setdefault((loop.block, loop.index, loop.dimension), []).append(loop)
    result = []
    for (block, index, d), loops in found.items():
        trips = tuple(fixed.trips[s] for s in loops) if loops[0] in fixed.trips else None
        usage = usages.get((index, d))
        result.append((block, Dimension(index, d, tuple(s.variable for s in loops), usage, trips)))
    return result


def _edges(template: Template) -> list[tuple[int, EdgeShape]]:
    """All parent-child pairs, each with the cut where the child stands; none for copies."""
    if template.einsum.is_copy:
        return []
    compute = len(template.components) - 1
    result = []
    for tensor in template.einsum.tensors:
        sites = [s for s in template.sites if s.tensor == tensor.name]
        children = [*((s.index, s.cut) for s in sites[1:]), (compute, len(template.blocks))]
        for parent, (child, cut) in zip(sites, children, strict=True):
            tolls = tuple(
                t.index
                for t in template.tolls
                if t.tensor == tensor.name
                and parent.index < t.index < child
                and template.components[t.index].kind is ComponentKind.TOLL
            )
            result.append((cut, EdgeShape(tensor.name, parent.index, child, tolls)))
    return result
