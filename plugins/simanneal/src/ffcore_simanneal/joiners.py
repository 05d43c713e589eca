"""The joiners: options, islands, and the tracker that says how it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, ClassVar

import attrs

from ffcore.plugin import (
    FFError,
    JoinedMapping,
    MapperOptions,
    PmappingSet,
    Problem,
    check_metrics,
    evaluated_alone,
    workers_of,
)
from ffcore_simanneal.anneal import Annealing, anneal
from ffcore_simanneal.budget import Budget, Ceiling, Meter, check_count, check_positive, check_share
from ffcore_simanneal.genetic import Breeding, breed, wander
from ffcore_simanneal.mapspace import Mapspace, mapspace_of
from ffcore_simanneal.search import Space
from ffcore_simanneal.simanneal2 import RowSearch
from ffcore_simanneal.tracker import Outcome, Tracker, merge

Progress = Callable[[str], None]


@attrs.frozen
class Islands:
    """Searches that know nothing of each other but when to end; workers may be other processes.

    ``budget``: of each. ``begun``: when the whole search began, by ``clock``. ``at_once``: how many run at a time.
    """

    search: Callable[[Meter, str], Outcome]
    budget: Budget
    seed: int
    begun: float
    clock: Callable[[], float]
    at_once: int
    ceiling: Ceiling = attrs.Factory(Ceiling)

    def __call__(self, number: int) -> Outcome:
        now = self.clock()
        # What workers and earlier islands took of the time of this one is not given to it again.
        planned = self.begun + (number // self.at_once) * (self.budget.time_limit or 0.0)
        begun = now if self.budget.time_limit is None else min(now, planned)
        outcome = self.search(Meter(self.budget, self.clock, begun, self.ceiling), f"{self.seed} {number}")
        if outcome.samples and self.budget.reached(outcome.samples[-1].score):
            self.ceiling.lower(outcome.samples[-1].evaluations)
        return outcome


@attrs.frozen(kw_only=True)
class Baseline:
    """Options that all baselines have.

    ``seed``: equal seeds and budgets in evaluations give equal results. ``islands``: independent searches that the
    budget is divided among; as many can run at the same time. ``max_evaluations``, ``time_limit`` (s),
    ``score_target``: see `Budget`. Raises ``FFError`` for values that make no sense.
    """

    seed: int = 0
    islands: int = 2
    max_evaluations: float | None = None
    time_limit: float | None = None
    score_target: float | None = None

    default_evaluations: ClassVar[float] = 100_000.0  # where neither evaluations nor time are limited

    def __attrs_post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise FFError(f"seed must be a whole number, not {self.seed!r}")
        check_count("islands", self.islands)
        self.budget()

    @staticmethod
    def clock() -> float:
        """Seconds of wall time, the same in all processes."""
        return time.perf_counter()

    def budget(self) -> Budget:
        evaluations = self.max_evaluations
        if evaluations is None and self.time_limit is None:
            evaluations = self.default_evaluations
        return Budget(evaluations, self.time_limit, self.score_target)

    def search(
        self,
        name: str,
        search: Callable[[Meter, str], Outcome],
        budget: Budget,
        executor: Executor | None,
        progress: Progress | None,
        begun: float,
    ) -> Outcome:
        """All islands, merged in the order of their numbers. ``begun``: when, by the clock."""
        count = self.islands
        if budget.max_evaluations is not None:
            count = max(1, min(count, int(budget.max_evaluations)))  # each needs one evaluation at least
        at_once = workers_of(executor, count)
        island = Islands(search, budget.share(count, at_once), self.seed, begun, self.clock, at_once)
        run = map(island, range(count)) if executor is None else executor.map(island, range(count))
        outcomes: list[Outcome] = []
        for found in run:
            outcomes.append(found)
            if progress is not None:
                best = f"best score {found.samples[-1].score:.6g}" if found.samples else "nothing found"
                progress(f"{name}: island {len(outcomes)} of {count}, {best} after {found.evaluations:.0f} evaluations")
        return merge(outcomes, budget, self.clock() - begun)

    def guarantee(self, options: MapperOptions) -> None:
        """Nothing is promised."""

    def join(
        self,
        problem: Problem,
        pmappings: Any,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> Sequence[JoinedMapping]:
        """The best mapping found. Raises ``NoValidMappingError`` if none was."""
        return self.track(problem, pmappings, executor=executor, progress=progress).joined()

    def track(
        self, problem: Problem, pmappings: Any, *, executor: Executor | None = None, progress: Progress | None = None
    ) -> Tracker:
        """The course of the search and its best mapping.

        Raises ``NoValidMappingError`` where no pmappings are compatible, so that no search can succeed.
        """
        raise NotImplementedError


@attrs.frozen(kw_only=True)
class SimAnneal2(Baseline):
    """The published baseline; ``max_evaluations`` is in multiples of what the exact mapper evaluated."""

    default_evaluations: ClassVar[float] = 20.0  # as the published one

    max_evaluations: float | None = 20.0
    population: int = 10

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_count("population", self.population)

    def track(
        self, problem: Problem, pmappings: Any, *, executor: Executor | None = None, progress: Progress | None = None
    ) -> Tracker:
        """As `Baseline.track`; ``history`` counts evaluations in multiples of the exact mapper's, and scores in
        multiples of ``score_target``."""
        begun = self.clock()
        check_metrics(problem.options.metrics)
        if not isinstance(pmappings, PmappingSet):
            raise FFError(
                "the joiner 'simanneal2' draws Pareto-optimal pmappings, so it needs those of the explorer 'default'"
            )
        pmappings = attrs.evolve(pmappings, problem=problem)
        unit = float(sum(e.stats.evaluated for e in pmappings.einsums)) or 1.0
        budget = self.budget()
        if budget.max_evaluations is not None:
            budget = attrs.evolve(budget, max_evaluations=budget.max_evaluations * unit)
        search = partial(_row_search, pmappings, tuple(charges(pmappings)), self.population)
        found = self.search("simanneal2", search, budget, executor, progress, begun)
        return _tracker("simanneal2", problem, found, unit, self.score_target)


def _row_search(
    pmappings: PmappingSet, charges: tuple[float, ...], population: int, meter: Meter, seed: str
) -> Outcome:
    return RowSearch(pmappings, charges, population, meter, seed).run()


def _space_search(mapspace: Mapspace, method: Callable[[Space], None], meter: Meter, seed: str) -> Outcome:
    """A search over unpruned pmappings; ``method`` spends a space's budget."""
    space = Space(mapspace, meter, seed)
    method(space)
    return space.outcome()


