"""States of the lattice as arrays: all of them, some, or boxes of states that lie close together.

Costs, factors and bounds are functions of the state. What is computed for each state of a large lattice is most of the
work where few states have labels, so it is computed for the points that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
import numpy as np

from ffcore.explore.search.lattice import Lattice
from ffcore.pmappings.arrays import Floats, Ints
from ffcore.spec.problem import Tensor, rank_values

_T = TypeVar("_T")


@attrs.define(eq=False)
class Points:
    """So many states, or boxes of states; what is asked of them is computed once.

    ``ends``: per rank variable and interval of its values, the least and the most of these; of states each value is an
    interval. ``places``: per variable and point, which interval. ``states``: their numbers; None: all, in order, or
    boxes.
    """

    lattice: Lattice
    n: int
    ends: Mapping[str, tuple[Floats, Floats]]
    slacks_of: Mapping[str, tuple[Floats, Floats]]  # of variables with imperfect factors, as ``ends``, of slack to come
    states: Ints | None
    place: Callable[[int], Ints]  # of the variable with this number
    _known: dict[tuple[str, str], Any] = attrs.Factory(dict)

    @classmethod
    def of(cls, lattice: Lattice, states: Ints | None = None) -> Points:
        """All states, or those with the given numbers."""
        numbers = np.arange(lattice.n) if states is None else states
        ends = {}
        for v, own in zip(lattice.variables, lattice.values, strict=True):
            values = np.asarray(own, np.float64)
            ends[v] = values, values

        def place(axis: int) -> Ints:
            found: Ints = (numbers // lattice.strides[axis]) % len(lattice.values[axis])
            return found

        return cls(lattice, len(numbers), ends, lattice.slacks, states, place)

    @property
    def exact(self) -> bool:
        """Are they states?"""
        return all(low is high for low, high in self.ends.values())

    def at(self, axis: int) -> Ints:
        """Per point, the interval that a variable's extent is in."""
        return self._once("at", self.lattice.variables[axis], lambda: self.place(axis))

    def low(self, v: str) -> Floats:
        """Per point, the least extent of a variable."""
        return self._once("low", v, lambda: self.ends[v][0][self.at(self.lattice.variables.index(v))])

    def high(self, v: str) -> Floats:
        """Per point, the most of it."""
        low, high = self.ends[v]
        if low is high:
            return self.low(v)
        return self._once("high", v, lambda: high[self.at(self.lattice.variables.index(v))])

    def slack(self, v: str) -> tuple[Floats, Floats]:
        """Per point, the least and the most slack to come of a variable with imperfect factors."""
        at = self.at(self.lattice.variables.index(v))
        least, most = self.slacks_of[v]
        return self._once("slack", v, lambda: (least[at], most[at]))

    def left(self, v: str) -> Floats:
        """Per point, the most iterations of a variable that are left for loops to come."""
        left = self.lattice.einsum.bounds[v] / self.low(v)
        return np.ceil(left) if v in self.lattice.tiles else left

    def left_together(self, v: str) -> Floats:
        """Per point, the most that the trips of all loops to come over a variable can multiply to."""
        left = self.lattice.einsum.bounds[v] / self.low(v)
        return left * np.maximum(1.0, self.slack(v)[1]) if v in self.lattice.tiles else left

    def least_slack(self) -> Floats:
        """Per point, the least that steps of imperfect loops to come multiply time by."""

        def found() -> Floats:
            result = np.ones(self.n)
            if not self.lattice.einsum.is_copy:
                for v in self.slacks_of:
                    result = result * self.slack(v)[0]
            return result

        return self._once("slack", "", found)

    def _once(self, what: str, v: str, made: Callable[[], _T]) -> _T:
        if (what, v) not in self._known:
            self._known[what, v] = made()
        found: _T = self._known[what, v]
        return found

    def sizes(self, tensor: Tensor, factors: Mapping[str, float]) -> dict[str, Floats]:
        """The least tile sizes of a tensor's variables; ``factors``: what extents are multiplied by."""
        return {v: self.low(v) * factors[v] if v in factors else self.low(v) for v in tensor.variables}

    def tile(self, tensor: Tensor, factors: Mapping[str, float]) -> Floats:
        """The least values of ``tensor`` in its tile."""
        return tile_values(tensor, self.sizes(tensor, factors), self.n)

    def traffic(self, tensor: Tensor, factors: Mapping[str, float], skipped: bool = False) -> Floats:
        """Values that all instances of a child move to or from its parent: the least of them in a box.

        ``skipped``: of these, the first reads of outputs that memory need not serve: each value has one, whichever
        loops lead there (semantics, section 3). Spatial loops further out that the output does not see multiply them.

        In a box a variable has one extent or stands alone in its ranks, as it has imperfect factors: the more it gives
        to a tile the fewer tiles there are, so that traffic of its tensors does not fall with it; that of others does.
        """
        bounds = self.lattice.einsum.bounds
        if skipped:
            return np.full(self.n, float(tensor.tile_values(bounds)))
        result = self.tile(tensor, factors)
        for v in self.lattice.variables:
            extents = self.low(v) if v in tensor.variables else self.high(v)
            result = result * (bounds[v] / (extents * factors.get(v, 1)))
        return result


def tile_values(tensor: Tensor, sizes: Mapping[str, Floats], n: int) -> Floats:
    """As ``Tensor.tile_values``, for arrays of tile sizes."""
    result = np.ones(n)
    for rank in tensor.ranks:
        if rank.terms:
            result = result * rank_values(rank.terms, sizes)
    return result
