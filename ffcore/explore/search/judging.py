"""What labels are judged by: when one dominates another, and what all of them have to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np

from ffcore.explore.search.boxes import Boxes
from ffcore.explore.search.points import Points
from ffcore.pmappings.arrays import Floats, Ints
from ffcore.tolerances import BETTER, NOT_WORSE


@attrs.frozen(eq=False)
class Rivals:
    """When one label dominates another.

    A label's columns are its key, by which labels are sorted, and then groups: a column and the pending ones that will
    be added to it, each times a factor that is the same for all labels of a state but not yet known. Row
    ``which[0, c]`` of ``most`` and ``least`` (factors, states) bounds the factor of column ``c``. Loops that multicast
    one cluster of a group's columns do nothing for the other clusters, and all of them share the fanout:
    ``which[1, c]`` is the column's cluster (1 to 3, 0: none), rows ``which[2:5, c]`` of ``least`` bound each
    cluster's factor, and ``which[5, c]`` their product. ``apart``: as ``which``, but without the loops to come across
    the dimension at hand. ``ends``: the end of each group; the key is the first group's sum at ``most``.

    A label dominates another when, group by group, its sum is no greater whatever the factors.
    """

    ends: Ints
    which: Ints
    most: Floats
    least: Floats
    apart: Ints

    @property
    def width(self) -> int:
        return int(self.which.shape[1])

    def arrays(self) -> tuple[Ints, Ints, Floats, Floats]:
        return self.ends, self.which, self.most, self.least


def to_beat(known: Floats, others: float | Floats = 0.0) -> Floats:
    """What labels must not be worse than, one row for each known (energy, latency): energy and latency up to which a
    label is no worse in either, and those from which on it is worse.

    ``others``: (energy, latency) that come to what a label becomes in any case.
    """
    return np.concatenate([known / NOT_WORSE - others, known * BETTER - others], axis=1)


Backing = tuple[str, ...]
"""The memories that back an Einsum's shared tensors, in their order."""

Least = Mapping[Backing, Floats]
"""The least energy and the least latency of any pmapping of an Einsum, by backing."""


@attrs.frozen(eq=False)
class Enough:
    """What pmappings of an Einsum must not be worse than.

    ``known``: see `to_beat`. ``extra``: by backing, the energy that all that comes to a pmapping takes more than it
    takes at least.
    """

    known: Floats
    extra: Mapping[Backing, float]

    def each(self, instances: float) -> Enough:
        """The same for one instance of the Einsum."""
        return Enough(self.known / instances, {backing: extra / instances for backing, extra in self.extra.items()})


GuardArrays = tuple[Floats, Floats, Floats, float, float, Floats]


@attrs.frozen(eq=False)
class Guard:
    """What labels have to beat.

    ``to_go``: per column (energy, latency forms) and box of states the least that is still to come; ``scale``: per
    form the least that its total is multiplied by; ``power``: W that leak in any case; ``known``: see `to_beat`.
    ``inside``: what is still to come right inside of the node's cut.
    """

    boxes: Boxes
    to_go: Floats
    scale: Floats
    power: float
    timed: float  # 1, or 0 where only energy counts
    known: Floats
    inside: Callable[[], Floats]

    def below(self, loops: Sequence[tuple[int, bool]]) -> list[Guard]:
        """Of labels before the first, the second, ... of some loops in the block inside of the cut, and after the last.

        ``loops``: variable (its number), and whether the loop may lead from any tile to the bound.
        """
        to_go = self.inside()
        found = [attrs.evolve(self, to_go=to_go)]
        for axis, to_bound in reversed(loops):
            to_go = to_go.copy()
            self.boxes.over_multiples(to_go, axis, to_bound)
            found.append(attrs.evolve(self, to_go=to_go))
        return found[::-1]

    def at(self, points: Points) -> GuardArrays:
        """What is to come from each of the points, and what steps of imperfect loops multiply time by at least."""
        boxes = self.boxes.of(points)
        to_go = self.to_go if boxes is None else np.ascontiguousarray(self.to_go[:, boxes])
        return to_go, self.scale, points.least_slack(), self.power, self.timed, self.known


_NO_GUARD: GuardArrays = np.zeros((1, 1)), np.zeros(0), np.zeros(0), 0.0, 0.0, np.zeros((0, 4))


@attrs.frozen(eq=False)
class Around:
    """What is known of the lists of labels to be made: when one label dominates another, and what all have to beat."""

    rivals: Rivals
    guard: GuardArrays = _NO_GUARD  # that of none: everything is kept
