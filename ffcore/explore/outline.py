"""What a template's cuts hold, in a form that different templates can share.

Two templates whose parts below some cut hold the same loops, traffic and reservations pose the same
problem there. An outline numbers these parts, so that a solver can look one up by a single integer.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import attrs

from ffcore.spec.problem import Component, ComponentKind, Tensor, TileShape
from ffcore.templates import SpatialLoop, Template


@attrs.frozen
class EdgeShape:
    """Traffic of a tensor from the holder in component ``parent`` to the one in ``child``, through ``tolls``."""

    tensor: str
    parent: int
    child: int
    tolls: tuple[int, ...]


@attrs.frozen
class Reserved:
    """A reservation of a tensor in component ``index``."""

    tensor: str
    index: int
    persistent: bool


@attrs.frozen
class Limited:
    """A holder whose tile is limited by ``tile_shape``."""

    tensor: str
    index: int
    shapes: tuple[TileShape, ...]


@attrs.frozen
class Cut:
    """What stands at one cut of a template, and the loops right below it."""

    edges: tuple[EdgeShape, ...]
    reservations: tuple[Reserved, ...]
    limits: tuple[Limited, ...]
    closing: tuple[int, ...]  # memories of which nothing stands further out
    block: tuple[str, ...]
    spatial: tuple[int, ...]  # components whose spatial loops stand below the block's temporal loops


@attrs.frozen
class Outline:
    """A template as cuts.

    ``keys[c]`` numbers all that the labels at cut ``c`` depend on: what stands at or below it, and
    which variables are ``closed`` there, having no loop further out. ``merges``: the cuts at and above
    which the spatial loops below do not matter any more but for the tile sizes that they lead to: none,
    that of all spatial loops, or that and the one of all but the outermost spatial loops.
    """

    template: Template
    cuts: tuple[Cut, ...]
    keys: tuple[int, ...]
    closed: tuple[frozenset[str], ...]
    merges: tuple[int, ...]


@attrs.define
class Outliner:
    """Makes outlines of one Einsum's templates on one path, with common numbers."""

    _numbers: dict[Hashable, int] = attrs.Factory(dict)

    def outline(self, template: Template) -> Outline:
        """The outline of ``template``."""
        edges = _edges(template)
        cuts = _cuts(template, edges)
        merges = _merges(template, edges)
        everything = frozenset(template.einsum.bounds)
        closed = [everything.difference(*template.blocks[:c]) for c in range(len(cuts))]
        if len(merges) > 1:
            outer = {s.variable for s in template.spatial if s.block == merges[0]}
            closed[merges[0] + 1 :] = [c - outer for c in closed[merges[0] + 1 :]]
        keys: list[int] = []
        key = -1
        for cut, done in zip(reversed(cuts), reversed(closed), strict=True):
            key = self._number((key, cut))
            keys.append(self._number((key, done)))
        return Outline(template, cuts, tuple(reversed(keys)), tuple(closed), merges)

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def _cuts(template: Template, all_edges: Sequence[_Edge]) -> tuple[Cut, ...]:
    last = len(template.blocks)
    edges: list[list[EdgeShape]] = [[] for _ in range(last + 1)]
    reservations: list[list[Reserved]] = [[] for _ in edges]
    limits: list[list[Limited]] = [[] for _ in edges]
    closing: list[list[int]] = [[] for _ in edges]
    spatial: list[set[int]] = [set() for _ in edges]
    for edge in all_edges:
        edges[edge.child].append(edge.shape)
    outermost: dict[int, int] = {}
    for site in template.sites:
        reservations[site.reservation].append(Reserved(site.tensor, site.index, site.persistent))
        outermost[site.index] = min(site.reservation, outermost.get(site.index, site.reservation))
        holding = template.components[site.index].holding
        if holding is not None and holding.tile_shape:
            limits[site.cut].append(Limited(site.tensor, site.index, holding.tile_shape))
        if template.einsum.is_copy and site.backing:
            # A copy's cost depends on where its tensors are backed; there is no traffic to tell by.
            edges[last].append(EdgeShape(site.tensor, site.index, site.index, ()))
    for index in sorted(outermost):
        closing[outermost[index]].append(index)
    for loop in template.spatial:
        if loop.block >= 0:
            spatial[loop.block].add(loop.index)
    return tuple(
        Cut(
            tuple(edges[c]),
            tuple(reservations[c]),
            tuple(limits[c]),
            tuple(closing[c]),
            template.blocks[c] if c < last else (),
            tuple(sorted(spatial[c])),
        )
        for c in range(last + 1)
    )


@attrs.frozen
class _Edge:
    """A parent-child pair and the cuts where the two stand."""

    shape: EdgeShape
    parent: int
    child: int


def _edges(template: Template) -> list[_Edge]:
    """All parent-child pairs; none for copies."""
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
            result.append(_Edge(EdgeShape(tensor.name, parent.index, child, tolls), parent.cut, cut))
    return result


def saves_traffic(components: Sequence[Component], tensor: Tensor, loop: SpatialLoop) -> bool:
    """Is one access for all instances that a spatial loop spans enough? (multicast, spatial reduction)"""
    dimension = components[loop.index].spatial[loop.dimension]
    return loop.variable not in tensor.variables and tensor.name in dimension.may_reuse


def _merges(template: Template, edges: Sequence[_Edge]) -> tuple[int, ...]:
    """See ``Outline``.

    Above spatial loops, with only holders of components further out than theirs, tiles say it all.
    Not so for a variable that only spatial loops run over: its tiles end above the compute's. The
    outermost spatial loops can be chosen after those further in when no traffic across both is
    multicast over the outermost: all else below them is the same whatever their trips.
    """
    temporal = {v for block in template.blocks for v in block}
    if not template.spatial or any(b > 1 and v not in temporal for v, b in template.einsum.bounds.items()):
        return ()
    first = min(s.block for s in template.spatial)
    if _within_reach(template, first) or first < template.fused_cut:
        return ()
    inner = [s.block for s in template.spatial if s.block > first]
    outer = [s for s in template.spatial if s.block == first]
    across = [template.einsum.tensor[e.shape.tensor] for e in edges if e.parent <= first < e.child]
    if not inner or _within_reach(template, min(inner)):
        return (first,)
    if any(saves_traffic(template.components, tensor, loop) for tensor in across for loop in outer):
        return (first,)
    return (first, min(inner))


def _within_reach(template: Template, cut: int) -> bool:
    """Does a holder at or above a cut belong to a component that spatial loops below the cut are across?"""
    outermost = min(s.index for s in template.spatial if s.block >= cut)
    return any(s.cut <= cut and s.index >= outermost for s in template.sites)
