"""Pareto-optimal pmappings of one Einsum as parts: rows of its groups, in each order that their blocks allow."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import permutations, product
from random import Random

import attrs

from ffcore.plugin import Compatibility, EinsumPmappings, LoopAbove, Nest, compatibilities, nest_of_row
from ffcore_simanneal.parts import FusedLoop, Key, KeyTable, Part
from ffcore_simanneal.repair import Wanted


@attrs.frozen(eq=False)
class Variant:
    """A group of rows with its fused loops in one order."""

    keys: tuple[Key, ...]
    shares: tuple[float, ...]
    places: tuple[int, ...]
    order: tuple[int, ...]  # of the group's loops
    start: int
    stop: int


@attrs.frozen
class RowSource:
    """Which row a part is, and in which order its fused loops stand."""

    row: int
    order: tuple[int, ...]


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
            (variant, RowSource(row, variant.order)),
        )

    def nest(self, source: RowSource) -> Nest:
        codes = [code for code in self.pmappings.rows.loops[source.row].tolist() if code]
        ordered = [codes[k] for k in source.order]
        return nest_of_row(self.pmappings, source.row, [*ordered, *codes[len(ordered) :]])


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
        keys, shares, places = _seen(pmappings, group, order, table)
        if keys not in seen:
            seen.add(keys)
            yield Variant(keys, shares, places, order, start, stop)


def _seen(
    pmappings: EinsumPmappings, group: Compatibility, order: Sequence[int], table: KeyTable
) -> tuple[tuple[Key, ...], tuple[float, ...], tuple[int, ...]]:
    """Keys, shares and memories of the group's shared tensors with its loops in the given order."""
    einsum, memories = pmappings.einsum, pmappings.shape.memories
    nest = _retiled(einsum.bounds, [group.nest[k] for k in order])
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


def _retiled(bounds: Mapping[str, int], loops: Sequence[LoopAbove]) -> list[LoopAbove]:
    """The loops with the tiles that they have in this order: what the loops above leave over."""
    left: dict[str, int] = {}
    result = []
    for loop in loops:
        left[loop.variable] = left.get(loop.variable, bounds[loop.variable]) // loop.trips
        result.append(attrs.evolve(loop, tile=left[loop.variable]))
    return result
