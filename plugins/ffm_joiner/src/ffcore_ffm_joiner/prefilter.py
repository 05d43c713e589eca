"""Narrowing: which rows can be part of a mapping that is wanted, before their loops are ordered.

Each test is a relaxation of compatibility, so what it drops no exact join could use:
bounds from the graph in which only memories must agree, and the absence of a partner that keeps some
shared tensor under the same loops. Rows are index arrays until few are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.plugin import Rows, decode_loops, encode_loops
from ffcore_ffm_joiner.arrays import Memo, distinct, distinct_rows, least, offsets_of, pack
from ffcore_ffm_joiner.compatibility import (
    Detail,
    GroupSummary,
    Source,
    Table,
    TensorTable,
    number_tensors,
    short_codes,
)
from ffcore_ffm_joiner.graph import bounds, build
from ffcore_ffm_joiner.kernels import Floats, Ints, Mask, pareto
from ffcore_ffm_joiner.target import Target


@attrs.frozen(eq=False)
class Coarse:
    """The rows of one Einsum by what is cheap to know of them."""

    energy: Floats
    latency: Floats
    loops: NDArray[np.int8]  # fused loops of each row
    group: Ints  # memories of the shared tensors, as a row of ``ids``
    ids: Ints  # (groups, shared) twice the number of the memory, plus one if persistent


def coarse(sources: Sequence[Source], once: Memo) -> list[Coarse]:
    """All rows of each Einsum; the same for Einsums that share them."""
    return [once(_coarse, s.pmappings.rows, s.places) for s in sources]


def _coarse(rows: Rows, places: tuple[int, ...]) -> Coarse:
    place = np.asarray(places, np.int64)
    columns = [2 * place[m] + (d < 0) for m, d in zip(rows.memory.T, rows.depth.T, strict=True)]
    first, group = distinct(pack(columns, len(rows)))
    ids = np.stack([c[first] for c in columns], axis=1) if columns else np.zeros((len(first), 0), np.int64)
    loops = (rows.loops != 0).sum(axis=1, dtype=np.int8)
    return Coarse(rows.values[:, 0].copy(), rows.values[:, 1].copy(), loops, group, ids)


def within_bounds(
    sources: Sequence[Source], cheap: Sequence[Coarse], rows: Sequence[Ints], target: Target, once: Memo
) -> list[Ints]:
    """Rows that, with the cheapest of all else that agrees on memories, can still be wanted.

    Exact: partners that can be joined agree on memories, so whatever a row is joined with costs no less than the
    least over all that agree on them; and a bound that a known mapping meets belongs to nothing better.
    """
    size = 2 * (1 + max((p for s in sources for p in s.places), default=0))
    table = once(_places, size)
    faces = [GroupSummary(s.shared, c.ids, *once(_shown, c, r)) for s, c, r in zip(sources, cheap, rows, strict=True)]
    steps = build(faces, {t: table for s in sources for t in s.shared}, once)
    costs = [np.stack([f.energy, f.latency], axis=1)[s.edges.right] for f, s in zip(faces, steps, strict=True)]
    least_of = bounds(steps, costs)
    result = []
    for i, (c, own, step) in enumerate(zip(cheap, rows, steps, strict=True)):
        rest = least(least_of.others(i, step), step.edges.right, len(c.ids))
        group = c.group[own]
        keep = target.open(c.energy[own] + rest[group, 0], c.latency[own] + rest[group, 1])
        result.append(once.same(own[keep]))
    return result


def _places(size: int) -> TensorTable:
    numbers = np.arange(size)
    nothing = np.zeros((1, size))
    return TensorTable(-(numbers % 2), np.full(size, -1), nothing[0], nothing, np.zeros((size, 1), np.int64))


def _shown(c: Coarse, rows: Ints) -> tuple[Ints, Floats, Floats]:
    """(no trip counts, least energy, least latency) of each group."""
    group = c.group[rows]
    energy, latency = (least(v[rows], group, len(c.ids)) for v in (c.energy, c.latency))
    return np.zeros((len(c.ids), 1), np.int64), energy, latency


def loops_agree(sources: Sequence[Source], rows: Sequence[Ints], once: Memo) -> list[Ints]:
    """Rows whose every shared tensor has partners that keep it in the same memory under the same loops.

    A graph of these groups, for better bounds, is not worth its while: without the order of loops to agree on,
    the choices of tensors that live at the same time multiply.
    """
    picked = [once(_picked, s.pmappings.rows, own) for s, own in zip(sources, rows, strict=True)]
    ids, tables = number_tensors(sources, picked, Detail.LOOPS, once)
    alive = with_partners([s.shared for s in sources], ids, {t: len(table) for t, table in tables.items()})
    return [once.same(own[keep]) for own, keep in zip(rows, alive, strict=True)]


def _picked(rows: Rows, own: Ints) -> tuple[Ints, Ints, Ints]:
    return rows.loops[own], rows.depth[own], rows.memory[own]


def with_partners(tensors: Sequence[tuple[str, ...]], ids: Sequence[Ints], numbers: dict[str, int]) -> list[Mask]:
    """Per Einsum, which groups have every shared tensor numbered as in some group of all others that touch it.

    ``tensors``, ``ids``: per Einsum the shared tensors and their numbers in its groups; ``numbers``: how many
    there are. Groups that are dropped are nobody's partner any more, until nothing changes. Exact: all Einsums of a
    mapping that touch a tensor agree on its number, so what it is made of is never dropped.
    """
    users: dict[str, list[tuple[int, int]]] = {}
    for i, names in enumerate(tensors):
        for k, name in enumerate(names):
            users.setdefault(name, []).append((i, k))
    alive = [np.ones(len(own), np.bool_) for own in ids]
    changed = set(users)
    order = list(users)
    while changed:
        for name in order:
            if name not in changed:
                continue
            changed.remove(name)
            common = np.ones(numbers[name], np.bool_)
            for i, k in users[name]:
                present = np.zeros(numbers[name], np.bool_)
                present[ids[i][alive[i], k]] = True
                common &= present
            for i, k in users[name]:
                lost = alive[i] & ~common[ids[i][:, k]]
                if lost.any():
                    alive[i] &= ~lost
                    changed.update(t for t in tensors[i] if t != name)
        order.reverse()  # back and forth along a chain: as many rounds as it has turns, not links
    return alive


def shallow(cheap: Sequence[Coarse], loops: int, once: Memo) -> list[Ints]:
    """Rows with at most so many fused loops."""
    return [once(_shallow, c, loops) for c in cheap]


def _shallow(c: Coarse, loops: int) -> Ints:
    return np.flatnonzero(c.loops <= loops)


def ordered(source: Source, rows: Ints, once: Memo) -> Table:
    """Rows in all orders that their blocks allow, grouped by compatibility and pruned.

    Before: blocks ``{b, m} {h}``; after: rows with loops ``b m h`` and ``m b h``. The pruning is exact: rows
    with equal loops, depths and memories can be joined with the same rows, and the sums and peaks that a join
    makes of their columns grow with each of them.
    """
    return once(_ordered, source.pmappings.rows, rows, source.sizes)


def _ordered(whole: Rows, rows: Ints, sizes: tuple[Sequence[int], ...]) -> Table:
    blocks, codes = whole.blocks[rows], whole.loops[rows]
    first, inverse = distinct_rows(blocks)
    picks, loops = [np.zeros(0, np.int64)], [codes[:0]]
    for p, pattern in enumerate(blocks[first]):
        members = np.flatnonzero(inverse == p)
        used = [k for k, b in enumerate(pattern.tolist()) if b >= 0]
        parts = [[k for k in used if pattern[k] == b] for b in dict.fromkeys(pattern[used].tolist())]
        for orders in product(*(permutations(b) for b in parts)):
            order = [k for part in orders for k in part]
            arranged, own = codes[members], members
            if order != used:
                arranged[:, used], possible = _in_order(sizes, arranged[:, order], arranged[:, used])
                if not possible.all():
                    arranged, own = arranged[possible], members[possible]
            picks.append(own)
            loops.append(arranged)
    pick, every = np.concatenate(picks), np.concatenate(loops)
    depth, memory = whole.depth[rows[pick]], whole.memory[rows[pick]]
    group = _compatibility(every, depth, memory)
    by_group = np.argsort(group, kind="stable")
    values = whole.values[rows[pick[by_group]]]
    keep = pareto(values, group[by_group])
    kept = by_group[keep]
    _, numbers = distinct(group[kept])
    return Table(
        every[kept],
        depth[kept],
        memory[kept],
        values[keep],
        rows[pick[kept]],
        offsets_of(numbers, int(numbers.max(initial=-1)) + 1),
    )


def _compatibility(loops: Ints, depth: Ints, memory: Ints) -> Ints:
    """One number for the rows of equal loops, depths and memories."""
    _, short = distinct(short_codes(loops))
    columns = [*short.reshape(loops.shape).T, *(depth + 1).T, *memory.T]
    return distinct(pack(columns, len(loops)))[1]


def _in_order(sizes: tuple[Sequence[int], ...], codes: Ints, before: Ints) -> tuple[Ints, Mask]:
    """Codes of loops in a new order, and which rows have them; ``before``: as they stood.

    A loop's tile is what the loops above it leave over. A loop with an imperfect tile does not change places with
    others over its variable.
    """
    axis, spatial, trips, _ = decode_loops(codes)
    tiles = np.zeros_like(codes)
    possible = np.ones(len(codes), np.bool_)
    for a, numbers in enumerate(sizes):
        if isinstance(numbers, range):  # see `loop_sizes`
            possible &= _imperfect_in_order(a, numbers[-1], codes, before, tiles)
            continue
        values, bound = np.asarray(numbers), numbers[-1]
        left = np.full(len(codes), bound)
        for k in range(codes.shape[1]):
            own = axis[:, k] == a
            left[own] //= values[trips[own, k]]
            tiles[own, k] = np.searchsorted(values, left[own])
    return encode_loops(axis, spatial, trips, tiles), possible


def _imperfect_in_order(a: int, bound: int, codes: Ints, before: Ints, tiles: Ints) -> Mask:
    """Fill in the tiles of loops over a variable with imperfect factors; which rows can have this order?"""
    axis, _, trips, tile = decode_loops(codes)
    own = (axis == a) & (codes != 0)
    tiles[own] = tile[own]
    possible = np.ones(len(codes), np.bool_)
    axis_before, _, trips_before, tile_before = decode_loops(before)
    for row in np.flatnonzero(own.sum(axis=1) > 1).tolist():
        mine, was = own[row], (axis_before[row] == a) & (before[row] != 0)
        if (codes[row, mine] == before[row, was]).all():
            continue
        if tile_before[row, was][0] * trips_before[row, was][0] != bound:
            possible[row] = False
            continue
        tiles[row, mine] = bound // np.cumprod(trips[row, mine])
    return possible
