"""Every rule of the model of one nest, against numbers worked out by hand."""

from __future__ import annotations

import attrs
import pytest

from ffcore.mapping.nest import Holder, Nest, NestNode, Spatial, Temporal
from ffcore.mapping.paths import MappingError
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.types import ActionKey, NestEvaluation
from ffcore.spec.problem import Component, EinsumProblem, Leak, Tensor
from tests.model.problems import FakePath, compute, container, dimension, einsum, memory, tensor, toll

A, B, Z = tensor("A", "m", "k"), tensor("B", "k", "n"), tensor("Z", "m", "n", output=True)
ABZ = (A, B, Z)


def nest(*nodes: NestNode, name: str = "E", on: str = "MAC") -> Nest:
    return Nest(name, on, nodes)


def hold(component: str, *tensors: str) -> tuple[Holder, ...]:
    return tuple(Holder(t, component) for t in tensors)


def problem(components: tuple[Component, ...], tensors: tuple[Tensor, ...] = ABZ, **bounds: int) -> EinsumProblem:
    return einsum("E", bounds, tensors, FakePath(components))


def total(e: NestEvaluation, component: str, name: str | None, action: str) -> float:
    """Values (not bits) moved in all."""
    bits = 1 if name is None else 8
    count = e.actions.get(ActionKey(component, name, action))
    return 0 if count is None else count.total / bits


def each(e: NestEvaluation, component: str, name: str | None, action: str) -> float:
    bits = 1 if name is None else 8
    count = e.actions.get(ActionKey(component, name, action))
    return 0 if count is None else count.per_instance / bits


def test_matmul_in_one_memory() -> None:
    p = problem((memory("M", ABZ), compute()), m=64, k=64, n=64)
    e = evaluate_nest(p, nest(*hold("M", "A", "B", "Z"), Temporal("m", 1), Temporal("n", 1), Temporal("k", 1)))
    assert e.total_energy == 8_617_984
    assert e.total_latency == 64**3
    assert total(e, "M", "Z", "write") == 64**3
    assert total(e, "M", "Z", "read") == 64**3 - 64**2  # the first read of each value is skipped


def test_loop_order_in_one_memory_changes_nothing() -> None:
    p = problem((memory("M", ABZ), compute()), m=4, k=6, n=2)
    loops = [Temporal("m", 1), Temporal("n", 1), Temporal("k", 1)]
    one = evaluate_nest(p, nest(*hold("M", "A", "B", "Z"), *loops))
    other = evaluate_nest(p, nest(*hold("M", "A", "B", "Z"), *reversed(loops)))
    assert one.energy == other.energy


def test_unfused_on_simple() -> None:
    p = problem((memory("MM", ABZ), memory("GB", ABZ), compute()), m=64, k=32, n=32)
    loops = (Temporal("m", 1), Temporal("k", 1), Temporal("n", 1))
    e = evaluate_nest(p, nest(*hold("MM", *"ABZ"), *hold("GB", *"ABZ"), *loops))
    assert (e.total_energy, e.total_latency) == (2228224, 65536)


