"""Running several joiners on one job under equal wall time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from ffcore import plugin
from ffcore.plugin import (
    DEFAULT_EXPLORER,
    DEFAULT_JOBS,
    Dimension,
    FFError,
    Guarantee,
    Job,
    NoValidMappingError,
    Objectives,
    SpecError,
    as_searched,
    explorer_of,
    format_quantity,
    guarantee_of,
    map_workload_to_arch,
    parse_time,
    progress_display,
    workers,
)

if TYPE_CHECKING:
    from ffcore.plugin import Pmappings, Progress, Spec

_DEFAULT_BUDGET = 60.0  # s


@attrs.frozen
class Plan:
    """What is compared: joiners in order, and the budget of each search in seconds or in multiples of the exact one."""

    joiners: tuple[str, ...]
    budgets: tuple[float, ...]  # s, or multiples
    multiples: bool
    seed: int
    jobs: int


@attrs.frozen
class Point:
    """A new best score of a search."""

    evaluations: float
    seconds: float
    score: float


@attrs.frozen
class Run:
    """One joiner under one budget. One that keeps no history has none: it takes what it takes.

    ``exact``: the result's guarantee says that it is the optimum. ``seconds``: wall time of all that the joiner needs,
    the start of workers included; of these, ``exploring`` went into pmappings.
    """

    joiner: str
    exact: bool
    budget: float | None  # s
    multiple: float | None
    score: float  # inf: nothing found
    evaluations: float | None  # None: not counted
    seconds: float
    exploring: float
    history: tuple[Point, ...]
    note: str = ""


@attrs.frozen
class Comparison:
    """All runs, and the score that gaps are measured against."""

    score_name: str  # "energy", "latency" or "energy-delay product"
    score_unit: str
    runs: tuple[Run, ...]

    @property
    def optimum(self) -> float | None:
        """The score that is proven to be the best; None if no exact result is among those compared."""
        return min((run.score for run in self.runs if run.exact), default=None)

    @property
    def reference(self) -> float:
        """The optimum or, if it is not known, the best score of all."""
        return min((run.score for run in self.runs), default=math.inf) if self.optimum is None else self.optimum

    @property
    def failure(self) -> str | None:
        """Why there is no mapping at all; None if any joiner found one."""
        if any(math.isfinite(run.score) for run in self.runs):
            return None
        reasons = dict.fromkeys(f"{run.joiner}: {run.note or 'nothing found'}" for run in self.runs)
        return f"no joiner found one ({'; '.join(reasons)})"

    def gap(self, run: Run) -> float:
        """How much worse than the reference a run's best is, relative to it; inf if it found nothing."""
        if not math.isfinite(run.score):
            return math.inf
        return run.score / self.reference - 1 if self.reference else run.score


def plan(joiners: str, budget: str | None, multiples: str | None, *, seed: int, jobs: int | None) -> Plan:
    """The command line's words as a plan. Raises ``SpecError`` and ``PluginError`` for what makes no sense."""
    names = tuple(name.strip() for name in joiners.split(",") if name.strip())
    if not names:
        raise SpecError.one("--joiners: name at least one, such as ffm,simanneal")
    if len(set(names)) < len(names):
        raise SpecError.one(f"--joiners {joiners}: each one can be named once")
    for name in names:
        plugin.get("joiner", name)
    count = jobs or DEFAULT_JOBS.n
    if multiples is None:
        seconds = _DEFAULT_BUDGET if budget is None else parse_time("--budget", budget)
        return Plan(names, (seconds,), False, seed, count)
    if budget is not None:
        raise SpecError.one("give either --budget or --multiples")
    if _is_search(names[0]):
        raise SpecError.one("--multiples are of the wall time of an exact joiner: name it first, as in ffm,simanneal")
    return Plan(names, tuple(_multiple(text) for text in multiples.split(",")), True, seed, count)


