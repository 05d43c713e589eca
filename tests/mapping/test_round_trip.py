"""Nests -> tree -> YAML -> tree -> nests changes no number, for random mappings and for awkward ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest

from ffcore.mapping import tree
from ffcore.mapping.check import check_mapping
from ffcore.mapping.convert import nests_to_tree, tree_to_nests
from ffcore.mapping.dialect import from_yaml, to_yaml
from ffcore.mapping.nest import Holder, Nest, NestNode, Spatial, Temporal
from ffcore.mapping.paths import MappingError, settled, without_idle_loops
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.mapping import evaluate_joint
from ffcore.spec.problem import Problem
from tests.mapping.random_nests import chain, diamond, random_mappings
from tests.model.problems import FakePath, compute, container, dimension, einsum, matmul_chain, memory, tensor


def hold(component: str, *tensors: str) -> tuple[Holder, ...]:
    return tuple(Holder(t, component) for t in tensors)


def round_trip(problem: Problem, nests: Sequence[Nest]) -> tree.MappingTree:
    """Assert that nothing is lost on the way to YAML and back; return the tree."""
    mapping = nests_to_tree(problem, nests)
    check_mapping(problem, mapping)
    again = from_yaml(to_yaml(mapping))
    assert again == mapping
    back = tree_to_nests(problem, again)
    assert back == tuple(settled(e, n) for e, n in zip(problem.einsums, nests, strict=True))
    costs, expected = evaluate_joint(problem, back), evaluate_joint(problem, nests)
    assert [e.energy for e in costs.evaluations] == [e.energy for e in expected.evaluations]
    assert [e.latency for e in costs.evaluations] == [e.latency for e in expected.evaluations]
    # The order of holders may have become better.
    assert all(peak.bits <= expected.peaks[memory].bits for memory, peak in costs.peaks.items())
    return mapping


@pytest.mark.parametrize("problem", [chain(), diamond()], ids=["chain", "diamond"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_random_mappings(problem: Problem, seed: int) -> None:
    fused = 0
    for mapping in random_mappings(problem, seed, tries=1200, count=60):
        result = round_trip(problem, [nest for nest, _ in mapping])
        loops = [{id(n) for n in b.nodes if not isinstance(n, tree.Storage | tree.Toll)} for b in tree.branches(result)]
        fused += any(a & b for a, b in combinations(loops, 2))
    assert fused >= 5  # the sample is worth something


def pair(*, idle: bool = False) -> tuple[Problem, list[Nest]]:
    """A writes T1 and reads U1, B reads both; A names T1's rank m, B names it p."""
    a = (tensor("X", "m", "k"), tensor("U1", "k"), tensor("T1", "m", output=True))
    b = (tensor("T1", "M:p"), tensor("U1", "K:r"), tensor("Y", "p", "r", output=True))
    problem = Problem(
        tuple(
            einsum(name, bounds, ts, FakePath((memory("MM", ts), memory("GB", ts), compute())), ["T1", "U1"])
            for name, ts, bounds in (("A", a, {"m": 6, "k": 2}), ("B", b, {"p": 6, "r": 2}))
        )
    )
    first: list[NestNode] = [*hold("MM", "X", "U1"), *hold("GB", "X"), Temporal("m", 2), *hold("GB", "T1")]
    second: list[NestNode] = [*hold("MM", "Y", "U1"), Temporal("p", 2), *hold("GB", "T1", "U1"), Temporal("p", 1)]
    if idle:
        first.insert(3, Temporal("k", 2))
    return problem, [
        Nest("A", "MAC", (*first, Temporal("m", 1), Temporal("k", 1))),
        Nest("B", "MAC", (*second, Temporal("r", 1))),
    ]


def test_loops_that_einsums_name_differently() -> None:
    problem, nests = pair()
    result = round_trip(problem, nests)
    loop = next(n for n in result.nodes if isinstance(n, tree.Temporal))
    assert loop == tree.Temporal({"A": "m", "B": "p"}, 2)
    assert [type(n).__name__ for n in result.nodes] == ["Storage", "Storage", "Temporal", "Storage", "Sequential"]


def test_shared_loops_are_written_once() -> None:
    problem = matmul_chain(2, 8, 4)
    nests = [
        Nest(
            f"Matmul{i}",
            "MAC",
            (
                *hold("MainMemory", ends, f"W{i}"),
                *hold("GlobalBuffer", f"W{i}"),
                Temporal("m", 1),
                *hold("GlobalBuffer", *((ends, "T1") if i == 0 else ("T1", ends))),
                Temporal(f"n{i}", 1),
                Temporal(f"n{i + 1}", 1),
            ),
        )
        for i, ends in ((0, "T0"), (1, "T2"))
    ]
    result = round_trip(problem, nests)
    assert to_yaml(result) == (
        "mapping:\n"
        "  nodes:\n"
        "  - !Storage {tensors: [T0, W0], component: MainMemory}\n"
        "  - !Storage {tensors: [W0], component: GlobalBuffer}\n"
        "  - !Storage {tensors: [T2, W1], component: MainMemory}\n"
        "  - !Storage {tensors: [W1], component: GlobalBuffer}\n"
        "  - !Temporal {rank_variable: m, tile_shape: 1}\n"
        "  - !Storage {tensors: [T0, T1], component: GlobalBuffer}\n"
        "  - !Sequential\n"
        "    nodes:\n"
        "    - !Nested\n"
        "      nodes:\n"
        "      - !Temporal {rank_variable: n0, tile_shape: 1}\n"
        "      - !Temporal {rank_variable: n1, tile_shape: 1}\n"
        "      - !Compute {einsum: Matmul0, component: MAC}\n"
        "    - !Nested\n"
        "      nodes:\n"
        "      - !Storage {tensors: [T2], component: GlobalBuffer}\n"
        "      - !Temporal {rank_variable: n1, tile_shape: 1}\n"
        "      - !Temporal {rank_variable: n2, tile_shape: 1}\n"
        "      - !Compute {einsum: Matmul1, component: MAC}\n"
    )


