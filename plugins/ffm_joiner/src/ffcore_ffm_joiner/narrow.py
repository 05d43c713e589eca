"""Narrowing: which rows can be part of a mapping that is wanted, before their loops are ordered.

Each test is a relaxation of compatibility, so what it drops no exact join could use:
bounds from the graph in which only memories must agree, and the absence of a partner that keeps some
shared tensor under the same loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.explore.chains import decode_loops, encode_loops
from ffcore.explore.kernels import pareto_groups
from ffcore.explore.numbers import divisors
from ffcore.explore.types import EinsumPmappings
from ffcore_ffm_joiner.graph import bounds, build, forward
from ffcore_ffm_joiner.kernels import Floats, Ints
from ffcore_ffm_joiner.keys import Detail, number_tensors

_SAME = 1 + 1e-12


@attrs.frozen(eq=False)
class Selection:
    """Pmappings of one Einsum cut down to some rows; ``source`` numbers them in the original."""

    pmappings: EinsumPmappings
    source: Ints


def select_rows(selection: Selection, rows: Ints) -> Selection:
    """Some rows, in ascending order, groups kept."""
    whole = selection.pmappings
    offsets = np.searchsorted(rows, whole.offsets)
    offsets = offsets[np.concatenate([[True], np.diff(offsets) > 0])]  # no empty groups
    return Selection(attrs.evolve(whole, rows=whole.rows.take(rows), offsets=offsets), selection.source[rows])


def beaten(energy: Floats, latency: Floats, best: Floats) -> NDArray[np.bool_]:
    """Is a known mapping no worse in both and better in one than a bound?"""
    result = ~np.isfinite(energy)
    for e, t in best:
        no_worse = (e <= energy * _SAME) & (t <= latency * _SAME)
        result |= no_worse & ((e * _SAME < energy) | (t * _SAME < latency))
    return result


def within_bounds(selections: Sequence[Selection], best: Floats) -> list[Selection]:
    """Rows that, with the cheapest of all else that agrees on memories, no known mapping beats."""
    faces, tables = number_tensors([_by_row(s) for s in selections], Detail.MEMORY)
    groups = [_distinct(f.ids) for f in faces]
    coarse = []
    for face, (unique, inverse) in zip(faces, groups, strict=True):
        least = [np.full(len(unique), np.inf) for _ in range(2)]
        np.minimum.at(least[0], inverse, face.energy)
        np.minimum.at(least[1], inverse, face.latency)
        trips = np.zeros((len(unique), face.trips.shape[1]), np.int64)
        coarse.append(attrs.evolve(face, ids=unique, trips=trips, energy=least[0], latency=least[1]))
    steps = build(coarse, tables)
    before, after = forward(steps, coarse), bounds(steps, coarse)
    result = []
    for i, (selection, step) in enumerate(zip(selections, steps, strict=True)):
        rest = []
        for ahead, behind in ((before.energy, after.energy), (before.latency, after.latency)):
            others = behind[i][step.out] + (ahead[i - 1][step.left] if i else 0.0)
            least_rest = np.full(len(coarse[i].ids), np.inf)
            np.minimum.at(least_rest, step.right, others)
            rest.append(least_rest[groups[i][1]])
        drop = beaten(faces[i].energy + rest[0], faces[i].latency + rest[1], best)
        result.append(select_rows(selection, np.flatnonzero(~drop)))
    return result


def with_partners(selections: Sequence[Selection], detail: Detail) -> list[Selection]:
    """Rows whose every shared tensor can be kept alike by all Einsums that touch it, again and again."""
    current = list(selections)
    faces, tables = number_tensors([s.pmappings for s in current], detail)
    alive = [np.ones(len(f.ids), np.bool_) for f in faces]
    changed = True
    while changed:
        changed = False
        for name, table in tables.items():
            users = [(i, f.tensors.index(name)) for i, f in enumerate(faces) if name in f.tensors]
            common = np.ones(len(table.depth), np.bool_)
            for i, k in users:
                present = np.zeros(len(table.depth), np.bool_)
                present[faces[i].ids[alive[i], k]] = True
                common &= present
            for i, k in users:
                lost = alive[i] & ~common[faces[i].ids[:, k]]
                if lost.any():
                    alive[i] &= ~lost
                    changed = True
    return [
        select_rows(s, np.flatnonzero(np.repeat(keep, np.diff(s.pmappings.offsets))))
        for s, keep in zip(current, alive, strict=True)
    ]


def shallow(selections: Sequence[Selection], loops: int) -> list[Selection]:
    """Rows with at most so many fused loops."""
    return [select_rows(s, np.flatnonzero((s.pmappings.rows.loops != 0).sum(axis=1) <= loops)) for s in selections]


def ordered(selection: Selection) -> Selection:
    """Each row in all orders that its blocks allow, grouped by compatibility and pruned.

    Before: blocks ``{b, m} {h}``; after: rows with loops ``b m h`` and ``m b h``.
    """
    rows = selection.pmappings.rows
    parts, sources = [rows.take(np.zeros(0, np.int64))], [np.zeros(0, np.int64)]
    patterns, inverse = _distinct(rows.blocks)
    for p, pattern in enumerate(patterns):
        members = np.flatnonzero(inverse == p)
        used = [k for k, b in enumerate(pattern.tolist()) if b >= 0]
        blocks = [[k for k in used if pattern[k] == b] for b in dict.fromkeys(pattern[used].tolist())]
        own = rows.take(members)
        for orders in product(*(permutations(b) for b in blocks)):
            order = [k for block in orders for k in block]
            loops = own.loops.copy()
            if order != used:
                loops[:, used] = _in_order(selection.pmappings, own.loops[:, order])
            parts.append(attrs.evolve(own, loops=loops))
            sources.append(selection.source[members])
    every, source = type(rows).concatenate(parts), np.concatenate(sources)
    keys = np.concatenate([every.loops, every.depth, every.memory], axis=1)
    _, group = _distinct(keys)
    arranged = np.argsort(group, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(group))]).astype(np.int64)
    keep = pareto_groups(offsets, every.values[arranged])
    kept = arranged[keep]
    counts = np.bincount(group[kept], minlength=len(offsets) - 1)
    pmappings = attrs.evolve(
        selection.pmappings,
        rows=every.take(kept),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )
    return Selection(pmappings, source[kept])


def _in_order(pmappings: EinsumPmappings, codes: Ints) -> Ints:
    """Codes of loops in a new order: a loop's tile is what the loops above it leave over."""
    axis, spatial, trips, _ = decode_loops(codes)
    tiles = np.zeros_like(codes)
    for a, bound in enumerate(pmappings.einsum.bounds.values()):
        values = np.asarray(divisors(bound))
        left = np.full(len(codes), bound)
        for k in range(codes.shape[1]):
            own = axis[:, k] == a
            left[own] //= values[trips[own, k]]
            tiles[own, k] = np.searchsorted(values, left[own])
    return encode_loops(axis, spatial, trips, tiles)


def _distinct(table: Ints) -> tuple[Ints, Ints]:
    """(distinct rows, per row its number)."""
    if table.shape[1] == 0:
        return table[:1], np.zeros(len(table), np.int64)
    unique, inverse = np.unique(table, axis=0, return_inverse=True)
    return unique, inverse.reshape(-1)


def _by_row(selection: Selection) -> EinsumPmappings:
    """Each row as a group of its own."""
    pmappings = selection.pmappings
    return attrs.evolve(pmappings, offsets=np.arange(len(pmappings.rows) + 1))
