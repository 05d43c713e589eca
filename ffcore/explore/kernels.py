"""Compiled kernels: Pareto unions over the lattice, and Pareto filters over groups of rows.

Both release the GIL, hold no Python objects and are deterministic. A row dominates another when it
is no greater in every column; of equal rows the first is kept.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _front(values, rows, count, kept):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Indices (into ``values``) of the Pareto front of ``rows[:count]``, written to ``kept``.

    Rows are taken in ascending order of their sum. Rounding is monotone, so a row that dominates
    another has no greater a sum: the row that is kept may only tie with one that it should have
    removed, which leaves the front a superset, never too small.
    """
    width = values.shape[1]
    sums = np.empty(count)
    for a in range(count):
        total = 0.0
        for c in range(width):
            total += values[rows[a], c]
        sums[a] = total
    order = np.argsort(sums, kind="mergesort")
    found = 0
    for a in order:
        row = rows[a]
        dominated = False
        for b in range(found):
            other = kept[b]
            less = True
            for c in range(width):
                if values[other, c] > values[row, c]:
                    less = False
                    break
            if less:
                dominated = True
                if b > 0:  # move to front: what dominated once is likely to dominate again
                    kept[b] = kept[b - 1]
                    kept[b - 1] = other
                break
        if not dominated:
            kept[found] = row
            found += 1
    return found


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _union_axis(offsets, values, origin, stride, size, divides):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = offsets.shape[0] - 1
    width = values.shape[1]
    largest = 0
    total = 0
    for state in range(n):
        coordinate = (state // stride) % size
        count = 0
        for i in range(coordinate + 1):
            if divides[i, coordinate]:
                source = state + (i - coordinate) * stride
                count += offsets[source + 1] - offsets[source]
        largest = max(largest, count)
        total += count
    rows = np.empty(largest, np.int64)
    kept = np.empty(largest + 1, np.int64)
    capacity = max(16, min(total, 4 * values.shape[0] + largest))
    out_values = np.empty((capacity, width))
    out_origin = np.empty(capacity, np.int64)
    out_offsets = np.zeros(n + 1, np.int64)
    filled = 0
    for state in range(n):
        coordinate = (state // stride) % size
        count = 0
        for i in range(coordinate + 1):
            if divides[i, coordinate]:
                source = state + (i - coordinate) * stride
                for row in range(offsets[source], offsets[source + 1]):
                    rows[count] = row
                    count += 1
        if count > 0:
            found = _front(values, rows, count, kept)
            if filled + found > capacity:
                capacity = 2 * (filled + found)
                more_values = np.empty((capacity, width))
                more_values[:filled] = out_values[:filled]
                out_values = more_values
                more_origin = np.empty(capacity, np.int64)
                more_origin[:filled] = out_origin[:filled]
                out_origin = more_origin
            for b in range(found):
                for c in range(width):
                    out_values[filled, c] = values[kept[b], c]
                out_origin[filled] = origin[kept[b]]
                filled += 1
        out_offsets[state + 1] = filled
    return out_offsets, out_values[:filled].copy(), out_origin[:filled].copy()


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _pareto_groups(offsets, values):  # type: ignore[no-untyped-def]  # pragma: no cover
    keep = np.zeros(values.shape[0], np.bool_)
    largest = 0
    for g in range(offsets.shape[0] - 1):
        largest = max(largest, offsets[g + 1] - offsets[g])
    rows = np.empty(largest, np.int64)
    kept = np.empty(largest + 1, np.int64)
    for g in range(offsets.shape[0] - 1):
        count = offsets[g + 1] - offsets[g]
        for a in range(count):
            rows[a] = offsets[g] + a
        found = _front(values, rows, count, kept)
        for b in range(found):
            keep[kept[b]] = True
    return keep


def union_axis(
    offsets: Ints, values: Floats, origin: Ints, stride: int, size: int, divides: NDArray[np.bool_]
) -> tuple[Ints, Floats, Ints]:
    """Per state, the Pareto front of the labels of all states that one loop can lead to.

    Labels of state ``s`` are rows ``offsets[s]:offsets[s + 1]`` of ``values`` (labels, columns);
    ``origin`` is carried along. Exact: what is added to a label from here outwards depends on the
    state alone and is the same for all labels of a state, so a dominated label stays dominated.
    """
    result: tuple[Ints, Floats, Ints] = _union_axis(offsets, values, origin, stride, size, divides)
    return result


def pareto_groups(offsets: Ints, values: Floats) -> NDArray[np.bool_]:
    """Mask of the Pareto-optimal rows of each group ``offsets[g]:offsets[g + 1]``."""
    result: NDArray[np.bool_] = _pareto_groups(offsets, values)
    return result
