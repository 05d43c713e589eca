"""The fast path finds what the exhaustive mapper finds where data moves over networks.

Numbers in the failure message reproduce a problem: ``random_network_problem(number).text``.
"""

from __future__ import annotations

import random
from collections import Counter

import attrs
import pytest

from ffcore.spec.problem import ComponentKind, Problem
from tests.network_problems import network_problem, networked
from tests.odd_problems import odd_problem, odd_text
from tests.oracle.compare import dominated, fast, reference, same, unmatched

BATCH = 10
QUICK = 1  # the batch that takes the exhaustive mapper least
BATCHES = [b if b == QUICK else pytest.param(b, marks=pytest.mark.slow) for b in range(40)]


def disagreement(name: str, problem: Problem | None) -> str | None:
    """What the two sides see that the other does not; None if they agree. Both finding nothing is agreement."""
    if problem is None:
        return None
    ours, expected = fast(problem), reference(problem)
    if dominated(ours):
        return f"{name}: no Pareto set, {dominated(ours)} are dominated"
    if same(ours, expected):
        return None
    return f"{name}: only fast {unmatched(ours, expected)}, only reference {unmatched(expected, ours)}"


@pytest.mark.parametrize("batch", BATCHES)
def test_same_pareto_set_as_the_exhaustive_mapper(batch: int) -> None:
    seeds = range(batch * BATCH, (batch + 1) * BATCH)
    assert [d for s in seeds if (d := disagreement(str(s), network_problem(s))) is not None] == []


def imperfect(seed: int) -> Problem | None:
    """With imperfect factors."""
    base = odd_problem(seed)
    if base is None:
        return None
    return attrs.evolve(networked(odd_text(seed), random.Random(seed)).problem(), options=base.options)


@pytest.mark.parametrize("batch", [0, *(pytest.param(b, marks=pytest.mark.slow) for b in range(1, 30))])
def test_with_imperfect_factors(batch: int) -> None:
    seeds = range(batch * 3, (batch + 1) * 3)
    assert [d for s in seeds if (d := disagreement(f"odd {s}", imperfect(s))) is not None] == []


def test_problems_are_varied() -> None:
    met: Counter[str] = Counter()
    for problem in filter(None, map(network_problem, range(BATCH * 2))):
        for einsum in problem.einsums:
            names = einsum.paths[0].names
            networks = [einsum.paths[0].component(i, {}) for i in range(len(names)) if names[i].startswith("Net")]
            assert all(n.kind is ComponentKind.NETWORK for n in networks)
            met["two networks"] += len(networks) > 1
            met["all to all"] += any(n.all_to_all for n in networks)
            met["own fanout"] += any(n.fanout > 1 for n in networks)
            met["way"] += any("max_hops" in form for n in networks for form in n.latency)
            met["traffic"] += any("max_link_traffic" in form for n in networks for form in n.latency)
            met["copy"] += einsum.is_copy
    assert min(met.values()) >= 1, met
    assert len(met) == 6
