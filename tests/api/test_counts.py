"""Sizes of the mapspace: by hand where it is small, against the exhaustive mapper elsewhere."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import attrs
import numpy as np
import pytest

import ffcore as ff
from ffcore.errors import NoValidMappingError
from ffcore.mapspace.chains import divisor_chains
from ffcore.mapspace.total import MapspaceCounter
from ffcore.mapspace.valid import Across, Limits, Loop, spatial_ways, ways
from ffcore.spec.problem import ALL_OPERATORS, Bound, EinsumProblem, Problem
from ffcore.templates import einsum_templates
from ffcore_exhaustive.mapper import count_pmappings, templates
from ffcore_exhaustive.tiles import satisfies_spatial_limits, tile_choices
from tests.api.specs import chain, one_matmul
from tests.array_problems import array_problem
from tests.oracle.compare import seeded
from tests.oracle_problems import random_problem

make = ff.mapper.FFM.make_pmappings


def test_by_hand() -> None:
    """Two templates. Loops over m stand above A and at the bottom in [A] n [W] m, and likewise for n in [W] m [A] n:

    m k [A] n [W] m    A's tile is t values, t a divisor of 4: 3 choices; the Buffer holds t + 1 values
    k n [W] m [A] n    W's tile is t values, t a divisor of 2: 2 choices; the Buffer holds t + 1 values

    In 3 values fit t = 1 and 2 of either template. Of these the best have t = 4 (too large) or t = 2 below:
    W 4 values, A 8, T written 16 times and read 16 - 8 times, at 8 bits; 16 computes.
    """
    roomy, tight = make(one_matmul("inf")), make(one_matmul(3 * 8))
    assert (roomy.total_pmappings(), tight.total_pmappings()) == (5, 5)
    assert (roomy.valid_pmappings(), tight.valid_pmappings()) == (5, 4)
    assert make(one_matmul(2 * 8)).valid_pmappings() == 2
    assert tight.total_pmappings(per_einsum=True) == {"T": 5}
    assert tight.valid_pmappings(per_einsum=True) == {"T": 4}
    assert tight.pareto_optimal_pmappings(per_einsum=True) == {"T": 1}
    (row,) = tight.einsum2pmappings["T"][0].mappings.data.to_dict("records")
    assert row == {"Total<SEP>energy": 8 * (4 + 8 + 16 + 8) + 16, "Total<SEP>latency": 16}


def test_evaluated_by_hand() -> None:
    """B[m] = A[m], m = 2, in one memory: above its loop a label for each extent, 1 and 2; then one row."""
    spec = one_matmul("inf")
    spec.workload = ff.Spec.from_string(
        "workload: {rank_sizes: {M: 2}, bits_per_value: {All: 8}, einsums: ['B[m] = A[m]']}"
    ).workload
    spec.arch.nodes["Buffer"].tensors.keep = "Nothing"
    pmappings = make(spec)
    assert pmappings.evaluated_pmappings() == 3
    assert pmappings.evaluated_pmappings(per_einsum=True) == {"B": 3}
    assert (pmappings.total_pmappings(), pmappings.valid_pmappings()) == (1, 1)


def test_limits_on_fused_loops_make_tile_choices_invalid() -> None:
    """Loops above T1 in the Buffer are fused; one over m may follow on another."""
    spec = chain(size="inf", n_einsums=2)
    assert make(spec).valid_pmappings() < make(spec).total_pmappings()
    spec.mapper.ffm.max_fused_loops_per_rank_variable = "inf"
    assert make(spec).valid_pmappings() == make(spec).total_pmappings()
    spec.mapper.ffm.max_fused_loops = 0
    none = make(spec)
    spec.mapper.ffm.max_fused_loops = 1
    one = make(spec)
    assert none.valid_pmappings() < one.valid_pmappings() < one.total_pmappings() == none.total_pmappings()


@pytest.mark.parametrize(("n", "loops"), [(1, 1), (1, 3), (8, 0), (1, 0), (8, 2), (12, 3), (36, 4), (7, 2)])
def test_divisor_chains_are_all_of_them(n: int, loops: int) -> None:
    def listed(left: int, count: int) -> int:
        if count == 0:
            return int(left == 1)
        return sum(listed(left // d, count - 1) for d in range(1, left + 1) if left % d == 0)

    assert divisor_chains(n, loops) == listed(n, loops)


def test_counts_beyond_floats_are_exact() -> None:
    """Eight loops over each of three rank variables of bound 2**20: more ways than 2**53."""
    bounds = (2**20,) * 3
    program = [Loop(v, k == 7, False) for k in range(8) for v in range(3)]
    total = divisor_chains(2**20, 8) ** 3
    assert total > 2**53
    assert ways(bounds, [program], Limits(math.inf, math.inf), total) == total


# What takes the exhaustive mapper more than 0.2 s is for `make test-all`.
LONG = {
    4, 6, 8, 11, 17, 20, 21, 26, 28, 31, 33, 34, 35,
}  # fmt: skip
LONG_ARRAYS = {
    0, 2, 18, 19, 22, 29, 36, 40, 42, 44, 47, 52, 53, 57, 59,
}  # fmt: skip


# In 12 the oracle also lists a useless holder of a copy, in an order against the hierarchy.
@pytest.mark.parametrize(
    "seed", [pytest.param(s, marks=[pytest.mark.slow] if s >= 20 or s in LONG else []) for s in range(40) if s != 12]
)
def test_random_problems_count_like_the_exhaustive_mapper(seed: int) -> None:
    if seeded(seed) is None:
        pytest.skip("refused: no memory may keep some tensor")
    problem = random_problem(seed).problem()
    # those of imperfect loops that are valid are not counted
    options = attrs.evolve(
        problem.options, explore_imperfect_temporal_loops=False, explore_imperfect_spatial_loops=False
    )
    check_counts(attrs.evolve(problem, options=options))


# In 53 and 141 the oracle also lists a second order of holders around a Toll, which costs the same.
@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(s, marks=[pytest.mark.slow] if s >= 30 or s in LONG_ARRAYS else [])
        for s in range(150)
        if s not in (53, 141)
    ],
)
def test_random_arrays_count_like_the_exhaustive_mapper(seed: int) -> None:
    problem = array_problem(seed)
    if problem is None or (
        not problem.options.force_memory_hierarchy_order and any(e.is_copy for e in problem.einsums)
    ):
        pytest.skip("refused, or the oracle also lists useless holders of a copy")
    check_counts(problem)


def check_counts(problem: Problem) -> None:
    try:
        expected = count_pmappings(problem)
    except NoValidMappingError:
        return
    counter = MapspaceCounter(problem.options)
    for einsum in problem.einsums:
        found = einsum_templates(einsum, problem.options)
        assert counter.total(found) == _listed(problem, einsum)
        assert counter.valid(found) == expected[einsum.name].valid


def _listed(problem: Problem, einsum: EinsumProblem) -> int:
    """Tile choices within fanouts and loop bounds, one by one."""
    return sum(
        satisfies_spatial_limits(template, problem.options, tiles)
        for template in templates(einsum, problem.options)
        for tiles in tile_choices(template, problem.options, frozenset())
    )


@pytest.mark.parametrize("operator", ALL_OPERATORS)
def test_trips_across_dimensions_are_all_of_them(operator: str) -> None:
    """Two dimensions: what is left of each rank variable, against the list of all trips."""
    bounds, none = (12, 4, 6), frozenset[str]()
    limits = ((frozenset({0, 2}), Bound(none, operator, 2)), (frozenset({1, 2}), Bound(none, "product<=", 4)))
    dimensions = (Across((0, 1, 2), 8, 2, limits), Across((0, 2), 5, math.inf, limits[:1]))
    expected: Counter[tuple[int, ...]] = Counter()
    for one in product(*(range(1, b + 1) for b in bounds)):
        for two in product(range(1, 13), (1,), range(1, 7)):
            if dimensions[0].allows(one) and dimensions[1].allows((two[0], two[2])):
                left = [b / m / n for b, m, n in zip(bounds, one, two, strict=True)]
                if all(x == int(x) for x in left):
                    expected[tuple(map(int, left))] += 1
    state = spatial_ways(bounds, dimensions)
    found = {}
    for place, ways_there in np.ndenumerate(state.ways[0]):
        if ways_there:
            found[tuple(state.axes[v][i][0] for v, i in enumerate(place))] = int(ways_there)
    assert found == dict(expected)


def test_a_large_free_array_is_counted_at_once() -> None:
    """256 x 256 instances for the five rank variables of an attention layer: 0.1 s; one by one it takes minutes."""
    every = Across(tuple(range(5)), 256, math.inf, ())
    state = spatial_ways((64, 12, 65536, 65536, 64), (every, every))
    assert int(state.ways.sum()) > 10**6
