"""The compiled kernel of the join: all combinations of rows of matching groups, pruned per result group."""

from __future__ import annotations

import attrs
import numpy as np
from numba import njit
from numpy.typing import NDArray

from ffcore.explore.kernels import front

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_SAME = 1 + 1e-12  # sums in another order may differ in the last bits


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
def _hopeless(energy, latency, best):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Is a known mapping no slower and strictly cheaper, or no dearer and strictly faster?"""
    for k in range(best.shape[0]):
        e, t = best[k, 0], best[k, 1]
        if e <= energy * _SAME and t <= latency * _SAME and (e * _SAME < energy or t * _SAME < latency):
            return True
    return False


@njit(nogil=True, cache=True)  # type: ignore[misc,unused-ignore]
def _join(  # type: ignore[no-untyped-def]  # pragma: no cover
    left_offsets,
    left_values,
    right_offsets,
    right_values,
    pair_left,
    pair_right,
    pair_offsets,
    memories,
    levels,
    sizes,
    depth_in,
    depth_out,
    live,
    fresh,
    dying,
    rest,
    best,
    most,
    last,
):
    width = 2 + memories * 2 * levels
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
                    energy = left_values[a, 0] + right_values[b, 0] + rest[g, 0]
                    latency = left_values[a, 1] + right_values[b, 1] + rest[g, 1]
                    if energy > most[0] or latency > most[1] or _hopeless(energy, latency, best):
                        continue
                    combined += 1
                    if not _combine(
                        left_values[a],
                        right_values[b],
                        row,
                        memories,
                        levels,
                        sizes,
                        depth_in[lg],
                        depth_out[g],
                        live[lg],
                        fresh[rg],
                        dying[rg],
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
    found = front(values, np.arange(count), count, kept)
    order = np.sort(kept[:found])
    for k in range(found):
        values[k] = values[order[k]]
        who[k] = who[order[k]]
    return found


@attrs.frozen(eq=False)
class Constants:
    """What nodes and groups contribute besides their rows."""

    depth_in: Ints  # (left nodes,) loops shared by left and right
    depth_out: Ints  # (result nodes,) greatest depth among the tensors live after the join
    live: Floats  # (left nodes, memories): live tensors that right does not touch, bits
    fresh: Floats  # (groups, memories, levels): tensors first touched by right, at levels below each depth
    dying: Floats  # (groups, memories, levels): tensors last touched by right, likewise
    sizes: Floats  # (memories,) bits
    levels: int


@attrs.frozen(eq=False)
class Limits:
    """What a row has to beat: see ``bounds.py``."""

    rest: Floats  # (result nodes, 2) least energy and latency still to come
    best: Floats  # (known, 2) energy and latency of known mappings
    most: Floats  # (2,) energy and latency that no wanted mapping exceeds


def join_rows(
    left: tuple[Ints, Floats],
    right: tuple[Ints, Floats],
    pairs: tuple[Ints, Ints, Ints],
    constants: Constants,
    limits: Limits,
    last: bool,
) -> tuple[Ints, Floats, Ints, int]:
    """(offsets, values, (left row, right row), combinations looked at) of all result nodes.

    ``left``, ``right``: offsets and values of rows per node and per group. ``pairs``: left node,
    right group, and the offsets of each result node's pairs. Exact: what later joins add to a row,
    and what they compare with a size, grows with every column and is the same for all rows of a
    node; a row whose bound a known mapping beats cannot lead to a better one. After the last join
    only the objectives count.
    """
    c = constants
    result: tuple[Ints, Floats, Ints, int] = _join(
        *left,
        *right,
        *pairs,
        len(c.sizes),
        c.levels,
        c.sizes,
        c.depth_in,
        c.depth_out,
        c.live,
        c.fresh,
        c.dying,
        limits.rest,
        limits.best,
        limits.most,
        last,
    )
    return result
