"""The joins of a batch of points, in rounds: of each chain some points, then the next ones.

Between two rounds what is known comes back to the sweep's own process, so that points are told soon. After a kill the
joins of chains that had not ended are made again, of points that are done too: what comes after depends on them.
Results do not depend on where chains are cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from ffcore.plugin import EinsumPmappings
from ffcore_sweep.chains import Chains, together
from ffcore_sweep.joins import Chain, Join, Outcome, joined
from ffcore_sweep.neighbours import Neighbour
from ffcore_sweep.points import Point
from ffcore_sweep.sharing import Exploration, Plan

Answer = list[tuple[list[Outcome], tuple[Neighbour, ...]]]


@attrs.define(eq=False)
class Batch:
    """What is left to join of some chains, and what is known of each."""

    plan: Plan
    explorations: Mapping[int, Exploration]  # by number
    found: Mapping[int, EinsumPmappings]  # likewise
    chains: Chains
    left: list[list[Point]]
    _known: dict[int, tuple[Neighbour, ...]] = attrs.Factory(dict)  # by number of the chain

    def __len__(self) -> int:
        return sum(map(len, self.left))

    def first(self) -> Iterator[tuple[Point, Outcome]]:
        """Join the first point of all, here."""
        (part,) = self._cut(1, 1)
        yield from self.outcomes([part], joined(*self._call([part])))

    def round(self, size: int) -> tuple[list[list[list[Point]]], list[tuple[Any, ...]]]:
        """The next points of each chain, ``size`` of them or fewer: those of each task, and its arguments of `joined`.

        Short ones go to a worker together.
        """
        tasks = list(together(self._cut(len(self.left), size), size))
        return tasks, [self._call(task) for task in tasks]

    def outcomes(self, task: Sequence[Sequence[Point]], answer: Answer) -> Iterator[tuple[Point, Outcome]]:
        """What came of the points of a task."""
        for part, (outcomes, known) in zip(task, answer, strict=True):
            self._known[self._number(part)] = known
            yield from zip(part, outcomes, strict=True)

    def _cut(self, chains: int, size: int) -> list[list[Point]]:
        parts = [chain[:size] for chain in self.left[:chains]]
        rest = [chain[size:] for chain in self.left[:chains]]
        self.left = [chain for chain in rest + self.left[chains:] if chain]
        return parts

    def _call(self, parts: Sequence[Sequence[Point]]) -> tuple[Any, ...]:
        """The arguments of `joined`; what was found for several of them is there once."""
        needed = [self.numbers(part[0]) for part in parts]
        places = {k: place for place, k in enumerate(dict.fromkeys(k for own in needed for k in own))}
        going_on = {self._number(chain) for chain in self.left}
        chains = tuple(
            Chain(
                tuple(Join.of(point, self.plan, self.explorations) for point in part),
                tuple(places[k] for k in own),
                self._known.pop(self._number(part), ()),
                self._number(part) in going_on,
            )
            for part, own in zip(parts, needed, strict=True)
        )
        return (chains, *(self.found[k] for k in places))

    def _number(self, points: Sequence[Point]) -> int:
        return self.chains.of[points[0].number]

    def numbers(self, point: Point) -> tuple[int, ...]:
        """The explorations that a point needs, each once."""
        return tuple(dict.fromkeys(self.plan.order[point.number]))
