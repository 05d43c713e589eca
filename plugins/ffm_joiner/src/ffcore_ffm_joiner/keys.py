"""Compatibility as integers: every distinct reservation of a shared tensor gets a number.

Two groups of pmappings agree on a tensor exactly when its numbers are equal. All is done on whole
arrays; the readable form of the same facts is ``ffcore.join.compatibility``.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import attrs
import numpy as np

from ffcore.explore.chains import decode_loop, decode_loops
from ffcore.explore.numbers import divisors
from ffcore.explore.types import EinsumPmappings
from ffcore.spec.problem import EinsumProblem, Tensor
from ffcore_ffm_joiner.kernels import Floats, Ints


class Detail(enum.Enum):
    """How much of a reservation its number tells; each is implied by the one after it."""

    MEMORY = "memory"  # memory and persistence alone
    LOOPS = "loops"  # and the loops above, in any order
    ORDER = "order"  # and their order: compatibility itself


@attrs.frozen(eq=False)
class TensorTable:
    """What each number of one tensor stands for."""

    depth: Ints  # loops above the backing reservation; -1: persistent
    memory: Ints  # index into the tracked memories, or -1
    share: Floats  # of the memory that its reservation takes
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
    share: Floats
    trips: Ints


def number_tensors(einsums: Sequence[EinsumPmappings], detail: Detail) -> tuple[list[Faces], dict[str, TensorTable]]:
    """Number the reservations of all shared tensors over all Einsums."""
    places: dict[str, int] = {}
    codes: dict[tuple[object, ...], int] = {}
    views = [_views(e, detail, places, codes) for e in einsums]
    ids: dict[tuple[int, str], Ints] = {}
    tables: dict[str, TensorTable] = {}
    for name in dict.fromkeys(t for e in einsums for t in e.shape.shared):
        users = [i for i, e in enumerate(einsums) if name in e.shape.shared]
        seen = [views[i][name] for i in users]
        keys = np.concatenate([v.key for v in seen])
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        inverse = inverse.reshape(-1)
        share = np.zeros(len(first))
        # Einsums may see different extents of a tensor (halos); what stays reserved is the largest.
        np.maximum.at(share, inverse, np.concatenate([v.share for v in seen]))
        depth, memory, trips = (
            np.concatenate([getattr(v, f) for v in seen])[first] for f in ("depth", "memory", "trips")
        )
        tables[name] = TensorTable(depth, memory, share, trips)
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


def _views(
    pmappings: EinsumPmappings, detail: Detail, places: dict[str, int], codes: dict[tuple[object, ...], int]
) -> dict[str, _View]:
    rows, shape = pmappings.rows, pmappings.shape
    first = pmappings.offsets[:-1]
    components = {i: c for t in pmappings.templates for i, c in enumerate(t.components)}
    loops = _Loops(pmappings.einsum, rows.loops[first])
    result = {}
    for k, name in enumerate(shape.shared):
        tensor = pmappings.einsum.tensor[name]
        depth, index = rows.depth[first, k], rows.memory[first, k]
        place = np.zeros(max(components) + 1, np.int64)
        tracked = np.full(max(components) + 1, -1, np.int64)
        width = np.zeros(max(components) + 1)
        for i, component in components.items():
            place[i] = places.setdefault(component.name, len(places))
            tracked[i] = shape.memories.index(component.name) if component.name in shape.memories else -1
            # A memory of size 0 holds nothing in any row.
            width[i] = component.width(tensor) / component.size if component.size else 0.0
        head = [place[index], depth < 0]
        key = np.stack([np.asarray(h, np.int64) for h in head], axis=1)
        if detail is not Detail.MEMORY:
            seen = loops.seen_by(tensor, depth, codes, with_tile=detail is Detail.ORDER)
            if detail is Detail.LOOPS:
                seen = np.sort(seen, axis=1)
            key = np.concatenate([key, seen], axis=1)
        copies = np.where(depth < 0, pmappings.einsum.n_instances, 1.0)
        share = loops.tile_values(tensor, depth) * width[index] * copies
        above = np.arange(shape.depth) < depth[:, None]
        shown = depth if detail is not Detail.MEMORY else np.minimum(depth, 0)
        trips = np.where(above, loops.trips, 0) if detail is Detail.ORDER else np.zeros_like(loops.trips)
        result[name] = _View(key, shown, tracked[index], share, trips)
    return result


class _Loops:
    """The fused loops of groups, decoded."""

    def __init__(self, einsum: EinsumProblem, codes: Ints) -> None:
        self.einsum = einsum
        self.codes = codes
        self.axis, _, trips_index, tile_index = decode_loops(codes)
        self.trips, self.tile = np.zeros_like(codes), np.zeros_like(codes)
        for a, bound in enumerate(einsum.bounds.values()):
            own = (self.axis == a) & (codes != 0)
            values = np.asarray(divisors(bound))
            self.trips[own], self.tile[own] = values[trips_index[own]], values[tile_index[own]]

    def seen_by(
        self, tensor: Tensor, depth: Ints, numbers: dict[tuple[object, ...], int], with_tile: bool
    ) -> Ints:
        """Loops above the tensor's reservation as numbers of (its ranks, spatial, trips, tile); 0 beyond.

        Tiles depend on the order where a block has several loops over one variable.
        """
        distinct, inverse = np.unique(self.codes, return_inverse=True)
        variables = list(self.einsum.bounds)
        table = np.zeros(len(distinct), np.int64)
        for i, code in enumerate(distinct.tolist()):
            if code:
                axis, spatial, trips, tile = decode_loop(code)
                values = divisors(self.einsum.bounds[variables[axis]])
                seen = (tensor.ranks_of(variables[axis]), spatial, values[trips], values[tile] if with_tile else None)
                table[i] = numbers.setdefault(seen, len(numbers) + 1)
        above = np.arange(self.codes.shape[1]) < depth[:, None]
        return np.where(above, table[inverse.reshape(self.codes.shape)], 0)

    def tile_values(self, tensor: Tensor, depth: Ints) -> Floats:
        """Values of the tensor under the loops above its reservation."""
        above = np.arange(self.codes.shape[1]) < depth[:, None]
        extent = {}
        for a, (v, bound) in enumerate(self.einsum.bounds.items()):
            size = np.full(len(self.codes), bound)
            for j in range(self.codes.shape[1]):
                size = np.where(above[:, j] & (self.axis[:, j] == a) & (self.codes[:, j] != 0), self.tile[:, j], size)
            extent[v] = size
        values = np.ones(len(self.codes))
        for rank in tensor.ranks:
            values = values * (1 + sum(c * (extent[v] - 1) for v, c in rank.terms))
        return values


def combine_columns(columns: Ints, others: Ints) -> tuple[Ints, Ints]:
    """Rows of two integer tables as single numbers that are equal exactly when the rows are."""
    if columns.shape[1] == 0:
        return np.zeros(len(columns), np.int64), np.zeros(len(others), np.int64)
    if columns.shape[1] == 1:
        return columns[:, 0], others[:, 0]
    _, inverse = np.unique(np.concatenate([columns, others]), axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    return inverse[: len(columns)], inverse[len(columns) :]
