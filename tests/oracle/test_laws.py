"""The search under a law of a plugin finds what the exhaustive mapper finds under the same law."""

from __future__ import annotations

import random

import attrs
import pytest

from ffcore.model.law import Law
from ffcore.spec.problem import Problem
from tests.array_problems import array_problem
from tests.laws import Odd, RowBuffers
from tests.oracle.compare import dominated, fast, reference, same, seeded, unmatched

BATCH = 10
LONG = frozenset({1, 2})  # batches on which the exhaustive mapper takes longest
BATCHES = [b if b < 5 and b not in LONG else pytest.param(b, marks=pytest.mark.slow) for b in range(20)]


def law_of(seed: int) -> Law:
    source = random.Random(f"law {seed}")
    if seed % 2:
        return Odd(source.randrange(100))
    names = frozenset(source.sample(["MainMemory", "GlobalBuffer", "LocalBuffer", "DRAM", "Buffer", "Global"], 4))
    return RowBuffers(source.choice([1.0, 24.0, 64.0, 1000.0]), source.choice([1e-12, 1.0, 300.0]), names)


def under(problem: Problem, law: Law) -> Problem:
    return attrs.evolve(problem, einsums=tuple(attrs.evolve(e, law=law) for e in problem.einsums))


def disagreement(seed: int) -> str | None:
    problem = array_problem(seed) if seed % 4 < 2 else seeded(seed)
    if problem is None:
        return None
    problem = under(problem, law_of(seed))
    ours, expected = fast(problem), reference(problem)
    if dominated(ours):
        return f"{seed}: no Pareto set, {dominated(ours)} are dominated"
    if same(ours, expected):
        return None
    return f"{seed}: only fast {unmatched(ours, expected)}, only reference {unmatched(expected, ours)}"


@pytest.mark.parametrize("batch", BATCHES)
def test_same_pareto_set_under_laws_of_their_own(batch: int) -> None:
    seeds = range(batch * BATCH, (batch + 1) * BATCH)
    assert [d for d in map(disagreement, seeds) if d is not None] == []


def test_a_law_changes_the_optimum() -> None:
    """Else the seeds above would show nothing."""
    changed = 0
    for seed in range(0, 40):
        problem = array_problem(seed) if seed % 4 < 2 else seeded(seed)
        if problem is not None:
            changed += fast(problem) != fast(under(problem, law_of(seed)))
    assert changed > 10
