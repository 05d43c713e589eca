"""Running several joiners on one job under equal wall time."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from ffcore import plugin
from ffcore.cli.progress import progress_display
from ffcore.errors import FFError, NoValidMappingError, SpecError
from ffcore.mapper.ffm import join_as, make_pmappings
from ffcore.mapper.workers import workers
from ffcore.spec.problem import Metric
from ffcore.units import Dimension, format_quantity, parse_quantity

if TYPE_CHECKING:
    from ffcore.plugin import Progress
    from ffcore.results import Mappings, Pmappings
    from ffcore.spec import Spec

_LONGER = {"min": 60.0, "h": 3600.0, "minutes": 60.0, "minute": 60.0, "hours": 3600.0, "hour": 3600.0}
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
    """One joiner under one budget. An exact joiner has none: it takes what it takes.

    ``exploring``: of ``seconds``, those that went into pmappings which the joiner needs first.
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
        """The score of the exact joiners; None if none was among those compared."""
        return min((run.score for run in self.runs if run.exact), default=None)

    @property
    def reference(self) -> float:
        """The optimum or, if it is not known, the best score of all."""
        return min(run.score for run in self.runs) if self.optimum is None else self.optimum

    def gap(self, run: Run) -> float:
        """How much worse than the reference a run's best is, relative to it; inf if it found nothing."""
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
    count = jobs or os.cpu_count() or 1
    if multiples is None:
        seconds = _DEFAULT_BUDGET if budget is None else parse_time("--budget", budget)
        return Plan(names, (seconds,), False, seed, count)
    if budget is not None:
        raise SpecError.one("give either --budget or --multiples")
    if _is_search(names[0]):
        raise SpecError.one("--multiples are of the wall time of an exact joiner: name it first, as in ffm,simanneal")
    return Plan(names, tuple(_multiple(text) for text in multiples.split(",")), True, seed, count)


def parse_time(option: str, text: str) -> float:
    """Seconds: ``60s``, ``1.5``, ``500ms``, ``2min``, ``1h``. Raises ``SpecError``."""
    match = re.fullmatch(r"(.*?)\s*(min|minutes?|h|hours?)", text.strip())
    if match is not None:
        seconds = parse_quantity(match[1], Dimension.COUNT) * _LONGER[match[2]]
    else:
        seconds = parse_quantity(text, Dimension.TIME)
    if not 0 < seconds < math.inf:
        raise SpecError.one(f"{option} must be above 0 and finite, not {text}")
    return seconds


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
    return hasattr(plugin.get("joiner", name), "track")


def run(spec: Spec, plan: Plan) -> Comparison:
    """Run all joiners, one after the other. Raises what exact joiners raise where there is no valid mapping."""
    runs: list[Run] = []
    explored = _Explored(spec, plan.jobs)
    with progress_display() as progress:
        for name in plan.joiners:
            if not _is_search(name):
                runs.append(_exact(spec, name, explored, progress))
        first = runs[0].seconds if runs else 0.0
        for amount in plan.budgets:
            seconds = amount * first if plan.multiples else amount
            multiple = amount if plan.multiples else None
            for name in plan.joiners:
                if _is_search(name):
                    runs.append(_search(spec, plan, name, (seconds, multiple), explored, progress))
    order = {name: i for i, name in enumerate(plan.joiners)}
    runs.sort(key=lambda r: (r.budget or 0.0, order[r.joiner]))
    return Comparison(*_score_name(spec), tuple(runs))


@attrs.define
class _Explored:
    """Pmappings by explorer, made when first needed, with the wall time that it took."""

    spec: Spec
    jobs: int
    _made: dict[str, tuple[Pmappings, float]] = attrs.Factory(dict)

    def by(self, explorer: str, progress: Progress | None) -> tuple[Pmappings, float]:
        if explorer not in self._made:
            self._made[explorer] = _timed(lambda: _with(
                self.spec, "explorer", explorer, lambda: make_pmappings(self.spec, n_jobs=self.jobs, progress=progress)
            ))
        return self._made[explorer]


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def _with(spec: Spec, field: str, value: str | None, call: Callable[[], Any]) -> Any:
    """Call with a field of ``spec.mapper`` set for so long."""
    before = getattr(spec.mapper, field)
    setattr(spec.mapper, field, value)
    try:
        return call()
    finally:
        setattr(spec.mapper, field, before)


def _exact(spec: Spec, name: str, explored: _Explored, progress: Progress | None) -> Run:
    pmappings, exploring = explored.by(spec.mapper.explorer, progress)

    def join() -> Mappings:
        joined: Mappings = _with(
            spec,
            "joiner",
            name,
            lambda: join_as(spec, pmappings.problem, pmappings, n_jobs=explored.jobs, progress=progress),
        )
        return joined

    mappings, joining = _timed(join)
    scores = [_score(spec, e.total_energy, e.total_latency) for e in mappings.evaluations]
    seconds = exploring + joining
    evaluations = _evaluated(pmappings)
    point = Point(evaluations or 0.0, seconds, min(scores))
    return Run(name, True, None, None, min(scores), evaluations, seconds, exploring, (point,))


def _search(
    spec: Spec,
    plan: Plan,
    name: str,
    budget: tuple[float, float | None],
    explored: _Explored,
    progress: Progress | None,
) -> Run:
    seconds, multiple = budget
    explorer = getattr(plugin.get("joiner", name), "explorer", spec.mapper.explorer)
    pmappings, exploring = explored.by(explorer, progress)
    if exploring >= seconds:
        note = f"making its pmappings takes {format_quantity(exploring, Dimension.TIME)}"
        return Run(name, False, seconds, multiple, math.inf, 0.0, exploring, exploring, (), note)
    options = {"time_limit": seconds - exploring, "max_evaluations": None, "seed": plan.seed}
    options["islands"] = plan.jobs
    joiner: Any = plugin.get("joiner", name, **options)
    try:
        # Searches are Python: threads would take turns.
        tracker = _with(spec, "executor", "processes" if plan.jobs > 1 else None, lambda: _tracked(
            spec, plan, joiner, pmappings, progress
        ))
    except NoValidMappingError as error:
        return Run(name, False, seconds, multiple, math.inf, None, exploring, exploring, (), str(error))
    history = tuple(Point(s.evaluations, exploring + s.seconds, s.score) for s in tracker.samples)
    spent = exploring + tracker.seconds
    note = "" if history else "nothing found that fits" if tracker.evaluations else "its preparations take all of it"
    return Run(name, False, seconds, multiple, tracker.score, tracker.evaluations, spent, exploring, history, note)


def _tracked(spec: Spec, plan: Plan, joiner: Any, pmappings: Pmappings, progress: Progress | None) -> Any:
    with workers(spec, plan.jobs) as pool:
        return joiner.track(pmappings.problem, pmappings.source, executor=pool, progress=progress)


def _evaluated(pmappings: Pmappings) -> float | None:
    try:
        return float(pmappings.evaluated_pmappings())
    except FFError:  # an explorer that does not count
        return None


def _score_name(spec: Spec) -> tuple[str, str]:
    metrics = spec.mapper.ffm.metrics
    both = Metric.ENERGY_DELAY_PRODUCT in metrics or (Metric.ENERGY in metrics and Metric.LATENCY in metrics)
    if both:
        return "energy-delay product", "J·s"
    return ("energy", "J") if Metric.ENERGY in metrics else ("latency", "s")


def _score(spec: Spec, energy: float, latency: float) -> float:
    return {"J·s": energy * latency, "J": energy, "s": latency}[_score_name(spec)[1]]
