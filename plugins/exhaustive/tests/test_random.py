"""The exhaustive mapper on random problems: against the model, and against itself without the reduction."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import HealthCheck, given, settings

from ffcore.errors import NoValidMappingError
from ffcore.mapping.nest import Holder
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.mapping import evaluate_joint
from ffcore.spec.problem import Problem
from ffcore_exhaustive.mapper import Solution, exhaustive_join, exhaustive_map, exhaustive_pmappings, templates
from ffcore_exhaustive.templates import reservation_level
from tests.oracle.compare import seeded
from tests.oracle_problems import KINDS, OracleProblem, oracle_problems, random_problem

LONG = {4, 6, 10, 11, 20, 21, 26}  # seeds that take it more than 0.4 s
QUICK = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def assert_model_agrees(problem: Problem, solution: Solution) -> None:
    joint = evaluate_joint(problem, [solution.nests[e.name] for e in problem.einsums])
    assert joint.fits
    assert joint.total_energy == pytest.approx(solution.energy, rel=1e-9, abs=0)
    assert joint.total_latency == pytest.approx(solution.latency, rel=1e-9, abs=0)
    for memory in joint.peaks.keys() | solution.peaks.keys():
        ours = solution.peaks[memory].share if memory in solution.peaks else 0.0
        theirs = joint.peaks[memory].share if memory in joint.peaks else 0.0
        assert theirs == pytest.approx(ours, abs=1e-9)


def test_random_problems_are_repeatable_and_varied() -> None:
    texts = [random_problem(seed).text for seed in range(40)]
    assert texts == [random_problem(seed).text for seed in range(40)]
    assert len(set(texts)) == 40
    assert {random_problem(seed).kind for seed in range(40)} == set(KINDS)
    for word in ("!Toll", "persistent_tensors", "min_usage", "reuse: output", "total_latency", "n_instances"):
        assert any(word in random_problem(seed).text for seed in range(200)), word


@given(oracle_problems())
@QUICK
def test_every_random_problem_loads(oracle: OracleProblem) -> None:
    problem = oracle.problem()
    assert 1 <= len(problem.einsums) <= 4


def solve(seed: int) -> tuple[Problem, list[Solution]]:
    """A random problem and its mappings; none where no memory may hold some tensor."""
    problem = random_problem(seed).problem()
    try:
        return problem, exhaustive_map(problem, dominance=True)
    except NoValidMappingError:
        return problem, []


@pytest.mark.parametrize("seed", [s if s not in (4, 6) else pytest.param(s, marks=pytest.mark.slow) for s in range(11)])
def test_solutions_are_what_the_model_says(seed: int) -> None:
    problem, solutions = solve(seed)
    for solution in solutions:
        assert_model_agrees(problem, solution)


def test_most_random_problems_have_a_mapping() -> None:
    assert sum(bool(solve(seed)[1]) for seed in range(27, 33) if seeded(seed) is not None) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(11, 200))
def test_solutions_are_what_the_model_says_more(seed: int) -> None:
    test_solutions_are_what_the_model_says(seed)


@pytest.mark.parametrize("seed", [pytest.param(s, marks=[pytest.mark.slow] if s in LONG else []) for s in range(30)])
def test_reduction_changes_no_result(seed: int) -> None:
    """On those random problems whose plain product of pmappings is affordable."""
    if seeded(seed) is None:
        pytest.skip("refused: no memory may hold some tensor")
    problem = random_problem(seed).problem()
    try:
        pmappings = exhaustive_pmappings(problem)
    except NoValidMappingError:
        pytest.skip("no memory may hold some tensor")
    product = 1
    for own in pmappings.values():
        product *= len(own)
    if product > 30_000:
        pytest.skip("too many joins without the reduction")
    plain = exhaustive_join(problem, pmappings)
    reduced = exhaustive_join(problem, pmappings, dominance=True)
    assert [s.energy for s in reduced] == pytest.approx([s.energy for s in plain], rel=1e-12, abs=0)
    assert [s.latency for s in reduced] == pytest.approx([s.latency for s in plain], rel=1e-12, abs=0)


@pytest.mark.parametrize("seed", range(20))
def test_reservations_stand_where_the_model_puts_them(seed: int) -> None:
    """With bounds so large that every loop can run, the level of each reservation is the
    template's. Two independent readings of how far a reservation sinks."""
    problem = random_problem(seed).problem()
    options = attrs.evolve(problem.options, force_memory_hierarchy_order=True)
    for einsum in problem.einsums:
        if einsum.is_copy or any(t.persistent for t in einsum.tensors):
            continue
        large = attrs.evolve(einsum, bounds=dict.fromkeys(einsum.bounds, 2**12))
        try:
            first = templates(large, options)[:40]
        except NoValidMappingError:
            continue
        for template in first:
            extent = dict(large.bounds)
            tiles = []
            last = {loop.variable: i for i, loop in enumerate(template.loops())}
            for i, loop in enumerate(template.loops()):
                extent[loop.variable] = 1 if last[loop.variable] == i else extent[loop.variable] // 2
                tiles.append(extent[loop.variable])
            evaluation = evaluate_nest(large, template.nest(tiles))
            memories = [
                (i, n) for i, n in enumerate(template.nodes) if isinstance(n, Holder) and not template.is_toll(n)
            ]
            ours = {(n.tensor, n.component): reservation_level(template, i) for i, n in memories}
            assert {(r.tensor, r.component): r.level for r in evaluation.reservations} == ours
