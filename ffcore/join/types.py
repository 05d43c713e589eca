"""What goes into a join and what comes out."""

from __future__ import annotations

import attrs

from ffcore.explore.types import EinsumPmappings
from ffcore.mapping.nest import Nest
from ffcore.spec.problem import Problem


@attrs.frozen(eq=False)
class PmappingSet:
    """The pmappings of all Einsums of a problem, in workload order."""

    problem: Problem
    einsums: tuple[EinsumPmappings, ...]


@attrs.frozen
class JoinedMapping:
    """One mapping of the whole workload: its objectives and one nest per Einsum."""

    energy: float  # J
    latency: float  # s
    nests: tuple[Nest, ...]
    rows: tuple[int, ...] = ()  # per Einsum, the row of its pmappings that was chosen
