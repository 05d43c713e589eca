"""The compiled kernels of the join: bounds, combinations of rows of matching groups, and Pareto fronts of groups.

All are kept small, so that a first run spends little time on compiling them: plain loops over
matrices, no sorting (numpy does that outside).
"""

from __future__ import annotations

from threading import Event

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.plugin import FITS, NOT_WORSE, kernel
from ffcore_ffm_joiner.columns import StateShape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
_FIT = FITS  # constants of this module, as compiled code wants them
_SAME = NOT_WORSE
_CHUNK = 1 << 14  # combinations between two prunings
_RIVALS = 4  # rows that each combination is compared with at once
_LOOKS = 1 << 22  # that are looked at between two looks at what else there is to do: less than a second

# Columns of a pair of groups.
LEFT, LEFT_STOP, RIGHT, RIGHT_STOP, NODE, DEPTH_IN, DEPTH_OUT = range(7)


@kernel
def _least_product(energy, latency, own, sums, row, slopes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """See `least_product`; the bounds of the sums are ``slopes * own[0] + own[1] + sums[row]``."""
    least, begin, last = np.inf, energy, slopes.shape[0] - 1
    for k in range(last + 1):
        line = (slopes[k] * own[0] + own[1] + sums[row, k]) / _SAME  # sums of the same terms in another order
        meets = np.inf  # where the next line is above this one
        if k < last:
            following = (slopes[k + 1] * own[0] + own[1] + sums[row, k + 1]) / _SAME
            meets = (line - following) / (slopes[k] - slopes[k + 1])
            if meets <= begin:
                continue
        end = (line - latency) / slopes[k]  # where the least latency is reached: nothing behind it is less
        if end <= begin:
            return min(least, begin * latency)
        least = min(least, begin * (line - slopes[k] * begin))
        if end <= meets:
            return min(least, end * latency)
        least = min(least, meets * (line - slopes[k] * meets))
        begin = meets
    return least


@kernel
def _least_products(energy, latency, sums, slopes, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    own = np.zeros(2)
    for row in range(energy.shape[0]):
        out[row] = _least_product(energy[row], latency[row], own, sums, row, slopes)


def least_product(energy: Floats, latency: Floats, sums: Floats, slopes: Floats) -> Floats:
    """The least product of an energy and a latency no less than these, of which ``slope * energy + latency`` is no less
    than ``sums`` (rows, slopes) for any of the ``slopes``, steepest first.

    Exact as a bound: the energies are cut in as many parts as there are slopes, where the line of one meets that of the
    next. In each part the latency is at least that on one line, along which the product is concave: it is least at an
    end. It does not matter for this where the parts are cut.
    """
    out = np.empty(len(energy))
    _least_products(energy, latency, np.ascontiguousarray(sums), slopes, out)
    return out


@kernel
def _least_costs(values, offsets, group, resting, own, slopes, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    for e in range(group.shape[0]):
        for b in range(offsets[group[e]], offsets[group[e] + 1]):
            fits = True
            for m in range(resting.shape[1]):
                if values[b, own[m]] + resting[e, m] > _FIT:
                    fits = False
            if not fits:
                continue
            energy, latency = values[b, 0], values[b, 1]
            out[e, 0] = min(out[e, 0], energy)
            out[e, 1] = min(out[e, 1], latency)
            for k in range(slopes.shape[0]):
                out[e, 2 + k] = min(out[e, 2 + k], slopes[k] * energy + latency)


def least_costs(values: Floats, offsets: Ints, group: Ints, resting: Floats, own: Ints, slopes: Floats) -> Floats:
    """Per pair of a group and what surely is in each memory beside it, the least costs of its rows that fit.

    ``values``: of the rows, as in ``Rows``; ``own``: its column of each memory's own peak; ``group``, ``resting``
    (pairs, memories): of each pair. Returns energy, latency, and ``slope * energy + latency`` for each slope; inf where
    no row fits.
    """
    out = np.full((len(group), 2 + len(slopes)), np.inf)
    _least_costs(values, offsets, group, resting, own, slopes, out)
    return out


@kernel
def _matched(out, row, width, rivals, totals, at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Does one of the first ``at[0]`` rows ``rivals`` match or better a row?

    If not, it becomes one of them as long as there is room, or if its sum (``totals``) is less than another's.
    """
    found = at[0]
    for k in range(found):
        other = rivals[k]
        c = 0
        while c < width and out[other, c] <= out[row, c]:
            c += 1
        if c == width:
            return True
    total = 0.0
    for c in range(width):
        total += out[row, c]
    place = found
    if found < rivals.shape[0]:
        at[0] += 1
    else:
        place = 0
        for k in range(1, found):
            if totals[k] > totals[place]:
                place = k
    if place == found or total < totals[place]:
        rivals[place] = row
        totals[place] = total
    return False


@kernel
def _combine(  # type: ignore[no-untyped-def]  # pragma: no cover
    pairs, left, right, rest, best, most, sums, slopes, shape, compared, out, who, at
):
    """Combinations that fit and that no bound rules out, into ``out`` and ``who`` (left row, right row, node).

    ``at``: pair and left row to go on from, rows filled so far, combinations so far whose bounds hold. Returns
    when ``out`` might not hold the next left row's combinations, after some time, or when all is done. Of a node, a
    few rows of small sums stand against all others in their first ``compared`` columns at once, as most combinations
    are bettered by one of them.

    ``shape``: `StateShape.kernel`, which says what left and right have for each memory.
    """
    width = out.shape[1]
    levels, memory, block, opened, peaks = shape  # right has those first touched in ``opened``, last ones in ``peaks``
    filled = at[2]
    looked = 0
    rivals, totals, count = np.empty(_RIVALS, np.int64), np.empty(_RIVALS), np.zeros(1, np.int64)
    for row in range(filled):  # of the node at work
        _matched(out, row, compared, rivals, totals, count)
    rivals_of = pairs[at[0], NODE] if at[0] < pairs.shape[0] else -1
    for p in range(at[0], pairs.shape[0]):
        if pairs[p, NODE] != rivals_of:
            rivals_of, count[0] = pairs[p, NODE], 0
        node, depth_in, depth_out = pairs[p, NODE], pairs[p, DEPTH_IN], pairs[p, DEPTH_OUT]
        first, stop = pairs[p, RIGHT], pairs[p, RIGHT_STOP]
        for a in range(max(pairs[p, LEFT], at[1]), pairs[p, LEFT_STOP]):
            if filled + stop - first > out.shape[0] or looked > _LOOKS:
                at[0], at[1], at[2] = p, a, filled
                return
            looked += stop - first
            for b in range(first, stop):
                out[filled, 0] = left[a, 0] + right[b, 0]
                out[filled, 1] = left[a, 1] + right[b, 1]
                energy = out[filled, 0] + rest[node, 0]
                latency = out[filled, 1] + rest[node, 1]
                wanted = energy <= most[0] and latency <= most[1] and energy * latency <= most[2]
                if wanted and slopes.shape[0] > 0:
                    wanted = _least_product(energy, latency, out[filled], sums, node, slopes) <= most[2]
                for k in range(best.shape[0]):
                    if best[k, 0] <= energy and best[k, 1] <= latency:
                        wanted = False
                if not wanted:
                    continue
                at[3] += 1
                for m in range(memory, width, block):
                    peak = right[b, m] + left[a, m]
                    out[filled, m] = 0.0
                    for j in range(levels - 1, -1, -1):
                        if j <= depth_in:
                            peak = max(peak, left[a, m + peaks + j] + right[b, m + opened + j])
                        out[filled, m + peaks + j] = peak if j <= depth_out else 0.0
                        k = min(j, depth_out)
                        out[filled, m + opened + j] = left[a, m + opened + min(k, depth_in)] + right[b, m + peaks + k]
                    if peak > _FIT:
                        wanted = False
                if wanted and not _matched(out, filled, compared, rivals, totals, count):
                    who[filled, 0], who[filled, 1], who[filled, 2] = a, b, node
                    filled += 1
        at[1] = 0
    at[0], at[2] = pairs.shape[0], filled


@kernel
def _dominated(values, row, kept, found):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Does one of the first ``found`` rows ``kept`` match or better a row?"""
    width = values.shape[1]
    for b in range(found):
        other = kept[b]
        c = 0
        while c < width and values[other, c] <= values[row, c]:
            c += 1
        if c == width:
            if b > 0:  # what dominated once is likely to dominate again
                kept[b] = kept[b - 1]
                kept[b - 1] = other
            return True
    return False


@kernel
def _front(values, order, offsets, old, keep, kept):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Set ``keep`` for the Pareto front of each group ``order[offsets[g]:offsets[g + 1]]``.

    What dominates a row must come before it in ``order``. None of the first ``old`` rows dominates another of them.
    ``kept`` (2, rows) is scratch.
    """
    for g in range(offsets.shape[0] - 1):
        before, new = 0, 0
        for a in range(offsets[g], offsets[g + 1]):
            row = order[a]
            if _dominated(values, row, kept[1], new) or (row >= old and _dominated(values, row, kept[0], before)):
                continue
            keep[row] = True
            if row < old:
                kept[0, before] = row
                before += 1
            else:
                kept[1, new] = row
                new += 1


def pareto(values: Floats, group: Ints, old: int = 0) -> Mask:
    """Rows that no other row of their group matches or betters in all columns; of equal rows the first stays.

    ``group``: ascending numbers. ``old``: so many of the first rows are known not to better each other. Rows are
    compared in the order of their sums: adding up is monotone, so a row that dominates another has no greater a sum;
    where rounding makes the two sums equal, a row may stay that should have gone, never the other way round.
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
    scratch = np.empty((2, int(np.diff(starts).max())), np.int64)
    _front(np.ascontiguousarray(values), np.lexsort((total, group)), starts, old, keep, scratch)
    return keep


@attrs.frozen(eq=False)
class Limits:
    """What a combination has to beat."""

    rest: Floats  # (result nodes, 2) least energy and latency still to come
    best: Floats  # (known, 2) energy and latency: a bound that one of them does not exceed is hopeless
    most: Floats  # (3,) energy, latency and their product that no wanted mapping exceeds
    # (result nodes, slopes) least ``slope * energy + latency`` still to come, and the slopes; see `least_product`.
    sums: Floats = attrs.field(factory=lambda: np.zeros((0, 0)))
    slopes: Floats = attrs.field(factory=lambda: np.zeros(0))


def join_rows(
    left: Floats, right: Floats, pairs: Ints, limits: Limits, shape: StateShape, last: bool, stop: Event | None = None
) -> tuple[Floats, Ints, int]:
    """(values, (left row, right row, node), combinations looked at) of all result nodes, ascending by node.

    ``pairs``: (pairs, 7), ascending by result node: rows of the left node, rows of the right group (start
    and stop each), result node, loops that left and right share, greatest depth of what is live afterwards.
    Exact: what later joins add to a row, and what they compare with a size, grows with every column and is
    the same for all rows of a node; a row whose bound a known mapping meets cannot lead to a better
    one. After the last join only the objectives count. Raises ``InterruptedError`` soon after ``stop`` is set.
    """
    sizes = pairs[:, RIGHT_STOP] - pairs[:, RIGHT]
    total = int(((pairs[:, LEFT_STOP] - pairs[:, LEFT]) * sizes).sum())
    largest = int(sizes.max(initial=0))  # what one left row can add
    capacity = max(min(total, _CHUNK), largest)
    out, who = np.empty((capacity, left.shape[1])), np.empty((capacity, 3), np.int64)
    at = np.zeros(4, np.int64)
    compared = 2 if last else left.shape[1]
    done: list[tuple[Floats, Ints]] = []  # of nodes whose pairs have all been looked at
    old = 0  # rows of the node at work that are left of an earlier pruning
    while True:
        if stop is not None and stop.is_set():
            raise InterruptedError
        _combine(
            pairs,
            left,
            right,
            limits.rest,
            limits.best,
            limits.most,
            limits.sums,
            limits.slopes,
            shape.kernel,
            compared,
            out,
            who,
            at,
        )
        filled = int(at[2])
        values = out[:filled, :compared]
        keep = np.flatnonzero(pareto(values, who[:filled, 2], old))
        ended = at[0] == len(pairs)
        ready = len(keep) if ended else int(np.searchsorted(who[keep, 2], pairs[at[0], NODE]))
        done.append((out[keep[:ready]], who[keep[:ready]]))
        if ended:
            return np.concatenate([v for v, _ in done]), np.concatenate([w for _, w in done]), int(at[3])
        left_over = keep[ready:]
        old = len(left_over)
        while capacity - old < max(capacity // 2, largest):
            capacity *= 2
        more, more_who = np.empty((capacity, left.shape[1])), np.empty((capacity, 3), np.int64)
        more[:old], more_who[:old] = out[left_over], who[left_over]
        out, who, at[2] = more, more_who, old
