"""Why an Einsum has no pmapping."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from ffcore.diagnose.capacity import cause_of, shortage, too_small, unlimited
from ffcore.diagnose.cause import Cause, CauseKind
from ffcore.diagnose.constraints import constraints
from ffcore.diagnose.culprits import Budget, Probe, Usage, culprits
from ffcore.diagnose.relax import costless, with_sizes
from ffcore.errors import NoValidMappingError
from ffcore.explore.explorer import explore
from ffcore.explore.limits import Limits
from ffcore.explore.search.spatial import SpatialMenu
from ffcore.model.evaluate import evaluate_nest
from ffcore.pmappings.nests import nest_of_row
from ffcore.pmappings.set import EinsumPmappings
from ffcore.spec.problem import EinsumProblem, MapperOptions, Problem
from ffcore.templates import einsum_templates
from ffcore.templates.holders import Steps, holder_choices, holder_orders

DEFAULT_SECONDS = 60.0
_ROWS = 32  # pmappings evaluated to see how little a memory can do with


def _cause(problem: Problem, einsum: EinsumProblem, budget: Budget) -> Cause:
    """Why one Einsum of the problem has no pmapping.

    If it would have one with every memory unlimited, the memory and the smallest size (bits) that would do, the others
    being as they are: one bit less would not. Otherwise the stage at which nothing is left, and the constraint without
    which something would be. Where time runs out it is what has been found by then, and the message says so.
    """
    if not einsum.paths:
        message = f"Einsum {einsum.name}: no Compute is enabled for it"
        return Cause(CauseKind.COMPUTE, message, einsum.name)
    job = costless(attrs.evolve(problem, einsums=(einsum,)))

    plain = too_small(job)
    if plain is not None:
        budget.hurry()  # that is said at once, though it may not be all

    def probe(changed: Problem) -> Usage | None:
        return budget.ask(usage_of_einsum, changed)

    if probe(unlimited(job)) is None:
        if budget.unsure:
            return plain or _in_short(einsum.name)
        return _constrained(job, einsum.name, probe, budget)
    lacking = shortage(job, probe, budget)
    if lacking is None:
        if budget.unsure:
            return plain or _in_short(einsum.name)
        raise AssertionError("unlimited memories do, but no set of them does")
    return cause_of(lacking, einsum.name)


def _in_short(name: str) -> Cause:
    """What is said where there was no time to search the cause."""
    message = f"Einsum {name}: no mapping keeps all constraints and fits; to search why takes too long"
    return Cause(CauseKind.UNKNOWN, message, name)


def explain_einsums(
    problem: Problem, einsum_names: Sequence[str], *, seconds: float = DEFAULT_SECONDS
) -> NoValidMappingError:
    """The error for several Einsums without pmappings: that of the one that asks for most.

    The size that it names is then the smallest with which all of them have pmappings, if this memory
    is all that they lack. An Einsum that no size would help comes first.
    """
    return cause_of_einsums(problem, einsum_names, Budget(seconds)).error


def cause_of_einsums(problem: Problem, einsum_names: Sequence[str], budget: Budget) -> Cause:
    """As `explain_einsums`, the cause."""
    worst = _cause(problem, problem.einsum[einsum_names[0]], budget)
    for name in einsum_names[1:]:
        if worst.needed_bits is None or budget.spent:
            break
        alone = attrs.evolve(problem, einsums=(problem.einsum[name],))
        if budget.ask(usage_of_einsum, costless(with_sizes(alone, {worst.memory: worst.needed_bits}))) is None:
            if budget.unsure:
                break
            other = _cause(problem, problem.einsum[name], budget)
            more = other.memory == worst.memory and (other.needed_bits or 0.0) > worst.needed_bits
            worst = other if more or not other.needs else worst
    return worst


def usage_of_einsum(job: Problem, limits: Limits) -> Usage | None:
    """The least bits that pmappings of a job's only Einsum use in each memory (not all in one pmapping).

    None if it has none. Raises LimitError if that is not known in time.
    """
    (found,) = explore(job, limits=limits)
    return _usage(found) if len(found.rows) else None


def _usage(found: EinsumPmappings) -> Usage:
    bits: dict[str, float] = {}
    rows = np.unique(np.linspace(0, len(found.rows) - 1, _ROWS).astype(int))
    for place, row in enumerate(rows.tolist()):
        used = evaluate_nest(found.einsum, nest_of_row(found, row)).usage
        least = dict.fromkeys(bits.keys() | used.keys(), 0.0)
        bits = {m: min(used.get(m, 0.0), bits.get(m, 0.0)) if place else used.get(m, 0.0) for m in least}
    return Usage(bits, {})


# ---- constraints


def _constrained(job: Problem, name: str, probe: Probe, budget: Budget) -> Cause:
    """The stage at which nothing is left whatever the sizes of memories, and the constraint at fault."""
    (einsum,) = unlimited(job).einsums
    what = f"Einsum {name}: {_stage(einsum, job.options)}"

    def valid(changed: Problem) -> bool:
        return probe(unlimited(changed)) is not None

    found = culprits(job, constraints(job), valid, budget)
    if found is None:
        return Cause(CauseKind.UNKNOWN, what, name)
    tight = probe(found.way_out(job)) is None
    return found.cause(what, name, tight=tight and not budget.unsure)


def _stage(einsum: EinsumProblem, options: MapperOptions) -> str:
    """The first stage of enumeration at which nothing is left."""
    if not _choices(einsum):
        homeless = [name for name in einsum.names if _choices(_without_tensor(einsum, name))]
        return f"no choice of holders keeps {_some(homeless, 'all tensors')} in some memory"
    if not _orders(einsum, options):
        return "no order of its holders is legal"
    templates = einsum_templates(einsum, options)
    if not templates:
        return f"no loop over {_some(_loopless(einsum, options), 'some rank variable')} is allowed anywhere"
    menu = SpatialMenu(options)
    if not any(len(menu.fitting(t)[1]) for t in templates):
        return "no choice of spatial loops is legal"
    return "no choice of tile sizes is legal"


def _choices(einsum: EinsumProblem) -> bool:
    return any(True for path in einsum.paths for _ in holder_choices(einsum, path))


def _orders(einsum: EinsumProblem, options: MapperOptions) -> bool:
    force = options.force_memory_hierarchy_order
    steps = Steps(einsum)
    orders = (holder_orders(einsum, c, force, steps) for path in einsum.paths for c in holder_choices(einsum, path))
    return any(True for found in orders for _ in found)


def _without_tensor(einsum: EinsumProblem, name: str) -> EinsumProblem:
    return attrs.evolve(einsum, tensors=tuple(t for t in einsum.tensors if t.base != name))


def _loopless(einsum: EinsumProblem, options: MapperOptions) -> list[str]:
    """Rank variables that have no loop in any template: those whose work must go for one to be left."""
    looping = [v for v, bound in einsum.bounds.items() if bound > 1]

    def left(gone: Sequence[str]) -> bool:
        bounds = {**einsum.bounds, **dict.fromkeys(gone, 1)}
        return bool(einsum_templates(attrs.evolve(einsum, bounds=bounds), options))

    gone = list(looping)
    for v in looping:
        fewer = [x for x in gone if x != v]
        if left(fewer):
            gone = fewer
    return gone


def _some(names: Sequence[str], otherwise: str) -> str:
    return " and ".join(names) if names else otherwise
