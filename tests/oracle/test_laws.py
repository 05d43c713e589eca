"""The search under a law of a plugin finds what the exhaustive mapper finds under the same law."""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs
import pytest

from ffcore.model.law import Law
from ffcore.spec.problem import Problem
from tests.array_problems import array_problem
from tests.laws import Odd, Packets, RowBuffers
from tests.network_problems import network_problem
from tests.oracle.compare import batches, dominated, fast, reference, same, seeded, unmatched

# The exhaustive mapper takes more than 0.2 s on these seeds.
LONG = {
    0, 6, 10, 11, 17, 26, 29, 31, 34, 35, 36, 40, 44, 47,
}  # fmt: skip
LONG_HOPS = {
    0, 2, 4, 6, 9, 17, 19, 20, 21, 22,
}  # fmt: skip


def law_of(seed: int) -> Law:
    source = random.Random(f"law {seed}")
    if seed % 2:
        return Odd(source.randrange(100))
    names = frozenset(source.sample(["MainMemory", "GlobalBuffer", "LocalBuffer", "DRAM", "Buffer", "Global"], 4))
    return RowBuffers(source.choice([1.0, 24.0, 64.0, 1000.0]), source.choice([1e-12, 1.0, 300.0]), names)


def under(problem: Problem, law: Law) -> Problem:
    return attrs.evolve(problem, einsums=tuple(attrs.evolve(e, law=law) for e in problem.einsums))


def disagreement(seed: int) -> str | None:
    return differs(seed, array_problem(seed) if seed % 4 < 2 else seeded(seed), law_of(seed))


def disagreement_on_hops(seed: int) -> str | None:
    return differs(seed, network_problem(seed), hop_law_of(seed))


def differs(seed: int, problem: Problem | None, law: Law) -> str | None:
    """How the fast path and the exhaustive mapper differ under a law, if they do."""
    if problem is None:
        return None
    problem = under(problem, law)
    ours, expected = fast(problem), reference(problem)
    if dominated(ours):
        return f"{seed}: no Pareto set, {dominated(ours)} are dominated"
    if same(ours, expected):
        return None
    return f"{seed}: only fast {unmatched(ours, expected)}, only reference {unmatched(expected, ours)}"


def hop_law_of(seed: int) -> Law:
    source = random.Random(f"hops {seed}")
    return Odd(source.randrange(100)) if seed % 2 else Packets(source.choice([8.0, 20.0, 64.0]), 1e-12)


@pytest.mark.parametrize("seeds", batches(range(200), 15, LONG_HOPS))
def test_same_pareto_set_where_laws_price_hops(seeds: Sequence[int]) -> None:
    assert [d for d in map(disagreement_on_hops, seeds) if d is not None] == []


def test_laws_of_hops_change_the_optimum() -> None:
    problems = [p for seed in range(10, 20) if seed not in LONG_HOPS and (p := network_problem(seed)) is not None]
    assert sum(fast(p) != fast(under(p, Packets(20.0, 1e-12))) for p in problems) > 3


@pytest.mark.parametrize("seeds", batches(range(200), 25, LONG))
def test_same_pareto_set_under_laws_of_their_own(seeds: Sequence[int]) -> None:
    assert [d for d in map(disagreement, seeds) if d is not None] == []


def test_a_law_changes_the_optimum() -> None:
    """Else the seeds above would show nothing."""
    changed = 0
    for seed in (s for s in range(40) if s not in LONG):
        problem = array_problem(seed) if seed % 4 < 2 else seeded(seed)
        if problem is not None:
            changed += fast(problem) != fast(under(problem, law_of(seed)))
    assert changed > 5
