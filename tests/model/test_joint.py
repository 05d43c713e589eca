"""Joining nests: what must match, and what is alive at once."""

from __future__ import annotations

import attrs
import pytest

from ffcore.mapping.nest import Holder, Nest, NestNode, Temporal
from ffcore.mapping.paths import MappingError
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.mapping import (
    IncompatibleNestsError,
    evaluate_joint,
    join_evaluations,
    memory_overflows,
    mismatch,
)
from ffcore.model.types import NestEvaluation, Reservation
from ffcore.spec.problem import Problem
from tests.model.problems import FakePath, compute, einsum, matmul_chain, memory, tensor


def hold(component: str, *tensors: str) -> tuple[Holder, ...]:
    return tuple(Holder(t, component) for t in tensors)


def matmul(i: int, *nodes: NestNode) -> Nest:
    return Nest(f"Matmul{i}", "MAC", nodes)


def fused_pair(tile: int = 1) -> list[Nest]:
    """[W0, W1 in GlobalBuffer] for m: [rows of T0 | T1 | T2]."""
    first = (*hold("MainMemory", "T0", "W0"), *hold("GlobalBuffer", "W0"), Temporal("m", tile))
    second = (*hold("MainMemory", "T2", "W1"), *hold("GlobalBuffer", "W1"), Temporal("m", tile))
    rest = [Temporal("m", 1)] if tile > 1 else []
    return [
        matmul(0, *first, *hold("GlobalBuffer", "T0", "T1"), *rest, Temporal("n0", 1), Temporal("n1", 1)),
        matmul(1, *second, *hold("GlobalBuffer", "T2", "T1"), *rest, Temporal("n1", 1), Temporal("n2", 1)),
    ]


def test_published_fused_pair() -> None:
    joint = evaluate_joint(matmul_chain(2, 8, 4), fused_pair())
    assert (joint.total_energy, joint.total_latency) == (9472, 256)
    assert joint.peak_bits("GlobalBuffer") == 320
    assert joint.fits


def test_capacity_to_the_bit() -> None:
    assert evaluate_joint(matmul_chain(2, 8, 4, buffer_bits=320), fused_pair()).fits
    joint = evaluate_joint(matmul_chain(2, 8, 4, buffer_bits=319), fused_pair())
    assert joint.overflows == (
        "GlobalBuffer is too small: while Einsum Matmul0 runs it must keep 320 bits (40 B), but has 319 bits",
    )
    assert joint.peaks["GlobalBuffer"].einsum == "Matmul0"


def test_one_einsum_alone() -> None:
    problem = matmul_chain(2, 8, 4, buffer_bits=191)
    evaluation = evaluate_nest(problem.einsums[0], fused_pair()[0])
    assert evaluation.usage["GlobalBuffer"] == 192
    assert memory_overflows(evaluation) == [
        "Einsum Matmul0: GlobalBuffer is too small: 192 bits are needed, but it has 191"
    ]


def test_names_and_order_of_nests() -> None:
    with pytest.raises(MappingError, match="in workload order"):
        evaluate_joint(matmul_chain(2, 8, 4), fused_pair()[::-1])


class TestMismatch:
    problem = matmul_chain(2, 8, 4)

    def reason(self, second: Nest) -> str:
        with pytest.raises(IncompatibleNestsError) as caught:
            evaluate_joint(self.problem, [fused_pair()[0], second])
        return str(caught.value)

    def test_trips_and_tiles(self) -> None:
        assert "below M x8 (tile 1)" in self.reason(fused_pair(tile=2)[1])

    def test_memory(self) -> None:
        nodes = fused_pair()[1].nodes
        moved = tuple(Holder("T1", "MainMemory") if n == Holder("T1", "GlobalBuffer") else n for n in nodes)
        assert "T1 does not match" in self.reason(matmul(1, *moved))
        assert "in MainMemory" in self.reason(matmul(1, *moved))

    def test_depth(self) -> None:
        nodes = fused_pair()[1].nodes
        lifted = (Holder("T1", "GlobalBuffer"), *(n for n in nodes if n != Holder("T1", "GlobalBuffer")))
        assert "above all loops" in self.reason(matmul(1, *lifted))

    def test_imperfect_tiles_with_equal_trips(self) -> None:
        """7 in tiles of 4 or of 5 runs twice either way, but the tiles differ."""
        problem = matmul_chain(2, 7, 4)
        with pytest.raises(IncompatibleNestsError, match=r"tile 4.*tile 5"):
            evaluate_joint(problem, [fused_pair(4)[0], fused_pair(5)[1]])
        assert evaluate_joint(problem, fused_pair(4)).total_latency == 2 * 2 * 4 * 16

    def test_a_loop_that_runs_once_does_not_count(self) -> None:
        first, second = fused_pair()
        at = second.nodes.index(Temporal("m", 1))
        padded = attrs.evolve(second, nodes=(*second.nodes[:at], Temporal("m", 8), *second.nodes[at:]))
        assert evaluate_joint(self.problem, [first, padded]).total_energy == 9472


# -- reservations and order, on bare evaluations ------------------------------------------------------


def made(name: str, *reservations: Reservation) -> NestEvaluation:
    return NestEvaluation(name, {}, {}, {}, reservations, {})


