"""The compiled loops over labels that moves lead along one axis; see ``compiled.py``."""

from __future__ import annotations

import numpy as np

from ffcore.explore.search.compiled import _beaten, _dominates, _hopeless, _hopeless_soon, find
from ffcore.kernel import kernel


@kernel
def _reach(offsets, n, stride, size, moves, starts, up, reached):  # type: ignore[no-untyped-def]  # pragma: no cover
    for q in range(starts.shape[0] - 1):
        for state in range(n):
            if offsets[q * n + state] == offsets[q * n + state + 1]:
                continue
            coordinate = (state // stride) % size
            for k in range(starts[q], starts[q + 1]):
                to = up[coordinate, moves[k, 1]]
                if to >= 0:
                    reached[moves[k, 0] * n + state + (to - coordinate) * stride] = True


@kernel
def _reach_some(keys, n, stride, size, arrivals, starts, up, first, marked, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Keys that moves lead to, class by class, none twice; returns how many. ``first``: of each class among ``keys``.

    ``marked``: of each state, whether it has been reached in the class at hand; afterwards of none.
    """
    filled = 0
    for q in range(starts.shape[0] - 1):
        begin = filled
        for k in range(starts[q], starts[q + 1]):
            for i in range(first[arrivals[k, 0]], first[arrivals[k, 0] + 1]):
                state = keys[i] - arrivals[k, 0] * n
                coordinate = (state // stride) % size
                to = up[coordinate, arrivals[k, 1]]
                if to < 0:
                    continue
                state += (to - coordinate) * stride
                if not marked[state]:
                    marked[state] = True
                    out[filled] = q * n + state
                    filled += 1
        for i in range(begin, filled):
            marked[out[i] - q * n] = False
    return filled


@kernel
def _multiples(keys, stride, up, marked, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Keys and all that steps along one axis lead to, none twice; returns how many. ``marked``: of no state yet."""
    filled = 0
    for i in range(keys.shape[0]):
        state = keys[i]
        coordinate = (state // stride) % up.shape[0]
        while not marked[state]:
            marked[state] = True
            out[filled] = state
            filled += 1
            further = up[coordinate]
            if further < 0:
                break
            state += (further - coordinate) * stride
            coordinate = further
    return filled


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
    index,
    n,
    stride,
    size,
    moves,
    starts,
    down,
    ways,
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
    promised,
    reached,
    targets,
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

    ``targets``: keys of the lists to make; empty: one for every state, of which some are ``reached``. ``part``: the
    first target of all, the one to go on with, and the one to stop at. ``promised``: of each label before its move, the
    least energy that it can come to, if there is something to beat.
    """
    width = out_values.shape[1]
    keys, first, shift = index
    dense = shift < 0
    first_way, way_of = ways
    listed = first_way.shape[0] > 0
    guarded = guard[5].shape[0] > 0
    timed = 1  # the column of compute time
    while into[timed] != ends[0]:
        timed += 1
    soon = 1  # behind the columns of energy and compute time
    while soon < values.shape[1] and into[soon] <= ends[0]:
        soon += 1
    for to in range(part[1], part[2]):
        if dense and not reached[to]:
            out_offsets[to - part[0] + 1] = filled
            continue
        key = to if dense else targets[to]
        q = key // n
        point = key - q * n if dense else to
        coordinate = ((key - q * n) // stride) % size
        here = key - q * n - coordinate * stride
        count = 0
        begin, end = (first_way[coordinate], first_way[coordinate + 1]) if listed else (starts[q], starts[q + 1])
        for k in range(begin, end):
            way = way_of[k] if listed else k
            at = down[coordinate, moves[way, 1]]
            if at >= 0:
                source = moves[way, 0] * n + here + at * stride
                if not dense:
                    source = find(keys, first, shift, source)
                if source >= 0:
                    count += offsets[source + 1] - offsets[source]
        if count > order.shape[0] or filled + count > out_values.shape[0]:
            return to, filled, count
        single = count == 1
        share, rest = shares[q], left[q]
        count = 0
        for k in range(begin, end):
            way = way_of[k] if listed else k
            kind = moves[way, 1]
            at = down[coordinate, kind]
            if at < 0:
                continue
            source = moves[way, 0] * n + here + at * stride
            if not dense:
                source = find(keys, first, shift, source)
            if source < 0:
                continue
            for a in range(offsets[source], offsets[source + 1]):
                if single:
                    for c in range(width):
                        out_values[filled, c] = 0.0
                    for c in range(1, values.shape[1]):
                        out_values[filled, into[c]] += values[a, c] * scale[kind, c]
                    for c in range(1, ends[0]):
                        out_values[filled, 0] += out_values[filled, c] * most[which[0, c], point]
                    out_source[filled] = a
                    out_move[filled] = kind
                    continue
                if guarded:  # most are dropped for the time that a way takes
                    latency = values[a, timed] * scale[kind, timed] * share * guard[2][point]
                    if _beaten(promised[a], latency, guard):
                        continue
                for c in range(ends[0] + 1):
                    work[count, c] = 0.0
                for c in range(1, soon):
                    work[count, into[c]] += values[a, c] * scale[kind, c]
                if guarded and _hopeless_soon(work, count, point, share, ends, which, most, least, guard, apart, rest):
                    continue
                for c in range(ends[0] + 1, width):
                    work[count, c] = 0.0
                for c in range(soon, values.shape[1]):
                    work[count, into[c]] += values[a, c] * scale[kind, c]
                if guarded and _hopeless(work, count, point, share, ends, which, most, least, guard, apart, rest):
                    continue
                for c in range(1, ends[0]):
                    work[count, 0] += work[count, c] * most[which[0, c], point]
                order[count] = count
                out_source[filled + count] = a
                out_move[filled + count] = kind
                count += 1
        if single:
            if not _hopeless(out_values, filled, point, share, ends, which, most, least, guard, apart, rest):
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
            while k >= start and not _dominates(out_values, k, work, row, point, ends, which, most, least):
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


@kernel
def over_pairs(values, first, second):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Values at one place of the third axis, and those at another, the less of both; pair after pair, in place."""
    for row in range(values.shape[0]):
        for outer in range(values.shape[1]):
            for pair in range(first.shape[0]):
                i, j = first[pair], second[pair]
                for inner in range(values.shape[3]):
                    values[row, outer, i, inner] = min(values[row, outer, i, inner], values[row, outer, j, inner])
