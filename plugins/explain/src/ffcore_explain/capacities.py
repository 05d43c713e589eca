"""The least capacity with which the optimum is as good as with any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial

import attrs

from ffcore.plugin import SAME, Problem, Progress, Step, Verdict, halved, limited_memories, occupancy_unit, with_sizes
from ffcore_explain.explanation import Effect, Optimum, Outcome
from ffcore_explain.processes import TimeLimit, run
from ffcore_explain.search import Parts


def smallest_capacities(
    parts: Parts,
    problem: Problem,
    effects: Mapping[str, Effect],
    n_jobs: int,
    limit: TimeLimit,
    progress: Progress | None,
) -> Iterator[tuple[str, Effect]]:
    """Effects of capacities that cost something in the first goal, with the least size that the gain takes.

    First, for all of them, what the mapping found needs; then the sizes below are searched as long as time is left.
    """
    sizes = limited_memories(problem)
    known: dict[str, Effect] = {}
    for path, effect in effects.items():
        if effect.outcome is not Outcome.BETTER or effect.lift.depended_on:  # by that size, costs would change too
            continue
        if (memory := effect.lift.memory) and next(iter(effect.gains.values())) > 1:
            peak = _peak(effect.optimum, memory)
            known[path] = attrs.evolve(effect, needed_bits=peak, too_small_bits=sizes[memory])
            yield path, known[path]
    for number, (path, effect) in enumerate(known.items()):
        own = TimeLimit(limit.left / (len(known) - number))
        search = _Search(parts, problem, effect, n_jobs, own, progress)
        yield path, search.narrowed()


def _peak(optimum: Optimum | None, memory: str) -> float:
    assert optimum is not None
    return next(iter(optimum.best.values())).peaks.get(memory, 0.0)


@attrs.frozen
class _Search:
    parts: Parts
    problem: Problem
    effect: Effect  # what is known of a capacity without limit
    n_jobs: int
    limit: TimeLimit
    progress: Progress | None

    def narrowed(self) -> Effect:
        """The effect with a smaller size, down to the least if time allows.

        What the memory has now is too little. What a mapping needs at its peak is enough for it.
        """
        unit = occupancy_unit(self.problem)
        assert self.effect.needed_bits is not None
        low = int(Fraction(self.effect.too_small_bits) // unit)  # too little
        high = max(low + 1, round(Fraction(self.effect.needed_bits) / unit))  # enough
        # Often the mapping found needs the least already.
        low, high = halved(low, high, lambda units: self._needed(units, unit), first=high - 1)
        tight = high - low <= 1
        return attrs.evolve(
            self.effect, needed_bits=float(high * unit), too_small_bits=float(low * unit), needed_exact=tight
        )

    def _needed(self, units: int, unit: Fraction) -> int | Verdict:
        """What the first goal needs to be as good with so many units of size, if it can be."""
        bits = float(units * unit)
        if self.progress is not None:
            names = f"{self.effect.lift.memory}: {bits:.15g} bits"
            self.progress(Step("sizes", note=f"the least with the same optimum; trying {names}"))
        memory = self.effect.lift.memory
        call = partial(self.parts.optimum, with_sizes(self.problem, {memory: bits}))
        ((_, answer),) = run([call], self.n_jobs, self.limit)
        if answer.unfinished or answer.refused:
            return Verdict.UNKNOWN
        optimum: Optimum | None = answer.value
        assert self.effect.optimum is not None
        goal, wanted = next(iter(self.effect.optimum.best.items()))
        if optimum is None or optimum.value(goal) > wanted.value(goal) * (1 + SAME):
            return Verdict.TOO_LITTLE
        return round(Fraction(_peak(optimum, memory)) / unit)
