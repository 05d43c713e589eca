"""Why Einsums that have pmappings have no mapping together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs

from ffcore.diagnose.capacity import cause_of, shortage, too_small, unlimited
from ffcore.diagnose.cause import Cause, CauseKind
from ffcore.diagnose.constraints import constraints
from ffcore.diagnose.culprits import Budget, Usage, culprits
from ffcore.diagnose.einsum import DEFAULT_SECONDS, cause_of_einsums
from ffcore.diagnose.relax import costless
from ffcore.errors import NoValidMappingError, TimeLimitError
from ffcore.explore.explorer import explore
from ffcore.explore.limits import Limits
from ffcore.model.mapping import evaluate_joint
from ffcore.pmappings.compatibility import TensorReservation, compatibilities
from ffcore.pmappings.set import EinsumPmappings, JoinedMapping, PmappingSet
from ffcore.spec.problem import EinsumProblem, Problem

_SCALE = 3.0  # a search of a whole workload may take so many times longer than that of an Einsum
_TOO_LONG = "no mapping keeps all constraints and fits; to search why takes too long"

Join = Callable[[Problem, PmappingSet], Sequence[JoinedMapping]]
"""A joiner's own search: the mappings of a problem, none if nothing matches and fits. Must not call `explain_join`."""


def find_cause(problem: Problem, join: Join, *, seconds: float = DEFAULT_SECONDS) -> Cause | None:
    """Why ``problem`` has no mapping; None if it has one.

    ``join`` is asked what would be valid with something lifted. If there would be a mapping with all
    memories unlimited, the cause names the memory, the Einsum that runs when it is fullest and the
    smallest size (bits) with which the whole problem has a mapping; pmappings are explored anew for
    each size, as it limits them too. Otherwise it names the Einsum without pmappings, or the Einsums
    and the tensor on which they cannot agree, and the constraint without which they could. After
    ``seconds`` it makes do with what it has found, and says so.
    """
    job, probe = costless(problem), _Probe(join, Budget(seconds, _SCALE))
    return _cause(problem, job, probe) if probe(job) is None else None


def has_mapping(problem: Problem, join: Join) -> bool:
    """Is anything valid? Costs are left out, so that this is quicker than to look for the best."""
    return _Probe(join, Budget(math.inf))(costless(problem)) is not None


def explain_join(
    problem: Problem, pmappings: PmappingSet, join: Join, *, seconds: float = DEFAULT_SECONDS
) -> NoValidMappingError:
    """The error that says why ``pmappings``, some for each Einsum of ``problem``, give no mapping.

    As `find_cause`, and also right where all that would go together was filtered from ``pmappings``.
    """
    return _cause_of_join(problem, pmappings, join, seconds).error


def _cause_of_join(problem: Problem, pmappings: PmappingSet, join: Join, seconds: float) -> Cause:
    for einsum in pmappings.einsums:
        if not len(einsum.rows):
            name = einsum.einsum.name
            return Cause(CauseKind.PMAPPINGS, f"Einsum {name}: no pmappings were given to the join", name)
    own = attrs.evolve(problem, einsums=tuple(problem.einsum[e.einsum.name] for e in pmappings.einsums))
    job, probe = costless(own), _Probe(join, Budget(seconds, _SCALE))
    if probe(job) is not None:
        message = (
            "the pmappings given do not go together, though others of the same Einsums do: they were filtered too far"
        )
        return Cause(CauseKind.PMAPPINGS, message)
    return _cause(own, job, probe)


def _cause(problem: Problem, job: Problem, probe: _Probe) -> Cause:
    free, budget = unlimited(job), probe.budget
    if not budget.unsure and probe(free) is None and not budget.unsure:
        empty = [e.einsum.name for e in explore(free) if not len(e.rows)]
        return cause_of_einsums(problem, empty, budget) if empty else _disagreement(job, probe)
    lacking = None if budget.unsure else shortage(job, probe, budget)
    if lacking is None and budget.unsure:
        return too_small(job) or Cause(CauseKind.UNKNOWN, _TOO_LONG)
    if lacking is None:
        raise AssertionError("unlimited memories do, but no set of them does")
    return cause_of(lacking)


