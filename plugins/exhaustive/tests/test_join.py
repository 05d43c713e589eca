"""Joins of the exhaustive mapper, checked by hand."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from ffcore.mapping.nest import Holder, Nest, NestNode, Temporal
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.types import Reservation
from ffcore.spec.problem import MapperOptions, Metric, Problem
from ffcore_exhaustive.capacity import common_loops, occupancy
from ffcore_exhaustive.compatibility import TensorCompatibility, block_cuts, permuted_nest, variants
from ffcore_exhaustive.join import matches
from ffcore_exhaustive.mapper import Pmapping, Solution, exhaustive_join, exhaustive_map, exhaustive_pmappings
from ffcore_exhaustive.pareto import pareto_front
from plugins.exhaustive.tests.toy import matmuls, simple, tensor


def pmapping(problem: Problem, einsum: str, nodes: str) -> Pmapping:
    """``"M:A m/1 G:B"``: holders, and temporal loops with their tile."""
    memories = {"M": "MainMemory", "G": "GlobalBuffer"}
    parsed: list[NestNode] = []
    for word in nodes.split():
        if ":" in word:
            memory, name = word.split(":")
            parsed.append(Holder(name, memories[memory]))
        else:
            variable, tile = word.split("/")
            parsed.append(Temporal(variable, int(tile)))
    nest = Nest(einsum, "MAC", tuple(parsed))
    return Pmapping(einsum, nest, evaluate_nest(problem.einsum[einsum], nest))


def fused_pair(problem: Problem, tile: int = 1) -> dict[str, list[Pmapping]]:
    """Two matmuls fused over rows, weights in the buffer from the start."""
    first = f"M:T0 M:W0 G:W0 m/{tile} G:T1 G:T0 m/1 n0/1 n1/1"
    second = f"M:T2 M:W1 G:W1 m/{tile} G:T1 G:T2 m/1 n1/1 n2/1"
    return {"Matmul0": [pmapping(problem, "Matmul0", first)], "Matmul1": [pmapping(problem, "Matmul1", second)]}


def test_peak_of_the_worked_example() -> None:
    """Semantics, section 4: both weights (2 x 128 bits) and one pair of rows (64 bits)."""
    problem = matmuls(8, 4, 4, 4, size=320)
    (solution,) = exhaustive_join(problem, fused_pair(problem))
    assert solution.peaks["GlobalBuffer"].bits == 320
    assert solution.energy == pytest.approx(9472)
    assert solution.latency == 256
    too_small = matmuls(8, 4, 4, 4, size=319)
    assert exhaustive_join(too_small, fused_pair(too_small)) == []


def test_unfused_einsums_take_turns() -> None:
    """Without shared loops, only what is needed across Einsums stays: T1, beside one weight."""
    problem = matmuls(8, 4, 4, 4)
    pmappings = {
        "Matmul0": [pmapping(problem, "Matmul0", "M:T0 M:W0 G:T1 G:W0 m/1 n0/1 n1/1")],
        "Matmul1": [pmapping(problem, "Matmul1", "M:T2 M:W1 G:T1 G:W1 m/1 n1/1 n2/1")],
    }
    (solution,) = exhaustive_join(problem, pmappings)
    assert solution.peaks["GlobalBuffer"].bits == 8 * 4 * 8 + 4 * 4 * 8


def test_tile_sizes_must_agree() -> None:
    problem = matmuls(8, 4, 4, 4)
    mixed = {
        "Matmul0": fused_pair(problem, tile=1)["Matmul0"],
        "Matmul1": fused_pair(problem, tile=2)["Matmul1"],
    }
    assert exhaustive_join(problem, mixed) == []


def loops(*trips: int, ranks: str = "MN") -> TensorCompatibility:
    keys = tuple(((rank,), n, 1, False) for rank, n in zip(ranks, trips, strict=False))
    return TensorCompatibility("GlobalBuffer", False, keys, len(keys))


def test_matches() -> None:
    # right is shallower than a tensor of left that is needed later
    assert not matches((("A", loops(2, 2)),), (("B", loops(2)),), {"A", "B"})
    assert matches((("A", loops(2, 2)),), (("A", loops(2, 2)), ("B", loops(2))), {"B"})
    # trip counts agree over the common length, whatever the ranks
    assert matches((("A", loops(2)),), (("B", loops(2, 4, ranks="XY")),), {"A", "B"})
    assert not matches((("A", loops(2)),), (("B", loops(3, 4)),), {"A", "B"})
    assert matches((("A", loops()),), (("B", loops()),), {"A"})


def test_loops_of_a_block_are_permuted_together() -> None:
    problem = matmuls(8, 4, 4, 4)
    first = pmapping(problem, "Matmul0", "M:T0 M:W0 m/2 n1/2 G:T1 m/1 n0/1 n1/1")
    found = list(variants(problem.einsums[0], first))
    assert [[loop.variable for loop in v.order] for v in found] == [["m", "n1"], ["n1", "m"]]
    nest = permuted_nest(problem.einsums[0], found[1])
    assert [n.variable for n in nest.nodes if isinstance(n, Temporal)] == ["n1", "m", "m", "n0", "n1"]
    again = evaluate_nest(problem.einsums[0], nest)
    assert again.total_energy == first.evaluation.total_energy

    # a holder between the loops cuts the block
    cut = pmapping(problem, "Matmul0", "M:T0 M:W0 m/2 G:W0 n1/2 G:T1 m/1 n0/1 n1/1")
    assert {0, 1, 2} <= block_cuts(problem.einsums[0], cut)
    assert len(list(variants(problem.einsums[0], cut))) == 1


def test_permuted_nests_keep_loops_that_run_once() -> None:
    problem = matmuls(8, 4, 4, 4)
    p = pmapping(problem, "Matmul0", "M:T0 M:W0 m/8 m/2 n1/4 n1/2 G:T1 m/1 n0/1 n1/1")
    swapped = permuted_nest(problem.einsums[0], list(variants(problem.einsums[0], p))[1])
    tiles = [(n.variable, n.tile) for n in swapped.nodes if isinstance(n, Temporal)]
    assert tiles == [("m", 8), ("n1", 2), ("n1", 2), ("m", 2), ("m", 1), ("n0", 1), ("n1", 1)]


def reservation(name: str, bits: float, level: int, backing: bool = False) -> Reservation:
    return Reservation(name, "Buffer", bits, 100, level, backing, level < 0, ())


def held(own: Sequence[Sequence[Reservation]], depths: Sequence[int], e: int, **users: list[int]) -> float:
    return occupancy(users, own, depths, e).get("Buffer", (0.0, 0.0))[0]


def test_occupancy_by_definition() -> None:
    own = [[reservation("a", 1, 0), reservation("x", 2, 1)], [reservation("b", 4, 1)], [reservation("c", 8, 0)]]
    depths = [0, 1, 2]
    assert common_loops(depths, 0, 2) == 1
    assert common_loops(depths, 2, 1) == 2
    assert held(own, depths, 0) == 1 + 2 + 8  # b stands at the level that 0 and 1 share
    assert held(own, depths, 1) == 1 + 4 + 8
    assert held(own, depths, 2) == 1 + 4 + 8


def test_a_shared_tensor_counts_once_and_lives_until_its_last_use() -> None:
    own = [[reservation("T", 1, 0, backing=True)], [reservation("b", 4, 0)], [reservation("T", 1, 0, backing=True)]]
    assert [held(own, [0, 0, 0], e, T=[0, 2]) for e in range(3)] == [1, 5, 1]
    assert [held(own, [0, 1, 1], e, T=[0, 2]) for e in range(3)] == [5, 5, 5]
    assert [held(own, [0, 0, 0], e, T=[0, 1]) for e in range(3)] == [1, 4, 1]  # dead before the last


def test_persistent_reservations_are_always_there() -> None:
    own = [[reservation("W", 2, -1)], [reservation("b", 4, 0)]]
    assert [held(own, [0, 0], e) for e in range(2)] == [2, 6]


def points(solution: Solution) -> tuple[float, ...]:
    full = solution.peaks.get("GlobalBuffer")
    return solution.energy, solution.latency, full.share if full else 0.0


@pytest.mark.parametrize("size", [24, 40, 64, 1000])
@pytest.mark.parametrize("fused", [0, 1, float("inf")])
def test_dominance_changes_nothing_in_the_result(size: int, fused: float) -> None:
    options = MapperOptions(max_fused_loops=fused, metrics=Metric.ENERGY | Metric.RESOURCE_USAGE)
    problem = matmuls(2, 2, 3, 2, size=size, options=options, buffer_energy=0.1)
    pmappings = exhaustive_pmappings(problem)
    plain = exhaustive_join(problem, pmappings)
    reduced = exhaustive_join(problem, pmappings, dominance=True)
    assert plain
    assert [points(s) for s in plain] == [pytest.approx(points(s)) for s in reduced]


def test_metrics() -> None:
    problem = matmuls(4, 2, 2, 2, size=64, buffer_energy=0.1)
    best = exhaustive_map(attrs.evolve(problem, options=MapperOptions(metrics=Metric.ENERGY)), dominance=True)
    both = exhaustive_map(problem, dominance=True)
    usage = Metric.ENERGY | Metric.RESOURCE_USAGE
    frugal = exhaustive_map(attrs.evolve(problem, options=MapperOptions(metrics=usage)), dominance=True)
    assert len(best) == 1
    assert best[0].energy == min(s.energy for s in both)
    shares = [s.peaks["GlobalBuffer"].share if "GlobalBuffer" in s.peaks else 0.0 for s in frugal]
    assert frugal[0].energy == best[0].energy
    assert shares == sorted(shares, reverse=True)  # less room costs energy
    assert len(frugal) > 1


def test_chain_of_one_point_einsums_by_hand() -> None:
    """All bounds 1: each value moves once. T1 through the buffer: written, then read, 8 J each way."""
    problem = simple(
        {"m": 1},
        {
            "A": [tensor("T0", "m"), tensor("T1", "m", output=True)],
            "B": [tensor("T1", "m"), tensor("T2", "m", output=True)],
        },
    )
    (solution,) = exhaustive_map(problem)
    assert solution.energy == 4 * 8 + 2
    assert solution.latency == 2


def test_pareto_front() -> None:
    points = [((1.0, 3.0), "a"), ((2.0, 2.0), "b"), ((2.0, 3.0), "c"), ((1.0, 3.0), "d"), ((3.0, 1.0), "e")]
    assert pareto_front(points) == ["a", "b", "e"]
    assert pareto_front([]) == []
