"""The joiner ``ffm``."""

from __future__ import annotations

import os
from concurrent.futures import Executor

import attrs

from ffcore.plugin import (
    JoinedMapping,
    Limits,
    MapperOptions,
    PmappingSet,
    Problem,
    Progress,
    check_joinable,
    check_metrics,
    select,
    workers_of,
)
from ffcore_ffm_joiner.fold import join_all


class FFMJoiner:
    """Exact join: the Pareto set of all compatible combinations that fit in every memory.

    With ``objective_tolerance`` it is quicker, and exact to within that: see `guarantee`.
    """

    def guarantee(self, options: MapperOptions) -> float:
        """The factor g >= 1 for which this holds: for every mapping that the given pmappings can be joined to, some
        returned mapping is no more than g times as large in each metric asked for.

        It is 1 + ``objective_tolerance``: 1 without a tolerance, when the result is exact (to 1e-12, for rounding).
        """
        return 1 + options.objective_tolerance

    def join(
        self,
        problem: Problem,
        pmappings: PmappingSet,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> list[JoinedMapping]:
        """Joined mappings, ascending in energy.

        Empty where nothing matches and fits. With a limit of time, what is known when it is up (``proven`` is false
        then). Raises ``TimeLimitError`` and ``MemoryLimitError`` where a limit leaves nothing.
        """
        check_metrics(problem.options.metrics)
        check_joinable("ffm", pmappings)
        if not pmappings.einsums or not all(len(e.rows) for e in pmappings.einsums):
            return []
        limits = Limits.of_join(problem.options, pmappings.seconds)
        threads = workers_of(executor, os.cpu_count() or 1)
        mappings, _ = join_all(attrs.evolve(pmappings, problem=problem), progress, limits, threads)
        return select(problem, mappings)
