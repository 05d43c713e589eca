"""The lattice of tile sizes of one Einsum.

A state gives each rank variable the number of iterations that all loops further in do, in time and in space:
its *extent* ``x`` in 1 .. bound, a divisor of the bound. Any count of the model, taken over all instances and all
time, is a product of per-variable factors of the state at one cut (a sum of such products with affine ranks), so a
cost is a dense array over states.

A variable with imperfect factors has more values than divisors: all tiles that its outermost loop may have, and their
divisors. Below that loop everything is as with perfect factors; the loop itself leads from a tile t straight to the
bound N, in ceil(N / t) steps, and what it then costs more than N / t steps is the *slack* ceil(N / t) * t / N.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import attrs
import numpy as np

from ffcore.numbers import closed_under_divisors, divisors, prime_factors
from ffcore.pmappings.arrays import Floats, Ints
from ffcore.spec.problem import EinsumProblem

_UNLISTED = np.zeros(0, np.int64), np.zeros(0, np.int64)


class Steps(NamedTuple):
    """How kinds of moves go along an axis of the lattice, or along all states as if they were one.

    ``down`` and ``up``: per coordinate and kind, where a move to it comes from and where one from it leads to, or -1.
    ``ways``: where most lead nowhere, per coordinate the first of the kinds that lead to it, and these, coordinate by
    coordinate; empty: all are tried.
    """

    stride: int
    size: int
    down: Ints
    up: Ints
    ways: tuple[Ints, Ints] = _UNLISTED


@attrs.frozen(eq=False)
class Lattice:
    """States of the tile sizes; state number = sum(coordinate * stride)."""

    einsum: EinsumProblem
    variables: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]  # per variable, ascending divisors of its bound (and of imperfect tiles)
    strides: tuple[int, ...]
    n: int
    tiles: Mapping[str, tuple[int, ...]]  # per variable with imperfect factors, those of its outermost loop
    _steps: dict[Hashable, Steps] = attrs.field(factory=dict, init=False)

    @classmethod
    def build(cls, einsum: EinsumProblem, tiles: Mapping[str, tuple[int, ...]] | None = None) -> Lattice:
        tiles = tiles or {}
        variables = tuple(einsum.bounds)
        values = tuple(closed_under_divisors(tiles[v]) if v in tiles else divisors(einsum.bounds[v]) for v in variables)
        strides, n = [], 1
        for value in values:
            strides.append(n)
            n *= len(value)
        return cls(einsum, variables, values, tuple(strides), n, tiles)

    @cached_property
    def coordinates(self) -> Mapping[str, Mapping[int, int]]:
        """Per variable, the coordinate of each of its values."""
        return {
            v: {value: i for i, value in enumerate(values)}
            for v, values in zip(self.variables, self.values, strict=True)
        }

    def extents(self, states: Ints, axis: int) -> Ints:
        """Extents of one variable in the given states."""
        values = np.asarray(self.values[axis])
        found: Ints = values[(states // self.strides[axis]) % len(values)]
        return found

    def down(self, axis: int, factor: int) -> Ints:
        """Per coordinate of a variable, that of its value divided by ``factor``, or -1."""
        place = self.coordinates[self.variables[axis]]
        return np.array([place[u // factor] if u % factor == 0 else -1 for u in self.values[axis]], np.int64)

    def steps(self, variables: Sequence[str], trips: tuple[tuple[int, ...], ...]) -> Steps:
        """How moves go by loops that run so often, each kind those of all variables.

        Those of several variables go as if along one axis, of all states.
        """
        key = tuple(variables), trips
        if key not in self._steps:
            axes = [self.variables.index(v) for v in variables]
            if len(axes) == 1:
                down = np.array([self.down(axes[0], n) for (n,) in trips])
                self._steps[key] = Steps(self.strides[axes[0]], len(self.values[axes[0]]), *_both_ways(down))
            else:
                both = _both_ways(np.stack([self._divided(axes, own) for own in trips]))
                self._steps[key] = Steps(1, self.n, *both, _listed(both[0]))
        return self._steps[key]

    def _divided(self, axes: Sequence[int], factors: Sequence[int]) -> Ints:
        """Per state, the one whose extents of these variables are divided by the factors, or -1."""
        found = np.arange(self.n)
        for axis, n in zip(axes, factors, strict=True):
            if n > 1:
                below, own = self.down(axis, n), np.arange(len(self.values[axis]))
                step = np.where(below >= 0, (below - own) * self.strides[axis], -2 * self.n)
                found += step[(np.arange(self.n) // self.strides[axis]) % len(own)]
        return np.maximum(found, -1)

    def primes(self, axis: int) -> tuple[int, ...]:
        """The prime factors of a variable's values."""
        if self.variables[axis] not in self.tiles:
            return prime_factors(self.values[axis][-1])
        return tuple(sorted({p for u in self.values[axis] for p in prime_factors(u)}))

    def smaller(self, axis: int) -> list[Ints]:
        """Per prime factor of a variable's values: the coordinate of value / prime, or -1."""
        return [self.down(axis, p) for p in self.primes(axis)]

    def steps_to_bound(self, axis: int, tiles: Sequence[int]) -> Steps:
        """The moves from each of the tiles straight to the variable's bound."""
        down = np.full((len(tiles), len(self.values[axis])), -1, np.int64)
        down[:, -1] = [self.coordinates[self.variables[axis]][tile] for tile in tiles]
        return Steps(self.strides[axis], len(self.values[axis]), *_both_ways(down))

    def slack(self, variable: str, tile: int) -> float:
        """What the loop from ``tile`` to the bound costs more than the fraction bound / tile."""
        bound = self.einsum.bounds[variable]
        return -(-bound // tile) * tile / bound

    @cached_property
    def slacks(self) -> Mapping[str, tuple[Floats, Floats]]:
        """Per variable with imperfect factors, the least and the most slack to come, per coordinate."""
        found = {}
        for v, tiles in self.tiles.items():
            own = [
                [self.slack(v, t) for t in tiles if t % u == 0] or [1.0] for u in self.values[self.variables.index(v)]
            ]
            found[v] = np.array([min(s) for s in own]), np.array([max(s) for s in own])
        return found


def _both_ways(down: Ints) -> tuple[Ints, Ints]:
    """Per coordinate and kind, where a move comes from and where it leads to; ``down``: per kind and coordinate."""
    up = np.full_like(down, -1)
    kinds, coordinates = np.nonzero(down >= 0)
    up[kinds, down[kinds, coordinates]] = coordinates
    return np.ascontiguousarray(down.T), np.ascontiguousarray(up.T)


def _listed(down: Ints) -> tuple[Ints, Ints]:
    """Per coordinate the first of the kinds of moves that lead to it, and these, coordinate by coordinate."""
    coordinates, kinds = np.nonzero(down >= 0)
    return np.searchsorted(coordinates, np.arange(len(down) + 1)).astype(np.int64), kinds.astype(np.int64)