class TestOutputs:
    """An output that an irrelevant loop brings back n times is written n times and read n - 1 times."""

    components = (memory("MM", ABZ), memory("GB", ABZ), compute())

    def evaluate(self, components: tuple[Component, ...]) -> NestEvaluation:
        p = problem(components, m=4, k=6, n=5)
        nodes = (Temporal("k", 1), *hold("GB", "Z"), Temporal("m", 1), Temporal("n", 1))
        return evaluate_nest(p, nest(*hold("MM", *"ABZ"), *nodes))

    def test_brought_back(self) -> None:
        e = self.evaluate(self.components)
        assert total(e, "MM", "Z", "write") == 6 * 20
        assert total(e, "MM", "Z", "read") == 5 * 20
        # The buffer is written by the compute 120 times and refilled 5 times (the first fill is skipped).
        assert total(e, "GB", "Z", "write") == 120 + 5 * 20
        # It is read by the compute 120 - 20 times and drained 6 times.
        assert total(e, "GB", "Z", "read") == 100 + 6 * 20

    def test_memory_that_does_not_skip(self) -> None:
        mm, gb, mac = self.components
        e = self.evaluate((mm, attrs.evolve(gb, skip_initial_output_write=False), mac))
        assert total(e, "MM", "Z", "read") == 6 * 20
        assert total(e, "GB", "Z", "write") == 120 + 6 * 20
        assert total(e, "GB", "Z", "read") == 120 + 6 * 20

    def test_outer_memory_that_does_not_skip(self) -> None:
        mm, gb, mac = self.components
        e = self.evaluate((attrs.evolve(mm, skip_initial_output_write=False), gb, mac))
        assert total(e, "MM", "Z", "read") == 6 * 20  # it serves the buffer's first reads
        assert total(e, "GB", "Z", "write") == 120 + 5 * 20  # which the buffer never writes down

    def test_compute_that_does_not_skip(self) -> None:
        mm, gb, mac = self.components
        e = self.evaluate((mm, gb, attrs.evolve(mac, skip_initial_output_write=False)))
        assert total(e, "GB", "Z", "read") == 120 + 6 * 20
        assert total(e, "MM", "Z", "read") == 5 * 20


def test_reentry_refetches() -> None:
    """No reuse across a loop above a holder, relevant or not."""
    p = problem((memory("MM", ABZ), memory("GB", ABZ), compute()), m=4, k=6, n=5)
    nodes = (*hold("MM", *"ABZ"), Temporal("n", 1), *hold("GB", "A"), Temporal("m", 1), Temporal("k", 1))
    e = evaluate_nest(p, nest(*nodes))
    assert total(e, "MM", "A", "read") == 5 * 24
    assert total(e, "GB", "A", "write") == 5 * 24
    assert total(e, "GB", "A", "read") == 120


