"""Which memories are too small, and how large they would have to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import attrs

from ffcore.diagnose.cause import Cause, CauseKind, Need
from ffcore.diagnose.constraints import Constraint, fusion_limits
from ffcore.diagnose.culprits import Budget, Probe, Usage, without
from ffcore.diagnose.relax import limited_memories, with_sizes
from ffcore.diagnose.sizes import Smallest, everything, least_possible, occupancy_unit, smallest_size
from ffcore.explore.fits import too_small as below_least
from ffcore.spec.problem import INFINITY, Problem
from ffcore.templates import einsum_templates
from ffcore.units import bits_text


@attrs.frozen
class Shortage:
    """Memories that must grow (all of ``needed``, outermost first), or instead any one of ``instead``."""

    sizes: dict[str, float]  # bits that they have now
    needed: dict[str, Smallest]
    instead: dict[str, Smallest]
    limits: tuple[Constraint, ...]  # limits on fused loops of which lifting one would do as well

    @property
    def memory(self) -> str:
        """The first memory that must grow."""
        return next(iter(self.needed))


def unlimited(problem: Problem) -> Problem:
    """The problem with every memory infinite."""
    return with_sizes(problem, dict.fromkeys(limited_memories(problem), INFINITY))


def shortage(job: Problem, probe: Probe, budget: Budget) -> Shortage | None:
    """What to enlarge so that ``job``, which has no mapping, gets one; None if size is not what it lacks, or if that is
    not found in time (the budget is unsure then).

    One memory if there is one that suffices on its own (that which need grow least, in proportion),
    else a set from which none can be left out, each as small as those before it in the set allow.
    """
    search = _Search(job, probe, budget)
    forced = [m for m, size in search.sizes.items() if search.least[m] > size]
    alone: dict[str, Smallest] = {}
    for memory in search.sizes:
        if forced in ([], [memory]):  # if another is too small in any case, this one alone cannot do
            found = search.smallest(memory, {})
            if found is not None:
                alone[memory] = found
    if alone:
        best = min(alone, key=lambda m: alone[m].bits / search.sizes[m] if search.sizes[m] else INFINITY)
        needed = {best: alone.pop(best)}
    else:
        needed = search.together()
        if not needed:
            return None
    candidates = [] if forced else fusion_limits(job.options)
    limits = tuple(c for c in candidates if not budget.spent and probe(without(job, [c])))
    return Shortage(search.sizes, needed, alone, limits)


@attrs.define
class _Search:
    """Looks for sizes of memories with which a job that has no mapping gets one."""

    job: Problem
    probe: Probe
    budget: Budget
    sizes: dict[str, float] = attrs.field(init=False)
    least: dict[str, float] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sizes = limited_memories(self.job)
        least = least_possible(self.job)
        self.least = {m: least.get(m, 0.0) for m in self.sizes}

    def smallest(self, memory: str, others: dict[str, float]) -> Smallest | None:
        """The smallest size of one memory that does, the others as they are but for ``others``."""

        def sized(bits: float) -> Usage | None:
            return self.probe(with_sizes(self.job, {**others, memory: bits}))

        unit = occupancy_unit(self.job)
        more = (math.floor(Fraction(self.sizes[memory]) / unit) + 1) * unit  # what it has is too little
        bounds = (max(self.least[memory], float(more)), everything(self.job))
        return smallest_size(sized, memory, bounds, unit, self.budget)

    def together(self) -> dict[str, Smallest]:
        """Memories that must all grow, and to what; empty if that does not help."""
        group = list(self.sizes)
        if not group or not self._unlimited(group):
            return {}
        for memory in self.sizes:
            fewer = [m for m in group if m != memory]
            if self.budget.spent or not fewer:
                break
            if self._unlimited(fewer):
                group = fewer
        needed: dict[str, Smallest] = {}
        for memory in group:
            others = {m: needed[m].bits if m in needed else INFINITY for m in group if m != memory}
            found = self.smallest(memory, others)
            if found is None and self.budget.unsure:
                return {}
            if found is None:  # the set was found with these very sizes
                raise AssertionError(f"no size of {memory} does")
            needed[memory] = found
        return needed

    def _unlimited(self, memories: Sequence[str]) -> bool:
        return self.probe(with_sizes(self.job, dict.fromkeys(memories, INFINITY))) is not None


def too_small(problem: Problem) -> Cause | None:
    """Memories that are too small for what an Einsum keeps there whatever its loops, told without a search.

    None if no memory is too small for all ways in which some Einsum can keep its tensors.
    """
    for einsum in problem.einsums:
        templates = einsum_templates(einsum, problem.options)
        if not templates:
            continue
        lacking = [below_least(t) for t in templates]
        needed = {m: min(own[m] for own in lacking) for m in lacking[0] if all(m in own for own in lacking)}
        if needed:
            sizes = limited_memories(attrs.evolve(problem, einsums=(einsum,)))
            parts = [
                f"{memory} is too small: it has {bits_text(sizes[memory])}, and what it must keep takes at least "
                f"{bits_text(bits)}"
                for memory, bits in needed.items()
            ]
            needs = tuple(Need(m, sizes[m], bits, False, einsum.name) for m, bits in needed.items())
            message = f"Einsum {einsum.name}: {'; and '.join(parts)}"
            return Cause(CauseKind.CAPACITY, message, einsum.name, needs)
    return None


def cause_of(found: Shortage, einsum: str = "") -> Cause:
    """The shortage as a cause: of the whole job, or of ``einsum`` alone."""
    needs = tuple(_need(found, memory, smallest) for memory, smallest in found.needed.items())
    instead = tuple(_need(found, memory, smallest) for memory, smallest in found.instead.items())
    message = f"Einsum {einsum}: {_sentence(found)}" if einsum else _sentence(found)
    return Cause(CauseKind.CAPACITY, message, einsum or needs[0].einsum, needs, instead, found.limits)


def _need(found: Shortage, memory: str, smallest: Smallest) -> Need:
    return Need(memory, found.sizes[memory], smallest.bits, smallest.exact, smallest.running)


def _sentence(found: Shortage) -> str:
    """What to enlarge, in words. Sizes hold for the whole job, or for the Einsum that the caller names."""
    parts = []
    for memory, smallest in found.needed.items():
        what = "the smallest size that would do is" if smallest.exact else "a size that would do (not the smallest) is"
        running = f" while Einsum {smallest.running} runs" if smallest.running else ""
        has = bits_text(found.sizes[memory])
        parts.append(f"{memory} is too small{running}: it has {has}, {what} {bits_text(smallest.bits)}")
    text = "; and ".join(parts)
    if len(parts) > 1:
        text = f"no memory is to blame alone, {len(parts)} must grow together: {text}"
    instead = [f"{m} of {bits_text(s.bits)}" for m, s in found.instead.items()]
    instead += [f"without {c.text}" for c in found.limits]
    return f"{text} (or instead: {', or '.join(instead)})" if instead else text