@attrs.frozen(kw_only=True)
class Unpruned(Baseline):
    """Searches over unpruned pmappings; ``max_evaluations`` counts these.

    Without any limit 100,000 evaluations are made.
    """

    name: ClassVar[str]

    def method(self) -> Callable[[Space], None]:
        """How a space's budget is spent; something that other processes can be sent."""
        raise NotImplementedError

    def track(
        self, problem: Problem, pmappings: Any, *, executor: Executor | None = None, progress: Progress | None = None
    ) -> Tracker:
        """As `Baseline.track`; of ``pmappings`` only the templates are used: none of them was pruned."""
        begun = self.clock()
        check_metrics(problem.options.metrics)
        search = partial(_space_search, mapspace_of(problem, pmappings, self.name), self.method())
        found = self.search(self.name, search, self.budget(), executor, progress, begun)
        return _tracker(self.name, problem, found, 1.0, self.score_target)


@attrs.frozen(kw_only=True)
class SimAnneal(Unpruned):
    """Simulated annealing; the schedule's options are those of `Annealing`."""

    name: ClassVar[str] = "simanneal"
    restarts: int = Annealing().restarts
    acceptance: float = Annealing().acceptance
    cooling: float = Annealing().cooling
    reheat: float = Annealing().reheat

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_count("restarts", self.restarts, least=0)
        check_share("acceptance", self.acceptance)
        check_share("cooling", self.cooling)
        check_positive("reheat", self.reheat)

    def method(self) -> Callable[[Space], None]:
        return partial(anneal, options=Annealing(self.restarts, self.acceptance, self.cooling, self.reheat))


@attrs.frozen(kw_only=True)
class Genetic(Unpruned):
    """Genetic search; its options are those of `Breeding`."""

    name: ClassVar[str] = "genetic"
    population: int = Breeding().population
    rivals: int = Breeding().rivals
    crossover: float = Breeding().crossover
    mutation: float = Breeding().mutation

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_count("population", self.population)
        check_count("rivals", self.rivals)
        check_share("crossover", self.crossover)
        check_share("mutation", self.mutation)

    def method(self) -> Callable[[Space], None]:
        return partial(breed, options=Breeding(self.population, self.rivals, self.crossover, self.mutation))


@attrs.frozen(kw_only=True)
class Random(Unpruned):
    """Random mappings, each drawn from nothing."""

    name: ClassVar[str] = "random"

    def method(self) -> Callable[[Space], None]:
        return wander


def charges(pmappings: PmappingSet) -> list[float]:
    """Per Einsum, the expected number of evaluations to come by one Pareto-optimal pmapping."""
    evaluated = evaluated_alone(pmappings)
    return [evaluated[e.einsum.name] / len(e.rows) or 1.0 for e in pmappings.einsums]


def _tracker(name: str, problem: Problem, found: Outcome, unit: float, target: float | None) -> Tracker:
    return Tracker(name, problem, found.samples, found.evaluations, found.seconds, found.best, unit, target)
