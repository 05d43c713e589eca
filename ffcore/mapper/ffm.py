"""``ffcore.mapper.FFM``: make pmappings of each Einsum, then join them.

pmappings = ff.mapper.FFM.make_pmappings(spec)
mappings = ff.mapper.FFM.join_pmappings(spec, pmappings)
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ffcore.errors import FFError
from ffcore.mapper.job import Job, problem_of
from ffcore.mapper.workers import workers
from ffcore.objectives import Objectives
from ffcore.phases import phase
from ffcore.pmappings.set import PmappingSet
from ffcore.results.mappings import Mappings
from ffcore.results.pmappings import Pmappings, RowFilter
from ffcore.results.union import difference
from ffcore.spec.problem import Metric as Metrics
from ffcore.spec.problem import Problem

if TYPE_CHECKING:
    from ffcore.plugin import Progress
    from ffcore.spec import Spec

__all__ = ["Mappings", "Metrics", "Pmappings", "join_pmappings", "make_pmappings"]


def make_pmappings(
    spec: Spec,
    can_combine_multiple_runs: bool = False,
    cache_dir: str | Path | None = None,
    einsum_names: Sequence[str] | None = None,
    *,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Pmappings:
    """Explore the mappings of each Einsum with the explorer that the spec names, or the one for its joiner.

    ``can_combine_multiple_runs``: keep all that is needed to combine the result (``|``) with that of a
    run under other constraints; slower. ``cache_dir``: pmappings are kept in this folder and used again for a
    spec of the same content. ``einsum_names``: only these (default: all). ``n_jobs`` or ``executor``: what runs in
    parallel (default: see `set_n_parallel_jobs`; an executor stays the caller's). ``progress`` gets a line of text
    now and then. With ``spec.mapper.ffm.time_limit`` they may be a part of all. Raises SpecError, PluginError,
    NoValidMappingError, TimeLimitError and MemoryLimitError.
    """
    job = Job.of(spec)
    cache = None if cache_dir is None else Path(cache_dir)
    with workers(spec, n_jobs, executor) as pool:
        return job.explore(
            can_combine_multiple_runs=can_combine_multiple_runs,
            cache_dir=cache,
            einsum_names=einsum_names,
            executor=pool,
            progress=progress,
        )


def join_pmappings(
    spec: Spec,
    pmappings: Pmappings,
    pmapping_row_filter_function: RowFilter | None = None,
    *,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Mappings:
    """Join pmappings to mappings of the workload with the joiner that the spec names.

    ``pmapping_row_filter_function``: called for each Einsum with the table of its pmappings (``Total<SEP>energy``,
    ``Total<SEP>latency``, ...), it returns the rows to keep or a boolean for each; the others are left out. Returns
    what the spec's metrics ask for: the Pareto set for energy and latency together, the one best mapping for
    either of them or for the energy-delay product. ``n_jobs``, ``executor``, ``progress``: see `make_pmappings`.

    ``spec`` may differ from the one that the pmappings were made from in its constraints and choice of parts. Raises
    NoValidMappingError where nothing is compatible and fits, FFError for pmappings that are not the spec's,
    TimeLimitError and MemoryLimitError where a limit leaves nothing.
    """
    given: object = spec
    if isinstance(given, Pmappings):
        raise FFError("join_pmappings takes the spec first, then the pmappings: join_pmappings(spec, pmappings)")
    with phase("spec"):
        problem = problem_to_join(spec, pmappings)
    return join_as(
        spec, problem, pmappings, pmapping_row_filter_function, n_jobs=n_jobs, executor=executor, progress=progress
    )


def problem_to_join(spec: Spec, pmappings: Pmappings, joiner: str | None = None) -> Problem:
    """The spec's problem as its pmappings were made for it, for its own joiner or another.

    Raises FFError where the two do not fit.
    """
    problem = problem_of(spec, joiner=joiner)
    return _explored(problem, pmappings.source) if isinstance(pmappings.source, PmappingSet) else problem


def join_as(
    spec: Spec,
    problem: Problem,
    pmappings: Pmappings,
    pmapping_row_filter_function: RowFilter | None = None,
    *,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Mappings:
    """`join_pmappings` where it is known which problem the pmappings are to be joined for."""
    if pmapping_row_filter_function is not None:
        pmappings = pmappings.filter_rows(pmapping_row_filter_function)
    with workers(spec, n_jobs, executor) as pool:
        return Job.of(spec).join(pmappings, problem, executor=pool, progress=progress)


def _explored(problem: Problem, found: PmappingSet) -> Problem:
    """The problem as it was explored, with the spec's own options. Raises FFError where the two do not fit."""
    explored = found.problem
    missing = [e.name for e in problem.einsums if e.name not in {p.einsum.name for p in found.einsums}]
    if missing:
        raise FFError(f"there are no pmappings of Einsum {', '.join(missing)}: explore them too, and combine with '|'")
    if [e.name for e in problem.einsums] != [e.name for e in explored.einsums]:
        raise FFError("the pmappings were made for another workload than this spec's")
    for mine, theirs in zip(problem.einsums, explored.einsums, strict=True):
        if mine.imperfect != theirs.imperfect:
            asked, made = (", ".join(sorted(e.imperfect)) or "no rank variable" for e in (mine, theirs))
            raise FFError(
                f"Einsum {mine.name}: the pmappings have imperfect factors of {made}, and this spec and joiner ask "
                f"for those of {asked}: make them again, for this joiner"
            )
    if problem.spec_hash != explored.spec_hash:
        for mine, theirs in zip(problem.einsums, explored.einsums, strict=True):
            if changed := difference(mine, theirs):
                raise FFError(f"the spec has changed since the pmappings were made: {changed}; make them again")
    wanted, kept = (Objectives.of(p.options.metrics).needed for p in (problem, explored))
    if wanted & ~kept:
        names = " and ".join(m.name.lower() for m in wanted & ~kept if m.name)
        raise FFError(f"the pmappings were made without regard to {names}: make them again for these metrics")
    return attrs.evolve(explored, options=problem.options)
