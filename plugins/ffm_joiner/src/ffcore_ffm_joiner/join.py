"""The joiner ``ffm``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from ffcore.diagnose import explain_join
from ffcore.errors import FFError
from ffcore.join.objectives import check_metrics, select
from ffcore.join.types import JoinedMapping, PmappingSet
from ffcore.spec.problem import Problem
from ffcore_ffm_joiner.fold import join_all


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
        if row_filter is not None:
            raise FFError("the joiner 'ffm' takes no row filter; filter the pmappings before joining")
        mappings, _ = join_all(pmappings, progress)
        if not mappings:
            raise explain_join(problem, pmappings, _mappings)
        return select(problem, mappings)


def _mappings(problem: Problem, pmappings: PmappingSet) -> list[JoinedMapping]:
    """What joins, or nothing: what the diagnosis asks."""
    return join_all(pmappings)[0]
