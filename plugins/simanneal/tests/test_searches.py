"""The searches: repeatable, within their budgets, never better than the optimum, and as good on small problems."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from itertools import pairwise

import pytest

from ffcore import plugin
from ffcore.model.default import DefaultModel
from ffcore.model.law import Law
from ffcore.pmappings.set import PmappingSet
from ffcore_exhaustive.mapper import exhaustive_map
from ffcore_simanneal.budget import Budget, Meter
from ffcore_simanneal.joiners import Baseline, Islands
from ffcore_simanneal.joint import score_of
from ffcore_simanneal.tracker import Outcome, Tracker, merge
from plugins.simanneal.tests.problems import Case, cases, two_matmuls
from tests.examples import examples, first_few
from tests.laws import Odd

UNPRUNED = ["simanneal", "genetic", "random"]
EVERY = [*UNPRUNED, "simanneal2"]
SAME = 1e-9
FEW = examples(3, 25)


def track(name: str, case: Case, executor: Executor | None = None, **options: object) -> Tracker:
    source: object = case.mapspace
    if name == "simanneal2":
        source = plugin.get("explorer", "default").explore(case.problem)
    tracker = plugin.get("joiner", name, **options).track(case.problem, source, executor=executor)  # type: ignore[call-overload]
    assert isinstance(tracker, Tracker)
    return tracker


@pytest.fixture(scope="module")
def case() -> Case:
    return next(cases(4, 1))


@pytest.fixture(params=first_few(["threads", "forks", "processes"], 2))
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = plugin.get("executor", request.param, n_jobs=2)
    yield executor
    executor.shutdown()


def course(tracker: Tracker) -> object:
    return tracker.history, tracker.evaluations, tracker.best


@pytest.mark.parametrize("name", EVERY)
def test_equal_seeds_repeat_exactly(name: str, case: Case) -> None:
    evaluations = 20 if name == "simanneal2" else 1000
    first, second = (track(name, case, seed=7, max_evaluations=evaluations) for _ in range(2))
    assert course(first) == course(second)
    other = track(name, case, seed=8, max_evaluations=evaluations)
    assert course(first) != course(other)


def test_workers_do_not_change_the_result(case: Case, pool: Executor) -> None:
    for name in EVERY:
        evaluations = 5 if name == "simanneal2" else 500
        alone = track(name, case, seed=3, islands=3, max_evaluations=evaluations)
        together = track(name, case, pool, seed=3, islands=3, max_evaluations=evaluations)
        assert course(alone) == course(together)


@pytest.mark.parametrize("name", EVERY)
def test_history_is_monotone_and_evaluations_are_within_one_step(name: str, case: Case) -> None:
    budget = 10 if name == "simanneal2" else 1000
    tracker = track(name, case, seed=1, max_evaluations=budget, islands=1)
    assert tracker.samples
    for before, after in pairwise(tracker.samples):
        assert after.evaluations >= before.evaluations
        assert after.seconds >= before.seconds
        assert after.score < before.score
    spent = tracker.evaluations / tracker.unit
    assert budget <= spent
    # One step draws each Einsum's pmapping at most some times.
    step = 16 * len(case.problem.einsums)
    if name == "simanneal2":
        found = plugin.get("explorer", "default").explore(case.problem)
        step *= max(e.stats.evaluated / len(e.rows) for e in found.einsums) / tracker.unit
    assert spent <= budget + step
    assert tracker.samples[-1].evaluations <= tracker.evaluations


class Ticking:
    """A clock of which a tenth of a second passes between two looks at it."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 0.1
        return self.now


