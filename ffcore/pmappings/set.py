"""What an explorer hands to a joiner: pmappings as arrays, and how to read them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.errors import FFError, PluginError
from ffcore.mapping.nest import Nest
from ffcore.pmappings.arrays import Ints
from ffcore.pmappings.rows import Rows, RowShape, places
from ffcore.pmappings.rows import TemplateChoice as TemplateChoice
from ffcore.spec.problem import Component, EinsumProblem, Problem
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
    jobs: Sequence[TemplateChoice]
    shape: RowShape
    rows: Rows
    offsets: Ints  # group g is rows offsets[g]:offsets[g + 1]
    stats: PmappingStats

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return sum(int(getattr(self.rows, field.name).nbytes) for field in attrs.fields(Rows))

    @property
    def places(self) -> tuple[Component, ...]:
        """What the numbers in ``rows.memory`` stand for."""
        return places(self.templates)


@attrs.frozen(eq=False)
class PmappingSet:
    """The pmappings of all Einsums of a problem, in workload order."""

    problem: Problem
    einsums: tuple[EinsumPmappings, ...]
    filtered: bool = False  # a user's filter has left some out, so that they are not all of their mapspace
    for_join: bool = False  # some may be left out that are in no mapping of ``problem`` that is worth having
    seconds: float = 0.0  # that the exploration took
    # Einsums without any, if the exploration ended there; after the first, those not yet explored then.
    without: tuple[str, ...] = ()
    # Mappings that these can be joined to, or others that cost and take as much: a joiner may begin with them, and
    # returns those that nothing betters. Their ``rows`` are not told.
    known: tuple[JoinedMapping, ...] = ()

    def check_whole(self) -> None:
        """Raise FFError for pmappings that one join alone makes right use of."""
        if self.for_join:
            raise FFError(
                "these pmappings were explored for one join, without those that are in no mapping that it returns: "
                "make others with ff.mapper.FFM.make_pmappings to filter, combine or join them in other ways"
            )

    def keep(self, masks: dict[str, NDArray[np.bool_]]) -> PmappingSet:
        """The set with only those rows of each named Einsum for which its mask is true."""
        self.check_whole()
        einsums = tuple(keep_rows(e, masks[e.einsum.name]) if e.einsum.name in masks else e for e in self.einsums)
        return attrs.evolve(self, einsums=einsums, filtered=True, known=())

    def einsums_of(self, rows: tuple[int, ...]) -> tuple[EinsumProblem, ...]:
        """The Einsums as the runs saw them that found these rows (one for each Einsum)."""
        return tuple(e.jobs[int(e.rows.job[row])].template.einsum for e, row in zip(self.einsums, rows, strict=True))


def check_joinable(joiner: str, pmappings: object) -> None:
    """Raise PluginError for pmappings that are no `PmappingSet`, which is what most joiners read."""
    if not isinstance(pmappings, PmappingSet):
        raise PluginError(
            f"the joiner {joiner!r} joins pmappings such as those of the explorer 'default', and is given others: "
            "leave mapper.explorer (--explorer) at its default, or choose the joiner that belongs to it"
        )


def keep_rows(pmappings: EinsumPmappings, mask: NDArray[np.bool_]) -> EinsumPmappings:
    """The rows for which ``mask`` is true; groups that lose all of theirs go."""
    before = np.concatenate([[0], np.cumsum(mask)])[pmappings.offsets]
    offsets = before[np.concatenate([[True], np.diff(before) > 0])]
    return attrs.evolve(pmappings, rows=pmappings.rows.take(np.flatnonzero(mask)), offsets=offsets.astype(np.int64))


@attrs.frozen
class JoinedMapping:
    """One mapping of the whole workload: its objectives and one nest per Einsum."""

    energy: float  # J
    latency: float  # s
    nests: tuple[Nest, ...]
    rows: tuple[int, ...] = ()  # per Einsum, the row of its pmappings that was chosen
    proven: bool = True  # False: time was up before the join had looked at everything, or as ``unproven`` says
    unproven: str = ""
