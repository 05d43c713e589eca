"""Mappings that a point shares with points before it that need the same explorations.

A joiner that knows good mappings leaves out most of its work (``PmappingSet.known``). Exact: a mapping of rows that
were explored for two points is one of both where it fits in the memories, which is seen from the bits that it takes at
most, and fuses no more loops than allowed. Where a point has another row in the place of one of them, that row costs
and takes no more.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import attrs
import numpy as np

from ffcore.plugin import (
    EinsumPmappings,
    Ints,
    JoinedMapping,
    JointEvaluation,
    MapperOptions,
    Nest,
    Problem,
)
from ffcore_sweep.restrict import Sizes, costs_of


@attrs.frozen(eq=False)
class Neighbour:
    """A mapping of another point."""

    problem: Hashable  # what of that point's problem must be the same, see `same_in`
    rows: tuple[int, ...]  # per Einsum, of what was explored for it
    loops: int  # the most that are fused in an Einsum
    bits: Mapping[str, float]  # that it takes of each memory at its fullest moment
    nests: tuple[Nest, ...]

    @classmethod
    def of(
        cls,
        problem: Hashable,
        found: Sequence[EinsumPmappings],
        rows: Iterable[int],
        mapping: JoinedMapping,
        evaluation: JointEvaluation,
    ) -> Neighbour:
        """``found``: what was explored for each Einsum; ``rows``: of it, those that the mapping is made of."""
        rows = tuple(rows)
        loops = (np.count_nonzero(one.rows.loops[row]) for one, row in zip(found, rows, strict=True))
        bits = {memory: peak.bits for memory, peak in evaluation.peaks.items()}
        return cls(problem, rows, max(map(int, loops), default=0), bits, mapping.nests)


def same_in(problem: Problem) -> Hashable:
    """What two problems of equal explorations must also have the same for their mappings to be the same: names, also
    those of rank variables, and options."""
    default = MapperOptions()
    names = tuple(
        (e.name, tuple(e.names), tuple(e.bounds), tuple(tuple(path.names) for path in e.paths)) for e in problem.einsums
    )
    options = attrs.evolve(problem.options, max_fused_loops=default.max_fused_loops, metrics=default.metrics)
    return names, options


def common(sizes: Sequence[Sizes]) -> dict[str, float] | None:
    """The bits of each memory; None where they differ between Einsums, as then it is not seen from bits what fits."""
    room: dict[str, float] = {}
    for own in sizes:
        for name, size in own.items():
            if room.setdefault(name, size) != size:
                return None
    return room


def known(
    neighbours: Sequence[Neighbour],
    problem: Hashable,
    options: MapperOptions,
    found: Sequence[EinsumPmappings],
    sizes: Sequence[Sizes],
    scales: Sequence[Sequence[tuple[str, float]]],
) -> tuple[JoinedMapping, ...]:
    """Those mappings of its neighbours that a point has too, with what they cost there.

    ``problem``: as a neighbour has it; ``found``, ``sizes``, ``scales``: per Einsum, as `restricted` is given them.
    """
    room = common(sizes)
    if room is None or not neighbours:
        return ()
    fitting = [
        other
        for other in neighbours
        if other.problem == problem
        and other.loops <= options.max_fused_loops
        and all(bits <= room.get(memory, bits) for memory, bits in other.bits.items())
    ]
    if not fitting:
        return ()
    rows: Ints = np.array([other.rows for other in fitting])
    total = np.zeros((len(fitting), 2))
    for k, (one, scale) in enumerate(zip(found, scales, strict=True)):
        total += costs_of(one.rows.values[rows[:, k]], one.shape, options, scale)
    return tuple(JoinedMapping(e, t, other.nests) for (e, t), other in zip(total.tolist(), fitting, strict=True))
