"""The compiled kernel of the join: all combinations of rows of matching groups, pruned per result group."""

from __future__ import annotations

import attrs
import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _front(values, count, kept):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Pareto front of ``values[:count]``; indices to ``kept``. Ties in the sum may leave extra rows."""
    width = values.shape[1]
    sums = np.empty(count)
    for a in range(count):
        total = 0.0
        for c in range(width):
            total += values[a, c]
        sums[a] = total
    found = 0
    for a in np.argsort(sums, kind="mergesort"):
        dominated = False
        for b in range(found):
            other = kept[b]
            less = True
            for c in range(width):
                if values[other, c] > values[a, c]:
                    less = False
                    break
            if less:
                dominated = True
                if b > 0:
                    kept[b] = kept[b - 1]
                    kept[b - 1] = other
                break
        if not dominated:
            kept[found] = a
            found += 1
    return found


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _combine(  # type: ignore[no-untyped-def]  # pragma: no cover
    left, right, out, memories, levels, sizes, depth_in, depth_out, live, fresh, dying
):
    """One combined row into ``out``; False when some memory would overflow.

    Left columns: energy, latency, then per memory ``levels`` open sums and ``levels`` peaks. Right
    columns: energy, latency, then per memory its own peak and ``levels`` open sums.
    """
    out[0] = left[0] + right[0]
    out[1] = left[1] + right[1]
    for m in range(memories):
        open_left = 2 + m * 2 * levels
        peak_left = open_left + levels
        own = 2 + m * (1 + levels)
        running = right[own] + left[open_left + depth_in] + live[m]
        if running > sizes[m]:
            return False
        peak = running
        for j in range(levels - 1, -1, -1):
            if j <= depth_in:
                before = left[peak_left + j] + right[own + 1 + j] + fresh[m, j]
                if before > sizes[m]:
                    return False
                if before > peak:
                    peak = before
            if j <= depth_out:
                out[peak_left + j] = peak
        for j in range(levels):
            k = min(j, depth_out)
            out[open_left + j] = left[open_left + min(k, depth_in)] + right[own + 1 + k] + dying[m, k]
            if j > depth_out:
                out[peak_left + j] = 0.0
    return True


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _join(  # type: ignore[no-untyped-def]  # pragma: no cover
    left_offsets, left_values, right_offsets, right_values,
    pair_left, pair_right, pair_offsets, memories, levels, sizes, depth_in, depth_out, live, fresh, dying, last,
):
    width = left_values.shape[1]
    capacity = 1 << 12
    buffer = np.empty((capacity, width))
    who = np.empty((capacity, 2), np.int64)
    kept = np.empty(capacity + 1, np.int64)
    out_capacity = 1 << 14
    out_values = np.empty((out_capacity, width))
    out_who = np.empty((out_capacity, 2), np.int64)
    groups = pair_offsets.shape[0] - 1
    out_offsets = np.zeros(groups + 1, np.int64)
    row = np.empty(width)
    filled = 0
    combined = 0
    for g in range(groups):
        count = 0
        threshold = 256
        for p in range(pair_offsets[g], pair_offsets[g + 1]):
            lg, rg = pair_left[p], pair_right[p]
            for a in range(left_offsets[lg], left_offsets[lg + 1]):
                for b in range(right_offsets[rg], right_offsets[rg + 1]):
                    combined += 1
                    if not _combine(
                        left_values[a], right_values[b], row, memories, levels, sizes,
                        depth_in[p], depth_out[p], live[p], fresh[p], dying[p],
                    ):
                        continue
                    if last:
                        for c in range(2, width):
                            row[c] = 0.0
                    buffer[count] = row
                    who[count, 0] = a
                    who[count, 1] = b
                    count += 1
                    if count >= threshold:
                        count = _compact(buffer, who, count, kept)
                        threshold = max(256, 2 * count)
                        if threshold > capacity:
                            capacity = 2 * threshold
                            buffer, who = _grow(buffer, who, capacity)
                            kept = np.empty(capacity + 1, np.int64)
        count = _compact(buffer, who, count, kept)
        if filled + count > out_capacity:
            out_capacity = 2 * (filled + count)
            out_values, out_who = _grow(out_values, out_who, out_capacity)
        out_values[filled : filled + count] = buffer[:count]
        out_who[filled : filled + count] = who[:count]
        filled += count
        out_offsets[g + 1] = filled
    return out_offsets, out_values[:filled].copy(), out_who[:filled].copy(), combined


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _grow(values, who, capacity):  # type: ignore[no-untyped-def]  # pragma: no cover
    more = np.empty((capacity, values.shape[1]))
    more[: values.shape[0]] = values
    more_who = np.empty((capacity, 2), np.int64)
    more_who[: who.shape[0]] = who
    return more, more_who


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _compact(values, who, count, kept):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Keep the Pareto front of the first ``count`` rows, in place, in their order."""
    found = _front(values, count, kept)
    order = np.sort(kept[:found])
    for k in range(found):
        values[k] = values[order[k]]
        who[k] = who[order[k]]
    return found


@attrs.frozen(eq=False)
class PairTable:
    """Which left group joins which right group, sorted by result group; one entry each per pair."""

    left: Ints
    right: Ints
    offsets: Ints  # result group g takes pairs offsets[g]:offsets[g + 1]
    depth_in: Ints  # loops shared by left and right
    depth_out: Ints  # greatest depth among the tensors live after the join
    live: Floats  # (pairs, memories): live tensors that right does not touch, bits
    fresh: Floats  # (pairs, memories, levels): tensors first touched by right, at levels below each depth
    dying: Floats  # (pairs, memories, levels): tensors last touched by right, likewise


def join_rows(
    left_offsets: Ints,
    left_values: Floats,
    right_offsets: Ints,
    right_values: Floats,
    pairs: PairTable,
    sizes: Floats,
    levels: int,
    last: bool,
) -> tuple[Ints, Floats, Ints, int]:
    """(offsets, values, (left row, right row), combinations looked at) of all result groups.

    Exact: what later joins add to a row, and what they compare with a size, grows with every column
    and is the same for all rows of a group. After the last join only the objectives count.
    """
    result: tuple[Ints, Floats, Ints, int] = _join(
        left_offsets, left_values, right_offsets, right_values, pairs.left, pairs.right, pairs.offsets,
        len(sizes), levels, sizes, pairs.depth_in, pairs.depth_out, pairs.live, pairs.fresh, pairs.dying, last,
    )
    return result
