"""The lattice of temporal tile sizes of one Einsum under one spatial choice.

A state gives each rank variable the number of iterations that its temporal loops further in still
do: ``u`` in 1 .. U, a divisor of U = bound / spatial trips. Any count of the model is a product of
per-variable factors of the state at one cut (a sum of such products with affine ranks), so a cost
is a dense array over states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import attrs
import numpy as np

from ffcore.explore.kernels import Floats, Ints
from ffcore.explore.numbers import divisors, prime_factors
from ffcore.explore.spatial import SpatialChoice
from ffcore.spec.problem import EinsumProblem, Tensor


@attrs.frozen(eq=False)
class Lattice:
    """States of the temporal tile sizes; state number = sum(coordinate * stride)."""

    einsum: EinsumProblem
    choice: SpatialChoice
    variables: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]  # per variable, ascending divisors of U
    strides: tuple[int, ...]
    n: int

    @classmethod
    def build(cls, einsum: EinsumProblem, choice: SpatialChoice) -> Lattice:
        total = choice.total()
        variables = tuple(einsum.bounds)
        values = tuple(divisors(einsum.bounds[v] // total.get(v, 1)) for v in variables)
        strides, n = [], 1
        for value in values:
            strides.append(n)
            n *= len(value)
        return cls(einsum, choice, variables, values, tuple(strides), n)

    @cached_property
    def grid(self) -> Mapping[str, Floats]:
        """Per variable, ``u`` of each state."""
        states = np.arange(self.n)
        return {
            v: np.asarray(value, dtype=np.float64)[(states // stride) % len(value)]
            for v, value, stride in zip(self.variables, self.values, self.strides, strict=True)
        }

    @cached_property
    def trips_above(self) -> Mapping[str, Floats]:
        """Per variable, the temporal trips above a cut at which the state is this one: U / u."""
        return {v: value[-1] / self.grid[v] for v, value in zip(self.variables, self.values, strict=True)}

    def times(self, other: Lattice, factors: Mapping[str, int]) -> Ints:
        """Per state, the state of ``other`` with each ``u`` times its factor, or -1."""
        return self._moved(
            other, [[u * factors.get(v, 1) for u in self.values[k]] for k, v in enumerate(self.variables)]
        )

    def over(self, factors: Mapping[str, int]) -> Ints:
        """Per state, the state with each ``u`` divided by its factor, or -1."""
        divided = [
            [u // factors.get(v, 1) if u % factors.get(v, 1) == 0 else 0 for u in self.values[k]]
            for k, v in enumerate(self.variables)
        ]
        return self._moved(self, divided)

    def _moved(self, other: Lattice, values: Sequence[Sequence[int]]) -> Ints:
        result = np.zeros(1, np.int64)
        for k, moved in enumerate(values):
            place = {value: i * other.strides[k] for i, value in enumerate(other.values[k])}
            axis = np.array([place.get(value, -1) for value in moved], np.int64)[:, None]
            result = np.where((axis < 0) | (result < 0), -1, axis + result).reshape(-1)
        return result

    def smaller(self, axis: int) -> list[Ints]:
        """Per prime factor of a variable's values: the coordinate of value / prime, or -1."""
        values = self.values[axis]
        place = {value: i for i, value in enumerate(values)}
        return [
            np.array([place[u // p] if u % p == 0 else -1 for u in values], np.int64) for p in prime_factors(values[-1])
        ]

    def tile(self, tensor: Tensor, index: int) -> Floats:
        """Values of ``tensor`` in its tile in component ``index``, per state."""
        below = self.choice.below(index)
        return tile_values(tensor, {v: self.grid[v] * below.get(v, 1) for v in tensor.variables}, self.n)

    def traffic(self, tensor: Tensor, index: int, skipped: bool = False) -> Floats:
        """Values that all instances of a child in component ``index`` move to or from its parent.

        ``skipped``: of these, the first reads of outputs that memory need not serve: they recur in
        temporal loops over fully relevant variables only (semantics, section 3).
        """
        result = self.tile(tensor, index) * self.choice.upto(index)
        for v in self.variables:
            if not skipped or v in tensor.fully_relevant:
                result = result * self.trips_above[v]
        return result


def tile_values(tensor: Tensor, sizes: Mapping[str, Floats], n: int) -> Floats:
    """Product over ranks of (expression at tile - 1) + 1, for arrays of tile sizes."""
    result = np.ones(n)
    for rank in tensor.ranks:
        extent = np.ones(n)
        for v, coefficient in rank.terms:
            extent = extent + coefficient * (sizes[v] - 1)
        result = result * extent
    return result
