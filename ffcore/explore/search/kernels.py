"""Compiled kernels: Pareto unions over the lattice, costs of a cut, rows of a template.

They call the loops of ``compiled.py``, ``compiled_moves.py`` and ``compiled_rows.py``, and say why each is exact. A row
dominates another when it is no greater in every column; of equal rows the first is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.explore.search.compiled import _add, _beaten_rows, _least_sums, _promises, _union, _widen
from ffcore.explore.search.compiled_moves import _gather, _multiples, _reach, _reach_some
from ffcore.explore.search.compiled_rows import _rows
from ffcore.explore.search.judging import Around, Rivals
from ffcore.explore.search.lattice import Steps
from ffcore.explore.search.lists import Lists, index_of
from ffcore.pmappings.arrays import Bools, Floats, Ints
from ffcore.pmappings.rows import RowShape
from ffcore.threads import Threads

_WORTH_THREADS = 20_000  # labels


@attrs.frozen(eq=False)
class Moves:
    """How lists of labels go over into others, along one axis of the lattice.

    There are as many lists as classes times states. ``arrivals``: (class from, kind of move), sorted by the class that
    it leads to, that of class ``q`` being ``starts[q]:starts[q + 1]``. ``steps``: how each kind goes; ``scale``: per
    kind what each column is multiplied by; ``into``: the column that it is added to (both with the key column, which
    is made anew).
    """

    arrivals: Ints
    starts: Ints
    departures: Ints  # the same as (class to, kind), sorted by the class that it comes from
    departure_starts: Ints
    steps: Steps
    scale: Floats
    into: Ints
    shares: Floats  # per class that comes out, the least that compute time will yet be multiplied by
    left: Floats  # per class that comes out, the least that loops to come across the dimension multiply by

    @property
    def classes(self) -> int:
        """Number of classes that labels come from."""
        return len(self.departure_starts) - 1


@attrs.frozen(eq=False)
class Gathered:
    """Labels, and of each the row that it comes from and the kind of the move. ``around``: what their lists' was."""

    lists: Lists
    values: Floats
    source: Ints
    kind: Ints
    around: Around


def gather(
    lists: Lists,
    values: Floats,
    n: int,
    moves: Moves,
    around: Callable[[Ints | None], Around],
    reached: Bools | None = None,
    threads: Threads | None = None,
    before: Callable[[Ints | None], Around] | None = None,
) -> Gathered:
    """Per class and state, the Pareto front of all labels that moves lead to it.

    List ``q * n + s`` is that of state ``s`` in class ``q``. ``around``: what is known of the given states (None: of
    all). ``reached``: the lists that are not empty, where that is known and all lists are there. ``threads``: who does
    it (default: the caller's); the result is the same. ``before``: as ``around``, for the labels before the moves.

    Exact: see `union_prime`; labels of one class and state have the same future.
    """
    promised = np.zeros(0)
    if before is not None:
        known = before(None if lists.keys is None else lists.keys % n)
        promised = promises(lists, values, n, known, np.zeros(moves.classes))[:, 0]
    if lists.keys is not None:
        targets = _targets(lists.keys, n, moves)
        found = around(targets % n)
        reached = np.ones(len(targets), np.bool_)
        own, out = _gathered_all(lists, values, n, moves, found, promised, reached, targets, threads)
        return Gathered(Lists(own, targets), *out, found)
    found = around(None)
    if reached is None:
        reached = np.zeros((len(moves.starts) - 1) * n, np.bool_)
        along = n, moves.steps.stride, moves.steps.size
        _reach(lists.offsets, *along, moves.departures, moves.departure_starts, moves.steps.up, reached)
    own, out = _gathered_all(lists, values, n, moves, found, promised, reached, np.zeros(0, np.int64), threads)
    return Gathered(Lists(own), *out, found)


def _targets(keys: Ints, n: int, moves: Moves) -> Ints:
    """The keys that moves lead to, ascending."""
    first = np.searchsorted(keys, np.arange(moves.classes + 1) * n)
    room = int(np.diff(first)[moves.arrivals[:, 0]].sum())
    out, marked = np.empty(room, np.int64), np.zeros(n, np.bool_)
    rules = n, moves.steps.stride, moves.steps.size, moves.arrivals, moves.starts, moves.steps.up, first
    return np.sort(out[: _reach_some(keys, *rules, marked, out)])


_Out = tuple[Floats, Ints, Ints]  # values, rows and kinds of labels