def _multiple(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < math.inf:
        raise SpecError.one(f"--multiples: expected numbers above 0 such as 1,10,100, not {text.strip() or 'nothing'}")
    return value


def _is_search(name: str) -> bool:
    """Does a joiner take a budget and keep a history?"""
    record = plugin.current_manager().record("joiner", name)
    return isinstance(record, plugin.JoinerRecord) and record.tracks


def run(spec: Spec, plan: Plan, runs: list[Run] | None = None) -> Comparison:
    """Run all joiners, one after the other; ``runs`` is given each run as soon as it is done.

    All that is compiled or imported is, before any clock starts. Raises NoValidMappingError where it is proven that
    there is no mapping.
    """
    runs = [] if runs is None else runs
    for name in plan.joiners:  # all in one mapspace
        spec = as_searched(spec, joiner=name)
    explored = _Explored(spec, plan.jobs)
    with progress_display() as progress:
        if progress is not None:
            progress("compiling")
        _warm_up(spec, plan)
        for name in plan.joiners:
            if not _is_search(name):
                runs.append(_plain(spec, plan, name, explored, progress))
        first = runs[0].seconds if runs else 0.0
        for amount in plan.budgets:
            seconds = amount * first if plan.multiples else amount
            multiple = amount if plan.multiples else None
            for name in plan.joiners:
                if _is_search(name):
                    runs.append(_search(spec, plan, name, (seconds, multiple), explored, progress))
    return comparison_of(spec, plan, runs)


def comparison_of(spec: Spec, plan: Plan, runs: Sequence[Run]) -> Comparison:
    """The runs that are done, in the order in which they are shown."""
    order = {name: i for i, name in enumerate(plan.joiners)}
    return Comparison(*_score_name(spec), tuple(sorted(runs, key=lambda r: (r.budget or 0.0, order[r.joiner]))))


def _warm_up(spec: Spec, plan: Plan) -> None:
    """Run each joiner on a small job, so that compiling and importing count for none.

    Not those that have an explorer of their own and take no budget (``exhaustive``): nothing says how long they take.
    """
    small = _small_spec()
    small.mapper.ffm.metrics = spec.mapper.ffm.metrics
    for name in plan.joiners:
        if not _is_search(name) and explorer_of(small, name) != DEFAULT_EXPLORER:
            continue
        small.mapper.joiner = name
        small.mapper.joiner_options = {"max_evaluations": 5} if _is_search(name) else {}
        # Whatever this joiner cannot do with that job, it is told of when it comes to the real one.
        with suppress(FFError):
            map_workload_to_arch(small, n_jobs=1)


def _small_spec() -> Spec:
    from ffcore.plugin import Spec

    return Spec.from_yaml("simple", "matmuls", N_EINSUMS=3, M=8, KN=8)


@attrs.define
class _Explored:
    """Pmappings by explorer, made when first needed, with the wall time that it took."""

    spec: Spec
    jobs: int
    _made: dict[str, tuple[Pmappings, float]] = attrs.Factory(dict)

    def by(self, explorer: str, progress: Progress | None) -> tuple[Pmappings, float]:
        if explorer not in self._made:
            job = Job.of(self.spec, explorer=explorer)
            with workers(self.spec, self.jobs) as pool:
                self._made[explorer] = _timed(lambda: job.explore(executor=pool, progress=progress))
        return self._made[explorer]


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def _plain(spec: Spec, plan: Plan, name: str, explored: _Explored, progress: Progress | None) -> Run:
    """A joiner that takes no budget, exact or not."""
    job = Job.of(spec, joiner=name)
    pmappings, exploring = explored.by(job.explorer_name, progress)
    start = time.perf_counter()
    try:
        with workers(spec, plan.jobs) as pool:
            mappings = job.join(pmappings, pmappings.problem, executor=pool, progress=progress)
        scores = [_score(spec, e.total_energy, e.total_latency) for e in mappings.evaluations]
    except NoValidMappingError as error:
        if _exact(guarantee_of(job.joiner, pmappings.problem)):  # whatever mappings cost
            raise  # proven: searches need not try
        seconds = exploring + time.perf_counter() - start
        return Run(name, False, None, None, math.inf, None, seconds, exploring, (), str(error))
    seconds = exploring + time.perf_counter() - start
    evaluations = _evaluated(pmappings)
    exact = _exact(mappings.guarantee)
    note = "" if exact else "promises nothing" if mappings.guarantee is None else str(mappings.guarantee)
    point = Point(evaluations or 0.0, seconds, min(scores))
    return Run(name, exact, None, None, min(scores), evaluations, seconds, exploring, (point,), note)


def _exact(guarantee: Guarantee | None) -> bool:
    return guarantee is not None and guarantee.factor == 1 and guarantee.free == 0


def _search(
    spec: Spec,
    plan: Plan,
    name: str,
    budget: tuple[float, float | None],
    explored: _Explored,
    progress: Progress | None,
) -> Run:
    seconds, multiple = budget
    pmappings, exploring = explored.by(Job.of(spec, joiner=name).explorer_name, progress)
    if exploring >= seconds:
        note = f"making its pmappings takes {format_quantity(exploring, Dimension.TIME)}"
        return Run(name, False, seconds, multiple, math.inf, 0.0, exploring, exploring, (), note)
    start = time.perf_counter()
    options = {"time_limit": seconds - exploring, "max_evaluations": None, "seed": plan.seed, "islands": plan.jobs}
    joiner: Any = Job.of(spec, joiner=name, options=options).joiner
    try:
        with workers(spec, plan.jobs) as pool:
            tracker = joiner.track(pmappings.problem, pmappings.source, executor=pool, progress=progress)
    except NoValidMappingError as error:
        spent = exploring + time.perf_counter() - start
        return Run(name, False, seconds, multiple, math.inf, None, spent, exploring, (), str(error))
    spent = exploring + time.perf_counter() - start
    history = tuple(Point(s.evaluations, exploring + s.seconds, s.score) for s in tracker.samples)
    note = "" if history else "nothing found that fits" if tracker.evaluations else "its preparations take all of it"
    return Run(name, False, seconds, multiple, tracker.score, tracker.evaluations, spent, exploring, history, note)


def _evaluated(pmappings: Pmappings) -> float | None:
    try:
        return float(pmappings.evaluated_pmappings())
    except FFError:  # an explorer that does not count
        return None


def _score_name(spec: Spec) -> tuple[str, str]:
    objectives = Objectives.of(spec.mapper.ffm.metrics)
    return objectives.name, objectives.unit


def _score(spec: Spec, energy: float, latency: float) -> float:
    return Objectives.of(spec.mapper.ffm.metrics).score(energy, latency)
