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
def front(values, rows, count, kept):  # type: ignore[no-untyped-def]  # pragma: no cover
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
def _merge(values, start, stop, out_values, out_start, out_stop, rows):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Merge two fronts, each in lexicographic order: ``values[start:stop]`` and ``out_values[out_start:out_stop]``.

    Writes to ``rows`` the survivors in the same order: a row of ``values`` as its index, a row of
    ``out_values`` as -1 - its index. Within a front nothing dominates anything, and what dominates
    a row comes before it.
    """
    width = values.shape[1]
    a, b, found = start, out_start, 0
    while a < stop or b < out_stop:
        own = b >= out_stop
        if a < stop and not own:
            own = True
            for c in range(width):
                if values[a, c] != out_values[b, c]:
                    own = values[a, c] < out_values[b, c]
                    break
        dominated = False
        for k in range(found - 1, -1, -1):
            r = rows[k]
            if own == (r >= 0):
                continue
            less = True
            for c in range(1, width):
                if own:
                    if out_values[-1 - r, c] > values[a, c]:
                        less = False
                        break
                elif values[r, c] > out_values[b, c]:
                    less = False
                    break
            if less:
                dominated = True
                break
        if own:
            if not dominated:
                rows[found] = a
                found += 1
            a += 1
        else:
            if not dominated:
                rows[found] = -1 - b
                found += 1
            b += 1
    return found


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _union_prime(offsets, values, origin, stride, size, smaller):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = offsets.shape[0] - 1
    width = values.shape[1]
    capacity = 2 * values.shape[0] + 64
    out_values = np.empty((capacity, width))
    out_origin = np.empty(capacity, np.int64)
    out_offsets = np.zeros(n + 1, np.int64)
    rows = np.empty(1024, np.int64)
    filled = 0
    for state in range(n):
        coordinate = (state // stride) % size
        start, stop = offsets[state], offsets[state + 1]
        out_start = out_stop = np.int64(0)
        if smaller[coordinate] >= 0:
            source = state + (smaller[coordinate] - coordinate) * stride
            out_start, out_stop = out_offsets[source], out_offsets[source + 1]
        count = stop - start + out_stop - out_start
        if count > 0:
            if count > rows.shape[0]:
                rows = np.empty(2 * count, np.int64)
            if filled + count > capacity:
                capacity = 2 * (filled + count)
                more_values = np.empty((capacity, width))
                more_values[:filled] = out_values[:filled]
                out_values = more_values
                more_origin = np.empty(capacity, np.int64)
                more_origin[:filled] = out_origin[:filled]
                out_origin = more_origin
            found = _merge(values, start, stop, out_values, out_start, out_stop, rows)
            for k in range(found):
                r = rows[k]
                if r >= 0:
                    for c in range(width):
                        out_values[filled, c] = values[r, c]
                    out_origin[filled] = origin[r]
                else:
                    for c in range(width):
                        out_values[filled, c] = out_values[-1 - r, c]
                    out_origin[filled] = out_origin[-1 - r]
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
        found = front(values, rows, count, kept)
        for b in range(found):
            keep[kept[b]] = True
    return keep


def union_prime(
    offsets: Ints, values: Floats, origin: Ints, stride: int, size: int, smaller: Ints
) -> tuple[Ints, Floats, Ints]:
    """Per state, the Pareto front of its labels and those of the states that prime factors lead to.

    Labels of state ``s`` are rows ``offsets[s]:offsets[s + 1]`` of ``values`` (labels, columns),
    in lexicographic order; ``origin`` is carried along. ``smaller[i]`` is the coordinate whose value
    is that of coordinate ``i`` divided by the prime, or -1. States come in ascending order, so a
    state finds the finished front of the next smaller one; one pass per prime factor of the
    variable's values unites all divisors.

    Exact: what is added to a label from here outwards depends on the state alone and is the same
    for all labels of a state, so a dominated label stays dominated.
    """
    result: tuple[Ints, Floats, Ints] = _union_prime(offsets, values, origin, stride, size, smaller)
    return result


def pareto_groups(offsets: Ints, values: Floats) -> NDArray[np.bool_]:
    """Mask of the Pareto-optimal rows of each group ``offsets[g]:offsets[g + 1]``."""
    result: NDArray[np.bool_] = _pareto_groups(offsets, values)
    return result
