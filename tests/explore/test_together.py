"""Einsums explored for each other: the same mappings as with all Pareto-optimal pmappings, on random small problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import ffcore as ff
from ffcore.errors import FFError, NoValidMappingError
from ffcore.explore import explorer
from ffcore.explore.default import DefaultExplorer
from ffcore.explore.search import solve
from ffcore.explore.search.judging import to_beat
from ffcore.mapper.job import Job
from ffcore.objectives import Objectives
from ffcore.pmappings.arrays import Floats
from ffcore.pmappings.set import PmappingSet
from ffcore.spec.problem import Problem
from ffcore_ffm_joiner.join import FFMJoiner
from tests.array_problems import array_problem
from tests.examples import examples
from tests.odd_problems import odd_problem
from tests.oracle.compare import Point, fast, objectives, same, seeded
from tests.twice_problems import twice_problem


@pytest.fixture(autouse=True)
def many_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Einsum has too many labels."""
    monkeypatch.setattr(explorer, "LABELS", 0)
    monkeypatch.setattr(solve, "_FEW", 0)


def costs(found: PmappingSet) -> Floats:
    """(energy, latency) of the mappings that some pmappings make, as a job tells them."""
    timed = Objectives.of(found.problem.options.metrics).latency
    mappings = FFMJoiner().join(found.problem, found)
    return np.array([(m.energy, m.latency if timed else 0.0) for m in mappings]).reshape(-1, 2)


def together(problem: Problem, joined: Callable[[PmappingSet], Floats] = costs) -> tuple[list[Point], int]:
    """The Pareto set, where Einsums are explored for each other, and how many pmappings were joined."""
    try:
        pmappings = DefaultExplorer().explore(problem, joined=joined)
        mappings = FFMJoiner().join(problem, pmappings)
    except NoValidMappingError:
        return [], 0
    points = sorted(objectives(problem, m.energy, m.latency) for m in mappings)
    return points, sum(len(e.rows) for e in pmappings.einsums)


def problems(count: int) -> Iterator[tuple[str, Problem]]:
    """Problems of several Einsums for which energy counts: chains, attention, arrays, odd sizes, tensors read twice."""
    for seed in range(count):
        drawn = {
            "plain": seeded(seed),
            "array": array_problem(seed),
            "odd of two": odd_problem(seed, 2),
            "odd of three": odd_problem(seed, 3) if seed % 4 == 0 else None,
            "twice": twice_problem(seed),
        }
        for name, problem in drawn.items():
            if problem is not None and len(problem.einsums) > 1 and Objectives.of(problem.options.metrics).energy:
                yield f"{name} {seed}", problem


def test_the_same_mappings_of_fewer_pmappings() -> None:
    wrong, kept, whole = [], 0, 0
    for name, problem in problems(examples(12, 200)):
        try:
            expected = fast(problem)
        except FFError:
            continue  # refused with imperfect factors
        found, count = together(problem)
        if not same(found, expected):
            wrong.append(f"{name}: {found} instead of {expected}")
        kept += count
        whole += sum(len(e.rows) for e in DefaultExplorer().explore(problem).einsums)
    assert wrong == []
    assert 0 < kept < whole / 2
