"""Counting the ways down a nest: how many tile choices keep every limit (see `ffcore.mapspace.total`).

The state on the way is the extent of each rank variable (from its bound down to 1), the bits taken so far in each
memory that more is still to be put in, and, while fused loops are limited, how many each rank variable has. For
each combination of the latter two an array over extents holds the number of ways that lead there: loops add
up ways along an axis (from each extent to its divisors), reservations move ways to other bits and drop
those that exceed the memory. Nothing is approximated: counts are held in floats only where they are below
2**53, else as Python integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.numbers import divisors
from ffcore.spec.problem import Bound, rank_values
from ffcore.tolerances import FITS

Array: TypeAlias = NDArray[Any]  # float64 or Python integers
Coordinate: TypeAlias = tuple[int, int]  # (extent, fused loops so far)
Shape: TypeAlias = tuple[tuple[tuple[int, int], ...], ...]  # per rank: (rank variable, coefficient)


@attrs.frozen
class Limits:
    """How many fused loops may run more than once."""

    per_variable: float
    in_all: float

    @property
    def counted(self) -> bool:
        return min(self.per_variable, self.in_all) < float("inf")


NO_LIMITS = Limits(float("inf"), float("inf"))
EXACT = 2**53  # floats count exactly below this


@attrs.frozen
class Loop:
    """A temporal loop over a rank variable; ``final``: the last one, which leaves an extent of 1."""

    variable: int
    final: bool
    fused: bool


@attrs.frozen
class Across:
    """What loops across one dimension may do."""

    variables: tuple[int, ...]  # that may have one
    most: float  # the product of their trips
    running: float  # how many may run more than once
    limits: tuple[tuple[frozenset[int], Bound], ...]  # of which variables; the bounds' own do not matter
    fixed: tuple[int, ...] | None = None  # trips of each of ``variables``, if they are decided

    def allows(self, trips: Sequence[int]) -> bool:
        """May the loops run this often?"""
        of = dict(zip(self.variables, trips, strict=True))
        within = math.prod(trips) <= self.most and sum(n > 1 for n in trips) <= self.running
        return within and all(b.allows(n for v, n in of.items() if v in members) for members, b in self.limits)


@attrs.frozen
class SpatialLoops:
    """The loops across one dimension, over all trips that are allowed."""

    across: Across
    final: tuple[int, ...]  # rank variables of which nothing may be left
    fused: bool


@attrs.frozen
class EndFused:
    """From here on loops are not fused."""


@attrs.frozen(order=True)
class Held:
    """A tile: its bits as a function of extents, each of which is multiplied by ``times`` first."""

    ranks: Shape
    bits: float
    times: tuple[float, ...]


@attrs.frozen
class Reserve:
    """Tiles put into a memory of ``size`` bits; ``closing``: nothing more comes after."""

    memory: int
    size: float
    held: tuple[Held, ...]
    closing: bool


@attrs.frozen
class ShapeLimit:
    """``tile_shape``: each extent of ``variables`` (or their product) against a value."""

    variables: tuple[int, ...]
    limit: Bound  # whose variables do not matter
    times: tuple[float, ...]


Step: TypeAlias = Loop | SpatialLoops | EndFused | Reserve | ShapeLimit


@attrs.frozen(eq=False)
class State:
    """``ways[layer, ...]``: ways to the extents ``axes[i]`` with the bits ``taken[layer]`` in ``memories``."""

    ways: Array
    axes: tuple[tuple[Coordinate, ...], ...]
    memories: tuple[int, ...]
    taken: tuple[tuple[float, ...], ...]


def ways(bounds: Sequence[int], programs: Iterable[Sequence[Step]], limits: Limits, most: int) -> int:
    """Ways down all programs together, which are ``most`` without limits.

    States are kept along the current program, so that what it has in common with the one before is not done again.
    """
    exact: type = float if most < EXACT else object
    start: Array = np.ones((1,) * (len(bounds) + 1), exact)
    states = [State(start, tuple(((b, 0),) for b in bounds), (), ((),))]
    before: Sequence[Step] = ()
    result = 0
    for program in programs:
        common = 0
        while common < min(len(before), len(program)) and before[common] == program[common]:
            common += 1
        del states[common + 1 :]
        for step in program[common:]:
            states.append(_after(states[-1], step, limits))
        before = program
        result += int(_done(states[-1]).sum())
    return result


def spatial_ways(bounds: Sequence[int], dimensions: Sequence[Across]) -> State:
    """Ways to each extent that loops across all of these dimensions leave of each rank variable; exact."""
    for exact in (float, object):
        start: Array = np.ones((1,) * (len(bounds) + 1), exact)
        state = State(start, tuple(((b, 0),) for b in bounds), (), ((),))
        for across in dimensions:
            state = _across(state, SpatialLoops(across, (), False), NO_LIMITS)
        if not state.ways.size or state.ways.max() < EXACT:  # then all that led there was exact as well
            break
    return state


def _done(state: State) -> Array:
    """Ways that leave nothing to do."""
    kept = np.ix_(range(len(state.ways)), *([i for i, (x, _) in enumerate(axis) if x == 1] for axis in state.axes))
    done: Array = state.ways[kept]
    return done


def _after(state: State, step: Step, limits: Limits) -> State:
    if not state.ways.size:
        return state
    if isinstance(step, Loop):
        return _within(_along(state, step, limits), step.fused, limits)
    if isinstance(step, SpatialLoops):
        return _across(state, step, limits)
    if isinstance(step, EndFused):
        return _unfused(state)
    if isinstance(step, Reserve):
        return _reserved(state, step)
    return _limited(state, step)


# -- loops ----------------------------------------------------------------------------------------


def _along(state: State, step: Loop, limits: Limits) -> State:
    """One temporal loop over a rank variable."""
    variable, counted = step.variable, step.fused and limits.counted
    most = min(limits.per_variable, limits.in_all) if counted else float("inf")
    target, matrix = _moves(state.axes[variable], step.final, counted, most)
    moved = np.moveaxis(state.ways, variable + 1, -1) @ matrix.astype(state.ways.dtype)
    axes = (*state.axes[:variable], target, *state.axes[variable + 1 :])
    return attrs.evolve(state, ways=np.moveaxis(moved, -1, variable + 1), axes=axes)


@lru_cache(maxsize=4096)
def _moves(
    axis: tuple[Coordinate, ...], final: bool, counted: bool, most: float
) -> tuple[tuple[Coordinate, ...], NDArray[np.int64]]:
    """Where a loop can lead from each coordinate: (coordinates after it, 0-1 matrix)."""
    found: list[tuple[int, Coordinate]] = []
    for i, (extent, loops) in enumerate(axis):
        for lower in divisors(extent):
            after = loops + (counted and lower < extent)
            if after <= most and not (final and lower > 1):
                found.append((i, (lower, after)))
    target = tuple(sorted({c for _, c in found}))
    matrix = np.zeros((len(axis), len(target)), np.int64)
    for i, coordinate in found:
        matrix[i, target.index(coordinate)] = 1
    return target, matrix


def _across(state: State, step: SpatialLoops, limits: Limits) -> State:
    """Loops across one dimension: the ways of all allowed trips together.

    Rank variable by rank variable; ways are kept apart by what is limited of the trips so far, not by the trips.
    """
    across = step.across
    products = tuple((members, bound) for members, bound in across.limits if bound.of_product)
    # By product of all trips, number of loops that run, and the products that some bound limits.
    ways: dict[tuple[int, ...], Array] = {(1, 0, *(1 for _ in products)): state.ways} if across.most >= 1 else {}
    axes = list(state.axes)
    for place, variable in enumerate(across.variables):
        plain = tuple(b for members, b in across.limits if variable in members and not b.of_product)
        axes[variable], shifts = _shifts(axes[variable], variable in step.final, step.fused, limits)
        if across.fixed is not None:
            shifts = tuple(shift for shift in shifts if shift[0] == across.fixed[place])
        shifts = tuple(shift for shift in shifts if all(b.allows((shift[0],)) for b in plain))
        ways = _next_variable(ways, across, [variable in members for members, _ in products], variable, shifts, axes)
    kept = [w for key, w in ways.items() if all(b.allows((n,)) for n, (_, b) in zip(key[2:], products, strict=True))]
    total: Array = sum(kept, np.zeros((len(state.taken), *map(len, axes)), state.ways.dtype))
    return _within(_trimmed(attrs.evolve(state, ways=total, axes=tuple(axes))), step.fused, limits)


def _next_variable(
    ways: Mapping[tuple[int, ...], Array],
    across: Across,
    members: Sequence[bool],
    variable: int,
    shifts: Sequence[_Shift],
    axes: Sequence[tuple[Coordinate, ...]],
) -> dict[tuple[int, ...], Array]:
    """`_across` for one rank variable, which has a part in some of the limited products."""
    result: dict[tuple[int, ...], Array] = {}
    size = len(axes[variable])
    for (used, running, *limited), old in ways.items():
        rows = np.ascontiguousarray(np.moveaxis(old, variable + 1, 0))  # whole rows are moved fastest
        for n, sources, targets in shifts:
            if used * n > across.most or running + (n > 1) > across.running:
                continue
            key = (used * n, running + (n > 1), *(p * n if own else p for p, own in zip(limited, members, strict=True)))
            if key not in result:
                result[key] = np.zeros((size, *rows.shape[1:]), rows.dtype)
            result[key][targets] += rows[sources]
    return {key: np.moveaxis(rows, 0, variable + 1) for key, rows in result.items()}


_Shift: TypeAlias = tuple[int, NDArray[np.int64], NDArray[np.int64]]  # trips, places before and after


@lru_cache(maxsize=4096)
def _shifts(
    axis: tuple[Coordinate, ...], final: bool, fused: bool, limits: Limits
) -> tuple[tuple[Coordinate, ...], tuple[_Shift, ...]]:
    """Where a loop of any number of trips can lead: (coordinates after it, what it does by its trips)."""
    counted = fused and limits.counted
    most = min(limits.per_variable, limits.in_all) if counted else float("inf")
    target, _ = _moves(axis, final, counted, most)
    place = {c: i for i, c in enumerate(target)}
    found: dict[int, list[tuple[int, int]]] = {}
    for i, (extent, loops) in enumerate(axis):
        for n in divisors(extent):
            after = (extent // n, loops + (counted and n > 1))
            if after in place and not (final and after[0] > 1):
                found.setdefault(n, []).append((i, place[after]))
    return target, tuple((n, *np.array(pairs, np.int64).T) for n, pairs in sorted(found.items()))


def _trimmed(state: State) -> State:
    """Without the coordinates that no way leads to."""
    result, axes = state.ways, []
    for v, axis in enumerate(state.axes):
        others = tuple(k for k in range(result.ndim) if k != v + 1)
        reached = np.flatnonzero((result != 0).any(axis=others))
        result = np.take(result, reached, axis=v + 1)
        axes.append(tuple(axis[i] for i in reached.tolist()))
    return attrs.evolve(state, ways=result, axes=tuple(axes))


def _within(state: State, fused: bool, limits: Limits) -> State:
    """Drop ways with too many fused loops in all."""
    if not fused or limits.in_all == float("inf"):
        return state
    loops = sum(_spread(state, v, [float(k) for _, k in axis]) for v, axis in enumerate(state.axes))
    return attrs.evolve(state, ways=state.ways * np.asarray(loops <= limits.in_all, np.int64))


def _unfused(state: State) -> State:
    """Forget how many fused loops there are."""
    result, axes = state.ways, []
    for v, axis in enumerate(state.axes):
        target = tuple(sorted({(extent, 0) for extent, _ in axis}))
        matrix = np.zeros((len(axis), len(target)), np.int64)
        for i, (extent, _) in enumerate(axis):
            matrix[i, target.index((extent, 0))] = 1
        moved = np.moveaxis(result, v + 1, -1) @ matrix.astype(result.dtype)
        result = np.moveaxis(moved, -1, v + 1)
        axes.append(target)
    return attrs.evolve(state, ways=result, axes=tuple(axes))


# -- memories -------------------------------------------------------------------------------------


def _spread(state: State, variable: int, values: Sequence[float]) -> NDArray[np.float64]:
    """Values along one axis, shaped to be combined with those along others (layers left out)."""
    shape = [1] * len(state.axes)
    shape[variable] = len(values)
    return np.asarray(values, np.float64).reshape(shape)


def _extent(state: State, variable: int, times: Sequence[float]) -> NDArray[np.float64]:
    return _spread(state, variable, [extent * times[variable] for extent, _ in state.axes[variable]])


def _bits(state: State, held: Held) -> NDArray[np.float64]:
    result = np.full((1,) * len(state.axes), held.bits)
    for rank in held.ranks:
        if rank:
            result = result * rank_values(rank, {v: _extent(state, v, held.times) for v, _ in rank})
    return result


def _limited(state: State, step: ShapeLimit) -> State:
    tested = [np.rint(_extent(state, v, step.times)) for v in step.variables]
    if step.limit.of_product:
        result = np.ones((1,) * len(state.axes))
        for extent in tested:
            result = result * extent
        tested = [result]
    ways = state.ways
    for extent in tested:
        allowed = np.vectorize(lambda x: int(step.limit.allows((float(x),))), otypes=[np.int64])(extent)
        ways = ways * allowed
    return attrs.evolve(state, ways=ways)


def _reserved(state: State, step: Reserve) -> State:
    """Put tiles into a memory: each way moves to the layer of the bits that are then taken."""
    bits = np.broadcast_to(sum(_bits(state, h) for h in step.held), state.ways.shape[1:])
    size = step.size * FITS
    old = state.memories
    place = old.index(step.memory) if step.memory in old else None
    others = tuple(m for m in old if m != step.memory)
    values = np.unique(bits)
    masks = [] if step.closing else [(value, bits == value) for value in values if value <= size]
    layers: dict[tuple[float, ...], Array] = {}
    for number, taken in enumerate(state.taken):
        mine = taken[place] if place is not None else 0.0
        rest = tuple(x for m, x in zip(old, taken, strict=True) if m != step.memory)
        if step.closing:
            _add(layers, rest, state.ways[number] * (mine + bits <= size))
            continue
        for value, mask in masks:
            if mine + value <= size:
                _add(layers, (*rest, mine + value), state.ways[number] * mask)
    memories = others if step.closing else (*others, step.memory)
    kept = {key: ways for key, ways in layers.items() if ways.any()}
    ways = np.stack(list(kept.values())) if kept else np.zeros((0, *state.ways.shape[1:]), state.ways.dtype)
    return State(ways, state.axes, memories, tuple(kept))


def _add(layers: dict[tuple[float, ...], Array], key: tuple[float, ...], ways: Array) -> None:
    layers[key] = layers[key] + ways if key in layers else ways
