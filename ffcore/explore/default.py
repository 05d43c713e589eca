"""The explorer ``default``: it explores what is not stored yet, and stores it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ffcore.explore.reuse.cache import PmappingCache
    from ffcore.explore.together import Joined
    from ffcore.plugin import Progress
    from ffcore.pmappings.set import EinsumPmappings, PmappingSet
    from ffcore.spec.problem import Problem


class CacheWarning(UserWarning):
    """Something stored could not be used, and is made again."""


class DefaultExplorer:
    """Exact: every pmapping that is Pareto-optimal for its compatibility."""

    def explore(
        self,
        problem: Problem,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        cache_dir: Path | None = None,
        einsum_names: Sequence[str] | None = None,
        joined: Joined | None = None,
    ) -> PmappingSet:
        """The pmappings of each Einsum (see ``ffcore.plugin.interfaces.Explorer``).

        With ``cache_dir`` Einsums that were explored before are read from there, the others are explored and
        written, each as soon as it is explored: an exploration that ends early goes on there. A file that is
        damaged gives a ``CacheWarning`` and is written again.
        With a limit of time (``mapper.ffm.time_limit``) an Einsum may have only a part of them, which is not written.
        Where an Einsum has none the exploration ends, at once where no tile can fit: the set is empty and says which.
        ``joined``: what pmappings come to when they are joined: then those that can be in no mapping worth having may
        be left out, unless they are to be stored.
        Raises ``TimeLimitError`` and ``MemoryLimitError`` for limits that leave nothing.
        """
        from ffcore.explore.explorer import NothingFound, explore
        from ffcore.explore.limits import Limits
        from ffcore.explore.reuse.cache import PmappingCache
        from ffcore.pmappings.set import PmappingSet

        begun, limits = time.monotonic(), Limits.of(problem.options)
        names = [e.name for e in problem.einsums if einsum_names is None or e.name in einsum_names]
        cache = None if cache_dir is None else PmappingCache(cache_dir, problem, limits.check_time)
        found = {} if cache is None else _stored(cache, names, progress)
        for_join = joined is not None and cache is None and einsum_names is None
        missing = [name for name in names if name not in found]
        if missing:
            if cache is not None:
                cache.prepare()
            try:
                explored = explore(
                    problem,
                    executor=executor,
                    progress=progress,
                    einsum_names=missing,
                    known=found,
                    found=None if cache is None else partial(_store, cache),
                    limits=limits,
                    stop_at_nothing=True,
                    whole=einsum_names is None,
                    joined=joined if for_join else None,
                )
            except NothingFound as nothing:
                return PmappingSet(problem, (), seconds=time.monotonic() - begun, without=nothing.names)
            found |= {pmappings.einsum.name: pmappings for pmappings in explored}
        empty = tuple(name for name in names if not len(found[name].rows))
        seconds = time.monotonic() - begun
        einsums = tuple(found[name] for name in names)
        return PmappingSet(problem, einsums, for_join=for_join, seconds=seconds, without=empty)


def _store(cache: PmappingCache, pmappings: EinsumPmappings) -> None:
    """What is complete is kept; the rest is to be explored again when there is more time."""
    if pmappings.stats.complete:
        cache.store(pmappings)


def _stored(cache: PmappingCache, names: Sequence[str], progress: Progress | None) -> dict[str, EinsumPmappings]:
    from ffcore.explore.reuse.cache import DamagedCacheError

    found = {}
    for name in names:
        try:
            pmappings = cache.load(name)
        except DamagedCacheError as error:
            warnings.warn(CacheWarning(f"{error}; {name} is explored again"), stacklevel=3)
            continue
        if pmappings is not None:
            found[name] = pmappings
            if progress is not None:
                progress(f"{name}: {len(pmappings.rows)} Pareto-optimal, read from {cache.path(name)}")
    return found
