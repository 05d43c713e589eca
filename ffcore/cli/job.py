"""Running a job through the Python API, and what is told about it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffcore import plugin
from ffcore.api import evaluate_mapping, map_with_pmappings
from ffcore.cli.output import Report
from ffcore.cli.progress import Watch, progress_display
from ffcore.cli.unfused import SWITCHED_OFF, unfused
from ffcore.mapper.choice import explorer_of
from ffcore.phases import phase, recording
from ffcore.plugin import Step
from ffcore.pmappings.set import PmappingSet

if TYPE_CHECKING:
    from ffcore.results import Mappings, Pmappings
    from ffcore.spec import Spec


def run_map(
    spec: Spec,
    *,
    jobs: int | None = None,
    cache: Path | None = None,
    keep: Path | None = None,
    watch: Watch | None = None,
    compare_unfused: bool = False,
) -> Report:
    """Map the workload onto the architecture.

    ``jobs``: parallel jobs (default: one for each core); with 1 all work stays in this thread, unless the spec
    names an executor. ``cache``: pmappings are kept there; without it they are in ``keep``, if the explorer keeps any.
    ``watch`` is told how far things are (default: one for the terminal). ``compare_unfused``: find the best mappings
    without fusion too. Raises ``NoValidMappingError``, ``SpecError`` and ``PluginError``.
    """
    without: Mappings | None = None
    note = SWITCHED_OFF
    with recording() as clock, nullcontext(watch) if watch else progress_display() as watch:
        watch(Step("imports", note="loading the mapper"))
        with phase("imports"):
            if cache is None and keep is not None and _keeps_pmappings(spec):
                cache = keep
        mappings, pmappings = map_with_pmappings(
            spec, cache_dir=cache, n_jobs=jobs, progress=watch, whole=compare_unfused
        )
        if compare_unfused:
            without, note = unfused(spec, pmappings, jobs=jobs, progress=watch)
        with phase("evaluate"):
            report = Report(mappings)
            watch(Step("evaluate", note=f"{len(mappings)} mappings"))
            report.numbers  # noqa: B018 - mappings are evaluated when they are first asked
        with phase("count"):
            watch(Step("count"))
            stats = _counts(pmappings)
    source = pmappings.source
    if isinstance(source, PmappingSet) and (imperfect := source.problem.imperfect_text()):
        stats = {"imperfect_factors": imperfect, **stats}
    if mappings.guarantee is not None:
        stats = {"guarantee": str(mappings.guarantee), **stats}
    stats = {**stats, "seconds": {name: round(s, 4) for name, s in clock.seconds.items()}}
    return Report(mappings, stats, without, note, spec)


def _keeps_pmappings(spec: Spec) -> bool:
    record = plugin.current_manager().record("explorer", explorer_of(spec))
    return isinstance(record, plugin.ExplorerRecord) and record.keeps_pmappings


def run_evaluate(spec: Spec) -> Report:
    """Evaluate the mapping that the spec holds.

    Raises ``SpecError`` where there is none or it breaks a rule, ``NoValidMappingError`` where it does not fit.
    """
    return Report(evaluate_mapping(spec), spec=spec)


def _counts(pmappings: Pmappings) -> dict[str, Any]:
    """Counts of the exploration, where the explorer keeps them."""
    if not isinstance(pmappings.source, PmappingSet):
        return {}
    return {
        "total_pmappings": pmappings.total_pmappings(),
        "evaluated_pmappings": pmappings.evaluated_pmappings(),
        "pareto_optimal_pmappings": pmappings.pareto_optimal_pmappings(),
    }
