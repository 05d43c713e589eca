"""The compiled loops over labels that moves lead along one axis; see ``compiled.py``."""

from __future__ import annotations

import numpy as np

from ffcore.explore.search.compiled import _dominates, _hopeless
from ffcore.kernel import kernel


@kernel
def _reach(offsets, n, stride, size, moves, starts, up, reached):  # type: ignore[no-untyped-def]  # pragma: no cover
    for q in range(starts.shape[0] - 1):
        for state in range(n):
            if offsets[q * n + state] == offsets[q * n + state + 1]:
                continue
            coordinate = (state // stride) % size
            for k in range(starts[q], starts[q + 1]):
                to = up[moves[k, 1], coordinate]
                if to >= 0:
                    reached[moves[k, 0] * n + state + (to - coordinate) * stride] = True


@kernel
def _before(values, a, b):  # type: ignore[no-untyped-def]  # pragma: no cover
    for c in range(values.shape[1]):
        if values[a, c] != values[b, c]:
            return values[a, c] < values[b, c]
    return False


@kernel
def _sort(values, order, count):  # type: ignore[no-untyped-def]  # pragma: no cover
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, count):
            x = order[i]
            j = i
            while j >= gap and _before(values, x, order[j - gap]):
                order[j] = order[j - gap]
                j -= gap
            order[j] = x
        gap //= 3


@kernel
def _gather(  # type: ignore[no-untyped-def]  # pragma: no cover
    offsets,
    values,
    n,
    stride,
    size,
    moves,
    starts,
    down,
    scale,
    into,
    ends,
    which,
    most,
    least,
    guard,
    shares,
    apart,
    left,
    reached,
    part,
    filled,
    work,
    order,
    out_offsets,
    out_values,
    out_source,
    out_move,
):
    """Some of the targets until there is no more room; returns (the next target, labels so far, room it needs).

    ``part``: the first target of all, the one to go on with, and the one to stop at.
    """
    width = out_values.shape[1]
    for to in range(part[1], part[2]):
        if not reached[to]:
            out_offsets[to - part[0] + 1] = filled
            continue
        state = to % n
        coordinate = (state // stride) % size
        count = 0
        for k in range(starts[to // n], starts[to // n + 1]):
            at = down[moves[k, 1], coordinate]
            if at >= 0:
                source = moves[k, 0] * n + state + (at - coordinate) * stride
                count += offsets[source + 1] - offsets[source]
        if count > order.shape[0] or filled + count > out_values.shape[0]:
            return to, filled, count
        single = count == 1
        share, rest = shares[to // n], left[to // n]
        count = 0
        for k in range(starts[to // n], starts[to // n + 1]):
            at = down[moves[k, 1], coordinate]
            if at < 0:
                continue
            source = moves[k, 0] * n + state + (at - coordinate) * stride
            for a in range(offsets[source], offsets[source + 1]):
                if single:
                    for c in range(width):
                        out_values[filled, c] = 0.0
                    for c in range(1, values.shape[1]):
                        out_values[filled, into[c]] += values[a, c] * scale[moves[k, 1], c]
                    for c in range(1, ends[0]):
                        out_values[filled, 0] += out_values[filled, c] * most[which[0, c], state]
                    out_source[filled] = a
                    out_move[filled] = moves[k, 1]
                    continue
                for c in range(width):
                    work[count, c] = 0.0
                for c in range(1, values.shape[1]):
                    work[count, into[c]] += values[a, c] * scale[moves[k, 1], c]
                if _hopeless(work, count, state, share, ends, which, most, least, guard, apart, rest):
                    continue
                for c in range(1, ends[0]):
                    work[count, 0] += work[count, c] * most[which[0, c], state]
                order[count] = count
                out_source[filled + count] = a
                out_move[filled + count] = moves[k, 1]
                count += 1
        if single:
            if not _hopeless(out_values, filled, state, share, ends, which, most, least, guard, apart, rest):
                filled += 1
            out_offsets[to - part[0] + 1] = filled
            continue
        # What was written of where labels come from is put in order below: labels are few where this costs anything.
        _sort(work, order, count)
        start = filled
        kept = 0
        for i in range(count):
            row = order[i]
            k = filled - 1
            while k >= start and not _dominates(out_values, k, work, row, state, ends, which, most, least):
                k -= 1
            if k < start:
                for c in range(width):
                    out_values[filled, c] = work[row, c]
                order[kept] = row
                kept += 1
                filled += 1
        for i in range(kept):
            work[i, 0] = out_source[start + order[i]]
            if width > 1:
                work[i, 1] = out_move[start + order[i]]
        for i in range(kept):
            out_source[start + i] = np.int64(work[i, 0])
            out_move[start + i] = np.int64(work[i, 1])
        out_offsets[to - part[0] + 1] = filled
    return part[2], filled, 0
