"""What an explorer hands to a joiner: pmappings as arrays, and how to read them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ffcore.explore.kernels import Ints
from ffcore.explore.rows import Job as Job
from ffcore.explore.rows import Rows, RowShape, places
from ffcore.spec.problem import Component, EinsumProblem
from ffcore.templates import Template


@attrs.frozen
class PmappingStats:
    """Counts of one Einsum's mapspace."""

    total: int
    evaluated: int
    unexplored: int = 0  # templates that were left out when time was up

    @property
    def complete(self) -> bool:
        """Is every template explored? If not, there may be better pmappings."""
        return not self.unexplored


@attrs.frozen(eq=False)
class EinsumPmappings:
    """The Pareto-optimal pmappings of one Einsum, sorted into groups of equal compatibility."""

    einsum: EinsumProblem
    templates: tuple[Template, ...]
    jobs: Sequence[Job]
    shape: RowShape
    rows: Rows
    offsets: Ints  # group g is rows offsets[g]:offsets[g + 1]
    stats: PmappingStats

    @property
    def places(self) -> tuple[Component, ...]:
        """What the numbers in ``rows.memory`` stand for."""
        return places(self.templates)