def room(tensor_name: str, bits: float, *trips: int, backing: bool = True, persistent: bool = False) -> Reservation:
    from ffcore.model.types import LoopAbove

    loops = tuple(LoopAbove("m", ("M",), t, 1, False) for t in trips)
    level = -1 if persistent else len(trips)
    return Reservation(tensor_name, "GB", bits, 1000.0, level, backing, persistent, loops)


def chain(**tensors: str) -> Problem:
    """``chain(A="x y", B="y z")``: Einsums and the tensors that they touch."""
    made_einsums = []
    for name, names in tensors.items():
        all_tensors = [tensor(t, "m", output=t == names.split()[-1]) for t in names.split()]
        made_einsums.append(einsum(name, {"m": 8}, all_tensors, FakePath((memory("GB", all_tensors), compute()))))
    return Problem(tuple(made_einsums))


def usage(problem: Problem, *evaluations: NestEvaluation) -> list[float]:
    joint = join_evaluations(problem, evaluations)
    return [joint.usage.get((e.einsum, "GB"), 0) for e in evaluations]


class TestAlive:
    problem = chain(A="x y", B="y z", C="z w")

    def test_shared_tensors_count_once(self) -> None:
        assert usage(
            self.problem,
            made("A", room("y", 1)),
            made("B", room("y", 1), room("z", 2)),
            made("C", room("z", 2)),
        ) == [1, 3, 2]

    def test_levels_below_a_common_loop_alternate(self) -> None:
        """A and B share one loop over y: what stands above it stays, what stands below alternates."""
        assert usage(
            self.problem,
            made("A", room("y", 1, 8), room("x", 10, 8), room("k", 100)),
            made("B", room("y", 1, 8), room("z", 2), room("l", 200, backing=False)),
            made("C", room("z", 2), room("w", 20)),
        ) == [1 + 10 + 100 + 2 + 200, 1 + 100 + 2 + 200, 2 + 20]

    def test_least_depth_of_the_joins_between(self) -> None:
        """Two loops between A and B, one between B and C: A and C share one."""
        assert usage(
            self.problem,
            made("A", room("y", 1, 8, 4), room("x", 10, 8), room("k", 100)),
            made("B", room("y", 1, 8, 4), room("z", 2, 8)),
            made("C", room("z", 2, 8), room("w", 20, 8), room("v", 200)),
        ) == [1 + 10 + 100 + 2 + 200, 1 + 10 + 2 + 100 + 200, 2 + 20 + 200 + 100]

    def test_a_tensor_that_skips_an_einsum_stays(self) -> None:
        problem = chain(A="x y", B="p q", C="y w")
        assert usage(problem, made("A", room("y", 1)), made("B", room("q", 2)), made("C", room("y", 1))) == [1, 3, 1]

    def test_persistent(self) -> None:
        """Persistent tensors are always there, and count once even when shared."""
        problem = chain(A="x k y", B="y z", C="k z w")
        kept = room("k", 100, persistent=True)
        own = room("z2", 7, persistent=True)
        a = made("A", room("y", 1), kept)
        b = made("B", room("y", 1), room("z", 2), own)
        c = made("C", room("z", 2), kept)
        assert usage(problem, a, b, c) == [1 + 100 + 7, 1 + 2 + 7 + 100, 2 + 100 + 7]

    def test_sizes_that_differ_between_einsums(self) -> None:
        """Then shares add up: 400/1000 + 400/500 > 1."""
        a = made("A", room("y", 1, 8), room("k", 400))
        b = made("B", room("y", 1, 8), room("z", 0), attrs.evolve(room("l", 400), size=500.0))
        joint = join_evaluations(self.problem, [a, b, made("C", room("z", 0))])
        assert joint.share["A", "GB"] == pytest.approx(0.001 + 0.4 + 0.8)
        assert not joint.fits


class TestOrder:
    def test_too_shallow_to_carry_the_dataflow(self) -> None:
        """y lies below one loop and C needs it, so B between them must pass a loop on."""
        problem = chain(A="x y", B="p q", C="y q w")
        a, c = made("A", room("y", 1, 8)), made("C", room("y", 1, 8), room("q", 2))
        reason = mismatch(problem, [a, made("B", room("q", 2)), c])
        assert reason == (
            "y lies below 1 loops that Einsum B would have to carry on, "
            "but what it shares with later Einsums lies below 0"
        )
        deep = made("C", room("y", 1, 8), room("q", 2, 8))
        assert mismatch(problem, [a, made("B", room("q", 2, 8)), deep]) is None

    def test_nothing_to_carry(self) -> None:
        problem = chain(A="x y", B="p q", C="y w")
        assert mismatch(problem, [made("A", room("y", 1)), made("B", room("q", 2, 8)), made("C", room("y", 1))]) is None

    def test_trip_counts_agree_over_the_common_length(self) -> None:
        problem = chain(A="x y", B="y z", C="z w")
        a, b = made("A", room("y", 1, 8)), made("B", room("y", 1, 8), room("z", 2, 4, 2))
        reason = mismatch(problem, [a, b, made("C", room("z", 2, 4, 2))])
        assert reason == "fused loop 1 runs 8 times before Einsum B (over m), but 4 times in it (over m)"
        b = made("B", room("y", 1, 8), room("z", 2, 8, 2))
        assert mismatch(problem, [a, b, made("C", room("z", 2, 8, 2))]) is None
