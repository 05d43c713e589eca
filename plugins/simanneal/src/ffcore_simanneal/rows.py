"""Pareto-optimal pmappings of one Einsum as parts: rows of its groups, in each order that their blocks allow."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import permutations, product
from random import Random

import attrs
import numpy as np

from ffcore.plugin import (
    Compatibility,
    EinsumPmappings,
    EinsumProblem,
    LoopAbove,
    Nest,
    compatibilities,
    decode_loop,
    encode_loops,
    loop_sizes,
    nest_of_row,
)
from ffcore_simanneal.parts import FusedLoop, Key, KeyTable, Part
from ffcore_simanneal.repair import Wanted


@attrs.frozen(eq=False)
class Variant:
    """A group of rows with its fused loops in one order."""

    keys: tuple[Key, ...]
    shares: tuple[float, ...]
    places: tuple[int, ...]
    order: tuple[int, ...]  # of the group's loops
    tiles: tuple[int, ...]  # of these, in that order
    start: int
    stop: int


@attrs.frozen
class RowSource:
    """Which row a part is, and in which order and with which tiles its fused loops stand."""

    row: int
    order: tuple[int, ...]
    tiles: tuple[int, ...]


@attrs.define(eq=False)
class RowSpace:
    """The groups of one Einsum and where to find those with given keys."""

    pmappings: EinsumPmappings
    table: KeyTable
    variants: list[Variant] = attrs.field(init=False)
    _matching: dict[Hashable, list[int]] = attrs.field(init=False, factory=dict)
    _by_key: list[dict[Key, list[int]]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        edges = self.pmappings.offsets.tolist()
        self.variants = []
        for g, compatibility in enumerate(compatibilities(self.pmappings)):
            for variant in _variants(self.pmappings, compatibility, edges[g], edges[g + 1], self.table):
                self.variants.append(variant)
        self._by_key = [{} for _ in self.pmappings.shape.shared]
        for number, variant in enumerate(self.variants):
            for position, key in enumerate(variant.keys):
                self._by_key[position].setdefault(key, []).append(number)

    def matching(self, wanted: Wanted) -> Sequence[int]:
        """Numbers of the variants with the wanted keys."""
        if not wanted:
            return range(len(self.variants))
        name = tuple(sorted((position, id(key)) for position, key in wanted.items()))
        if name not in self._matching:
            lists = [self._by_key[position].get(key, []) for position, key in wanted.items()]
            lists.sort(key=len)
            common = set(lists[0]).intersection(*lists[1:])
            self._matching[name] = [n for n in lists[0] if n in common]
        return self._matching[name]

    def any(self, variant: Variant, source: Random) -> Part:
        """A row of the variant, each as likely as any other."""
        return self.part(variant, source.randrange(variant.start, variant.stop))

    def part(self, variant: Variant, row: int) -> Part:
        shape = self.pmappings.shape
        values = self.pmappings.rows.values[row].tolist()
        memories = range(len(shape.memories))
        return Part(
            values[0],
            values[1],
            tuple(values[shape.own(m)] for m in memories),
            tuple((m, tuple(values[shape.all_opened(m)])) for m in memories),
            variant.keys,
            variant.shares,
            variant.places,
            (variant, RowSource(row, variant.order, variant.tiles)),
        )

    def nest(self, source: RowSource) -> Nest:
        codes = [code for code in self.pmappings.rows.loops[source.row].tolist() if code]
        ordered = [self._retiled(codes[k], tile) for k, tile in zip(source.order, source.tiles, strict=True)]
        return nest_of_row(self.pmappings, source.row, [*ordered, *codes[len(ordered) :]])

    def _retiled(self, code: int, tile: int) -> int:
        """A loop's code with another tile, where a nest is read by that: with imperfect factors."""
        einsum = self.pmappings.einsum
        axis, spatial, trips, _ = decode_loop(code)
        variable = list(einsum.bounds)[axis]
        if variable not in einsum.imperfect:
            return code
        number = loop_sizes(einsum, variable).index(tile)
        return int(encode_loops(axis, spatial, np.array([trips]), np.array([number]))[0])


def _variants(
    pmappings: EinsumPmappings, group: Compatibility, start: int, stop: int, table: KeyTable
) -> Iterator[Variant]:
    """The group in each order of the loops of its blocks; orders that look the same to all tensors count once."""
    members: dict[int, list[int]] = {}
    for position, block in enumerate(group.blocks):
        members.setdefault(block, []).append(position)
    seen: set[tuple[Key, ...]] = set()
    for orders in product(*(permutations(m) for m in members.values())):
        order = tuple(position for block in orders for position in block)
        nest = _retiled(pmappings.einsum, group.nest, order)
        if nest is None:
            continue
        keys, shares, places = _seen(pmappings, group, nest, table)
        if keys not in seen:
            seen.add(keys)
            yield Variant(keys, shares, places, order, tuple(loop.tile for loop in nest), start, stop)


def _seen(
    pmappings: EinsumPmappings, group: Compatibility, nest: Sequence[LoopAbove], table: KeyTable
) -> tuple[tuple[Key, ...], tuple[float, ...], tuple[int, ...]]:
    """Keys, shares and memories of the group's shared tensors below these loops."""
    einsum, memories = pmappings.einsum, pmappings.shape.memories
    components = {c.name: c for t in pmappings.templates for c in t.components}
    keys, shares, places = [], [], []
    for reservation in group.tensors:
        tensor, component = einsum.tensor[reservation.name].kept, components[reservation.memory]
        above = nest[: len(reservation.loops)]
        loops: tuple[FusedLoop, ...] = tuple((tensor.ranks_of(x.variable), x.trips, x.tile, x.spatial) for x in above)
        keys.append(table.key(reservation.memory, reservation.persistent, loops))
        sizes = {**einsum.bounds, **{x.variable: x.tile for x in above}}
        bits = einsum.bits(tensor, component, tensor.tile_values(sizes), reservation.persistent)
        shares.append(bits / component.size if component.size else 0.0)
        places.append(memories.index(reservation.memory) if reservation.memory in memories else -1)
    return tuple(keys), tuple(shares), tuple(places)


def _retiled(einsum: EinsumProblem, loops: Sequence[LoopAbove], order: Sequence[int]) -> list[LoopAbove] | None:
    """The loops in this order with the tiles that they then have: what the loops above leave over.

    None if one with an imperfect tile would change places with another over its variable.
    """
    left: dict[str, int] = {}
    result = []
    for loop in (loops[k] for k in order):
        v = loop.variable
        if v in einsum.imperfect:
            own = [k for k, other in enumerate(loops) if other.variable == v]
            if [k for k in order if k in own] == own:
                result.append(loop)
                continue
            if loops[own[0]].tile * loops[own[0]].trips != einsum.bounds[v]:
                return None
        left[v] = left.get(v, einsum.bounds[v]) // loop.trips
        result.append(attrs.evolve(loop, tile=left[v]))
    return result
