"""The accounting of the published baseline, by hand."""

from __future__ import annotations

import math
from typing import ClassVar

import attrs
import pytest

import ffcore as ff
from ffcore import plugin
from ffcore.objectives import Objectives
from ffcore.pmappings.set import PmappingSet, PmappingStats
from ffcore.results import Pmappings
from ffcore_simanneal.budget import Budget, Meter
from ffcore_simanneal.joiners import SimAnneal2, charges
from ffcore_simanneal.parts import Part
from ffcore_simanneal.repair import Wanted
from ffcore_simanneal.simanneal2 import RowSearch
from plugins.simanneal.tests.problems import two_matmuls
from tests.odd_problems import odd_problem


@pytest.fixture
def three() -> Pmappings:
    """Three pmappings of each Einsum, all of one compatibility; 30 and 12 were evaluated to find them."""
    whole = ff.mapper.FFM.make_pmappings(two_matmuls())

    def wanted(group: object) -> bool:
        (tensor,) = group.compatibility.tensors  # type: ignore[attr-defined]
        return [(loop.ranks, loop.trips) for loop in tensor.loops] == [(("M",), 2)]

    found = whole.filter(wanted).filter_rows(lambda table: table.iloc[:3])
    counts = (30, 12)
    einsums = tuple(attrs.evolve(e, stats=PmappingStats(0, n)) for e, n in zip(found.set.einsums, counts, strict=True))
    assert [len(e.rows) for e in einsums] == [3, 3]
    return Pmappings(PmappingSet(found.set.problem, einsums), found.problem)


def test_a_draw_is_charged_with_the_evaluations_of_one_optimal_pmapping(three: Pmappings) -> None:
    assert three._evaluated_pmappings_for_simanneal_baseline_compare() == 42
    assert three._evaluated_pmappings_for_simanneal_baseline_compare(per_einsum=True) == {"T1": 30, "T2": 12}
    assert three.pareto_optimal_pmappings(per_einsum=True) == {"T1": 3, "T2": 3}
    assert charges(three.set) == [10, 4]


def test_first_mapping_costs_a_draw_of_each_einsum(three: Pmappings) -> None:
    tracker = ff.mapper.simanneal2.join_pmappings(
        two_matmuls(), three, seed=0, islands=1, population=1, max_evaluations=1, score_target=1e-9
    )
    # (10 + 4) of the exact mapper's 42 evaluations, then draws of 10 or 4 until 42 are spent
    assert tracker.samples[0].evaluations == 14
    assert tracker.history[0] == (14 / 42, tracker.samples[0].score / 1e-9)
    assert 42 <= tracker.evaluations < 52
    assert all((s.evaluations - 14) in {10 * a + 4 * b for a in range(5) for b in range(10)} for s in tracker.samples)


def test_each_draw_of_a_step_is_charged(three: Pmappings) -> None:
    search = RowSearch(three.set, charges(three.set), 1, Meter(Budget(max_evaluations=1e9)), "5")
    parts = [s.any(s.variants[0], search.source) for s in search.spaces]
    seen: set[float] = set()
    for _ in range(40):
        before = search.meter.evaluations
        changed = search._step(parts)
        assert changed is not None
        drawn = [i for i in range(2) if changed[i] is not parts[i]]
        assert len(drawn) == 1  # one compatibility: nobody has to follow
        spent = search.meter.evaluations - before
        assert spent == (10, 4)[drawn[0]]
        seen.add(spent)
    assert seen == {10, 4}


class Logged(RowSearch):
    """Remembers for which Einsums something was drawn."""

    drawn: ClassVar[list[int]] = []

    def _draw(self, place: int, wanted: Wanted, near: Part | None) -> Part | None:
        self.drawn.append(place)
        return super()._draw(place, wanted, near)


def test_repaired_neighbours_are_charged_too() -> None:
    found = ff.mapper.FFM.make_pmappings(two_matmuls()).set
    search = Logged(found, [10, 4], 1, Meter(Budget(max_evaluations=1e9)), "5")
    left, right = search.spaces
    followed = 0
    for variant in left.variants:
        matching = right.matching({0: variant.keys[0]})
        if not matching:
            continue
        parts = [left.any(variant, search.source), right.any(right.variants[matching[0]], search.source)]
        for _ in range(10):
            search.drawn.clear()
            before = search.meter.evaluations
            search._step(parts)
            spent = search.meter.evaluations - before
            assert spent in (10, 4, 14)
            if search.drawn:  # another row of the same group is drawn without looking for keys
                assert spent == sum((10, 4)[place] for place in search.drawn)
            followed += len(search.drawn) == 2
    assert followed


def test_equal_einsums_are_charged_alike() -> None:
    spec = ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=4, M=8, KN=4)
    pmappings = ff.mapper.FFM.make_pmappings(spec)
    evaluated = pmappings.evaluated_pmappings(per_einsum=True)
    charged = pmappings._evaluated_pmappings_for_simanneal_baseline_compare(per_einsum=True)
    assert 0 in evaluated.values()  # explored with an equal one
    assert all(n > 0 for n in charged.values())
    assert all(charged[name] == n for name, n in evaluated.items() if n)


def test_budget_is_in_multiples_of_the_exact_mappers_evaluations() -> None:
    spec = two_matmuls()
    pmappings = ff.mapper.FFM.make_pmappings(spec)
    tracker = ff.mapper.simanneal2.join_pmappings(spec, pmappings, max_evaluations=3, islands=1)
    assert tracker.unit == pmappings.evaluated_pmappings()
    assert 3 <= tracker.evaluations / tracker.unit < 3 + 2 * sum(charges(pmappings.set)) / tracker.unit
    assert tracker.history[-1] == (tracker.samples[-1].evaluations / tracker.unit, tracker.score)


def test_fewer_pmappings_cost_more_to_find() -> None:
    spec = two_matmuls()
    pmappings = ff.mapper.FFM.make_pmappings(spec)
    few = pmappings.filter_rows(lambda table: table.iloc[: len(table) // 2])
    assert all(a < b for a, b in zip(charges(pmappings.set), charges(few.set), strict=True))
    assert SimAnneal2().max_evaluations == 20


@pytest.mark.parametrize("seed", range(12))
def test_rows_with_imperfect_factors_join_to_what_the_model_says(seed: int) -> None:
    """Every mapping is confirmed by the model; none is better than the optimum."""
    problem = odd_problem(seed, 2)
    if problem is None or not any(e.imperfect for e in problem.einsums):
        pytest.skip("refused, or with perfect factors alone")
    found = plugin.get("explorer", "default").explore(problem)
    if not found.einsums or not all(len(e.rows) for e in found.einsums):
        pytest.skip("nothing fits")
    best = plugin.get("joiner", "ffm").join(problem, found)
    score = Objectives.of(problem.options.metrics).score
    tracker = plugin.get("joiner", "simanneal2", max_evaluations=3.0).track(problem, found)
    assert tracker.score >= min((score(m.energy, m.latency) for m in best), default=math.inf) * (1 - 1e-12)
