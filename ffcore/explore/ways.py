"""Counting the ways down a nest: how many tile choices keep every limit (see `ffcore.explore.counting`).

The state on the way is the extent of each rank variable (from its bound down to 1), the bits taken so far in each
memory that more is still to be put in, and, while fused loops are limited, how many each rank variable has. For
each combination of the latter two an array over extents holds the number of ways that lead there: loops add
up ways along an axis (from each extent to its divisors), reservations move ways to other bits and drop
those that exceed the memory. Nothing is approximated: counts are held in floats only where they are below
2**53, else as Python integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.explore.numbers import divisors
from ffcore.spec.problem import Bound
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


@attrs.frozen
class Loop:
    """A temporal loop over a rank variable; ``final``: the last one, which leaves an extent of 1."""

    variable: int
    final: bool
    fused: bool


@attrs.frozen
class SpatialLoops:
    """The loops across one dimension: one of ``choices`` of trip counts per rank variable."""

    choices: tuple[tuple[int, ...], ...]
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
    exact: type = float if most < 2**53 else object
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


def _done(state: State) -> Array:
    """Ways that leave nothing to do."""
    kept = np.ix_(range(len(state.ways)), *([i for i, (x, _) in enumerate(axis) if x == 1] for axis in state.axes))
    done: Array = state.ways[kept]
    return done


def _after(state: State, step: Step, limits: Limits) -> State:
    if not state.ways.size:
        return state
    if isinstance(step, Loop):
        return _within(_along(state, step.variable, 0, step.final, step.fused, limits), step.fused, limits)
    if isinstance(step, SpatialLoops):
        return _across(state, step, limits)
    if isinstance(step, EndFused):
        return _unfused(state)
    if isinstance(step, Reserve):
        return _reserved(state, step)
    return _limited(state, step)


# -- loops ----------------------------------------------------------------------------------------


def _along(state: State, variable: int, trips: int, final: bool, fused: bool, limits: Limits) -> State:
    """One loop over a rank variable; ``trips``: how often it runs, 0 for any number."""
    axis = state.axes[variable]
    most = min(limits.per_variable, limits.in_all) if fused and limits.counted else float("inf")
    target, matrix = _moves(axis, trips, final, fused and limits.counted, most)
    moved = np.moveaxis(state.ways, variable + 1, -1) @ matrix.astype(state.ways.dtype)
    axes = (*state.axes[:variable], target, *state.axes[variable + 1 :])
    return attrs.evolve(state, ways=np.moveaxis(moved, -1, variable + 1), axes=axes)


@lru_cache(maxsize=4096)
def _moves(
    axis: tuple[Coordinate, ...], trips: int, final: bool, counted: bool, most: float
) -> tuple[tuple[Coordinate, ...], NDArray[np.int64]]:
    """Where a loop can lead from each coordinate: (coordinates after it, 0-1 matrix)."""
    found: list[tuple[int, Coordinate]] = []
    for i, (extent, loops) in enumerate(axis):
        for lower in divisors(extent):
            if (final and lower > 1) or (trips and lower * trips != extent):
                continue
            after = loops + (counted and lower < extent)
            if after <= most:
                found.append((i, (lower, after)))
    target = tuple(sorted({c for _, c in found}))
    matrix = np.zeros((len(axis), len(target)), np.int64)
    for i, coordinate in found:
        matrix[i, target.index(coordinate)] = 1
    return target, matrix


def _across(state: State, step: SpatialLoops, limits: Limits) -> State:
    """Loops across one dimension: the ways of all choices of trips together."""
    results = []
    for choice in step.choices:
        one = state
        for variable, trips in enumerate(choice):
            if trips > 1 or variable in step.final:
                one = _along(one, variable, trips, variable in step.final, step.fused, limits)
        if one.ways.size:
            results.append(one)
    axes = tuple(tuple(sorted({c for one in results for c in one.axes[v]})) for v in range(len(state.axes)))
    total = np.zeros((len(state.taken), *map(len, axes)), state.ways.dtype)
    for one in results:
        places = [[axis.index(c) for c in own] for axis, own in zip(axes, one.axes, strict=True)]
        total[np.ix_(range(len(total)), *places)] += one.ways
    return _within(attrs.evolve(state, ways=total, axes=axes), step.fused, limits)


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
        extent = np.ones((1,) * len(state.axes))
        for variable, coefficient in rank:
            extent = extent + coefficient * (_extent(state, variable, held.times) - 1)
        result = result * extent
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