def _gathered_all(
    lists: Lists,
    values: Floats,
    n: int,
    moves: Moves,
    around: Around,
    promised: Floats,
    reached: Bools,
    targets: Ints,
    threads: Threads | None,
) -> tuple[Ints, _Out]:
    """Offsets of all lists, and the labels, made by as many threads as there are."""
    parts = _cut(reached, len(values), threads)
    room = 2 * len(values) // len(parts) + 1024
    sources = lists.offsets, values, lists.index(moves.classes * n)

    def gathered(part: tuple[int, int]) -> tuple[Ints, _Out]:
        return _gathered(sources, n, moves, around, promised, reached, targets, part, room)

    found = [gathered(parts[0])] if threads is None else threads.map(gathered, parts)
    if len(found) == 1:
        return found[0]
    ends = np.cumsum([0, *(own[-1] for own, _ in found)])
    out_offsets = np.concatenate([[0], *(own[1:] + end for (own, _), end in zip(found, ends[:-1], strict=True))])
    out, source, kind = (np.concatenate(own) for own in zip(*(out for _, out in found), strict=True))
    return out_offsets, (out, source, kind)


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
    sources: tuple[Ints, Floats, tuple[Ints, Ints, int]],
    n: int,
    moves: Moves,
    around: Around,
    promised: Floats,
    reached: Bools,
    targets: Ints,
    part: tuple[int, int],
    room: int,
) -> tuple[Ints, _Out]:
    """Offsets of the lists ``part`` alone; values, rows and kinds. ``room``: for so many labels at first."""
    to, stop = part
    rivals, width = around.rivals, around.rivals.width
    out_offsets = np.zeros(stop - to + 1, np.int64)
    most = 1024
    out: list[NDArray[Any]] = [np.empty((room, width)), np.empty(room, np.int64), np.empty(room, np.int64)]
    work, order = np.empty((most, max(2, width))), np.empty(most, np.int64)
    steps = moves.steps
    along = n, steps.stride, steps.size
    rules = moves.arrivals, moves.starts, steps.down, steps.ways, moves.scale, moves.into
    judged = *rivals.arrays(), around.guard
    filled, needed = 0, 0
    while to < stop:
        if needed > most:
            most = 2 * needed
            work, order = np.empty((most, max(2, width))), np.empty(most, np.int64)
        if filled + needed > room:
            room = 2 * room + needed
            out = [_extended(array, filled, room) for array in out]
        now = (
            moves.shares,
            rivals.apart,
            moves.left,
            promised,
            reached,
            targets,
            np.array([part[0], to, stop]),
            filled,
            work,
            order,
            out_offsets,
        )
        to, filled, needed = _gather(*sources, *along, *rules, *judged, *now, *out)
    values, source, kind = (array[:filled] if 2 * filled > room else array[:filled].copy() for array in out)
    return out_offsets, (values, source, kind)


def least_sums(values: Floats, rivals: Rivals) -> Floats:
    """(groups, states) the least that each column and its pending ones can come to; one label for each state."""
    out = np.empty((len(rivals.ends), len(values)))
    _least_sums(values, *rivals.arrays(), out)
    return out


