"""The course of an explanation: the optimum, then each limit lifted; or reason after reason until all is well."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.plugin import (
    DEFAULT_JOBS,
    INFINITY,
    SAME,
    Cause,
    CauseKind,
    FFError,
    Problem,
    SpecError,
    Step,
    bits_text,
    check_metrics,
    find_cause,
    limited_memories,
    problem_of,
    with_sizes,
    workers,
)
from ffcore_explain.capacities import smallest_capacities
from ffcore_explain.changes import same_problem
from ffcore_explain.explanation import (
    Effect,
    Explanation,
    Limit,
    Optimum,
    Outcome,
    Reason,
    Setting,
    Suggestion,
    goals_of,
)
from ffcore_explain.limits import applied, limits
from ffcore_explain.processes import Answer, TimeLimit, run
from ffcore_explain.search import Parts
from ffcore_explain.suggestions import fields_of, suggestions_of

if TYPE_CHECKING:
    from ffcore.plugin import Progress, Spec

DEFAULT_SECONDS = 300.0
_FOR_SIZES = 0.25  # of the time limit, at most: to find the least capacities takes many searches
_MOST_REASONS = 6
_LATE = 0.1  # of the time is left after a first search that the limit ended


def explain(
    spec: Spec,
    *,
    time_limit: float | None = None,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """What each constraint and capacity of the spec costs, or why nothing is valid.

    For a spec that has a mapping: its optimum, and the optimum without each limit alone, by the same search. For one
    that has none: the cause, the smallest size or the constraint that would do, and settings that give a mapping.
    ``time_limit`` (s) is for all searches together; what is not finished by then says so. Without it the spec's own
    holds; without that the first search has none, and all others have five minutes. ``n_jobs`` searches run at once
    (default: see `set_n_parallel_jobs`). ``progress`` gets a line of text now and then.

    Raises SpecError and PluginError for what is wrong with the spec itself, TimeLimitError where the time limit ends
    the first search before it finds any mapping.
    """
    return Inquiry(spec, time_limit, n_jobs or DEFAULT_JOBS.n, progress).run()


@attrs.define
class Inquiry:
    """An explanation in the making; `explanation` is what is known so far, whenever it is looked at."""

    spec: Spec
    time_limit: float | None = None
    n_jobs: int = 1
    progress: Progress | None = None
    explanation: Explanation = attrs.field(init=False)
    _parts: Parts = attrs.field(init=False)
    _problem: Problem = attrs.field(init=False)
    _pool: Executor | None = attrs.field(default=None, init=False)
    _for_first: float = attrs.field(default=INFINITY, init=False)  # s that the first search may take
    _seconds: float = attrs.field(default=DEFAULT_SECONDS, init=False)

    def __attrs_post_init__(self) -> None:
        self._problem = problem_of(self.spec, allow_hopeless=True)
        check_metrics(self._problem.options.metrics)
        stated = self._problem.options.time_limit
        if self.time_limit is not None or stated < INFINITY:
            self._for_first = self._seconds = stated if self.time_limit is None else self.time_limit
        if stated < INFINITY:  # it is for all searches together, none of which may be cut short unnoticed
            self.spec = applied(self.spec, (Setting("mapper.ffm.time_limit", "inf"),))
            self._problem = problem_of(self.spec, allow_hopeless=True)
        self._parts = Parts.of(self.spec, self._problem)
        notes = (self._parts.note,) if self._parts.note else ()
        goals = goals_of(self._problem.options.metrics)
        self.explanation = Explanation(self._parts.joiner, self._parts.guarantee, goals, notes=notes)

    def run(self) -> Explanation:
        """Find everything out, as far as the time goes."""
        with workers(self.spec, self.n_jobs) as pool:
            limit = TimeLimit(self._for_first)
            optimum, worth = self._parts.first(self._problem, self._for_first, pool, self.progress)
            late = limit.left < _LATE * limit.seconds
            limit = limit if limit.seconds < INFINITY else TimeLimit(self._seconds)
            if worth and late:  # what a limit costs is a difference of optima
                limit = TimeLimit(0.0)
            # Each search may have to be given up: what cannot do that, or was not asked for, leaves them to processes.
            self._pool = pool if self.spec.mapper.executor is not None and hasattr(pool, "outcomes") else None
            if optimum is None:
                self._find_reasons(limit)
            else:
                self._know(optimum=optimum, guarantee=worth or self.explanation.guarantee)
                self._lift_all(optimum, limit)
        return self.explanation

    def _know(self, **news: Any) -> None:
        self.explanation = attrs.evolve(self.explanation, **news)

    def _say(self, phase: str, note: str) -> None:
        if self.progress is not None:
            self.progress(Step(phase, note=note))

    # ---- something is valid

    def _lift_all(self, base: Optimum, limit: TimeLimit) -> None:
        """Search without each limit, those that rule nothing out left aside."""
        found = {lift.path: self._prepared(lift) for lift in limits(self.spec)}
        effects = {path: effect for path, (effect, _) in found.items()}
        pending = [path for path, (effect, _) in found.items() if effect.outcome is Outcome.PENDING]
        self._know(effects=tuple(effects.values()))
        self._say("lift", f"{len(pending)} of {len(found)} limits are to be lifted, one at a time")
        calls = [partial(self._parts.optimum, problem) for path in pending if (problem := found[path][1]) is not None]
        for done, (number, answer) in enumerate(run(calls, self.n_jobs, limit, self._pool), 1):
            effect = effects[pending[number]]
            effects[pending[number]] = effect = _judged(effect, base, answer)
            self._know(effects=_sorted(effects.values()))
            self._say("lift", f"{done} of {len(calls)} limits; {effect.lift.path}: {effect.outcome}")
        rest = TimeLimit(min(limit.left, _FOR_SIZES * self._seconds))
        for path, effect in smallest_capacities(self._parts, self._problem, effects, self.n_jobs, rest, self.progress):
            effects[path] = effect
            self._know(effects=_sorted(effects.values()))

    def _prepared(self, lift: Limit) -> tuple[Effect, Problem | None]:
        """The problem without a limit, where it is another one."""
        try:
            if lift.memory:
                size = limited_memories(self._problem).get(lift.memory, INFINITY)
                problem = with_sizes(self._problem, {lift.memory: INFINITY})
                lift = attrs.evolve(lift, says=bits_text(size) if size < INFINITY else lift.says)
                if not self._is_set_alone(lift, problem):
                    lift = attrs.evolve(lift, settings=(), depended_on=True)
            else:
                problem = problem_of(applied(self.spec, lift.settings))
        except FFError as error:
            return Effect(lift, Outcome.FAILED, note=str(error)), None
        if same_problem(self._problem, problem):
            return Effect(lift, Outcome.IDLE), None
        return Effect(lift, Outcome.PENDING), problem

    def _is_set_alone(self, lift: Limit, lifted: Problem) -> bool:
        """Do the settings of a capacity give the problem with it alone lifted, costs and other sizes as they are?"""
        try:
            return same_problem(lifted, problem_of(applied(self.spec, lift.settings), allow_hopeless=True))
        except FFError:  # such as an energy that would be infinite
            return False

    # ---- nothing is valid

    def _find_reasons(self, limit: TimeLimit) -> None:
        """The cause; then, with the first suggestion followed, the next one, until there is a mapping."""
        spec, problem = self.spec, self._problem
        reasons: list[Reason] = []
        while len(reasons) < _MOST_REASONS:
            self._say("explain", "searching the cause" if not reasons else "searching the cause that is left")
            try:
                cause = find_cause(problem, self._parts.join, seconds=max(1.0, limit.left))
            except FFError as error:
                cause = Cause(CauseKind.UNKNOWN, f"no mapping is valid; why cannot be searched: {error}")
            if cause is None:
                return
            ways = suggestions_of(spec, cause)
            reasons.append(Reason(cause, fields_of(spec, cause), ways))
            self._know(reasons=tuple(reasons))
            self._say("explain", f"trying {len(ways)} ways out")
            ways = self._tried(spec, ways, limit)
            reasons[-1] = attrs.evolve(reasons[-1], suggestions=ways)
            self._know(reasons=tuple(reasons))
            if not ways or not limit.left or any(way.works for way in ways):
                return
            spec = applied(spec, ways[0].settings)
            try:
                problem = problem_of(spec, allow_hopeless=True)
            except SpecError:
                return

    def _tried(self, spec: Spec, ways: Sequence[Suggestion], limit: TimeLimit) -> tuple[Suggestion, ...]:
        """The suggestions that are fit for the spec, those that give a mapping first."""
        tried = list(ways)
        calls = [partial(_works, self._parts, spec, way) for way in ways]
        for number, answer in run(calls, self.n_jobs, limit, self._pool):
            works = None if answer.unfinished else False if answer.refused else bool(answer.value)
            tried[number] = attrs.evolve(tried[number], works=works)
        return tuple(sorted(tried, key=lambda way: {True: 0, None: 1, False: 2}[way.works]))


def _works(parts: Parts, spec: Spec, way: Suggestion) -> bool:
    from ffcore.plugin import has_mapping

    return has_mapping(problem_of(applied(spec, way.settings)), parts.join)


def _judged(effect: Effect, base: Optimum, answer: Answer) -> Effect:
    """What the answer to the search without a limit says of it."""
    effect = attrs.evolve(effect, seconds=answer.seconds)
    if answer.unfinished or answer.refused:
        outcome = Outcome.UNFINISHED if answer.unfinished else Outcome.FAILED
        return attrs.evolve(effect, outcome=outcome, note=answer.unfinished or answer.refused)
    optimum: Optimum | None = answer.value
    if optimum is None:
        return attrs.evolve(effect, outcome=Outcome.WORSE, note="nothing is valid then")
    gains = {goal: _gain(base.value(goal), optimum.value(goal)) for goal in base.best}
    if any(gain > 1 for gain in gains.values()):
        outcome = Outcome.BETTER
    else:
        outcome = Outcome.WORSE if any(gain < 1 for gain in gains.values()) else Outcome.EQUAL
    return attrs.evolve(effect, outcome=outcome, optimum=optimum, gains=gains)


def _gain(before: float, after: float) -> float:
    """The factor between two optima, 1 if they are equal but for rounding."""
    if abs(before - after) <= SAME * max(before, after):
        return 1.0
    return before / after if after else math.inf


_ORDER = (
    Outcome.BETTER,
    Outcome.WORSE,
    Outcome.EQUAL,
    Outcome.IDLE,
    Outcome.UNFINISHED,
    Outcome.FAILED,
    Outcome.PENDING,
)


def _sorted(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    return tuple(sorted(effects, key=lambda e: (_ORDER.index(e.outcome), e.rank)))
