"""Exploration: the Pareto-optimal pmappings of each Einsum.

``DefaultExplorer`` is the part behind ``mapper: {explorer: default}``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ffcore.join.types import PmappingSet
    from ffcore.spec.problem import Problem

__all__ = ["DefaultExplorer"]


class DefaultExplorer:
    """Exact: every pmapping that is Pareto-optimal for its compatibility."""

    def explore(
        self,
        problem: Problem,
        *,
        executor: Executor | None = None,
        progress: Callable[[str], None] | None = None,
        cache_dir: Path | None = None,
        einsum_names: Sequence[str] | None = None,
    ) -> PmappingSet:
        """The pmappings of each Einsum (see ``ffcore.plugin.interfaces.Explorer``).

        Raises ``NoValidMappingError`` when an Einsum has none; it says why.
        """
        from ffcore.explore.explorer import explore
        from ffcore.join.types import PmappingSet

        found = explore(
            problem, executor=executor, progress=progress, cache_dir=cache_dir, einsum_names=einsum_names
        )
        empty = [e.einsum.name for e in found if not len(e.rows)]
        if empty:
            from ffcore.diagnose import explain_einsums

            raise explain_einsums(problem, empty)
        return PmappingSet(problem, found)
