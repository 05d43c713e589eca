"""What is known of the states on one path: costs, factors of loops to come, and what labels have to beat."""

from __future__ import annotations

from functools import cached_property

import attrs

from ffcore.explore.search.bookings import Column, Columns
from ffcore.explore.search.costs import Costs
from ffcore.explore.search.judging import Around, Guard
from ffcore.explore.search.lattice import Lattice
from ffcore.explore.search.points import Points
from ffcore.pmappings.arrays import Ints

MANY = 20_000  # states of a lattice of which only those with labels are looked at, where few will have some


@attrs.define(eq=False, slots=False)
class Field:
    """Of all states at once, or of those that are asked for.

    ``sparse``: labels stand in lists of the states that have some, and nothing is computed for the others.
    """

    lattice: Lattice
    columns: Columns
    sparse: bool = False

    @cached_property
    def every(self) -> Costs:
        """Those of all states."""
        return Costs(Points.of(self.lattice), self.columns)

    def costs(self, states: Ints | None) -> Costs:
        """Those of the given states; None: of all."""
        return self.every if states is None else Costs(Points.of(self.lattice, states), self.columns)

    def around(
        self,
        columns: tuple[Column, ...],
        states: Ints | None,
        guard: Guard | None = None,
        dimension: tuple[int, int] | None = None,
    ) -> Around:
        """What labels with these columns are judged by in the given states; None: in all.

        ``dimension``: the one (component index, number) at hand, of whose loops some are still to come.
        """
        return around(self.costs(states), columns, guard, dimension)


def around(
    costs: Costs, columns: tuple[Column, ...], guard: Guard | None, dimension: tuple[int, int] | None = None
) -> Around:
    """As ``Field.around``, where costs of the states are at hand."""
    rivals = costs.ranges.rivals(columns, dimension)
    return Around(rivals) if guard is None else Around(rivals, guard.at(costs.points))