@pytest.mark.parametrize("name", EVERY)
def test_time_limit_is_kept_to_within_one_step(name: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticking()
    monkeypatch.setattr(Baseline, "clock", staticmethod(clock))
    tracker = track(name, case, time_limit=60, max_evaluations=None, islands=1)
    # A step looks at the clock a few times: when it begins, for its temperature, when something is found, at the end.
    assert 60 <= tracker.seconds < 62
    assert tracker.samples
    assert tracker.samples[-1].seconds <= tracker.seconds
    assert tracker.seconds == pytest.approx(clock.now - 0.1)


@pytest.mark.parametrize("name", EVERY)
def test_search_ends_at_its_target(name: str, case: Case) -> None:
    free = track(name, case, seed=2, max_evaluations=20 if name == "simanneal2" else 1000)
    target = free.samples[0].score
    tracker = track(name, case, seed=2, score_target=target, max_evaluations=None)
    assert tracker.score <= target
    assert tracker.history[-1][1] == tracker.score / target
    assert tracker.evaluations < free.evaluations


@pytest.mark.parametrize("name", EVERY)
def test_target_ends_all_islands_whoever_reaches_it(name: str, case: Case) -> None:
    """The result ends at the first hit, with 1 and with 2 workers, and is what a tracker without target had then."""
    budget = 20 if name == "simanneal2" else 4000
    free = track(name, case, seed=5, islands=4, max_evaluations=budget)
    target = free.samples[len(free.samples) // 2].score
    hit = next(s for s in free.samples if s.score <= target)
    alone = track(name, case, seed=5, islands=4, max_evaluations=budget, score_target=target)
    assert [(s.evaluations, s.score) for s in alone.samples] == [
        (s.evaluations, s.score) for s in free.samples[: len(free.samples) // 2 + 1]
    ]
    assert alone.evaluations == hit.evaluations < free.evaluations
    assert alone.best is not None
    metrics = case.problem.options.metrics
    assert score_of(metrics, alone.best.energy, alone.best.latency) == pytest.approx(alone.score, rel=SAME)
    with plugin.get("executor", "forks", n_jobs=2) as pool:
        together = track(name, case, pool, seed=5, islands=4, max_evaluations=budget, score_target=target)
    assert course(alone) == course(together)


def lone_hit(meter: Meter, seed: str) -> Outcome:
    """Only the island 2 ever reaches a score of 1, after 300 evaluations."""
    while not meter.done():
        meter.charge(1)
        meter.found(1.0 if seed.endswith(" 2") and meter.evaluations == 300 else 5.0)
    return Outcome(tuple(meter.samples), meter.evaluations, meter.seconds, None)


def test_islands_end_with_the_one_that_reaches_the_target() -> None:
    budget = Budget(max_evaluations=1000, score_target=1.0)
    islands = Islands(lone_hit, budget, 0, 0.0, time.perf_counter, 1)
    found = [islands(number) for number in range(5)]
    assert [o.evaluations for o in found] == [1000, 1000, 300, 300, 300]  # the first two could not know
    merged = merge(found, budget, 2.0)
    assert merged.evaluations == 5 * 300
    assert [s.score for s in merged.samples] == [5.0, 1.0]
    alone = [Islands(lone_hit, budget, 0, 0.0, time.perf_counter, 1)(number) for number in range(5)]  # none knows
    assert [o.evaluations for o in alone] == [1000, 1000, 300, 1000, 1000]
    again = merge(alone, budget, 2.0)
    assert again.evaluations == 1500
    assert [s.evaluations for s in again.samples] == [s.evaluations for s in merged.samples]


@pytest.mark.parametrize("kind", ["forks", "threads"])
def test_running_islands_are_told_of_a_hit(kind: str) -> None:
    """One that would go on for a quarter of an hour ends."""
    budget = Budget(max_evaluations=1e9, score_target=1.0)
    with plugin.get("executor", kind, n_jobs=2) as pool:
        found = list(pool.map(Islands(lone_hit, budget, 0, 0.0, time.perf_counter, 2), [1, 2]))
    assert found[1].evaluations == 300 <= found[0].evaluations < 1e8


@pytest.mark.parametrize("islands", [1, 2, 3])
def test_seconds_of_two_workers_are_those_seen_from_outside(islands: int, case: Case) -> None:
    with plugin.get("executor", "forks", n_jobs=2) as pool:
        begin = time.perf_counter()
        tracker = track("random", case, pool, time_limit=0.3, islands=islands)
        wall = time.perf_counter() - begin
    assert 0.3 <= tracker.seconds <= wall
    assert tracker.samples[-1].seconds <= tracker.seconds


@pytest.mark.parametrize("late", [0.0, 5.0])
@pytest.mark.parametrize(("count", "at_once"), [(1, 2), (2, 2), (3, 2), (5, 2), (4, 1)])
def test_rounds_of_islands_end_with_the_time_limit(count: int, at_once: int, late: float) -> None:
    """However many they are, and though workers begin late."""
    budget = Budget(time_limit=60)
    now = [late] * at_once
    for number in range(count):
        clock = Ticking(now[number % at_once])
        share = budget.share(count, at_once)
        Islands(lone_hit, share, 0, 0.0, clock, at_once)(number)
        now[number % at_once] = clock.now
    assert 60 <= max(now) < 60 + 0.1 * 5 * math.ceil(count / at_once)


def test_more_islands_than_evaluations(case: Case) -> None:
    assert track("random", case, islands=500, max_evaluations=30).evaluations < 30 * 16 * len(case.problem.einsums)


@pytest.mark.parametrize(
    ("first", "count"), [(50, 8), *(pytest.param(n, 50, marks=pytest.mark.slow) for n in (50, 2000, 3000, 4000))]
)
def test_annealing_reaches_the_optimum_of_small_problems(first: int, count: int) -> None:
    """At least 95 % of them, with a budget of 100,000 evaluations each (it ends at the target)."""
    reached = 0
    for case in cases(first, count):
        tracker = track("simanneal", case, max_evaluations=100_000, score_target=case.optimum * (1 + SAME))
        assert tracker.score >= case.optimum * (1 - SAME), case.seed
        reached += tracker.score <= case.optimum * (1 + SAME)
    assert reached >= 0.95 * count


@pytest.mark.parametrize(("name", "law", "count"), [*((n, None, FEW) for n in EVERY), ("simanneal", Odd(4), FEW)])
def test_nothing_better_than_the_optimum_and_nothing_that_the_model_contradicts(
    name: str, law: Law | None, count: int
) -> None:
    reached = 0
    for case in cases(500, count, law):
        tracker = track(name, case, max_evaluations=100 if name == "simanneal2" else 1000)
        if tracker.best is None:
            continue
        assert tracker.score >= case.optimum * (1 - SAME), case.seed
        reached += tracker.score <= case.optimum * (1 + SAME)
        if name == "simanneal2":
            assert len(tracker.best.rows) == len(case.problem.einsums)
        joint = DefaultModel().evaluate(case.problem, tracker.best.nests)  # refuses broken constraints
        assert joint.fits
        metrics = case.problem.options.metrics
        score = score_of(metrics, joint.total_energy, joint.total_latency)
        assert score == pytest.approx(tracker.score, rel=SAME)
        assert (tracker.best.energy, tracker.best.latency) == (joint.total_energy, joint.total_latency)
    assert reached >= count // 2


def test_optimum_by_exhaustion_is_reached_and_not_beaten() -> None:
    problem = two_matmuls().problem()
    optimum = min(s.energy * s.latency for s in exhaustive_map(problem))
    pmappings = plugin.get("explorer", "default").explore(problem)
    assert isinstance(pmappings, PmappingSet)
    for name in EVERY:
        budget = 200 if name == "simanneal2" else 50_000
        joiner = plugin.get("joiner", name, max_evaluations=budget, score_target=optimum * (1 + SAME))  # type: ignore[call-overload]
        tracker = joiner.track(problem, pmappings)
        assert tracker.score == pytest.approx(optimum, rel=SAME), name
