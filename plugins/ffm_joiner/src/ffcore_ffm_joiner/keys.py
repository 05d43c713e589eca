"""Compatibility as integers: every distinct reservation of a shared tensor gets a number.

Two groups of pmappings agree on a tensor exactly when its numbers are equal. All is done on whole
arrays; the readable form of the same facts is ``ffcore.join.compatibility``.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.explore.chains import decode_loops
from ffcore.explore.numbers import divisors
from ffcore.explore.types import EinsumPmappings
from ffcore_ffm_joiner.kernels import Floats, Ints


@attrs.frozen(eq=False)
class TensorTable:
    """What each number of one tensor stands for."""

    depth: Ints  # loops above the backing reservation; -1: persistent
    memory: Ints  # index into the tracked memories, or -1
    bits: Floats
    trips: Ints  # (numbers, depth) trip counts of the loops, 0 beyond


@attrs.frozen(eq=False)
class Faces:
    """What the groups of one Einsum show to the join."""

    tensors: tuple[str, ...]
    ids: Ints  # (groups, tensors) numbers in the tensors' tables
    trips: Ints  # (groups, depth) trip counts down to the deepest shared tensor, 0 beyond
    energy: Floats  # least of each group, J
    latency: Floats  # least of each group, s


@attrs.frozen(eq=False)
class _View:
    """One tensor as the groups of one Einsum see it."""

    key: Ints  # (groups, columns)
    depth: Ints
    memory: Ints
    bits: Floats
    trips: Ints


def number_tensors(
    einsums: Sequence[EinsumPmappings], memories: Sequence[str]
) -> tuple[list[Faces], dict[str, TensorTable]]:
    """Number the reservations of all shared tensors over all Einsums."""
    places: dict[str, int] = {}
    views = [_views(e, memories, places) for e in einsums]
    ids: dict[tuple[int, str], Ints] = {}
    tables: dict[str, TensorTable] = {}
    for name in dict.fromkeys(t for e in einsums for t in e.shape.shared):
        users = [i for i, e in enumerate(einsums) if name in e.shape.shared]
        seen = [views[i][name] for i in users]
        keys = np.concatenate([v.key for v in seen])
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        inverse = inverse.reshape(-1)
        bits = np.zeros(len(first))
        # Einsums may see different extents of a tensor (halos); what stays reserved is the largest.
        np.maximum.at(bits, inverse, np.concatenate([v.bits for v in seen]))
        depth, memory, trips = (
            np.concatenate([getattr(v, f) for v in seen])[first] for f in ("depth", "memory", "trips")
        )
        tables[name] = TensorTable(depth, memory, bits, trips)
        start = 0
        for i in users:
            count = len(views[i][name].key)
            ids[i, name] = inverse[start : start + count]
            start += count
    return [_faces(e, i, ids, tables) for i, e in enumerate(einsums)], tables


def _faces(
    pmappings: EinsumPmappings, i: int, ids: dict[tuple[int, str], Ints], tables: dict[str, TensorTable]
) -> Faces:
    shared = pmappings.shape.shared
    groups = len(pmappings.offsets) - 1
    own = np.stack([ids[i, t] for t in shared], axis=1) if shared else np.zeros((groups, 0), np.int64)
    trips = np.zeros((groups, pmappings.shape.depth), np.int64)
    deepest = np.full(groups, -1)
    for k, name in enumerate(shared):
        table = tables[name]
        deeper = table.depth[own[:, k]] > deepest
        trips[deeper] = table.trips[own[deeper, k]]
        deepest = np.maximum(deepest, table.depth[own[:, k]])
    values = pmappings.rows.values
    starts = pmappings.offsets[:-1]
    least = [np.minimum.reduceat(values[:, c], starts) if groups else np.zeros(0) for c in (0, 1)]
    return Faces(shared, own, trips, least[0], least[1])


def _views(pmappings: EinsumPmappings, memories: Sequence[str], places: dict[str, int]) -> dict[str, _View]:
    einsum, rows, shape = pmappings.einsum, pmappings.rows, pmappings.shape
    first = pmappings.offsets[:-1]
    codes = rows.loops[first]
    axis, spatial, trips_index, tile_index = decode_loops(codes)
    variables = list(einsum.bounds)
    sizes = [np.asarray(divisors(einsum.bounds[v])) for v in variables]
    trips, tile = np.zeros_like(codes), np.zeros_like(codes)
    for a, values in enumerate(sizes):
        own = (axis == a) & (codes != 0)
        trips[own], tile[own] = values[trips_index[own]], values[tile_index[own]]
    components = {i: c for t in pmappings.templates for i, c in enumerate(t.components)}
    result = {}
    for k, name in enumerate(shape.shared):
        tensor = einsum.tensor[name]
        depth = rows.depth[first, k]
        above = np.arange(codes.shape[1]) < depth[:, None]
        ranks = np.zeros(len(variables), np.int64)
        order = [r.rank for r in tensor.ranks]
        for a, v in enumerate(variables):
            # A loop is told by the ranks of the tensor that its variable indexes alone.
            ranks[a] = sum(1 << order.index(r) for r in set(tensor.ranks_of(v)))
        index = rows.memory[first, k]
        place = np.zeros(max(components) + 1, np.int64)
        tracked = np.full(max(components) + 1, -1, np.int64)
        width = np.zeros(max(components) + 1)
        for i, component in components.items():
            place[i] = places.setdefault(component.name, len(places))
            tracked[i] = memories.index(component.name) if component.name in memories else -1
            width[i] = component.width(tensor)
        loops = [np.where(above, x, 0) for x in (ranks[axis] * 2 + spatial, trips, tile)]
        key = np.concatenate([place[index][:, None], depth[:, None], *loops], axis=1)
        values = np.ones(len(first))
        extent = {}
        for a, v in enumerate(variables):
            size = np.full(len(first), einsum.bounds[v])
            for j in range(codes.shape[1]):
                size = np.where(above[:, j] & (axis[:, j] == a) & (codes[:, j] != 0), tile[:, j], size)
            extent[v] = size
        for rank in tensor.ranks:
            values = values * (1 + sum(c * (extent[v] - 1) for v, c in rank.terms))
        copies = np.where(depth < 0, einsum.n_instances, 1.0)
        bits = values * width[index] * copies
        result[name] = _View(key, depth, tracked[index], bits, np.where(above, trips, 0))
    return result


def combine_columns(columns: Ints, others: Ints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of two integer tables as single numbers that are equal exactly when the rows are."""
    if columns.shape[1] == 0:
        return np.zeros(len(columns), np.int64), np.zeros(len(others), np.int64)
    if columns.shape[1] == 1:
        return columns[:, 0], others[:, 0]
    _, inverse = np.unique(np.concatenate([columns, others]), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    return inverse[: len(columns)], inverse[len(columns) :]
