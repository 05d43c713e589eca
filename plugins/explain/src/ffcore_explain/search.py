"""One search with the parts that a spec names, for the best mapping in each goal."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.plugin import (
    DEFAULT_EXPLORER,
    DEFAULT_JOINER,
    FFError,
    Job,
    JoinedMapping,
    NoValidMappingError,
    PluginError,
    PmappingSet,
    Problem,
    TimeLimitError,
)
from ffcore_explain.explanation import Best, Goal, Optimum, goals_of
from ffcore_explain.processes import TimeLimit, run

if TYPE_CHECKING:
    from ffcore.plugin import Progress, Spec


_NOTHING = "the time limit ended the first search before it found a mapping: raise it (--time-limit)"


@attrs.frozen
class Parts:
    """Joiner, explorer and model of a job. ``note``: why the joiner is another one than the spec's."""

    job: Job
    guarantee: str
    note: str

    @classmethod
    def of(cls, spec: Spec, problem: Problem) -> Parts:
        """The spec's own parts. What a limit costs is a difference of optima, so that a joiner that promises nothing
        gives way to the exact one. Raises PluginError where that is not installed."""
        job, note = Job.of(spec), ""
        if job.guarantee(problem) is None:
            note = f"the joiner {job.joiner_name!r} promises no optimum: {DEFAULT_JOINER!r} is asked instead"
            job = Job.of(spec, joiner=DEFAULT_JOINER)
            try:
                job.check()
            except PluginError as error:
                raise PluginError(
                    f"explaining takes a joiner that is exact, and {DEFAULT_JOINER!r} is not: {error}"
                ) from None
        return cls(job, str(job.guarantee(problem) or "nothing"), note)

    @property
    def joiner(self) -> str:
        """The name of the joiner that is asked."""
        return self.job.joiner_name

    def mappings(
        self, problem: Problem, executor: Executor | None = None, progress: Progress | None = None
    ) -> list[JoinedMapping]:
        """What `ff map` would find; nothing where there is no valid mapping, of which no reason is sought."""
        if not all(einsum.paths for einsum in problem.einsums):
            return []
        pmappings = self._pmappings(problem, executor, progress)
        return [] if pmappings is None else self.join(problem, pmappings)

    def _pmappings(self, problem: Problem, executor: Executor | None, progress: Progress | None) -> Any:
        try:
            found = self.job.explorer.explore(problem, executor=executor, progress=progress)
        except NoValidMappingError:  # some parts know why at once
            return None
        return None if found.without else found

    def first(
        self, problem: Problem, seconds: float, executor: Executor | None, progress: Progress | None
    ) -> tuple[Optimum | None, str]:
        """The optimum, or the best that was found in so many seconds, and what that is worth where that is less than is
        promised ("": the optimum).

        Raises TimeLimitError where the time ends before there is any.
        """
        if seconds == math.inf and not all(einsum.paths for einsum in problem.einsums):
            return None, ""
        if seconds == math.inf:
            pmappings = self._pmappings(problem, executor, progress)
            found = [] if pmappings is None else self.join(problem, pmappings)
            return self._optimum(problem, found), self._worth(problem, pmappings, found) if found else ""
        limited = attrs.evolve(problem, options=attrs.evolve(problem.options, time_limit=seconds))
        if self.job.explorer_name != DEFAULT_EXPLORER:  # others know of no limit: theirs is all or nothing
            ((_, answer),) = run([partial(self.optimum, problem)], 1, TimeLimit(seconds))
            if answer.unfinished:
                raise TimeLimitError(f"{_NOTHING} ({answer.unfinished})")
            if answer.refused:
                raise FFError(answer.refused)
            return answer.value, ""
        if not all(einsum.paths for einsum in problem.einsums):
            return None, ""
        pmappings = self._pmappings(limited, executor, progress)
        if pmappings is None:
            return None, ""
        try:
            found = list(self.job.joiner.join(limited, pmappings, executor=executor, progress=progress))
        except NoValidMappingError:
            found = []
        worth = self._worth(limited, pmappings, found)
        if worth and not found:
            raise TimeLimitError(_NOTHING)
        return self._optimum(problem, found), worth

    def _worth(self, problem: Problem, pmappings: Any, found: list[JoinedMapping]) -> str:
        """What is promised of the mappings that were found, where that is less than what the joiner promises."""
        promised = str(self.job.guarantee(problem, pmappings, found) or "nothing")
        return "" if promised == self.guarantee else promised

    def join(self, problem: Problem, pmappings: PmappingSet) -> list[JoinedMapping]:
        """What joins, or nothing."""
        options = attrs.evolve(problem.options, time_limit=math.inf)
        try:
            return list(self.job.joiner.join(attrs.evolve(problem, options=options), pmappings))
        except NoValidMappingError:
            return []

    def optimum(
        self, problem: Problem, executor: Executor | None = None, progress: Progress | None = None
    ) -> Optimum | None:
        """The best mapping in each goal of the problem's metrics, in the model's numbers; None if there is none."""
        return self._optimum(problem, self.mappings(problem, executor, progress))

    def _optimum(self, problem: Problem, found: list[JoinedMapping]) -> Optimum | None:
        if not found:
            return None
        return Optimum({goal: self._best(problem, found, goal) for goal in goals_of(problem.options.metrics)})

    def _best(self, problem: Problem, found: list[JoinedMapping], goal: Goal) -> Best:
        chosen = min(found, key=lambda m: (Best(m.energy, m.latency).value(goal), m.energy, m.latency))
        evaluation = self.job.model.evaluate(problem, chosen.nests)
        peaks = {memory: peak.bits for memory, peak in evaluation.peaks.items()}
        return Best(evaluation.total_energy, evaluation.total_latency, peaks)
