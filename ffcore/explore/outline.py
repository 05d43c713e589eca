"""What a template's cuts hold, in a form that different templates can share.

Two templates whose parts below some cut hold the same loops, traffic and reservations pose the same
problem there. An outline numbers these parts, so that a solver can look one up by a single integer.
"""

from __future__ import annotations

from collections.abc import Hashable

import attrs

from ffcore.spec.problem import ComponentKind, TileShape
from ffcore.templates import Template


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
    which variables are ``closed`` there, having no temporal loop further out. ``merge`` is the last
    cut at and above which nothing depends on spatial trip counts, or -1.
    """

    template: Template
    cuts: tuple[Cut, ...]
    keys: tuple[int, ...]
    closed: tuple[frozenset[str], ...]
    merge: int


@attrs.define
class Outliner:
    """Makes outlines of one Einsum's templates on one path, with common numbers."""

    _numbers: dict[Hashable, int] = attrs.Factory(dict)

    def outline(self, template: Template) -> Outline:
        """The outline of ``template``."""
        cuts = tuple(_cut(template, c) for c in range(len(template.blocks) + 1))
        everything = frozenset(template.einsum.bounds)
        closed = tuple(everything.difference(*template.blocks[:c]) for c in range(len(cuts)))
        keys: list[int] = []
        key = -1
        for cut, done in zip(reversed(cuts), reversed(closed), strict=True):
            key = self._number((key, cut))
            keys.append(self._number((key, done)))
        return Outline(template, cuts, tuple(reversed(keys)), closed, _merge(template))

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def _cut(template: Template, cut: int) -> Cut:
    sites = template.sites
    edges = tuple(e for e, at in _edges(template) if at == cut)
    reservations = tuple(Reserved(s.tensor, s.index, s.persistent) for s in sites if s.reservation == cut)
    limits = []
    for site in sites:
        holding = template.components[site.index].holding
        if site.cut == cut and holding is not None and holding.tile_shape:
            limits.append(Limited(site.tensor, site.index, holding.tile_shape))
    outermost: dict[int, int] = {}
    for site in sites:
        outermost[site.index] = min(site.reservation, outermost.get(site.index, site.reservation))
    closing = tuple(sorted(i for i, c in outermost.items() if c == cut))
    block = template.blocks[cut] if cut < len(template.blocks) else ()
    if template.einsum.is_copy and cut == len(template.blocks):
        # A copy's cost depends on where its tensors are backed; there is no traffic to tell by.
        edges = tuple(EdgeShape(s.tensor, s.index, s.index, ()) for s in sites if s.backing)
    spatial = tuple(sorted({s.index for s in template.spatial if s.block == cut}))
    return Cut(edges, reservations, tuple(limits), closing, block, spatial)


def _edges(template: Template) -> list[tuple[EdgeShape, int]]:
    """Each parent-child pair and the cut where the child stands; none for copies."""
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
            result.append((EdgeShape(tensor.name, parent.index, child, tolls), cut))
    return result


def _merge(template: Template) -> int:
    """Above all spatial loops, with only holders of components further out than theirs, tiles say it all.

    Not so for a variable that only spatial loops run over: its tiles end above the compute's.
    """
    temporal = {v for block in template.blocks for v in block}
    if not template.spatial or any(b > 1 and v not in temporal for v, b in template.einsum.bounds.items()):
        return -1
    cut = min(s.block for s in template.spatial)
    outermost = min(s.index for s in template.spatial)
    inside = any(s.cut <= cut and s.index >= outermost for s in template.sites)
    return -1 if inside or cut < template.fused_cut else cut