class TestSpatial:
    nodes = (*hold("MM", *"ABZ"), Spatial("n", 1, "Array", "X"), Temporal("m", 1), Temporal("k", 1))

    def evaluate(self, may_reuse: str) -> NestEvaluation:
        array = container("Array", dimension("X", 8, may_reuse))
        p = problem((memory("MM", ABZ, read_s=1, write_s=1), array, compute(seconds=2)), m=4, k=6, n=5)
        return evaluate_nest(p, nest(*self.nodes))

    def test_multicast(self) -> None:
        e = self.evaluate("ABZ")
        assert total(e, "MM", "A", "read") == 24  # one read serves all five
        assert total(e, "MM", "B", "read") == 120
        assert e.spatial_usage == {("Array", "X"): 5 / 8}

    def test_without_multicast(self) -> None:
        e = self.evaluate("")
        assert total(e, "MM", "A", "read") == 120

    def test_time_is_per_instance(self) -> None:
        e = self.evaluate("ABZ")
        assert (total(e, "MAC", None, "compute"), each(e, "MAC", None, "compute")) == (120, 24)
        assert e.latency["MAC"] == 2 * 24
        # Reads of A, B, and Z but for its 20 first ones; writes of Z; 8 actions (bits) a value.
        assert e.latency["MM"] == 8 * (24 + 120 + 120 - 20 + 120)
        assert e.total_latency == e.latency["MM"]

    @pytest.mark.parametrize(("may_reuse", "partial_sums"), [("Z", 20), ("AB", 120)])
    def test_spatial_reduction(self, may_reuse: str, partial_sums: int) -> None:
        array = container("Array", dimension("X", 6, may_reuse))
        p = problem((memory("MM", ABZ), array, compute()), m=4, k=6, n=5)
        nodes = (*hold("MM", *"ABZ"), Spatial("k", 1, "Array", "X"), Temporal("m", 1), Temporal("n", 1))
        e = evaluate_nest(p, nest(*nodes))
        assert total(e, "MM", "Z", "write") == partial_sums
        assert total(e, "MM", "Z", "read") == 0  # all of them are first ones

    def test_below_a_memory_with_fanout(self) -> None:
        """LB has 4 instances: counts are for all, time and occupancy for one."""
        lb = memory("LB", ABZ, spatial=[dimension("Z", 4, "AZ")], read_s=1)
        p = problem((memory("MM", ABZ), lb, compute()), m=4, k=6, n=8)
        nodes = (*hold("MM", *"ABZ"), Spatial("n", 2, "LB", "Z"), *hold("LB", "A", "B"))
        e = evaluate_nest(p, nest(*nodes, Temporal("m", 1), Temporal("k", 1), Temporal("n", 1)))
        assert total(e, "MM", "A", "read") == 24  # multicast to the four
        assert total(e, "LB", "A", "write") == 4 * 24
        assert each(e, "LB", "A", "write") == 24
        assert total(e, "MM", "B", "read") == total(e, "LB", "B", "write") == 48
        assert each(e, "LB", "B", "read") == 4 * 6 * 2
        assert e.usage["LB"] == 8 * (24 + 12)
        assert e.latency["LB"] == 8 * (48 + 48)

    def test_moves_up_to_the_first_own_holder(self) -> None:
        """The spatial loop stands below MM's last holder, hence below A's own buffer loop; for A it moves up."""
        lb = memory("LB", ABZ, spatial=[dimension("Z", 4, "A")])
        p = problem((memory("MM", ABZ), lb, compute()), m=4, k=6, n=8)
        # For A: MM, [n spatial], LB, m, k. Written: LB A stands above MM B.
        nodes = (*hold("MM", "A", "Z"), *hold("LB", "A"), Temporal("m", 1), *hold("MM", "B"))
        e = evaluate_nest(p, nest(*nodes, Spatial("n", 2, "LB", "Z"), Temporal("k", 1), Temporal("n", 1)))
        assert total(e, "MM", "A", "read") == 24
        assert total(e, "LB", "A", "write") == 4 * 24
        assert total(e, "LB", "A", "read") == 4 * 6 * 8

    def test_moved_spatial_loop_shrinks_the_tile(self) -> None:
        lb = memory("LB", ABZ, spatial=[dimension("Z", 2)])
        p = problem((memory("MM", ABZ), lb, compute()), m=8, k=2, n=2)
        nodes = (*hold("MM", "A", "Z"), *hold("LB", "A"), Temporal("m", 2), *hold("MM", "B"))
        e = evaluate_nest(p, nest(*nodes, Spatial("m", 1, "LB", "Z"), Temporal("k", 1), Temporal("n", 1)))
        held = next(r for r in e.reservations if r.component == "LB")
        # Each of the two instances holds 4 x 2 values of A; below the temporal loop over m (relevant) it is 1 x 2.
        assert [(loop.trips, loop.tile, loop.spatial) for loop in held.loops] == [(2, 4, True), (4, 1, False)]
        assert held.bits == 8 * 2
        assert total(e, "MM", "A", "read") == total(e, "LB", "A", "write") == 16


class TestTolls:
    @pytest.mark.parametrize(
        ("up", "down", "input_reads", "output_reads"),
        [(True, True, 120, 120 + 100), (True, False, 0, 120), (False, True, 120, 100)],
    )
    def test_directions(self, up: bool, down: bool, input_reads: int, output_reads: int) -> None:
        p = problem((memory("MM", ABZ), toll("T", ABZ, up=up, down=down), compute()), m=4, k=6, n=5)
        loops = (Temporal("m", 1), Temporal("n", 1), Temporal("k", 1))
        e = evaluate_nest(p, nest(*hold("MM", *"ABZ"), *hold("T", "A", "Z"), *loops))
        assert total(e, "T", "A", "read") == input_reads
        assert total(e, "T", "Z", "read") == output_reads
        assert total(e, "T", "B", "read") == 0
        # It changes nothing for the others and keeps nothing.
        assert total(e, "MM", "A", "read") == 120
        assert total(e, "MM", "Z", "read") == 100
        assert {r.component for r in e.reservations} == {"MM"}

    def test_counts_as_a_holder_for_spatial_loops(self) -> None:
        """The toll has fanout 5: its traffic is counted below the multicast, MM's above."""
        t = attrs.evolve(toll("T", ABZ), spatial=(dimension("X", 5, "A"),))
        p = problem((memory("MM", ABZ), t, compute()), m=4, k=6, n=5)
        nodes = (*hold("MM", *"ABZ"), Spatial("n", 1, "T", "X"), *hold("T", "A"), Temporal("m", 1), Temporal("k", 1))
        e = evaluate_nest(p, nest(*nodes))
        assert total(e, "MM", "A", "read") == 24
        assert (total(e, "T", "A", "read"), each(e, "T", "A", "read")) == (120, 24)


