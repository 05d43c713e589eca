"""``ffcore.mapper.FFM``: make pmappings of each Einsum, then join them.

pmappings = ff.mapper.FFM.make_pmappings(spec)
mappings = ff.mapper.FFM.join_pmappings(spec, pmappings)
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ffcore import plugin
from ffcore.diagnose.traps import traps
from ffcore.errors import FFError, NoValidMappingError, SpecError, SpecWarning, suggest
from ffcore.join.guarantee import Guarantee, guarantee_of
from ffcore.join.objectives import select
from ffcore.join.types import JoinedMapping, PmappingSet
from ffcore.mapper.choice import DEFAULT_EXPLORER, explorer_of, joiner_of
from ffcore.mapper.nothing import check_explored, is_exact, nothing_joined
from ffcore.mapper.workers import workers
from ffcore.mapping.paths import settled
from ffcore.model.law import key_of
from ffcore.objectives import COMPARED, Objectives, check_metrics
from ffcore.phases import phase
from ffcore.plugin import JoinerRecord
from ffcore.results.mappings import MappingEntry, Mappings
from ffcore.results.pmappings import Pmappings, RowFilter
from ffcore.results.union import difference
from ffcore.spec.problem import Metric as Metrics
from ffcore.spec.problem import Problem

if TYPE_CHECKING:
    from ffcore.plugin import Model, Progress
    from ffcore.spec import Spec

DEFAULT_MODEL = "default"

__all__ = ["Mappings", "Metrics", "Pmappings", "join_pmappings", "make_pmappings"]


def problem_of(spec: Spec, *, allow_hopeless: bool = False) -> Problem:
    """The spec in plain numbers, priced by the cost model and by the law of the model that it names.

    Raises SpecError and PluginError.
    """
    problem = spec.problem(allow_hopeless=allow_hopeless)
    law = plugin.current_manager().law(spec.mapper.model)
    if law is None:
        return problem
    einsums = tuple(attrs.evolve(einsum, law=law) for einsum in problem.einsums)
    return attrs.evolve(problem, einsums=einsums, spec_hash="|".join([problem.spec_hash, *(key_of(law) or ())]))


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
    explorer = plugin.get("explorer", explorer_of(spec))
    with phase("spec"):
        problem = problem_of(spec)
        if explorer_of(spec) == DEFAULT_EXPLORER:  # others have joiners of their own, which may compare other metrics
            check_metrics(problem.options.metrics)
        for sentence in traps(problem):
            warnings.warn(SpecWarning(sentence), stacklevel=2)
        if can_combine_multiple_runs:
            problem = attrs.evolve(problem, options=attrs.evolve(problem.options, combine_runs=True))
        _check_einsums(problem, einsum_names)
    cache = None if cache_dir is None else Path(cache_dir)
    with phase("explore"), workers(spec, n_jobs, executor) as pool:
        found = explorer.explore(problem, executor=pool, progress=progress, cache_dir=cache, einsum_names=einsum_names)
        check_explored(problem, found)
    return Pmappings(found, problem, can_combine_multiple_runs)


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
    with phase("spec"):
        problem = problem_to_join(spec, pmappings)
    return join_as(
        spec, problem, pmappings, pmapping_row_filter_function, n_jobs=n_jobs, executor=executor, progress=progress
    )


def problem_to_join(spec: Spec, pmappings: Pmappings) -> Problem:
    """The spec's problem as its pmappings were made for it. Raises FFError where the two do not fit."""
    problem = problem_of(spec)
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
    joiner = joiner_of(spec)
    model = plugin.get("model", spec.mapper.model)
    with phase("join"), workers(spec, n_jobs, executor) as pool:
        if pmapping_row_filter_function is not None:
            pmappings = pmappings.filter_rows(pmapping_row_filter_function)
        check_any_left(pmappings)
        judged = {"model": model} if judges(spec) else {}
        joined = joiner.join(problem, pmappings.source, executor=pool, progress=progress, **judged)
        if not joined:
            raise nothing_joined(problem, pmappings.source, joiner, is_exact(spec.mapper.joiner))
        if not problem.options.metrics & ~COMPARED:
            joined = select(problem, joined)  # whatever the joiner: the metrics say what is returned
    entries = [_entry(problem, pmappings.source, mapping, model) for mapping in joined]
    return Mappings(entries, guarantee_under(spec, guarantee_of(joiner, problem, pmappings.source, joined)))


