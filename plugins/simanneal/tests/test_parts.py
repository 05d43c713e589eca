"""What the searches compute in microseconds is what the model says, and every move leads to a mapping that matches."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

import ffcore as ff
from ffcore.errors import NoValidMappingError
from ffcore.model.constraints import broken_constraints
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.law import Law
from ffcore.model.mapping import join_evaluations, mismatch
from ffcore.spec.problem import Problem
from ffcore_simanneal.budget import Budget, Meter
from ffcore_simanneal.joint import Joint
from ffcore_simanneal.mapspace import TemplateExplorer
from ffcore_simanneal.moves import MOVES, Move, neighbour
from ffcore_simanneal.parts import Part
from ffcore_simanneal.repair import assemble, repair
from ffcore_simanneal.search import Space
from ffcore_simanneal.simanneal2 import RowSearch
from plugins.simanneal.tests.problems import mapspaces
from tests.api.specs import chain
from tests.examples import examples, first_few
from tests.laws import Odd
from tests.network_problems import network_problem
from tests.twice_problems import twice_problem

SAME = 1e-12


def agrees(problem: Problem, joint: Joint, parts: Sequence[Part]) -> None:
    """Every number and every verdict of these parts is the model's."""
    nests = [part.source.nest() for part in parts]
    evaluations = [evaluate_nest(e, n) for e, n in zip(problem.einsums, nests, strict=True)]
    for einsum, nest, part, evaluation in zip(problem.einsums, nests, parts, evaluations, strict=True):
        assert part.energy == pytest.approx(evaluation.total_energy, rel=SAME, abs=0)
        assert part.latency == pytest.approx(evaluation.total_latency, rel=SAME, abs=0)
        assert broken_constraints(einsum, nest) == []
    reason = mismatch(problem, evaluations)
    assert (reason is not None) == joint.out_of_order(joint.keys(parts))
    if reason is None:
        fits = join_evaluations(problem, evaluations).fits
        # Without the loops that run once a reservation may sink through another partially relevant loop.
        partial = any(t.partially_relevant for e in problem.einsums for t in e.tensors)
        if joint.excess(parts) == 0:
            assert fits
        elif not partial:
            assert not fits


@pytest.mark.parametrize("batch", first_few(range(30), 2))
def test_parts_and_joints_are_the_models(batch: int) -> None:
    overflowing = looked_at = 0
    for seed, problem, mapspace in mapspaces(20_000 + 10 * batch, 20_010 + 10 * batch):
        try:
            space = Space(mapspace, Meter(Budget()), f"{seed}")
        except NoValidMappingError:
            continue
        state = space.start()
        assert state is not None
        parts = state.parts
        for _ in range(15):
            agrees(problem, space.joint, parts)
            looked_at += 1
            overflowing += space.joint.excess(parts) > 0
            for _ in range(10):
                moved = neighbour(space, parts)
                if moved is not None:
                    parts = moved
                    break
    assert looked_at >= 60
    assert overflowing


@pytest.mark.parametrize("law", [None, Odd(4)])
def test_what_networks_do_is_the_models(law: Law | None) -> None:
    looked_at = 0
    for seed in range(12):
        problem = network_problem(seed)
        if problem is None:
            continue
        problem = attrs.evolve(problem, einsums=tuple(attrs.evolve(e, law=law) for e in problem.einsums))
        try:
            space = Space(TemplateExplorer().explore(problem), Meter(Budget()), f"{seed}")
        except NoValidMappingError:
            continue
        state = space.start()
        assert state is not None
        parts = state.parts
        for _ in range(10):
            agrees(problem, space.joint, parts)
            looked_at += 1
            parts = neighbour(space, parts) or parts
    assert looked_at >= 60


def test_parts_that_read_a_tensor_in_several_ways_are_the_models() -> None:
    overflowing = looked_at = 0
    for seed in (*range(3, 10), *range(20, 28)):
        problem = twice_problem(seed)
        if problem is None or any(e.imperfect for e in problem.einsums):
            continue
        try:
            space = Space(TemplateExplorer().explore(problem), Meter(Budget()), f"{seed}")
        except NoValidMappingError:
            continue
        state = space.start()
        if state is None:
            continue  # nothing without fused loops, and no other that matches was met
        parts = state.parts
        for _ in range(15):
            agrees(problem, space.joint, parts)
            looked_at += 1
            overflowing += space.joint.excess(parts) > 0
            parts = next((m for _ in range(10) if (m := neighbour(space, parts)) is not None), parts)
    assert looked_at >= 60
    assert overflowing


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.name)
def test_every_move_applies_somewhere_and_can_be_repaired(move: Move) -> None:
    applied = 0
    few = 18 if move.name == "order" else 8  # which seldom changes anything
    for seed, problem, mapspace in mapspaces(30_000, 30_000 + examples(few, 24)):
        try:
            space = Space(mapspace, Meter(Budget()), f"{seed}")
        except NoValidMappingError:
            continue
        state = space.start()
        assert state is not None
        parts = state.parts
        for _ in range(40):
            place = space.source.randrange(len(parts))
            changed = move.change(space, place, parts[place])
            if changed is not None and changed is not parts[place]:
                moved = list(parts)
                moved[place] = changed
                repaired = repair(space.joint, moved, [place], space.draw)
                if repaired is not None:
                    assert repaired[place] is changed
                    agrees(problem, space.joint, repaired)
                    parts = repaired
                    applied += 1
            parts = neighbour(space, parts) or parts
    assert applied >= 3


def test_rows_as_parts_are_the_models() -> None:
    found = ff.mapper.FFM.make_pmappings(chain()).set
    search = RowSearch(found, [1.0] * 3, 1, Meter(Budget()), "0")
    matched = overflowing = 0
    for _ in range(300):
        parts = assemble(search.joint, range(3), search._draw)
        if parts is None:
            continue
        nests = [space.nest(part.source[1]) for space, part in zip(search.spaces, parts, strict=True)]
        evaluations = [evaluate_nest(e, n) for e, n in zip(found.problem.einsums, nests, strict=True)]
        for part, evaluation in zip(parts, evaluations, strict=True):
            assert part.energy == pytest.approx(evaluation.total_energy, rel=SAME)
            assert part.latency == pytest.approx(evaluation.total_latency, rel=SAME)
        reason = mismatch(found.problem, evaluations)
        assert (reason is not None) == search.joint.out_of_order(search.joint.keys(parts))
        if reason is None:
            assert join_evaluations(found.problem, evaluations).fits == (search.joint.excess(parts) == 0)
            matched += 1
            overflowing += search.joint.excess(parts) > 0
    assert matched > overflowing > 0