class TestCopies:
    X, Y = tensor("X", "m", "d"), tensor("Y", "m", "d", output=True)
    gb = memory("GB", (X, Y))

    def problem(self, **more: object) -> EinsumProblem:
        lanes = container("Lanes", dimension("L", 4))
        unit = compute("SU", energy=3, seconds=1, spatial=(dimension("S", 2),), **more)
        path = FakePath((memory("MM", (self.X, self.Y), read_s=1), self.gb, lanes, unit))
        return einsum("E", {"m": 4, "d": 16}, (self.X, self.Y), path, shared=["Y"], is_copy=True)

    def test_read_once_and_written_once(self) -> None:
        nodes = (*hold("MM", "X"), Temporal("m", 1), *hold("GB", "Y"), Temporal("d", 1))
        e = evaluate_nest(self.problem(), nest(*nodes, on="SU"))
        assert e.energy == {("MM", "X", "read"): 8 * 64, ("GB", "X", "write"): 8 * 64}
        assert e.total_latency == 8 * 64
        assert e.backing["Y"].bits == 8 * 16
        assert e.backing["Y"].level == 1

    def test_within_one_memory_is_free(self) -> None:
        e = evaluate_nest(self.problem(), nest(*hold("MM", "X", "Y"), Temporal("m", 1), Temporal("d", 1), on="SU"))
        assert (e.total_energy, e.total_latency) == (0, 0)

    def test_charged_to_the_compute(self) -> None:
        p = self.problem(computes_copies=True)
        e = evaluate_nest(p, nest(*hold("MM", "X", "Y"), Temporal("m", 1), Temporal("d", 1), on="SU"))
        assert e.energy == {("SU", None, "compute"): 3 * 64}
        assert e.total_latency == 64 / 8  # over 4 x 2 instances


class TestPartialRelevance:
    """O[p] += I[p + r] * W[r] with P = 6, R = 3: the input has 8 values."""

    tensors = (tensor("I", "p+r"), tensor("W", "r"), tensor("O", "p", output=True))

    def evaluate(self, *nodes: NestNode) -> NestEvaluation:
        array = container("Array", dimension("X", 8, "IWO"))
        p = problem((memory("MM", self.tensors), memory("GB", self.tensors), array, compute()), self.tensors, p=6, r=3)
        return evaluate_nest(p, nest(*hold("MM", *"IWO"), *nodes))

    def test_whole_tile(self) -> None:
        e = self.evaluate(*hold("GB", "I"), Temporal("p", 1), Temporal("r", 1))
        assert total(e, "MM", "I", "read") == 8
        assert total(e, "GB", "I", "read") == 18

    def test_tiles_overlap(self) -> None:
        e = self.evaluate(Temporal("p", 2), *hold("GB", "I"), Temporal("p", 1), Temporal("r", 1))
        assert total(e, "MM", "I", "read") == 3 * 4  # p tile 2, r 3: 4 values, halo refetched

    def test_no_halo_is_shared_across_space(self) -> None:
        e = self.evaluate(Spatial("p", 1, "Array", "X"), Temporal("r", 1))
        assert total(e, "MM", "I", "read") == 18
        assert total(e, "MM", "W", "read") == 3

    def test_reservation_sinks_through_one_partial_loop(self) -> None:
        e = self.evaluate(*hold("GB", "I"), Temporal("p", 2), Temporal("r", 1), Temporal("p", 1))
        held = next(r for r in e.reservations if r.component == "GB")
        assert held.bits == 8 * 4
        assert [(loop.variable, loop.trips) for loop in held.loops] == [("p", 3)]
        assert total(e, "MM", "I", "read") == 8  # sinking never changes traffic


