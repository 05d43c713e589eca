"""The calls that a job needs: map a workload, evaluate a mapping, say how much may run at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from ffcore.errors import NoValidMappingError, SpecError
from ffcore.mapper.job import Job
from ffcore.mapper.workers import set_n_parallel_jobs, workers
from ffcore.mapping.check import check_mapping
from ffcore.mapping.convert import tree_to_nests
from ffcore.mapping.dialect import tree_from_node
from ffcore.mapping.tree import MappingTree
from ffcore.phases import phase
from ffcore.results.mappings import MappingEntry, Mappings

if TYPE_CHECKING:
    from ffcore.plugin import Progress
    from ffcore.results.pmappings import Pmappings, RowFilter
    from ffcore.spec import Spec

__all__ = ["evaluate_mapping", "map_workload_to_arch", "set_n_parallel_jobs"]


def map_workload_to_arch(
    spec: Spec,
    *,
    cache_dir: str | Path | None = None,
    pmapping_row_filter_function: RowFilter | None = None,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Mappings:
    """The optimal mappings of the spec's workload onto its architecture.

    `make_pmappings` and `join_pmappings` in one; see there. Raises SpecError, PluginError and NoValidMappingError.
    """
    return map_with_pmappings(
        spec,
        cache_dir=cache_dir,
        pmapping_row_filter_function=pmapping_row_filter_function,
        n_jobs=n_jobs,
        executor=executor,
        progress=progress,
    )[0]


def map_with_pmappings(
    spec: Spec,
    *,
    cache_dir: str | Path | None = None,
    pmapping_row_filter_function: RowFilter | None = None,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    whole: bool = False,
) -> tuple[Mappings, Pmappings]:
    """`map_workload_to_arch`, which also returns the pmappings that were joined.

    ``whole``: all that are Pareto-optimal, also those that can be in no mapping worth having.
    """
    job = Job.of(spec).check()
    with workers(spec, n_jobs, executor) as pool:
        pmappings = job.explore(
            cache_dir=None if cache_dir is None else Path(cache_dir),
            executor=pool,
            progress=progress,
            for_join=not whole and pmapping_row_filter_function is None,
        )
        kept = pmappings
        if pmapping_row_filter_function is not None:
            kept = pmappings.filter_rows(pmapping_row_filter_function)
        mappings = job.join(kept, executor=pool, progress=progress)
    return mappings, pmappings


def evaluate_mapping(spec: Spec) -> Mappings:
    """Evaluate the mapping that the spec holds under the key ``mapping``; one mapping in all.

    Raises SpecError where there is none or it breaks a rule, NoValidMappingError where it does not fit.
    """
    if spec.mapping is None:
        raise SpecError.one("there is no mapping: give a file with the top-level key 'mapping'")
    return evaluate_trees(spec, [tree_from_node(spec.mapping)])


def evaluate_trees(spec: Spec, trees: Sequence[MappingTree], names: Sequence[str] = ()) -> Mappings:
    """Evaluate several mappings of the spec's workload, in this order. Raises as `evaluate_mapping` does.

    ``names`` say in a NoValidMappingError which of them it is that does not fit.
    """
    job = Job.of(spec)
    model, problem, entries = job.model, job.problem, []
    for i, tree in enumerate(trees):
        with phase("spec"):
            check_mapping(problem, tree)
            nests = tree_to_nests(problem, tree)
        with phase("evaluate"):
            entry = MappingEntry(problem, nests, model.evaluate, tree)
            if not entry.evaluation.fits:
                where = f"{names[i]}: " if names else ""
                raise NoValidMappingError(where + "; ".join(entry.evaluation.overflows))
        entries.append(entry)
    return Mappings(entries)
