"""The size reported is the smallest: the oracle finds a mapping with it, and none with one bit less."""

from __future__ import annotations

import attrs
import pytest

from ffcore.diagnose import culprits, find_cause
from ffcore.diagnose.relax import limited_memories, with_sizes
from ffcore.errors import NoValidMappingError, SpecError
from ffcore.explore.default import DefaultExplorer
from ffcore.spec.problem import Problem
from ffcore_exhaustive.mapper import exhaustive_map
from tests.diagnose.test_causes import reason
from tests.oracle_problems import random_problem

joining = pytest.importorskip("ffcore_ffm_joiner.join", reason="the plugin ffm_joiner is not installed")

# Of the seeds below 40, those that squeeze something quickly.
QUICK = (1, 8, 9, 12, 17, 22)


refusal = reason


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest size is found where there is time to search it; compiling alone may take seconds."""
    monkeypatch.setattr(culprits, "_PATIENCE", (600.0, 1.0))
    monkeypatch.setattr(culprits, "_ENOUGH", 600.0)
    monkeypatch.setattr(culprits, "_HURRIED", 1.0)


def oracle_finds(problem: Problem) -> bool:
    try:
        return bool(exhaustive_map(problem, dominance=True))
    except NoValidMappingError:
        return False


def tight_problem(seed: int) -> Problem | None:
    """A random problem whose intermediates must stay on chip; None if its architecture has no place for them."""
    oracle = random_problem(seed)
    arch = oracle.arch.replace("keep: ~Intermediates, may_keep: All", "keep: ~Intermediates, may_keep: Nothing")
    try:
        return attrs.evolve(oracle, arch=arch).problem()
    except SpecError as error:
        if "no memory may keep tensor" not in str(error):
            raise
        return None


def check(seed: int) -> int:
    """Squeeze each memory of a random problem to nothing; how many of them it cannot do without."""
    problem = tight_problem(seed)
    if problem is None:
        return 0
    if problem.options.explore_imperfect_temporal_loops or problem.options.explore_imperfect_spatial_loops:
        return 0
    squeezed = 0
    for memory in limited_memories(problem):
        nothing = with_sizes(problem, {memory: 0.0})
        first = refusal(nothing)
        if first is None:
            continue
        whole = find_cause(nothing, joining.FFMJoiner().join)
        assert whole is not None
        if whole.memory != memory:  # the problem has no mapping anyway
            continue
        assert whole.needed_bits is not None
        assert oracle_finds(with_sizes(problem, {memory: whole.needed_bits}))
        assert not oracle_finds(with_sizes(problem, {memory: whole.needed_bits - 1}))
        # what Einsums need on their own is not more than the whole, and again the smallest
        assert first.memory == memory
        assert first.needed_bits is not None
        assert first.needed_bits <= whole.needed_bits
        assert not DefaultExplorer().explore(with_sizes(problem, {memory: first.needed_bits})).without
        assert DefaultExplorer().explore(with_sizes(problem, {memory: first.needed_bits - 1})).without
        # from just below, the answer is the same
        below = refusal(with_sizes(problem, {memory: whole.needed_bits - 1}))
        assert below is not None
        assert (below.memory, below.needed_bits) == (memory, whole.needed_bits)
        squeezed += 1
    return squeezed


@pytest.mark.parametrize("seed", QUICK)
def test_smallest_of_random_problems(seed: int) -> None:
    assert check(seed) > 0


def test_a_join_that_needs_more_than_any_einsum_alone() -> None:
    assert check(113) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", sorted({*range(240)} - {*QUICK}))
def test_smallest_of_more_random_problems(seed: int) -> None:
    check(seed)
