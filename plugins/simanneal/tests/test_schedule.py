"""The schedule of annealing, and what a population keeps, without a mapspace: costs are numbers on a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import attrs
import pytest

import ffcore as ff
from ffcore_simanneal import anneal as module
from ffcore_simanneal.anneal import Annealing, anneal
from ffcore_simanneal.budget import Budget, Meter
from ffcore_simanneal.joiners import charges
from ffcore_simanneal.parts import Part
from ffcore_simanneal.search import State
from ffcore_simanneal.simanneal2 import RowSearch
from plugins.simanneal.tests.problems import two_matmuls


class Draws(Random):
    """Gives the same number whenever it is asked."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


@attrs.define
class Line:
    """A space in which each neighbour of a state costs ``step`` more than it does; remembers what was judged."""

    meter: Meter
    source: Random
    step: float = 0.5
    starts: int = 0
    limits: list[tuple[float, float, float]] = attrs.Factory(list)  # share of the budget, cost before, limit
    begun: list[tuple[float, float]] = attrs.Factory(list)  # share of the budget, cost where a cycle begins
    best: State | None = None

    def start(self) -> State:
        self.starts += 1
        cost = 10.0 * self.starts
        state = State([cost], 1.0, cost, True)  # type: ignore[list-item]
        self.begun.append((self.meter.fraction(), state.cost))
        if self.best is None:
            self.best = state
        return state

    def judge(self, cost: float, limit: float = math.inf) -> State | None:
        if limit < math.inf:
            self.limits.append((self.meter.fraction(), cost - self.step, limit))
        self.meter.charge(1)
        return State([cost], 1.0, cost, True) if cost <= limit else None  # type: ignore[list-item]


@pytest.fixture(autouse=True)
def moves_along_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def neighbour(space: Line, parts: Sequence[float]) -> float:
        return parts[0] + space.step

    monkeypatch.setattr(module, "neighbour", neighbour)


def run(draw: float, options: Annealing, evaluations: int = 4000, step: float = 0.5) -> Line:
    line = Line(Meter(Budget(max_evaluations=evaluations)), Draws(draw), step)
    anneal(line, options)  # type: ignore[arg-type]
    return line


def temperatures(line: Line, draw: float) -> list[tuple[float, float]]:
    """(share of the budget, temperature), from the limits: Metropolis accepts while u < exp(-worse / temperature)."""
    return [(spent, (limit - cost) / -math.log(1 - draw)) for spent, cost, limit in line.limits]


def test_initial_temperature_accepts_the_wanted_share_of_worsening_moves() -> None:
    for acceptance in (0.1, 0.3, 0.9):
        line = run(0.5, Annealing(restarts=0, acceptance=acceptance))
        first = temperatures(line, 0.5)[0][1]
        assert math.exp(-line.step / first) == pytest.approx(acceptance, rel=1e-6)


def test_metropolis_accepts_by_the_draw_and_always_what_is_better() -> None:
    """A move that is worse by d is taken if a number drawn from [0, 1) is at least 1 - exp(-d / temperature)."""
    options = Annealing(restarts=0, acceptance=0.3)
    taken, refused = (run(draw, options) for draw in (0.705, 0.695))  # 1 - 0.3 lies between
    assert [cost for _, cost, _ in taken.limits[:2]] == [10, 10.5]
    assert {cost for _, cost, _ in refused.limits} == {10}  # colder and colder: none is taken any more
    downhill = run(0.0, options, 200, step=-0.5)  # limit = cost: nothing worse, all that is better
    assert [limit for _, _, limit in downhill.limits] == [cost for _, cost, _ in downhill.limits]
    costs = [cost for _, cost, _ in downhill.limits]
    assert costs == [10 - 0.5 * i for i in range(len(costs))]


def test_cooling_is_geometric_from_first_to_last() -> None:
    options = Annealing(restarts=0, cooling=1e-4)
    line = run(0.5, options)
    found = temperatures(line, 0.5)
    first = line.step / -math.log(options.acceptance)
    begin = found[0][0]  # its first 40 moves set the temperature
    for spent, temperature in found:
        progress = (spent - begin) / (1 - begin)
        assert temperature == pytest.approx(first * 1e-4**progress, rel=1e-6)
    assert found[-1][1] == pytest.approx(first * 1e-4, rel=0.01)
    assert all(a > b for (_, a), (_, b) in pairwise(found))


def test_restarts_cut_the_budget_and_every_second_one_starts_from_the_best() -> None:
    options = Annealing(restarts=3, reheat=0.1)
    line = run(0.5, options)
    assert [round(spent, 2) for spent, _ in line.begun] == [0, 0.5]  # random starts: the first and the third cycle
    found = temperatures(line, 0.5)
    jumps = [i for i in range(1, len(found)) if found[i][1] > 10 * found[i - 1][1]]
    assert [round(found[i][0], 1) for i in jumps] == [0.3, 0.5, 0.8]  # 1/4, 1/2, 3/4 and 40 moves
    begins = [0, *jumps]
    first = [found[i][1] for i in begins]
    assert [temperature / first[0] for temperature in first] == pytest.approx([1, 0.1, 1, 0.1], rel=1e-6)
    costs = [line.limits[i][1] for i in begins]
    assert costs[1] == costs[3] == line.begun[0][1]  # the best so far
    assert costs[2] == line.begun[1][1]


class Watched(RowSearch):
    """Remembers every member that was noted and every candidate's score."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.noted: list[float] = []
        self.judged: list[tuple[float, float]] = []

    def _note(self, score: float, parts: list[Part]) -> None:
        self.noted.append(score)
        super()._note(score, parts)

    def _judge(self, parts: Sequence[Part], limit: float) -> float:
        score = super()._judge(parts, limit)
        self.judged.append((limit, score))
        return score


def test_population_keeps_only_improvements() -> None:
    """One member: whatever is drawn is compared with it, and its score only falls."""
    found = ff.mapper.FFM.make_pmappings(two_matmuls()).set
    search = Watched(found, charges(found), 1, Meter(Budget(max_evaluations=20_000)), "1")
    outcome = search.run()
    assert len(search.noted) > 2
    assert all(after < before for before, after in pairwise(search.noted))
    current = math.inf
    rejected = 0
    for limit, score in search.judged:
        assert limit == current  # the member's own score
        rejected += score >= limit
        current = min(current, score)
    assert rejected > 10
    assert outcome.samples[-1].score == current == search.noted[-1]
