"""The fast path finds what the exhaustive mapper finds, on random small problems.

Numbers in the failure message reproduce a problem: ``seeded(number)`` and ``random_problem(number).text``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ffcore.spec.problem import Metric
from tests.oracle.compare import batches, dominated, fast, reference, same, seeded, unmatched

# The exhaustive mapper takes more than 0.2 s on these seeds.
LONG = {
    0, 4, 6, 8, 9, 10, 11, 17, 20, 21, 26, 28, 31, 33, 34, 35, 41, 45, 47, 48, 51, 59, 60, 63, 65, 67, 73, 75,
    76, 77, 78, 80, 83, 85, 87, 88, 89, 91, 93, 96, 97, 102, 103, 104, 106, 107, 111, 112, 115, 117, 118, 119,
    127,
}  # fmt: skip
HUGE = frozenset({802})  # the exhaustive mapper takes about half a minute


def disagreement(seed: int) -> str | None:
    """What the two sides see that the other does not; None if they agree. Both finding nothing is agreement."""
    problem = seeded(seed)
    if problem is None:
        return None
    ours, expected = fast(problem), reference(problem)
    if dominated(ours):
        return f"{seed}: no Pareto set, {dominated(ours)} are dominated"
    if same(ours, expected):
        return None
    return f"{seed}: only fast {unmatched(ours, expected)}, only reference {unmatched(expected, ours)}"


@pytest.mark.parametrize("seeds", batches(range(1300), 90, LONG))
def test_same_pareto_set_as_the_exhaustive_mapper(seeds: Sequence[int]) -> None:
    assert [d for d in map(disagreement, (s for s in seeds if s not in HUGE)) if d is not None] == []


def test_the_comparison_tells_sets_apart() -> None:
    front = [(1.0, 2.0), (2.0, 1.0)]
    assert same(front, [(1.0 + 1e-15, 2.0), (2.0, 1.0 - 1e-15)])
    assert not same(front, front[:1])
    assert not same(front[:1], front)
    assert not same(front, [(1.0 + 1e-11, 2.0), (2.0, 1.0)])
    assert not same(front, [])
    assert not same([], front)
    assert dominated(front) == []
    assert dominated([*front, (2.0, 2.0)]) == [(2.0, 2.0)]
    assert dominated([(1.0,), (1.0,)]) == [(1.0,), (1.0,)]


def test_the_problems_are_varied() -> None:
    """Of 100: nearly all get as far as the search, most have a solution, some have several."""
    problems = [p for p in map(seeded, range(100)) if p is not None]
    assert len(problems) > 93
    assert {len(p.einsums) for p in problems} == {1, 2, 3, 4}
    assert {p.options.metrics for p in problems} == {
        Metric.ENERGY | Metric.LATENCY,
        Metric.ENERGY,
        Metric.LATENCY,
        Metric.ENERGY_DELAY_PRODUCT,
    }
    limits = {(p.options.max_fused_loops, p.options.max_fused_loops_per_rank_variable) for p in problems}
    assert len(limits) == 8
    fronts = [fast(p) for p in problems[16:28]]
    assert sum(bool(front) for front in fronts) > 8
    assert sum(len(front) > 1 for front in fronts) > 1