def promises(lists: Lists, values: Floats, n: int, around: Around, shares: Floats) -> Floats:
    """(labels, 2) the least energy and latency that each label can become, without what leaks.

    ``shares``: per class (see `gather`) what compute time will at least be multiplied by.
    """
    places = np.repeat(np.arange(len(lists.offsets) - 1), np.diff(lists.offsets))
    keys = places if lists.keys is None else lists.keys[places]
    points = keys % n if lists.keys is None else places
    out = np.empty((len(values), 2))
    _promises(values, points, shares[keys // n], *around.rivals.arrays(), around.guard, out)
    return out


def hopeful(lists: Lists, values: Floats, n: int, around: Around, share: float) -> Bools:
    """Labels that may still beat what is known; ``n``: states, ``share``: what compute time is multiplied by."""
    out = np.empty(len(values), np.bool_)
    _beaten_rows(promises(lists, values, n, around, np.array([share])), around.guard, out)
    return ~out


def beaten(values: Floats, known: Floats) -> Bools:
    """Rows of energy, latency and others: is some mapping better? ``known``: see `to_beat`."""
    out = np.empty(len(values), np.bool_)
    none = np.zeros(0)
    _beaten_rows(values, (np.zeros((1, 1)), none, none, 0.0, 1.0, known), out)
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
    lists: Lists,
    values: Floats,
    origin: Ints,
    n: int,
    stride: int,
    smaller: Ints,
    around: Callable[[Ints | None], Around],
    last_only: bool = False,
) -> tuple[Lists, Floats, Ints, int]:
    """Per state (one of ``n``), the Pareto front of its labels and those of the states that prime factors lead to.

    Labels are rows of ``values`` (labels, columns), those of a list in lexicographic order; ``origin`` is carried
    along. ``smaller[i]`` is the coordinate whose value is that of coordinate ``i`` divided by the prime, or -1. States
    come in ascending order, so a state finds the finished front of the next smaller one; one pass per prime factor of
    the variable's values unites all divisors. ``last_only``: keep only states of the last coordinate. Returns lists,
    values, origin, and how many labels were made.

    Exact: what is added to a label from here outwards depends on the state alone and is the same
    for all labels of a state, so a dominated label stays dominated.
    """
    size, (up, steps) = len(smaller), _steps(smaller)
    keys = None if lists.keys is None else _with_multiples(lists.keys, n, stride, up, steps)
    room = len(values) * steps  # what is not written costs nothing
    out_offsets = np.zeros(len(lists.offsets) if keys is None else len(keys) + 1, np.int64)
    out_values = np.empty((room, values.shape[1]))
    out_origin = np.empty(room + 1, np.int64)
    own = np.empty(room + 1, np.bool_)
    rules = stride, size, smaller, last_only, *around(keys).rivals.arrays()
    indices = lists.index(n), index_of(keys, n)
    out = out_offsets, out_values, out_origin, own
    made, kept = _union(lists.offsets, values, origin, *indices, *rules, *out)
    return Lists(out_offsets, keys).filled(), out_values[:kept], out_origin[:kept], int(made)


def _steps(smaller: Ints) -> tuple[Ints, int]:
    """(the coordinate that each step leads to or -1, the most coordinates that steps reach from one, itself too)."""
    up = np.full(len(smaller), -1)
    up[smaller[smaller >= 0]] = np.flatnonzero(smaller >= 0)
    reached = np.ones(len(smaller), np.int64)
    for coordinate in range(len(smaller) - 1, -1, -1):
        if up[coordinate] >= 0:
            reached[coordinate] += reached[up[coordinate]]
    return up, int(reached.max())


def _with_multiples(keys: Ints, n: int, stride: int, up: Ints, steps: int) -> Ints:
    """The states that are there, and those that steps lead to, ascending."""
    out = np.empty(len(keys) * steps, np.int64)
    return np.sort(out[: _multiples(keys, stride, up, np.zeros(n, np.bool_), out)])


def add_costs(
    labels: tuple[Lists, Floats, Ints],
    into: Ints,
    bank: Floats,
    entries: Ints,
    limits: Floats,
    forgotten: Bools,
    around: Around,
    share: float = 1.0,
    threads: Threads | None = None,
) -> tuple[Lists, Floats, Ints]:
    """Labels (lists, values, origin) with a cut's costs added, those beyond a limit left out.

    ``into``: the column that each of theirs (the key first) becomes. ``threads``: see `gather`.

    ``entries``: pairs (row of ``bank``, column); ``bank[row]`` is the cost per list, as is what is ``around``. Columns
    that are ``forgotten`` become 0 after their limit was checked, and the labels are filtered anew.

    Exact: occupancy only grows outwards, so what exceeds a limit here always will; a memory to which
    nothing further out adds can decide nothing any more.
    """
    lists, values, origin = labels
    width = around.rivals.width
    out_offsets = np.zeros(len(lists.offsets), np.int64)
    back = np.full(width, -1)
    back[into] = np.arange(len(into))
    bounded = np.flatnonzero(np.isfinite(limits))
    limited = np.stack([back[bounded], bounded], axis=1)
    rules = limits, limited, forgotten, bool(forgotten.any()), *around.rivals.arrays(), around.guard, share

    def added(part: tuple[int, int]) -> tuple[Floats, Ints]:
        room = int(lists.offsets[part[1]] - lists.offsets[part[0]]) + 1
        out = np.empty((room, width)), np.empty(room, np.int64)
        filled = _add(lists.offsets, values, origin, into, bank, entries, *rules, np.array(part), out_offsets, *out)
        return out[0][:filled].copy(), out[1][:filled].copy()

    parts = _cut(np.diff(lists.offsets) > 0, len(values), threads)
    found = [added(parts[0])] if threads is None or len(parts) == 1 else threads.map(added, parts)
    if len(found) == 1:
        return Lists(out_offsets, lists.keys), *found[0]
    end = 0
    for (to, stop), (own, _) in zip(parts, found, strict=True):
        out_offsets[to + 1 : stop + 1] += end
        end += len(own)
    out_values, out_origin = (np.concatenate(own) for own in zip(*found, strict=True))
    return Lists(out_offsets, lists.keys), out_values, out_origin


def template_rows(
    values: Floats,
    chains: tuple[tuple[Ints, Ints], Floats, Floats, Ints, Floats],
    limits: Floats,
    latencies: tuple[Ints, Ints],
    rates: tuple[float, float, float, float],
    memories: tuple[Ints, Floats],
    shape: RowShape,
) -> tuple[Ints, Ints, Floats]:
    """(chain, label, values) of every row, those that another row of the same chain dominates left out.

    ``values``: of labels. ``chains``: per chain (the first label of its last state, the one behind the last), what it
    adds to each column, what it multiplies those of a label by (no rows: 1) and the columns that these then go to, and
    the shares that stay open (chains, memories, depths). ``latencies``: the columns of which the largest is the
    latency, and those that are kept apart. ``rates``: the first column of leakage, W of leakage beside these, how often
    energy counts, and how often latency. ``memories``: per tracked memory the column (or -1), and the share that one
    bit is. ``shape``: of the rows.

    Exact: rows of one chain have the same compatibility.
    """
    (first, last), addend, scale, target, opened = chains
    columns, shares = memories
    room = int((last - first).sum()) + 1
    chain, label = np.empty(room, np.int64), np.empty(room, np.int64)
    out = np.empty((room, shape.width))
    around = addend, scale, target, limits, *latencies, np.array(rates), columns, shares, opened, *shape.kernel
    filled = _rows(values, first, last, *around, chain, label, out)
    return chain[:filled].copy(), label[:filled].copy(), out[:filled].copy()