class TestReservations:
    components = (memory("MM", ABZ), memory("GB", ABZ), compute())

    def reservation(self, name: str, *nodes: NestNode) -> tuple[float, int]:
        p = problem(self.components, m=4, k=6, n=5)
        e = evaluate_nest(p, nest(*nodes))
        found = next(r for r in e.reservations if r.tensor == name and r.component == "GB")
        return found.bits / 8, found.level

    def test_stops_above_an_irrelevant_loop(self) -> None:
        nodes = (*hold("MM", *"ABZ"), *hold("GB", "A"), Temporal("m", 1), Temporal("n", 1), Temporal("k", 1))
        assert self.reservation("A", *nodes) == (6, 1)

    def test_stops_above_any_holder(self) -> None:
        nodes = (*hold("MM", *"ABZ"), *hold("GB", "A", "Z"), Temporal("m", 1), Temporal("k", 1), Temporal("n", 1))
        assert self.reservation("A", *nodes) == (24, 0)
        assert self.reservation("Z", *nodes) == (5, 1)

    def test_a_loop_that_runs_once_stops_it_too(self) -> None:
        nodes = (*hold("MM", *"ABZ"), *hold("GB", "A"), Temporal("n", 5), Temporal("m", 1), Temporal("k", 1))
        assert self.reservation("A", *nodes, Temporal("n", 1)) == (24, 0)

    def test_backing_stays(self) -> None:
        nodes = (*hold("MM", *"BZ"), Temporal("m", 2), *hold("GB", "A"), Temporal("m", 1), Temporal("k", 1))
        assert self.reservation("A", *nodes, Temporal("n", 1)) == (12, 1)

    def test_persistent(self) -> None:
        kept = tensor("B", "k", "n", persistent=True)
        tensors = (A, kept, Z)
        path = FakePath((memory("GB", tensors), compute()))
        p = einsum("E", {"m": 4, "k": 6, "n": 5}, tensors, path, n_instances=3)
        nodes = (*hold("GB", *"BAZ"), Temporal("m", 1), Temporal("k", 1), Temporal("n", 1))
        e = evaluate_nest(p, nest(*nodes))
        assert e.backing["B"].level == -1
        assert e.backing["B"].bits == 3 * 8 * 30
        assert e.backing["A"].bits == 8 * 24
        assert e.total_latency == 3 * 120
        assert e.total_energy == 3 * (8 * (4 * 120 - 20) + 120)


class TestImperfect:
    """m = 7 in tiles of 4: 7/4 = 1.75 where it counts, 2 in time."""

    components = (memory("MM", ABZ, read_s=1), memory("GB", ABZ), compute())
    nodes = (*hold("MM", *"ABZ"), Temporal("m", 4), *hold("GB", "A", "B"), Temporal("m", 1), Temporal("k", 1))

    def test_counts_and_time(self) -> None:
        e = evaluate_nest(problem(self.components, m=7, k=6, n=5), nest(*self.nodes, Temporal("n", 1)))
        assert (total(e, "MM", "A", "read"), each(e, "MM", "A", "read")) == (42, 48)
        assert (total(e, "MM", "B", "read"), each(e, "MM", "B", "read")) == (60, 60)  # irrelevant: twice
        assert (total(e, "MAC", None, "compute"), each(e, "MAC", None, "compute")) == (7 * 30, 8 * 30)
        assert e.latency["MAC"] == 240
        assert next(r for r in e.reservations if (r.tensor, r.component) == ("A", "GB")).bits == 8 * 24

    def test_spatial(self) -> None:
        array = container("Array", dimension("X", 2, "B"))
        p = problem((self.components[0], array, compute()), m=7, k=6, n=5)
        loops = (Temporal("m", 1), Temporal("k", 1), Temporal("n", 1))
        e = evaluate_nest(p, nest(*hold("MM", *"ABZ"), Spatial("m", 4, "Array", "X"), *loops))
        assert (total(e, "MAC", None, "compute"), each(e, "MAC", None, "compute")) == (210, 120)
        assert total(e, "MM", "A", "read") == 210
        assert total(e, "MM", "B", "read") == 4 * 30
        assert e.spatial_usage == {("Array", "X"): 1}


