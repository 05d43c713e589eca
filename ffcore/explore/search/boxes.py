"""Boxes of states: what is still to come is bounded for a few thousand of them instead of for millions of states.

A rank variable with imperfect factors has hundreds of tile sizes, and all states together are too many to look at even
once. States whose extents lie close together are put into one box; a bound that holds for all of them is a little
weaker, and prunes less, never wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import attrs
import numpy as np

from ffcore.explore.search.compiled_moves import over_pairs
from ffcore.explore.search.lattice import Lattice
from ffcore.explore.search.points import Points
from ffcore.pmappings.arrays import Floats, Ints

MANY = 20_000  # boxes: ten times as many take ten times as long to bound, for a tenth fewer labels
_CLOSER = 1.25  # ratio by which boxes become wider until they are few enough


@attrs.frozen(eq=False)
class Boxes:
    """A partition of a lattice's states; box number = sum over variables of (interval * stride).

    ``intervals``: per variable the number of the interval that each of its values is in, ascending.
    """

    lattice: Lattice
    intervals: tuple[Ints, ...]
    _leads: dict[tuple[int, bool], tuple[Ints, Ints]] = attrs.field(factory=dict, init=False)

    @classmethod
    def single(cls, lattice: Lattice) -> Boxes:
        """Each state is a box."""
        return cls(lattice, tuple(np.arange(len(own)) for own in lattice.values))

    @classmethod
    def few(cls, lattice: Lattice) -> Boxes:
        """At most `MANY` boxes, if variables with perfect factors, whose values are kept apart, allow it.

        Intervals are as wide as they must be, in the ratio of their ends. The bound is alone in its own.
        """
        ratio = 1.0
        while True:
            own = tuple(
                _intervals(values, ratio) if v in lattice.tiles else np.arange(len(values))
                for v, values in zip(lattice.variables, lattice.values, strict=True)
            )
            if math.prod(int(i[-1]) + 1 for i in own) <= MANY or ratio > max(lattice.einsum.bounds.values()):
                return cls(lattice, own)
            ratio = 1 + (ratio - 1) * _CLOSER + 0.01

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(int(own[-1]) + 1 for own in self.intervals)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        return tuple(math.prod(self.sizes[:axis]) for axis in range(len(self.sizes)))

    @property
    def exact(self) -> bool:
        """Is each state a box?"""
        return self.n == self.lattice.n

    @property
    def n(self) -> int:
        return math.prod(self.sizes)

    def of(self, points: Points) -> Ints | None:
        """The box of each state; None for all states where each is its own box."""
        if points.states is None and self.exact:
            return None
        found = np.zeros(points.n, np.int64)
        for axis, (own, stride) in enumerate(zip(self.intervals, self.strides, strict=True)):
            found += (own * stride)[points.at(axis)]
        return found

    def of_states(self, states: Ints) -> Ints:
        """The box of each of the states with these numbers."""
        found = self.of(Points.of(self.lattice, states))
        assert found is not None  # as they are some states
        return found

    @cached_property
    def points(self) -> Points:
        """The boxes, each as the least and the most of what its states have."""
        if self.exact:
            return Points.of(self.lattice)
        ends, slacks = {}, {}
        numbers = np.arange(self.n)
        for axis, v in enumerate(self.lattice.variables):
            own = self.intervals[axis]
            first = np.flatnonzero(np.diff(own, prepend=-1))
            values = np.asarray(self.lattice.values[axis], np.float64)
            low, high = values[first], values[np.append(first[1:], len(own)) - 1]
            ends[v] = (low, low) if len(low) == len(own) else (low, high)
            if v in self.lattice.slacks:
                least, most = self.lattice.slacks[v]
                slacks[v] = np.minimum.reduceat(least, first), np.maximum.reduceat(most, first)

        def place(axis: int) -> Ints:
            found: Ints = (numbers // self.strides[axis]) % self.sizes[axis]
            return found

        return Points(self.lattice, self.n, ends, slacks, None, place)

    def ended(self, axis: int) -> Floats:
        """Per box, 0 where a variable has done all its iterations, infinity elsewhere."""
        at = (np.arange(self.n) // self.strides[axis]) % self.sizes[axis]
        return np.where(at == self.sizes[axis] - 1, 0.0, np.inf)

    def over_multiples(self, values: Floats, axis: int, to_bound: bool) -> None:
        """Per box, the least over all boxes to which a variable's loops lead, and itself; in place.

        ``values``: (rows, boxes). ``to_bound``: every tile leads to the bound too.
        """
        shaped = values.reshape(len(values), -1, self.sizes[axis], self.strides[axis])
        over_pairs(shaped, *self._led(axis, to_bound))

    def _led(self, axis: int, to_bound: bool) -> tuple[Ints, Ints]:
        """Intervals of a variable, and others to which its loops lead, by pairs.

        Passed on in this order, the least of all that an interval leads to reaches it: by one prime factor after the
        other, from the last interval on, or, of intervals with several values, from each later one at once.
        """
        key = axis, to_bound
        if key not in self._leads:
            n = self.sizes[axis]
            pairs = [(i, n - 1) for i in range(n - 1)] if to_bound else []
            if n < len(self.intervals[axis]):
                pairs += [(i, j) for i, others in enumerate(self._reached(axis)) for j in others]
            else:
                own = self.lattice.values[axis]
                place = self.lattice.coordinates[self.lattice.variables[axis]]
                steps = [(i, place.get(own[i] * p)) for p in self.lattice.primes(axis) for i in range(n - 1, -1, -1)]
                pairs += [(i, j) for i, j in steps if j is not None]
            found = np.array(pairs, np.int64).reshape(-1, 2)
            self._leads[key] = np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1])
        return self._leads[key]

    def _reached(self, axis: int) -> list[Sequence[int]]:
        """Per interval, the later ones with a multiple of one of its values."""
        values, own = np.asarray(self.lattice.values[axis]), self.intervals[axis]
        found: list[Sequence[int]] = []
        for i in range(self.sizes[axis]):
            hit = (values[None, :] % values[own == i][:, None] == 0).any(axis=0)
            found.append([j for j in np.unique(own[hit]).tolist() if j > i])
        return found


def _intervals(values: Sequence[int], ratio: float) -> Ints:
    """Numbers of intervals, each from its first value to at most ``ratio`` times it."""
    found: list[int] = []
    first, number = values[0], 0
    for value in values:
        if found and (value > ratio * first or value == values[-1]):
            first, number = value, number + 1
        found.append(number)
    return np.array(found, np.int64)
