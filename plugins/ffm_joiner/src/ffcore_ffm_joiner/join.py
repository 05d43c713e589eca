"""The joiner ``ffm``."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial

import attrs

from ffcore.plugin import (
    FFError,
    JoinedMapping,
    Limits,
    MapperOptions,
    MappingError,
    MemoryLimitError,
    Objectives,
    PmappingSet,
    Problem,
    Progress,
    TimeLimitError,
    check_joinable,
    check_metrics,
    cores,
    evaluate_joint,
    select,
    workers_of,
)
from ffcore_ffm_joiner.compatibility import Extent
from ffcore_ffm_joiner.rounds import Joined, join_all


class FFMJoiner:
    """Exact join: the Pareto set of all compatible combinations that fit in every memory.

    With ``objective_tolerance`` it is quicker, and exact to within that: see `guarantee`.

    Where Einsums see different extents of a tensor (halos), what it takes depends on which of them keep it at the
    time (semantics, section 4), which a fold cannot add up. It is never counted at more, so that nothing that fits is
    left out, and what is best is then checked. Exact if all of that fits; else mappings that fit with the largest
    extents are joined, and nothing is promised. The same goes for a shared persistent tensor in a memory below a
    fanout: pmappings do not say which spatial loops stand above it, so that these may not match either. Where usage is
    an objective, nothing is promised either if some mapping of the Pareto set takes more than was counted.
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
        check_metrics(problem.options.metrics, usage=True)
        check_joinable("ffm", pmappings)
        if not pmappings.einsums or not all(len(e.rows) for e in pmappings.einsums):
            return []
        limits = Limits.of_join(problem.options, pmappings.seconds)
        threads = workers_of(executor, cores())
        given = attrs.evolve(pmappings, problem=problem)

        def joined(extent: Extent) -> Joined:
            return join_all(given, progress, limits, threads, extent)

        found = joined(Extent.OWN)
        if not found.differ:
            return select(problem, found.mappings)
        objectives = Objectives.of(problem.options.metrics)
        told = objectives.energy and objectives.latency and not objectives.usage  # by the fold, so that it can be left
        wanted = select(problem, found.mappings) if told else found.mappings  # to `select`, which evaluates what fits
        fitting = [m for m in wanted if _fits(given, m)]
        if len(fitting) == len(wanted) and all(map(partial(_as_counted, given), found.mappings, found.usages)):
            return select(problem, fitting)
        try:
            more = [m for m in joined(Extent.LARGEST).mappings if _fits(given, m)]
        except (TimeLimitError, MemoryLimitError):
            if not fitting:
                raise
            more = []
        surely = select(problem, [*fitting, *more])
        if not surely:
            raise FFError(_UNKNOWN)
        return [attrs.evolve(m, proven=False, unproven=_REASON) for m in surely]


_SHARE = 1e-9  # of a memory: what rounding may make of a sum of shares

_WHY = "Einsums see different extents, or instances hold parts, of a tensor that they share"
_REASON = (
    f"{_WHY}, and the best combinations fit only if it takes the least that this allows, take more than that, "
    "or do not match"
)
_UNKNOWN = (
    f"it is not known whether a mapping exists: {_WHY}; no combination is known to match and to fit when the tensor "
    "takes the most that this allows, and the best ones that fit when it takes the least do not in truth; for small "
    "problems, mapper.explorer and mapper.joiner 'exhaustive' can tell"
)


def _as_counted(pmappings: PmappingSet, mapping: JoinedMapping, usage: Mapping[str, float]) -> bool:
    """Does a mapping, which fits, take no more of each memory than the given share?

    Exact: shares are never counted too large, so that what none of these mappings betters as counted, with all of them
    counted right, none of them betters in truth. With ``resource_usage_tolerance``, to within that: rows then have
    shares that were rounded up, here as everywhere.
    """
    if not usage:
        return True
    problem = attrs.evolve(pmappings.problem, einsums=pmappings.einsums_of(mapping.rows))
    peaks = evaluate_joint(problem, mapping.nests).peaks
    return all(peaks[m].share <= share + _SHARE for m, share in usage.items() if m in peaks)


def _fits(pmappings: PmappingSet, mapping: JoinedMapping) -> bool:
    """Do the nests of a mapping match, and fit when a shared tensor takes what the Einsums that keep it see of it?"""
    if mapping in pmappings.known:
        return True
    problem = attrs.evolve(pmappings.problem, einsums=pmappings.einsums_of(mapping.rows))
    try:
        return not evaluate_joint(problem, mapping.nests).overflows
    except MappingError:
        return False
