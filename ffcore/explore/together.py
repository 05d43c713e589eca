"""Einsums explored for each other: what can be in no mapping of the workload that is worth having is not explored.

A mapping of the workload costs what its pmappings cost together. So a pmapping cannot be part of a mapping that is
Pareto-optimal if, with the least energy and latency that any pmapping of each other Einsum has, it is still worse than
some mapping that is known. Where an Einsum turns out to have many labels, its exploration is given up, and a quick one
finds the least of all its pmappings and some good ones, whatever they are compatible with. Joined with those of the
other Einsums they are the mappings that are known, mostly within a percent of the best, and the Einsum is explored once
more with that to beat. Only few of its pmappings are left then, which also makes the join quick.

Exact: every pmapping of every mapping that no other one betters is kept (``tests/explore/test_together.py``). But what
is left are not all Pareto-optimal pmappings: they are for the problem at hand, and are not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ffcore.explore.search.judging import to_beat
from ffcore.pmappings.arrays import Floats
from ffcore.pmappings.set import EinsumPmappings, PmappingSet

LABELS = 3_000_000  # that one Einsum would have, from which on it pays to look at the others first

Joined = Callable[[PmappingSet], Floats]
"""(energy, latency) of mappings of the workload that pmappings make."""


def least_of(pmappings: EinsumPmappings) -> Floats:
    """The least energy and the least latency of any of them."""
    least: Floats = pmappings.rows.costs.min(axis=0, initial=np.inf)
    return least


def enough(known: Floats, least: Mapping[int, Floats], wanted: Iterable[int]) -> dict[int, Floats]:
    """What pmappings of Einsums must not be worse than (see `to_beat`), by the (energy, latency) of mappings that are
    ``known`` and the ``least`` of every Einsum."""
    found = {}
    for i in wanted:
        others: Floats = np.sum([own for k, own in least.items() if k != i], axis=0)
        found[i] = to_beat(known, others)
    return found
