"""The compiled loops over labels; ``kernels.py`` says what each is for, and calls them.

All release the GIL, hold no Python objects and are deterministic. They are written for a compiler that takes a second
for each array slice or sort: plain loops over arrays that the caller allocates.
"""

from __future__ import annotations

import math

import numpy as np

from ffcore.kernel import kernel
from ffcore.tolerances import NOT_WORSE


@kernel
def _shared(a, b, c, floor):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The least of ``a x + b y + c z`` for factors of at most 1 whose product is at least ``floor``.

    By the inequality of the means, all three terms are equal where no factor is 1; one that would be more is 1.
    """
    if a > b:
        a, b = b, a
    if b > c:
        b, c = c, b
    if a > b:
        a, b = b, a
    if c <= 0.0:
        return 0.0
    if a > 0.0:
        mean = (a * b * c * floor) ** (1.0 / 3.0)
        if mean <= a:
            return 3.0 * mean
    if b > 0.0:
        mean = math.sqrt(b * c * floor)
        if mean <= b:
            return a + 2.0 * mean
    return a + b + c * floor


@kernel
def _dominates(left, a, right, b, state, ends, which, most, least):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Is label ``a`` no worse than ``b``, whatever pending columns are multiplied by?"""
    c = 1
    for g in range(ends.shape[0]):
        worse = left[a, c] - right[b, c]  # of the column itself; then its pending ones
        c += 1
        while c < ends[g]:
            more = left[a, c] - right[b, c]
            if more != 0:
                worse += more * most[which[0, c], state] if more > 0 else more * least[which[0, c], state]
            c += 1
        if worse > 0:
            return False
    return True


@kernel
def _least(values, row, begin, end, state, which, most, least, apart, left):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The least that a column and its pending ones can come to.

    ``left``: the loops to come across one dimension together divide by no more than 1 / left, which bounds each
    cluster's factor beside column ``apart[2:6, c]`` of ``least``, that of all other loops; 0: no such dimension.
    """
    total = 0.0
    first, second, third = 0.0, 0.0, 0.0
    for c in range(begin, end):
        value = values[row, c]
        cluster = which[1, c]
        if value <= 0.0:
            total += value * most[which[0, c], state]
        elif cluster == 0:
            total += value * least[which[0, c], state]
        elif cluster == 1:
            first += value
        elif cluster == 2:
            second += value
        else:
            third += value
    if first <= 0.0 and second <= 0.0 and third <= 0.0:
        return total
    c = end - 1
    separately = (
        first * max(least[which[2, c], state], left * least[apart[2, c], state])
        + second * max(least[which[3, c], state], left * least[apart[3, c], state])
        + third * max(least[which[4, c], state], left * least[apart[4, c], state])
    )
    floor = max(least[which[5, c], state], left * least[apart[5, c], state])
    return total + max(separately, _shared(first, second, third, floor))


@kernel
def _least_sums(values, ends, which, most, least, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for state in range(values.shape[0]):
        begin = 1
        for g in range(ends.shape[0]):
            if ends[g] == begin + 1:  # nothing is pending
                out[g, state] = values[state, begin]
                begin = ends[g]
                continue
            out[g, state] = _least(values, state, begin, ends[g], state, which, most, least, which, 0.0)
            begin = ends[g]


@kernel
def _beaten(energy, seconds, guard):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Is some known mapping better? ``energy``: without what leaks, ``seconds``: those that it takes."""
    power, timed, known = guard[3], guard[4], guard[5]
    latency = seconds if timed > 0.0 else 0.0
    if power > 0.0:
        energy += power * seconds
    for u in range(known.shape[0]):
        no_worse = known[u, 0] <= energy * NOT_WORSE and known[u, 1] <= latency * NOT_WORSE
        if no_worse and (known[u, 2] < energy or known[u, 3] < latency):
            return True
    return False