def judges(spec: Spec) -> bool:
    """Does the search itself ask the spec's model, which no law describes, what whole mappings cost?

    Only a joiner that can, on pmappings of which the explorer pruned none.
    """
    if _known_to_the_search(spec):
        return False
    record = plugin.current_manager().record("joiner", spec.mapper.joiner)
    return isinstance(record, JoinerRecord) and record.judges and explorer_of(spec) == record.explorer


def guarantee_under(spec: Spec, found: Guarantee | None) -> Guarantee | None:
    """What a search that promises ``found`` promises under the spec's model: nothing where it does not know it."""
    if found is None or _known_to_the_search(spec) or judges(spec):
        return found
    name = spec.mapper.model
    return Guarantee(math.inf, 0.0, f"model {name} evaluates mappings found under {DEFAULT_MODEL!r}")


def _known_to_the_search(spec: Spec) -> bool:
    name = spec.mapper.model
    return name == DEFAULT_MODEL or plugin.current_manager().law(name) is not None


def _entry(problem: Problem, source: object, mapping: JoinedMapping, model: Model) -> MappingEntry:
    if isinstance(source, PmappingSet) and mapping.rows:
        # Runs under other constraints were combined: the model must see each Einsum as its run did.
        problem = attrs.evolve(problem, einsums=source.einsums_of(mapping.rows))
    # The order of holders that no loop separates is nobody's choice: written down, they are one node.
    nests = tuple(settled(e, n) for e, n in zip(problem.einsums, mapping.nests, strict=True))
    return MappingEntry(problem, nests, model.evaluate)


def check_any_left(pmappings: Pmappings) -> None:
    """Raise NoValidMappingError for an Einsum without pmappings."""
    for found in pmappings.set.einsums if isinstance(pmappings.source, PmappingSet) else ():
        if not len(found.rows):
            name = found.einsum.name
            raise NoValidMappingError(f"no pmapping of Einsum {name} is left", einsum=name)


def _check_einsums(problem: Problem, names: Sequence[str] | None) -> None:
    for name in names or ():
        if name not in problem.einsum:
            known = ", ".join(problem.einsum)
            raise SpecError.one(f"no Einsum {name!r}; there are {known}", suggestion=suggest(name, problem.einsum))


def _explored(problem: Problem, found: PmappingSet) -> Problem:
    """The problem as it was explored, with the spec's own options. Raises FFError where the two do not fit."""
    explored = found.problem
    missing = [e.name for e in problem.einsums if e.name not in {p.einsum.name for p in found.einsums}]
    if missing:
        raise FFError(f"there are no pmappings of Einsum {', '.join(missing)}: explore them too, and combine with '|'")
    if [e.name for e in problem.einsums] != [e.name for e in explored.einsums]:
        raise FFError("the pmappings were made for another workload than this spec's")
    if problem.spec_hash != explored.spec_hash:
        for mine, theirs in zip(problem.einsums, explored.einsums, strict=True):
            if changed := difference(mine, theirs):
                raise FFError(f"the spec has changed since the pmappings were made: {changed}; make them again")
    wanted, kept = (Objectives.of(p.options.metrics).needed for p in (problem, explored))
    if wanted & ~kept:
        names = " and ".join(m.name.lower() for m in wanted & ~kept if m.name)
        raise FFError(f"the pmappings were made without regard to {names}: make them again for these metrics")
    return attrs.evolve(explored, options=problem.options)
