"""The joiner ``ffm``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from ffcore.diagnose import explain_join
from ffcore.join.objectives import check_metrics, select
from ffcore.join.types import JoinedMapping, PmappingSet
from ffcore.spec.problem import Problem
from ffcore_ffm_joiner.fold import Fold, mappings_of


class FFMJoiner:
    """Exact join: the Pareto set of all compatible combinations that fit in every memory."""

    def join(
        self,
        problem: Problem,
        pmappings: PmappingSet,
        *,
        row_filter: Callable[..., Any] | None = None,
        executor: Executor | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> list[JoinedMapping]:
        """Joined mappings, ascending in energy.

        Raises ``NoValidMappingError`` when nothing matches and fits; it says why.
        """
        check_metrics(problem.options.metrics)
        fold = Fold(pmappings)
        final = fold.run(progress)
        if not len(final.values):
            raise explain_join(problem, pmappings, _mappings)
        return select(problem, mappings_of(final, pmappings))


def _mappings(problem: Problem, pmappings: PmappingSet) -> list[JoinedMapping]:
    """What joins, or nothing: what the diagnosis asks."""
    return mappings_of(Fold(pmappings).run(), pmappings)
