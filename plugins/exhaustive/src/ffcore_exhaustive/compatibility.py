"""What two pmappings must agree on to be joined (semantics, section 4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import attrs

from ffcore.plugin import (
    ComponentKind,
    EinsumProblem,
    Holder,
    LoopAbove,
    Nest,
    NestNode,
    Reservation,
    Spatial,
    Temporal,
)
from ffcore_exhaustive.pmappings import Pmapping

LoopKey = tuple[tuple[str, ...], int, int, bool]  # ranks of the tensor, trips, tile, spatial


@attrs.frozen(order=True)
class TensorCompatibility:
    """One shared tensor: its memory and the loops above its backing reservation, outermost first."""

    component: str
    persistent: bool
    loops: tuple[LoopKey, ...]
    depth: int  # fused loops that the tensor ties together

    @property
    def trips(self) -> tuple[int, ...]:
        return tuple(loop[1] for loop in self.loops[: self.depth])


Compatibility = tuple[tuple[str, TensorCompatibility], ...]  # sorted by tensor


@attrs.frozen
class Variant:
    """A pmapping with its fused loops in one of their orders (``order``: outermost first)."""

    pmapping: Pmapping
    order: tuple[LoopAbove, ...]
    tiles: tuple[int, ...]  # of each loop in that order
    compatibility: Compatibility


def variants(einsum: EinsumProblem, pmapping: Pmapping) -> Iterator[Variant]:
    """The pmapping with every permutation of the loops inside its blocks.

    Blocks end at every memory holder and every reservation above the fused depth. Decision: where
    the loops above one shared tensor are not a prefix of those above the deepest one (possible
    only if the memory hierarchy's order is not forced), nothing is permuted.
    """
    shared = [r for r in pmapping.evaluation.reservations if r.backing and r.tensor in einsum.shared]
    fused = max((r.loops for r in shared), key=len, default=())
    depth = max((r.depth for r in shared), default=0)
    if any(r.loops != fused[: len(r.loops)] for r in shared):
        tiles = tuple(loop.tile for loop in fused)
        yield Variant(pmapping, fused, tiles, _compatibility(shared, fused, fused, tiles))
        return
    cuts = block_cuts(einsum, pmapping) | {0, depth}
    edges = sorted(c for c in cuts if c <= depth)
    blocks = [itertools.permutations(fused[a:b]) for a, b in itertools.pairwise(edges)]
    for permuted in itertools.product(*blocks):
        order = (*itertools.chain(*permuted), *fused[depth:])
        retiled = _tiles(fused, order)
        if retiled is not None:
            yield Variant(pmapping, order, retiled, _compatibility(shared, fused, order, retiled))


def _tiles(fused: tuple[LoopAbove, ...], order: tuple[LoopAbove, ...]) -> tuple[int, ...] | None:
    """Tiles in the new order: where loops over one variable change places, a loop's tile is what those
    above it leave over (before: x2 tile 4, x4 tile 1; after: x4 tile 2, x2 tile 1). None where an
    imperfect loop would have to change places."""
    tiles: dict[int, int] = {}
    for variable in {loop.variable for loop in fused}:
        before = [loop for loop in fused if loop.variable == variable]
        after = [i for i, loop in enumerate(order) if loop.variable == variable]
        if [order[i] for i in after] == before:
            tiles.update({i: order[i].tile for i in after})
            continue
        product = 1
        for loop in before:
            product *= loop.trips
        left = before[-1].tile * product
        if left != before[0].tile * before[0].trips:
            return None
        for i in after:
            left //= order[i].trips
            tiles[i] = left
    return tuple(tiles[i] for i in range(len(order)))


def block_cuts(einsum: EinsumProblem, pmapping: Pmapping) -> set[int]:
    """Numbers of running loops above each memory holder and each reservation of a pmapping."""
    memories = set(_memories(einsum, pmapping.nest))
    cuts = {r.level for r in pmapping.evaluation.reservations if not r.persistent}
    running = 0
    for node, trips in with_trips(einsum, pmapping.nest):
        if isinstance(node, Holder):
            if node.component in memories:
                cuts.add(running)
        elif trips > 1:
            running += 1
    return cuts


def _memories(einsum: EinsumProblem, nest: Nest) -> Iterator[str]:
    """Names of the memories on the nest's path."""
    held: dict[str, frozenset[str]] = {}
    path = next(p for p in einsum.paths if p.names[-1] == nest.compute)
    kept: dict[str, set[str]] = {}
    for node in nest.nodes:
        if isinstance(node, Holder):
            kept.setdefault(node.component, set()).add(node.tensor)
    for index, name in enumerate(path.names):
        if path.component(index, held).kind is ComponentKind.MEMORY:
            held[name] = frozenset(kept.get(name, ()))
            yield name


def with_trips(einsum: EinsumProblem, nest: Nest) -> Iterator[tuple[NestNode, int]]:
    """The nodes of a nest, loops with their trip counts (holders with 0)."""
    extent = dict(einsum.bounds)
    for node in nest.nodes:
        if isinstance(node, Holder):
            yield node, 0
        else:
            yield node, -(-extent[node.variable] // node.tile)
            extent[node.variable] = node.tile


def _compatibility(
    shared: list[Reservation], fused: tuple[LoopAbove, ...], order: tuple[LoopAbove, ...], tiles: tuple[int, ...]
) -> Compatibility:
    """Compatibility with the fused loops in the given order. The keys' ranks are each tensor's own."""
    place = {(loop.variable, loop.tile): i for i, loop in enumerate(order)}
    result: dict[str, TensorCompatibility] = {}
    for r in shared:
        loops = r.loops
        if order != fused:
            loops = tuple(sorted(loops, key=lambda loop: place[loop.variable, loop.tile]))
            loops = tuple(attrs.evolve(loop, tile=tiles[place[loop.variable, loop.tile]]) for loop in loops)
        keys = tuple(loop.key for loop in loops)
        result[r.tensor] = TensorCompatibility(r.component, r.persistent, keys, r.depth)
    return tuple(sorted(result.items()))


def permuted_nest(einsum: EinsumProblem, variant: Variant) -> Nest:
    """The variant's nest: running fused loops in the variant's order, loops that run once left
    where they are (their tile follows)."""
    replacements = list(zip(variant.order, variant.tiles, strict=True))
    originals: Mapping[tuple[str, int], Temporal | Spatial] = {
        (node.variable, node.tile): node
        for node, trips in with_trips(einsum, variant.pmapping.nest)
        if not isinstance(node, Holder) and trips > 1
    }
    fused = {(loop.variable, loop.tile) for loop in variant.order}
    extent = dict(einsum.bounds)
    nodes: list[NestNode] = []
    for node, trips in with_trips(einsum, variant.pmapping.nest):
        if isinstance(node, Holder):
            nodes.append(node)
            continue
        if trips > 1:
            if (node.variable, node.tile) in fused:
                loop, tile = replacements.pop(0)
                node = attrs.evolve(originals[loop.variable, loop.tile], tile=tile)
            extent[node.variable] = node.tile
            nodes.append(node)
        else:
            nodes.append(attrs.evolve(node, tile=extent[node.variable]))
    return Nest(einsum.name, variant.pmapping.nest.compute, tuple(nodes))
