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

from collections.abc import Mapping, Sequence
from functools import cached_property

import attrs
import numpy as np

from ffcore.numbers import closed_under_divisors, divisors, prime_factors
from ffcore.pmappings.arrays import Floats, Ints
from ffcore.spec.problem import EinsumProblem


@attrs.frozen(eq=False)
class Lattice:
    """States of the tile sizes; state number = sum(coordinate * stride)."""

    einsum: EinsumProblem
    variables: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]  # per variable, ascending divisors of its bound (and of imperfect tiles)
    strides: tuple[int, ...]
    n: int
    tiles: Mapping[str, tuple[int, ...]]  # per variable with imperfect factors, those of its outermost loop

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

    def primes(self, axis: int) -> tuple[int, ...]:
        """The prime factors of a variable's values."""
        if self.variables[axis] not in self.tiles:
            return prime_factors(self.values[axis][-1])
        return tuple(sorted({p for u in self.values[axis] for p in prime_factors(u)}))

    def smaller(self, axis: int) -> list[Ints]:
        """Per prime factor of a variable's values: the coordinate of value / prime, or -1."""
        return [self.down(axis, p) for p in self.primes(axis)]

    def steps_to_bound(self, axis: int, tiles: Sequence[int]) -> tuple[Ints, Ints]:
        """(down, up) of the moves from each of the tiles straight to the variable's bound; see `Moves`."""
        values = self.values[axis]
        place = self.coordinates[self.variables[axis]]
        down, up = (np.full((len(tiles), len(values)), -1, np.int64) for _ in range(2))
        for k, tile in enumerate(tiles):
            down[k, -1] = place[tile]
            up[k, place[tile]] = len(values) - 1
        return down, up

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
