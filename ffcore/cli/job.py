"""Running a job: explore, join, evaluate, each by the part that the spec names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffcore import plugin
from ffcore.cli.output import Report, Row
from ffcore.cli.progress import progress_display
from ffcore.errors import NoValidMappingError, SpecError
from ffcore.mapping.convert import nests_to_tree, tree_to_nests
from ffcore.mapping.dialect import tree_from_node
from ffcore.phases import phase, recording

if TYPE_CHECKING:
    from ffcore.mapping.nest import Nest
    from ffcore.model.types import JointEvaluation
    from ffcore.spec import Spec
    from ffcore.spec.problem import Problem


def run_map(spec: Spec, *, jobs: int | None = None, cache: Path | None = None) -> Report:
    """Map the workload onto the architecture.

    ``jobs``: parallel jobs (default: one for each core); with 1 all work stays in this thread, unless the spec
    names an executor. Raises ``NoValidMappingError``, ``SpecError`` and ``PluginError``.
    """
    # Looked up first: a misspelt name should not cost a search.
    explorer = plugin.get("explorer", spec.mapper.explorer)
    joiner = plugin.get("joiner", spec.mapper.joiner)
    model = plugin.get("model", spec.mapper.model)
    with recording() as clock, _executor(spec, jobs) as executor, progress_display() as progress:
        with phase("spec"):
            problem = _problem(spec)
        with phase("explore"):
            pmappings = explorer.explore(problem, executor=executor, progress=progress, cache_dir=cache)
        with phase("join"):
            joined = joiner.join(problem, pmappings, executor=executor, progress=progress)
        with phase("evaluate"):
            rows = [_row(problem, model.evaluate(problem, m.nests), m.nests) for m in joined]
    return Report(rows, _stats(pmappings, clock.seconds))


def run_evaluate(spec: Spec) -> Report:
    """Evaluate the mapping that the spec holds.

    Raises ``SpecError`` where there is none or it breaks a rule, ``NoValidMappingError`` where it does not fit.
    """
    if spec.mapping is None:
        raise SpecError.one("there is no mapping: give a file with the top-level key 'mapping'")
    model = plugin.get("model", spec.mapper.model)
    problem = _problem(spec)
    tree = tree_from_node(spec.mapping)
    evaluation = model.evaluate(problem, tree_to_nests(problem, tree))
    if not evaluation.fits:
        raise NoValidMappingError("; ".join(evaluation.overflows))
    return Report([Row(evaluation.total_energy, evaluation.total_latency, tree, problem)], {})


def _row(problem: Problem, evaluation: JointEvaluation, nests: Sequence[Nest]) -> Row:
    return Row(evaluation.total_energy, evaluation.total_latency, nests_to_tree(problem, nests), problem)


def _problem(spec: Spec) -> Problem:
    name = spec.mapper.cost_model
    return spec.problem(plugin.get("cost_model", name) if name else None)


@contextmanager
def _executor(spec: Spec, jobs: int | None) -> Iterator[Executor | None]:
    n_jobs = jobs or os.cpu_count() or 1
    name = spec.mapper.executor
    if name is None and n_jobs == 1:
        yield None
        return
    executor = plugin.get("executor", name or "threads", n_jobs=n_jobs)
    try:
        yield executor
    except BaseException:  # Ctrl-C too: what has not begun need not run
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    executor.shutdown()


def _stats(pmappings: Any, phases: Mapping[str, float]) -> dict[str, Any]:
    """Counts of the exploration (where the explorer keeps them) and seconds for each phase."""
    counts = [e.stats for e in getattr(pmappings, "einsums", ())]
    result: dict[str, Any] = {}
    if counts:
        result["total_pmappings"] = sum(c.total for c in counts)
        result["evaluated_pmappings"] = sum(c.evaluated for c in counts)
        result["pareto_optimal_pmappings"] = sum(len(e.rows) for e in pmappings.einsums)
    result["seconds"] = {phase: round(seconds, 4) for phase, seconds in phases.items()}
    return result