class TestLeak:
    def test_gating(self) -> None:
        array = container("Array", dimension("X", 8, "ABZ", power_gateable=True))
        path = FakePath((memory("MM", ABZ), array, compute()))
        leaks = (Leak("MM", 2.0, ()), Leak("MAC", 8.0, (("Array", "X", 8),)), Leak("Other", 1.0, (("Q", "Y", 4),)))
        p = einsum("E", {"m": 4, "k": 6, "n": 5}, ABZ, path, leaks=leaks, n_instances=2)
        e = evaluate_nest(p, nest(*TestSpatial.nodes))
        assert e.total_latency == 2 * 24
        assert e.energy["MM", None, "leak"] == 2 * 2 * 24
        assert e.energy["MAC", None, "leak"] == 2 * 8 * 24 * 5 / 8
        assert e.energy["Other", None, "leak"] == 2 * 24 / 4  # off the path: one of four instances is on


def test_latency_takes_the_slowest_form() -> None:
    """Separate read and write ports: the slower of the two, not their sum."""
    mm = attrs.evolve(memory("MM", ABZ), latency=({"read": 1.0}, {"write": 2.0}))
    p = problem((mm, compute()), m=4, k=6, n=5)
    e = evaluate_nest(p, nest(*hold("MM", *"ABZ"), Temporal("m", 1), Temporal("n", 1), Temporal("k", 1)))
    assert e.latency["MM"] == max(8 * (120 + 120 + 100), 2 * 8 * 120)


def test_components_see_what_is_kept_above_them() -> None:
    seen: dict[str, dict[str, frozenset[str]]] = {}

    def note(component: Component, held: dict[str, frozenset[str]]) -> Component:
        seen[component.name] = dict(held)
        return component

    path = FakePath((memory("MM", ABZ), container("Array"), memory("GB", ABZ), compute()), note)  # type: ignore[arg-type]
    p = einsum("E", {"m": 2, "k": 2, "n": 2}, ABZ, path)
    loops = (Temporal("m", 1), Temporal("k", 1), Temporal("n", 1))
    evaluate_nest(p, nest(*hold("MM", "A", "Z"), *hold("GB", "A", "B"), *loops))
    assert list(seen) == ["MM", "Array", "GB", "MAC"]
    assert seen["MM"] == {}
    assert seen["GB"] == {"MM": {"A", "Z"}}
    assert seen["MAC"] == {"MM": {"A", "Z"}, "GB": {"A", "B"}}


LOOPS = (Temporal("m", 1), Temporal("k", 1), Temporal("n", 1))


@pytest.mark.parametrize(
    ("nodes", "on", "message"),
    [
        ((*hold("MM", "A", "B"), *LOOPS), "MAC", "no memory holds tensor Z"),
        ((*hold("MM", *"ABZ"), *LOOPS[:2]), "MAC", "work is left undone, the innermost tile of n is 2"),
        ((*hold("MM", *"ABZ"), *LOOPS), "MAX", "no compute 'MAX'; did you mean 'MAC'"),
        ((*hold("MMM", *"ABZ"), *LOOPS), "MAC", "no memory 'MMM'; did you mean 'MM'"),
        ((*hold("MAC", "A"), *LOOPS), "MAC", "no memory 'MAC'"),
        ((*hold("MM", *"ABZQ"), *LOOPS), "MAC", "no tensor 'Q'; there are: A, B, Z"),
        ((*hold("MM", *"ABZ"), Temporal("q", 1), *LOOPS), "MAC", "no rank variable 'q'"),
        ((*hold("MM", *"ABZ"), Temporal("m", 3), *LOOPS), "MAC", "tile 3"),
        ((*hold("MM", *"ABZ"), Spatial("m", 1, "MM", "X"), *LOOPS), "MAC", "no spatial dimension of MM 'X'"),
    ],
)
def test_nests_that_do_not_fit(nodes: tuple[NestNode, ...], on: str, message: str) -> None:
    p = problem((memory("MM", ABZ), compute()), m=2, k=2, n=2)
    with pytest.raises(MappingError, match=message):
        evaluate_nest(p, nest(*nodes, on=on))
