"""Compiled kernels: Pareto unions over the lattice, costs of a cut, rows of a template.

They call the loops of ``compiled.py``, ``compiled_moves.py`` and ``compiled_rows.py``, and say why each is exact. A row
dominates another when it is no greater in every column; of equal rows the first is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.explore.search.compiled import _add, _least_sums, _union, _widen
from ffcore.explore.search.compiled_moves import _gather, _reach
from ffcore.explore.search.compiled_rows import _rows
from ffcore.pmappings.arrays import Bools, Floats, Ints
from ffcore.threads import Threads

_WORTH_THREADS = 20_000  # labels


@attrs.frozen(eq=False)
class Rivals:
    """When one label dominates another.

    A label's columns are its key, by which labels are sorted, and then groups: a column and the pending ones that will
    be added to it, each times a factor that is the same for all labels of a state but not yet known. Row
    ``which[0, c]`` of ``most`` and ``least`` (factors, states) bounds the factor of column ``c``. Loops that multicast
    one cluster of a group's columns do nothing for the other clusters, and all of them share the fanout:
    ``which[1, c]`` is the column's cluster (1 to 3, 0: none), rows ``which[2:5, c]`` of ``least`` bound each
    cluster's factor, and ``which[5, c]`` their product. ``ends``: the end of each group; the key is the first group's
    sum at ``most``.

    A label dominates another when, group by group, its sum is no greater whatever the factors.
    """

    ends: Ints
    which: Ints
    most: Floats
    least: Floats

    @property
    def width(self) -> int:
        return int(self.which.shape[1])

    def arrays(self) -> tuple[Ints, Ints, Floats, Floats]:
        return self.ends, self.which, self.most, self.least


@attrs.frozen(eq=False)
class Guard:
    """What labels have to beat.

    ``to_go``: per column (energy, latency forms) and state the least that is still to come; ``scale``: per form the
    least that its total is multiplied by; ``slack``: per state the least that steps of imperfect loops to come multiply
    time by; ``power``: W that leak in any case; ``known``: (energy, latency) of known mappings, none: everything is
    kept.
    """

    to_go: Floats
    scale: Floats
    slack: Floats
    power: float
    timed: float  # 1, or 0 where only energy counts
    known: Floats

    def arrays(self) -> tuple[Floats, Floats, Floats, float, float, Floats]:
        return self.to_go, self.scale, self.slack, self.power, self.timed, self.known


NO_GUARD = Guard(np.zeros((1, 1)), np.zeros(0), np.zeros(0), 0.0, 0.0, np.zeros((0, 2)))


@attrs.frozen(eq=False)
class Moves:
    """How lists of labels go over into others, along one axis of the lattice.

    There are as many lists as classes times states. ``arrivals``: (class from, kind of move), sorted by the class that
    it leads to, that of class ``q`` being ``starts[q]:starts[q + 1]``. ``down``: per kind and coordinate the one that
    the move comes from, or -1; ``scale``: per kind what each column is multiplied by; ``into``: the column that it is
    added to (both with the key column, which is made anew). ``rivals``: of what comes out.
    """

    arrivals: Ints
    starts: Ints
    departures: Ints  # the same as (class to, kind), sorted by the class that it comes from
    departure_starts: Ints
    stride: int
    size: int
    down: Ints
    up: Ints
    scale: Floats
    into: Ints
    rivals: Rivals
    shares: Floats  # per class that comes out, the least that compute time will yet be multiplied by
    apart: Ints  # as ``rivals.which``, but without the loops to come across the dimension at hand
    left: Floats  # per class that comes out, the least that all of these together multiply by


def gather(
    offsets: Ints,
    values: Floats,
    n: int,
    moves: Moves,
    guard: Guard = NO_GUARD,
    reached: Bools | None = None,
    threads: Threads | None = None,
) -> tuple[Ints, Floats, Ints, Ints]:
    """Per class and state, the Pareto front of all labels that moves lead to it.

    List ``q * n + s`` is that of state ``s`` in class ``q``. Returns offsets and values, and of each label the row that
    it comes from and the kind of the move. ``reached``: the lists that are not empty, where that is known. ``threads``:
    who does it (default: the caller's); the result is the same.

    Exact: see `union_prime`; labels of one class and state have the same future.
    """
    classes = len(moves.starts) - 1
    along = n, moves.stride, moves.size
    if reached is None:
        reached = np.zeros(classes * n, np.bool_)
        _reach(offsets, *along, moves.departures, moves.departure_starts, moves.up, reached)
    parts = _cut(reached, len(values), threads)
    room = 2 * len(values) // len(parts) + 1024

    def gathered(part: tuple[int, int]) -> tuple[Ints, tuple[Floats, Ints, Ints]]:
        return _gathered(offsets, values, along, moves, guard, reached, part, room)

    found = [gathered(parts[0])] if threads is None else threads.map(gathered, parts)
    if len(found) == 1:
        return found[0][0], *found[0][1]
    ends = np.cumsum([0, *(own[-1] for own, _ in found)])
    out_offsets = np.concatenate([[0], *(own[1:] + end for (own, _), end in zip(found, ends[:-1], strict=True))])
    values, source, kind = (np.concatenate(own) for own in zip(*(out for _, out in found), strict=True))
    return out_offsets, values, source, kind


def _cut(reached: Bools, labels: int, threads: Threads | None) -> list[tuple[int, int]]:
    """The lists in parts, (first, behind the last) each: more than there are threads, as the work differs."""
    if threads is None or threads.count == 1 or labels < _WORTH_THREADS:
        return [(0, len(reached))]
    some = np.flatnonzero(reached)
    cuts: Sequence[int] | Ints = (
        some[len(some) * np.arange(1, 8 * threads.count) // (8 * threads.count)] if len(some) else []
    )
    borders = [0, *sorted({int(c) for c in cuts} - {0}), len(reached)]
    return list(pairwise(borders))


def _gathered(
    offsets: Ints,
    values: Floats,
    along: tuple[int, int, int],
    moves: Moves,
    guard: Guard,
    reached: Bools,
    part: tuple[int, int],
    room: int,
) -> tuple[Ints, tuple[Floats, Ints, Ints]]:
    """Offsets of the lists ``part`` alone; values, rows and kinds. ``room``: for so many labels at first."""
    to, stop = part
    out_offsets = np.zeros(stop - to + 1, np.int64)
    most = 1024
    out: list[NDArray[Any]] = [np.empty((room, moves.rivals.width)), np.empty(room, np.int64), np.empty(room, np.int64)]
    work, order = np.empty((most, max(2, moves.rivals.width))), np.empty(most, np.int64)
    rules = moves.arrivals, moves.starts, moves.down, moves.scale, moves.into, *moves.rivals.arrays(), guard.arrays()
    filled, needed = 0, 0
    while to < stop:
        if needed > most:
            most = 2 * needed
            work, order = np.empty((most, max(2, moves.rivals.width))), np.empty(most, np.int64)
        if filled + needed > room:
            room = 2 * room + needed
            out = [_extended(array, filled, room) for array in out]
        now = (
            moves.shares,
            moves.apart,
            moves.left,
            reached,
            np.array([part[0], to, stop]),
            filled,
            work,
            order,
            out_offsets,
        )
        to, filled, needed = _gather(offsets, values, *along, *rules, *now, *out)
    values, source, kind = (array[:filled] if 2 * filled > room else array[:filled].copy() for array in out)
    return out_offsets, (values, source, kind)


def least_sums(values: Floats, rivals: Rivals) -> Floats:
    """(groups, states) the least that each column and its pending ones can come to; one label for each state."""
    out = np.empty((len(rivals.ends), len(values)))
    _least_sums(values, *rivals.arrays(), out)
    return out


def stacked(parts: Sequence[tuple[Floats, Ints]], width: int) -> Floats:
    """Values of several sets of labels, one after the other; each with the columns that its own become."""
    out = np.empty((sum(len(values) for values, _ in parts), width))
    at = 0
    for values, into in parts:
        _widen(values, into, out, at)
        at += len(values)
    return out


def _extended(array: NDArray[Any], filled: int, room: int) -> NDArray[Any]:
    """More room behind the first ``filled`` rows."""
    result = np.empty((room, *array.shape[1:]), array.dtype)
    result[:filled] = array[:filled]
    return result


def union_prime(
    offsets: Ints,
    values: Floats,
    origin: Ints,
    stride: int,
    smaller: Ints,
    rivals: Rivals,
    last_only: bool = False,
) -> tuple[Ints, Floats, Ints, int]:
    """Per state, the Pareto front of its labels and those of the states that prime factors lead to.

    Labels of state ``s`` are rows ``offsets[s]:offsets[s + 1]`` of ``values`` (labels, columns),
    in lexicographic order; ``origin`` is carried along. ``smaller[i]`` is the coordinate whose value
    is that of coordinate ``i`` divided by the prime, or -1. States come in ascending order, so a
    state finds the finished front of the next smaller one; one pass per prime factor of the
    variable's values unites all divisors. ``last_only``: keep only states of the last coordinate.
    Returns offsets, values, origin, and how many labels were made.

    Exact: what is added to a label from here outwards depends on the state alone and is the same
    for all labels of a state, so a dominated label stays dominated.
    """
    size = len(smaller)
    room = len(values) * size  # a label reaches each coordinate at most once; what is not written costs nothing
    out_offsets = np.zeros(len(offsets), np.int64)
    out_values = np.empty((room, values.shape[1]))
    out_origin = np.empty(room + 1, np.int64)
    own = np.empty(room + 1, np.bool_)
    rules = smaller, last_only, *rivals.arrays()
    made, kept = _union(offsets, values, origin, stride, size, *rules, out_offsets, out_values, out_origin, own)
    return out_offsets, out_values[:kept], out_origin[:kept], int(made)


def add_costs(
    labels: tuple[Ints, Floats, Ints],
    into: Ints,
    bank: Floats,
    entries: Ints,
    limits: Floats,
    forgotten: Bools,
    rivals: Rivals,
    guard: Guard = NO_GUARD,
    share: float = 1.0,
) -> tuple[Ints, Floats, Ints]:
    """Labels (offsets, values, origin) with a cut's costs added, those beyond a limit left out.

    ``into``: the column that each of theirs (the key first) becomes.

    ``entries``: pairs (row of ``bank``, column); ``bank[row]`` is the cost per state. Columns that are
    ``forgotten`` become 0 after their limit was checked, and the labels are filtered anew.

    Exact: occupancy only grows outwards, so what exceeds a limit here always will; a memory to which
    nothing further out adds can decide nothing any more.
    """
    offsets, values, origin = labels
    out_offsets = np.zeros(len(offsets), np.int64)
    out_values = np.empty((len(values) + 1, rivals.width))
    out_origin = np.empty(len(values) + 1, np.int64)
    forgets = bool(forgotten.any())
    out = out_offsets, out_values, out_origin
    rules = limits, forgotten, forgets, *rivals.arrays(), guard.arrays(), share
    filled = _add(offsets, values, origin, into, bank, entries, *rules, *out)
    return out_offsets, out_values[:filled].copy(), out_origin[:filled].copy()


def template_rows(
    labels: tuple[Ints, Floats],
    chains: tuple[Ints, Floats, Floats, Ints, Floats],
    limits: Floats,
    latencies: tuple[Ints, Ints],
    rates: tuple[float, float, float, float],
    memories: tuple[Ints, Floats],
) -> tuple[Ints, Ints, Floats]:
    """(chain, label, values) of every row, those that another row of the same chain dominates left out.

    ``labels``: offsets and values. ``chains``: per chain its last state, what it adds to each column, what it
    multiplies those of a label by (no rows: 1) and the columns that these then go to, and the shares that stay open.
    ``latencies``: the columns of which the largest is the latency, and those that are kept apart. ``rates``: the first
    column of leakage, W of leakage beside these, how often energy counts, and how often latency.
    ``memories``: per tracked memory the column (or -1), and the share that one bit is.

    Exact: rows of one chain have the same compatibility.
    """
    offsets, values = labels
    bottom, addend, scale, target, opened = chains
    columns, shares = memories
    room = int((offsets[bottom + 1] - offsets[bottom]).sum()) + 1
    chain, label = np.empty(room, np.int64), np.empty(room, np.int64)
    out = np.empty((room, 2 + len(columns) + opened.shape[1] + len(latencies[1])))
    around = addend, scale, target, limits, *latencies, np.array(rates), columns, shares, opened
    filled = _rows(offsets, values, bottom, *around, chain, label, out)
    return chain[:filled].copy(), label[:filled].copy(), out[:filled].copy()