@attrs.frozen
class _Probe:
    """Searches for mappings of a whole job, from exploration to join."""

    join: Join
    budget: Budget

    def __call__(self, job: Problem) -> Usage | None:
        """What the mappings found use of each memory (the least of each); None if there are none, or if that is not
        known in time (the budget is unsure then)."""
        return self.budget.ask(self._search, job)

    def _search(self, job: Problem, limits: Limits) -> Usage | None:
        found = explore(job, limits=limits)
        if not all(len(e.rows) for e in found):
            return None
        usage = self._joined(job, found)
        if usage is None and not all(e.stats.complete for e in found):
            raise TimeLimitError("what was found in time does not go together")
        return usage

    def _joined(self, job: Problem, found: tuple[EinsumPmappings, ...]) -> Usage | None:
        bits: dict[str, float] = {}
        running: dict[str, str] = {}
        for mapping in self.join(job, PmappingSet(job, found)):
            peaks = evaluate_joint(job, mapping.nests).peaks
            for memory, peak in peaks.items():
                if memory not in bits or peak.bits < bits[memory]:
                    bits[memory], running[memory] = peak.bits, peak.einsum
        return Usage(bits, running) if bits else None


# ---- constraints


def _disagreement(job: Problem, probe: _Probe) -> Cause:
    """The first Einsum that cannot be joined to those before it even if all memories were unlimited."""
    free, budget = unlimited(job), probe.budget
    last = _first_stuck(free, probe)
    what = _clash(free, last, probe)
    if budget.unsure:
        return Cause(CauseKind.UNKNOWN, _TOO_LONG)

    def valid(changed: Problem) -> bool:
        return probe(unlimited(changed)) is not None

    found = culprits(job, constraints(job), valid, budget)
    name = job.einsums[last].name
    if found is None:
        return Cause(CauseKind.UNKNOWN, what, name)
    tight = probe(found.way_out(job)) is None
    return found.cause(what, name, tight=tight and not budget.unsure)


def _first_stuck(job: Problem, probe: _Probe) -> int:
    """The place of the first Einsum with which there is no mapping of it and all before it."""
    for count in range(2, len(job.einsums)):
        if probe(attrs.evolve(job, einsums=job.einsums[:count])) is None:
            return count - 1
    return len(job.einsums) - 1


def _clash(job: Problem, last: int, probe: _Probe) -> str:
    """Between which Einsums there is no agreement, and on what."""
    seen = [_reservations(job, e) for e in job.einsums[: last + 1]]
    right = job.einsums[last].name
    for left in range(last):
        for tensor in seen[left].keys() & seen[last].keys():
            if not seen[left][tensor] & seen[last][tensor]:
                differ = _difference(job.einsums[left].name, seen[left][tensor], right, seen[last][tensor])
                return f"Einsums {job.einsums[left].name} and {right} cannot agree on {tensor}: {differ}"
    for left in range(last):
        common = sorted(seen[left].keys() & seen[last].keys())
        if common and probe(attrs.evolve(job, einsums=(job.einsums[left], job.einsums[last]))) is None:
            return (
                f"Einsums {job.einsums[left].name} and {right} cannot agree on {', '.join(common)}: "
                "no pair of their mappings is compatible"
            )
    return f"Einsum {right} is compatible with no mapping of the Einsums before it together"


def _reservations(job: Problem, einsum: EinsumProblem) -> dict[str, set[TensorReservation]]:
    """Per shared tensor, all ways in which the Einsum can keep it."""
    (found,) = explore(job, einsum_names=[einsum.name])
    result: dict[str, set[TensorReservation]] = {}
    for compatibility in compatibilities(found):
        for reservation in compatibility.tensors:
            result.setdefault(reservation.name, set()).add(reservation)
    return result


def _difference(left: str, ours: set[TensorReservation], right: str, theirs: set[TensorReservation]) -> str:
    here, there = {r.memory for r in ours}, {r.memory for r in theirs}
    if not here & there:
        return f"{left} can keep it only in {_either(here)}, {right} only in {_either(there)}"
    return f"both can keep it in {_either(here & there)}, but never below the same loops"


def _either(names: set[str]) -> str:
    return " or ".join(sorted(names))
