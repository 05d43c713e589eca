"""The compiled kernels of the join: combinations of rows of matching groups, and Pareto fronts of groups.

Both are kept small, so that a first run spends little time on compiling them: plain loops over
matrices, no views, no sorting (numpy does that outside), no memory of their own.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.plugin import FITS, NOT_WORSE, kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
_FIT = FITS  # constants of this module, as compiled code wants them
_SAME = NOT_WORSE
_CHUNK = 1 << 14  # combinations between two prunings

# Columns of a pair of groups.
_LEFT, _LEFT_STOP, _RIGHT, _RIGHT_STOP, _NODE, _DEPTH_IN, _DEPTH_OUT = range(7)


@kernel
def _combine(  # type: ignore[no-untyped-def]  # pragma: no cover
    pairs, left, right, rest, best, most, sums, weights, levels, out, who, at
):
    """Combinations that fit and that no bound rules out, into ``out`` and ``who`` (left row, right row, node).

    ``at``: pair and left row to go on from, rows filled so far, combinations looked at so far. Returns
    when ``out`` might not hold the next left row's combinations, or when all is done.

    Per memory: left has [what surely runs beside right, ``levels`` open sums, ``levels`` peaks]; right has
    [its own peak, ``levels`` open sums with the tensors first touched, ``levels`` with those last touched].
    """
    width = out.shape[1]
    block = 2 * levels + 1
    filled = at[2]
    for p in range(at[0], pairs.shape[0]):
        node, depth_in, depth_out = pairs[p, _NODE], pairs[p, _DEPTH_IN], pairs[p, _DEPTH_OUT]
        first, stop = pairs[p, _RIGHT], pairs[p, _RIGHT_STOP]
        for a in range(max(pairs[p, _LEFT], at[1]), pairs[p, _LEFT_STOP]):
            if filled + stop - first > out.shape[0]:
                at[0], at[1], at[2] = p, a, filled
                return
            for b in range(first, stop):
                out[filled, 0] = left[a, 0] + right[b, 0]
                out[filled, 1] = left[a, 1] + right[b, 1]
                energy = out[filled, 0] + rest[node, 0]
                latency = out[filled, 1] + rest[node, 1]
                wanted = energy <= most[0] and latency <= most[1] and energy * latency <= most[2]
                if wanted and weights[0] > 0:  # see weighted.py
                    bound = weights[0] * out[filled, 0] + weights[1] * out[filled, 1] + sums[node]
                    high_latency = max(latency, (bound / _SAME - weights[0] * energy) / weights[1])
                    high_energy = max(energy, (bound / _SAME - weights[1] * latency) / weights[0])
                    least = min(energy * high_latency, high_energy * latency)
                    wanted = least <= most[2]
                for k in range(best.shape[0]):
                    if best[k, 0] <= energy and best[k, 1] <= latency:
                        wanted = False
                if not wanted:
                    continue
                at[3] += 1
                for m in range(2, width, block):
                    peak = right[b, m] + left[a, m]
                    out[filled, m] = 0.0
                    for j in range(levels, 0, -1):
                        if j - 1 <= depth_in:
                            peak = max(peak, left[a, m + levels + j] + right[b, m + j])
                        out[filled, m + levels + j] = peak if j - 1 <= depth_out else 0.0
                        k = min(j - 1, depth_out)
                        out[filled, m + j] = left[a, m + 1 + min(k, depth_in)] + right[b, m + levels + 1 + k]
                    if peak > _FIT:
                        wanted = False
                if wanted:
                    who[filled, 0], who[filled, 1], who[filled, 2] = a, b, node
                    filled += 1
        at[1] = 0
    at[0], at[2] = pairs.shape[0], filled


@kernel
def _front(values, order, offsets, keep, kept):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Set ``keep`` for the Pareto front of each group ``order[offsets[g]:offsets[g + 1]]``.

    What dominates a row must come before it in ``order``. ``kept`` is scratch.
    """
    width = values.shape[1]
    for g in range(offsets.shape[0] - 1):
        found = 0
        for a in range(offsets[g], offsets[g + 1]):
            row = order[a]
            keep[row] = True
            for b in range(found):
                other = kept[b]
                c = 0
                while c < width and values[other, c] <= values[row, c]:
                    c += 1
                if c == width:
                    keep[row] = False
                    if b > 0:  # what dominated once is likely to dominate again
                        kept[b] = kept[b - 1]
                        kept[b - 1] = other
                    break
            if keep[row]:
                kept[found] = row
                found += 1


def pareto(values: Floats, group: Ints) -> Mask:
    """Rows that no other row of their group matches or betters in all columns; of equal rows the first stays.

    ``group``: ascending numbers. Rows are compared in the order of their sums: adding up is monotone, so
    a row that dominates another has no greater a sum; where rounding makes the two sums equal, a row may
    stay that should have gone, never the other way round.
    """
    if not len(values):
        return np.zeros(0, np.bool_)
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1], [True]]))
    if len(starts) == len(values) + 1:
        return np.ones(len(values), np.bool_)
    total = values[:, 0].copy()
    for c in range(1, values.shape[1]):
        total += values[:, c]
    keep = np.zeros(len(values), np.bool_)
    scratch = np.empty(int(np.diff(starts).max()), np.int64)
    _front(values, np.lexsort((total, group)), starts, keep, scratch)
    return keep


@attrs.frozen(eq=False)
class Limits:
    """What a combination has to beat."""

    rest: Floats  # (result nodes, 2) least energy and latency still to come
    best: Floats  # (known, 2) energy and latency: a bound that one of them does not exceed is hopeless
    most: Floats  # (3,) energy, latency and their product that no wanted mapping exceeds
    sums: Floats = attrs.field(factory=lambda: np.zeros(0))  # (result nodes,) least weighted sum still to come
    weights: Floats = attrs.field(factory=lambda: np.zeros(2))  # of energy and of latency; 0: no such bound


def join_rows(
    left: Floats, right: Floats, pairs: Ints, limits: Limits, levels: int, last: bool
) -> tuple[Floats, Ints, int]:
    """(values, (left row, right row, node), combinations looked at) of all result nodes, ascending by node.

    ``pairs``: (pairs, 7), ascending by result node: rows of the left node, rows of the right group (start
    and stop each), result node, loops that left and right share, greatest depth of what is live afterwards.
    Exact: what later joins add to a row, and what they compare with a size, grows with every column and is
    the same for all rows of a node; a row whose bound a known mapping meets cannot lead to a better
    one. After the last join only the objectives count.
    """
    sizes = pairs[:, _RIGHT_STOP] - pairs[:, _RIGHT]
    total = int(((pairs[:, _LEFT_STOP] - pairs[:, _LEFT]) * sizes).sum())
    capacity = max(min(total, _CHUNK), int(sizes.max(initial=0)))
    out, who = np.empty((capacity, left.shape[1])), np.empty((capacity, 3), np.int64)
    at = np.zeros(4, np.int64)
    while True:
        _combine(
            pairs, left, right, limits.rest, limits.best, limits.most, limits.sums, limits.weights, levels, out, who, at
        )
        filled = int(at[2])
        keep = np.flatnonzero(pareto(out[:filled, :2] if last else out[:filled], who[:filled, 2]))
        if at[0] == len(pairs):
            return out[keep], who[keep], int(at[3])
        if len(keep) > capacity // 2:
            capacity *= 2
        more, more_who = np.empty((capacity, left.shape[1])), np.empty((capacity, 3), np.int64)
        more[: len(keep)], more_who[: len(keep)] = out[keep], who[keep]
        out, who, at[2] = more, more_who, len(keep)
