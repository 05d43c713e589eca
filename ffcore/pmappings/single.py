"""The joiner of a workload of one Einsum: there is nothing to join, only rows to choose."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from ffcore.errors import PluginError
from ffcore.plugin.known import DEFAULT_JOINER, DISTRIBUTION_OF
from ffcore.pmappings.nests import nest_of_row
from ffcore.pmappings.pareto import pareto_mask
from ffcore.pmappings.select import select
from ffcore.pmappings.set import JoinedMapping, PmappingSet, check_joinable
from ffcore.spec.problem import MapperOptions, Metric, Problem

if TYPE_CHECKING:
    from ffcore.plugin import Progress


class SingleJoiner:
    """Exact: an Einsum's own pmappings fit as they are, and nothing else runs."""

    def guarantee(self, options: MapperOptions) -> float:
        """1: nothing better is left out."""
        return 1.0

    def join(
        self,
        problem: Problem,
        pmappings: PmappingSet,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> list[JoinedMapping]:
        """The Pareto-optimal mappings of the one Einsum, or none. Raises ``PluginError`` where there are more."""
        check_joinable("single", pmappings)
        count = len(problem.einsums)
        if count > 1:
            raise PluginError(
                f"the joiner 'single' maps workloads of one Einsum, and this one has {count}: "
                f"pip install {DISTRIBUTION_OF['joiner', DEFAULT_JOINER]}"
            )
        if not pmappings.einsums or not len(pmappings.einsums[0].rows):
            return []
        (found,) = pmappings.einsums
        columns = [0, 1]
        if Metric.RESOURCE_USAGE in problem.options.metrics:
            columns += [found.shape.own(m) for m in range(len(found.shape.memories))]
        costs = found.rows.values[:, columns]
        rows = np.flatnonzero(pareto_mask(np.zeros(len(costs), np.int64), np.ascontiguousarray(costs)))
        kept = [
            JoinedMapping(float(costs[row, 0]), float(costs[row, 1]), (nest_of_row(found, row),), (row,))
            for row in rows.tolist()
        ]
        return select(problem, kept)