def test_an_idle_loop_that_holds_a_reservation_up_is_kept() -> None:
    """A loop over k that runs once lets X sink, as k indexes X; one over m keeps U1 from sinking."""
    problem, nests = pair(idle=True)
    a = problem.einsums[0]
    assert without_idle_loops(a, nests[0]) == pair()[1][0]
    stop = Nest(
        "A",
        "MAC",
        (*hold("MM", "X", "U1", "T1"), *hold("GB", "U1"), Temporal("m", 6), Temporal("k", 1), Temporal("m", 1)),
    )
    assert without_idle_loops(a, stop) == stop
    free = Nest("A", "MAC", tuple(n for n in stop.nodes if n != Temporal("m", 6)))
    assert evaluate_nest(a, free).usage["GB"] == 8
    assert evaluate_nest(a, stop).usage["GB"] == 16


def test_an_idle_loop_of_one_einsum_among_the_shared_ones() -> None:
    """U1's tile in A is held up by A's loop over m; B, which shares the loops around, has no such loop."""
    problem, nests = pair()
    stopped = (*hold("MM", "X", "U1"), *hold("GB", "X"), Temporal("m", 2), *hold("GB", "T1"))
    own = (*hold("GB", "U1"), Temporal("m", 2), Temporal("k", 1), Temporal("m", 1))
    round_trip(problem, [Nest("A", "MAC", stopped + own), nests[1]])


def test_an_idle_loop_above_a_shared_one() -> None:
    """W's tile may not sink through the fused loop over m: the idle loop over n keeps it above."""
    problem = matmul_chain(2, 8, 4)
    nests = [
        Nest("Matmul0", "MAC", (
            *hold("MainMemory", "T0", "W0"), *hold("GlobalBuffer", "T0"), Temporal("n1", 4), Temporal("m", 1),
            *hold("GlobalBuffer", "T1"), Temporal("n0", 1), Temporal("n1", 1),
        )),
        Nest("Matmul1", "MAC", (
            *hold("MainMemory", "T2", "W1"), Temporal("m", 1), *hold("GlobalBuffer", "T1"),
            Temporal("n1", 1), Temporal("n2", 1),
        )),
    ]  # fmt: skip
    result = round_trip(problem, nests)
    assert tree.Temporal({"Matmul0": "n1"}, {"Matmul0": 4}) in result.nodes
    assert evaluate_joint(problem, nests).peak_bits("GlobalBuffer") == 8 * (32 + 4)


def test_holders_for_one_of_several_users() -> None:
    """Both use U1, but only A holds it in GB above the fused loop, for itself."""
    problem, nests = pair()
    first = nests[0].nodes
    nests[0] = Nest("A", "MAC", (*first[:2], Holder("U1", "GB"), *first[2:]))
    result = round_trip(problem, nests)
    assert tree.Storage(("U1",), "GB", einsums=("A",)) in result.nodes


def test_orders_at_odds() -> None:
    """A keeps T above U, B keeps U above T: one of the holders is written twice, and no order is lost."""
    ts = (tensor("T", "m"), tensor("U", "m"), tensor("Y", "m", output=True))
    p = (tensor("X", "m"), tensor("T", "m", output=True))
    q = (tensor("T", "m"), tensor("U", "m", output=True))
    problem = Problem(
        tuple(
            einsum(n, {"m": 4}, t, FakePath((memory("MM", t), memory("GB", t), compute())), ["T", "U"])
            for n, t in (("A", p), ("B", q), ("C", ts))
        )
    )
    loop = Temporal("m", 1)
    nests = [
        Nest("A", "MAC", (*hold("MM", "X", "T"), loop)),
        Nest("B", "MAC", (*hold("MM", "T"), *hold("GB", "T"), *hold("MM", "U"), loop)),
        Nest("C", "MAC", (*hold("MM", "U"), *hold("GB", "U"), *hold("MM", "T", "Y"), loop)),
    ]
    round_trip(problem, nests)


def test_shared_spatial_loops_in_different_dimensions() -> None:
    ts = (tensor("X", "m"), tensor("T", "m", output=True)), (tensor("T", "m"), tensor("Y", "m", output=True))
    problem = Problem(
        tuple(
            einsum(n, {"m": 4}, t, FakePath((
                memory("MM", t), container("Array", dimension("X", 4), dimension("Y", 4)), memory("LB", t), compute(),
            )), ["T"])
            for n, t in zip("AB", ts, strict=True)
        )
    )  # fmt: skip
    nests = [
        Nest("A", "MAC", (*hold("MM", "X"), Spatial("m", 2, "Array", "X"), *hold("LB", "T"), Temporal("m", 1))),
        Nest("B", "MAC", (*hold("MM", "Y"), Spatial("m", 2, "Array", "Y"), *hold("LB", "T"), Temporal("m", 1))),
    ]
    result = round_trip(problem, nests)
    assert tree.Spatial("m", 2, "Array", {"A": "X", "B": "Y"}) in result.nodes


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((tree.Compute("A", "MAC"),), "no Compute for B"),
        ((tree.Sequential((tree.Compute("A", "MAC"), tree.Compute("A", "MAC"))),), "Einsum A is mapped twice"),
        ((tree.Compute("Q", "MAC"),), "no Einsum 'Q'"),
    ],
)
def test_trees_that_are_no_mapping(nodes: tuple[tree.Node, ...], message: str) -> None:
    with pytest.raises(MappingError, match=message):
        tree_to_nests(pair()[0], tree.MappingTree(nodes))
