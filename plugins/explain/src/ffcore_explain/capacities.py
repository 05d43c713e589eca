"""The least capacity with which the optimum is as good as with any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial

import attrs

from ffcore.plugin import SAME, Problem, Progress, Step, limited_memories, occupancy_unit, with_sizes
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
        middle = high - 1  # often the mapping found needs the least already
        while high - low > 1:
            if self.progress is not None:
                names = f"{self.effect.lift.memory}: {float(middle * unit):.15g} bits"
                self.progress(Step("sizes", note=f"the least with the same optimum; trying {names}"))
            found = self._with(float(middle * unit))
            if found is None:
                break
            enough, peak = found
            if enough:
                high = max(low + 1, min(middle, round(Fraction(peak) / unit)))
            else:
                low = middle
            middle = (low + high) // 2
        tight = high - low <= 1
        return attrs.evolve(
            self.effect, needed_bits=float(high * unit), too_small_bits=float(low * unit), needed_exact=tight
        )

    def _with(self, bits: float) -> tuple[bool, float] | None:
        """Is the first goal as good with this size, and what does it need then? None: not known in time."""
        memory = self.effect.lift.memory
        call = partial(self.parts.optimum, with_sizes(self.problem, {memory: bits}))
        ((_, answer),) = run([call], self.n_jobs, self.limit)
        if answer.unfinished or answer.refused:
            return None
        optimum: Optimum | None = answer.value
        assert self.effect.optimum is not None
        goal, wanted = next(iter(self.effect.optimum.best.items()))
        if optimum is None or optimum.value(goal) > wanted.value(goal) * (1 + SAME):
            return False, 0.0
        return True, _peak(optimum, memory)