@kernel
def _beaten_rows(values, guard, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`_beaten` of each row of energy and latency."""
    for row in range(values.shape[0]):
        out[row] = _beaten(values[row, 0], values[row, 1], guard)


@kernel
def _hopeless_soon(values, row, state, share, ends, which, most, least, guard, apart, left):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As `_hopeless`, of energy and compute time alone: most labels that can be dropped are so by these."""
    to_go, slack = guard[0], guard[2]
    energy = values[row, 1]
    if ends[0] > 2:
        energy = _least(values, row, 1, ends[0], state, which, most, least, apart, left)
    latency = values[row, ends[0]] * share * slack[state]
    return _beaten(energy + to_go[0, state], latency, guard)


@kernel
def _promise(values, row, state, share, ends, which, most, least, guard, apart, left):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(energy without leaks, latency): the least that a label can become.

    ``share``: what compute time is multiplied by; ``apart``, ``left``: see `_least`.
    """
    to_go, scale, slack, _, _, _ = guard
    energy = values[row, 1]
    if ends[0] > 2:
        energy = _least(values, row, 1, ends[0], state, which, most, least, apart, left)
    energy += to_go[0, state]
    latency = values[row, ends[0]] * share * slack[state]
    for f in range(scale.shape[0]):
        form = values[row, ends[1 + f]]
        if ends[2 + f] > ends[1 + f] + 1:
            form = _least(values, row, ends[1 + f], ends[2 + f], state, which, most, least, apart, left)
        form = form * slack[state] + to_go[1 + f, state]
        if form * scale[f] > latency:
            latency = form * scale[f]
    return energy, latency


@kernel
def _promises(values, points, shares, ends, which, most, least, guard, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`_promise` of each label; ``points``, ``shares``: of each."""
    for row in range(values.shape[0]):
        state = points[row]
        out[row, 0], out[row, 1] = _promise(
            values, row, state, shares[row], ends, which, most, least, guard, which, 0.0
        )


@kernel
def _hopeless(values, row, state, share, ends, which, most, least, guard, apart, left):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Is some known mapping better than all that a label can become? See `_promise`."""
    if guard[5].shape[0] == 0:
        return False
    energy, latency = _promise(values, row, state, share, ends, which, most, least, guard, apart, left)
    return _beaten(energy, latency, guard)


@kernel
def find(keys, first, shift, key):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The list with a key, or -1; see ``lists.index_of``, of which there must be an index."""
    low, high = first[key >> shift], first[(key >> shift) + 1]
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    if low < keys.shape[0] and keys[low] == key:
        return low
    return -1


@kernel
def _union(  # type: ignore[no-untyped-def]  # pragma: no cover
    offsets,
    values,
    origin,
    index,
    out_index,
    stride,
    size,
    smaller,
    last_only,
    ends,
    which,
    most,
    least,
    out_offsets,
    out_values,
    out_origin,
    own,
):
    """Merge each state's list with the finished one of its smaller state; (labels made, labels kept)."""
    width = values.shape[1]
    old_keys, old_first, old_shift = index
    keys, first, shift = out_index
    dense = shift < 0
    filled = 0
    coordinate = -1
    low = stride - 1
    for j in range(out_offsets.shape[0] - 1):
        state = j
        if dense:  # counting is quicker than dividing
            low += 1
            if low == stride:
                low = 0
                coordinate += 1
                if coordinate == size:
                    coordinate = 0
        else:
            state = keys[j]
            coordinate = (state // stride) % size
        i = j if dense else find(old_keys, old_first, old_shift, state)
        a, a_stop = (offsets[i], offsets[i + 1]) if i >= 0 else (0, 0)
        b, b_stop = 0, 0
        if smaller[coordinate] >= 0:
            source = state + (smaller[coordinate] - coordinate) * stride
            if not dense:
                source = find(keys, first, shift, source)
            if source >= 0:
                b, b_stop = out_offsets[source], out_offsets[source + 1]
        start = filled
        while a < a_stop or b < b_stop:
            mine = b >= b_stop
            if a < a_stop and not mine:
                mine = True
                for c in range(width):
                    if values[a, c] != out_values[b, c]:
                        mine = values[a, c] < out_values[b, c]
                        break
            if mine:
                for c in range(width):
                    out_values[filled, c] = values[a, c]
                out_origin[filled] = origin[a]
                a += 1
            else:
                for c in range(width):
                    out_values[filled, c] = out_values[b, c]
                out_origin[filled] = out_origin[b]
                b += 1
            own[filled] = mine
            # Nothing dominates within one list, and what dominates a row comes before it.
            k = filled - 1
            while k >= start:
                if own[k] != mine and _dominates(out_values, k, out_values, filled, j, ends, which, most, least):
                    break
                k -= 1
            if k < start:
                filled += 1
        out_offsets[j + 1] = filled
    made = filled
    if last_only:
        filled = 0
        begin = 0
        for j in range(out_offsets.shape[0] - 1):
            end = out_offsets[j + 1]
            state = j if dense else keys[j]
            if (state // stride) % size == size - 1:
                for k in range(begin, end):
                    for c in range(width):
                        out_values[filled, c] = out_values[k, c]
                    out_origin[filled] = out_origin[k]
                    filled += 1
            begin = end
            out_offsets[j + 1] = filled
    return made, filled


@kernel
def _add(  # type: ignore[no-untyped-def]  # pragma: no cover
    offsets,
    values,
    origin,
    into,
    bank,
    entries,
    limits,
    limited,
    forgotten,
    forgets,
    ends,
    which,
    most,
    least,
    guard,
    share,
    part,
    out_offsets,
    out_values,
    out_origin,
):
    """The lists ``part``; returns how many labels are left.

    ``limited``: (column before, column after) of those with a limit.
    """
    width = out_values.shape[1]
    added = np.zeros(width)
    filled = 0
    for state in range(part[0], part[1]):
        start = filled
        for c in range(width):
            added[c] = 0.0
        for e in range(entries.shape[0]):
            added[entries[e, 1]] += bank[entries[e, 0], state]
        for a in range(offsets[state], offsets[state + 1]):
            fits = True
            for k in range(limited.shape[0]):
                before, c = limited[k, 0], limited[k, 1]
                if not (values[a, before] if before >= 0 else 0.0) + added[c] <= limits[c]:
                    fits = False
            if not fits:
                continue
            for c in range(width):
                out_values[filled, c] = added[c]
            for c in range(values.shape[1]):
                out_values[filled, into[c]] += values[a, c]
            if _hopeless(out_values, filled, state, share, ends, which, most, least, guard, which, 0.0):
                continue
            k = start - 1
            out_values[filled, 0] = 0.0
            for c in range(1, ends[0]):
                out_values[filled, 0] += out_values[filled, c] * most[which[0, c], state]
            if forgets:
                for c in range(width):
                    if forgotten[c]:
                        out_values[filled, c] = 0.0
                k = filled - 1
                while k >= start and not _dominates(out_values, k, out_values, filled, state, ends, which, most, least):
                    k -= 1
            if k < start:
                out_origin[filled] = origin[a]
                filled += 1
        out_offsets[state + 1] = filled
    return filled


@kernel
def _widen(values, into, out, at):  # type: ignore[no-untyped-def]  # pragma: no cover
    for a in range(values.shape[0]):
        for c in range(out.shape[1]):
            out[at + a, c] = 0.0
        for c in range(values.shape[1]):
            out[at + a, into[c]] = values[a, c]
