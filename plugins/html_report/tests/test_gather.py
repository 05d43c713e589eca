"""What a report shows adds up to what the model says, and the roofline is what one works out by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

import ffcore as ff
from ffcore.plugin import ReportSubject
from ffcore.results import Mappings
from ffcore.results.front import Point, best_of, chosen
from ffcore_html_report.gather import gather
from tests.api.specs import BUFFER
from tests.results.report_problems import front, one_memory, with_copy

ARRAY_OF_3 = """
arch:
  nodes:
  - !Compute {name: MAC, spatial: [{name: Z, fanout: 3, reuse: A | W | T}], leak_power: 0, area: 0,
              actions: [{name: compute, energy: 1, throughput: 1}]}
"""
BOTH = pytest.mark.parametrize("mappings", [front, with_copy], ids=["chain", "copy"])


def test_the_set_has_several_mappings() -> None:
    assert len(front()) > 3


@BOTH
def test_every_breakdown_adds_up_to_the_total(mappings) -> None:
    data = gather(ReportSubject(mappings()))
    assert len(data.details) == len(mappings())
    for detail, joint in zip(data.details, mappings().evaluations, strict=True):
        assert detail.point.energy == joint.total_energy
        assert math.fsum(p.energy for p in detail.energy) == pytest.approx(joint.total_energy, rel=1e-12)
        by_einsum = {e.einsum: e.total_energy for e in joint.evaluations}
        for einsum in data.einsums:
            mine = math.fsum(p.energy for p in detail.energy if p.einsum == einsum.name)
            assert mine == pytest.approx(by_einsum[einsum.name], rel=1e-12)
        assert {p.component for p in detail.energy} <= set(data.components)
        assert {p.tensor for p in detail.energy} - {None} <= {t.name for t in data.tensors}


@BOTH
def test_latencies_add_up_and_the_bottleneck_is_what_takes_so_long(mappings) -> None:
    for detail, joint in zip(gather(ReportSubject(mappings())).details, mappings().evaluations, strict=True):
        assert [e.einsum for e in detail.latency] == [e.einsum for e in joint.evaluations]
        assert math.fsum(e.latency for e in detail.latency) == pytest.approx(joint.total_latency, rel=1e-12)
        for einsum in detail.latency:
            if einsum.latency > 0:
                assert einsum.busy[einsum.bottleneck] == max(einsum.busy.values()) == einsum.latency


@BOTH
def test_occupancy_is_that_of_the_model(mappings) -> None:
    for detail, joint in zip(gather(ReportSubject(mappings())).details, mappings().evaluations, strict=True):
        shown = {(m.einsum, o.memory): m for o in detail.occupancy for m in o.moments}
        limited = {memory for _, memory in joint.share} & {"Buffer"}
        assert {memory for _, memory in shown} == limited
        for memory in limited:
            for evaluation in joint.evaluations:
                moment = shown[evaluation.einsum, memory]
                assert moment.share == joint.share.get((evaluation.einsum, memory), 0)
                assert moment.bits == joint.usage.get((evaluation.einsum, memory), 0)
                assert math.fsum(k.bits for k in moment.kept) == moment.bits


def test_occupancy_tells_fused_tensors_from_others() -> None:
    kept = [k for d in gather(ReportSubject(front())).details for o in d.occupancy for m in o.moments for k in m.kept]
    assert {k.tensor for k in kept if k.shared} == {"T1", "T2"}
    assert any(k.shared and k.level > 0 for k in kept)  # under a fused loop
    # A tile of a tensor that is shared further out is the Einsum's own.
    assert {k.tensor for k in kept if not k.shared} & {"T1", "T2"}
    assert {k.tensor for k in kept if not k.shared} - {"T1", "T2"}


def test_where_nothing_takes_time_nothing_is_the_bottleneck() -> None:
    spec = one_memory("inf")
    spec.set("arch.nodes.MAC.actions.compute.throughput", "inf")
    (detail,) = gather(ReportSubject(ff.map_workload_to_arch(spec, n_jobs=1))).details
    assert [e.bottleneck for e in detail.latency] == [""]
    assert detail.roofline.whole is None


# A is read 16 times, W too, T is written 16 times and, but for the first time, read: 8. So 56 values move, 448 bits.
def test_roofline_of_a_matmul_in_one_memory() -> None:
    (detail,) = gather(ReportSubject(ff.map_workload_to_arch(one_memory(2), n_jobs=1))).details
    (point,) = detail.roofline.einsums
    assert (point.computes, point.peak, point.compute) == (16, 1, "MAC")
    (slope,) = point.slopes
    assert (slope.component, slope.bits, slope.bandwidth, slope.intensity) == ("Main", 448, 2, 16 / 448)
    assert slope.ceiling == point.roof == pytest.approx(1 / 14)
    assert point.performance == pytest.approx(16 / 224)
    assert point.binding == "Main" == detail.latency[0].bottleneck
    whole = detail.roofline.whole
    assert whole is not None
    assert (whole.computes, whole.peak, whole.binding) == (16, 1, "Main")


def test_roofline_of_a_fast_memory_is_bound_by_computes() -> None:
    (detail,) = gather(ReportSubject(ff.map_workload_to_arch(one_memory(448), n_jobs=1))).details
    (point,) = detail.roofline.einsums
    assert (point.binding, point.roof, point.performance) == ("MAC", 1, 1)
    assert point.slopes[0].ceiling == pytest.approx(16)


def test_roofs_are_those_of_all_instances_used_or_not() -> None:
    array = "\n  - !Container\n    name: Array\n    spatial: [{name: X, fanout: 4, reuse: A | W | T}]\n"
    fanout = "spatial: [{name: Y, fanout: 2, reuse: A | W | T}]"
    spec = one_memory(2, array, fanout)
    spec.arch.nodes["MAC"].spatial = ff.Spec.from_string(ARRAY_OF_3).arch.nodes["MAC"].spatial
    (detail,) = gather(ReportSubject(ff.map_workload_to_arch(spec, n_jobs=1))).details
    (point,) = detail.roofline.einsums
    assert point.peak == 2 * 4 * 3
    assert point.slopes[0].bandwidth == 2 * 2
    assert point.performance == pytest.approx(16 / 224)
    assert {s.share for s in detail.spatial} == {1 / 4, 1 / 2, 1 / 3}


def test_bits_moved_are_those_of_all_instances() -> None:
    buffer = BUFFER % ("inf", "All", "Nothing", 1, 4, 1, 4)
    array = "\n  - !Container\n    name: Array\n    spatial: [{name: X, fanout: 2, min_usage: 1}]\n"
    mappings = ff.map_workload_to_arch(one_memory("inf", array + buffer), n_jobs=1)
    row = mappings[0].access("action", "Buffer").to_dict()
    slope = next(
        s for s in gather(ReportSubject(mappings)).details[0].roofline.einsums[0].slopes if s.component == "Buffer"
    )
    assert len(row) > 4
    assert slope.bits == sum(row.values())  # an action moves one bit
    assert slope.bandwidth == 4 * 2


def test_roofline_of_the_whole_adds_up_its_einsums() -> None:
    for detail in gather(ReportSubject(front())).details:
        whole = detail.roofline.whole
        assert whole is not None
        assert whole.computes == sum(p.computes for p in detail.roofline.einsums)
        moved = sum(s.bits for p in detail.roofline.einsums for s in p.slopes)
        assert sum(s.bits for s in whole.slopes) == pytest.approx(moved)
        assert whole.performance == pytest.approx(whole.computes / detail.point.latency)
        assert whole.performance <= whole.roof * (1 + 1e-12)


def test_copies_compute_nothing_but_count_as_time_and_traffic() -> None:
    data = gather(ReportSubject(with_copy()))
    assert [e.computes for e in data.einsums] == [0, 32, 16]
    detail = data.details[0]
    assert [p.einsum for p in detail.roofline.einsums] == [e.name for e in data.einsums[1:]]


def test_what_the_workload_is() -> None:
    data = gather(ReportSubject(front(), title="chain", stats={"n": 1}, run={"versions": {}}))
    assert [e.name for e in data.einsums] == ["Matmul0", "Matmul1", "Matmul2"]
    assert {t.name for t in data.tensors if t.shared} == {"T1", "T2"}
    assert {t.name: t.bits for t in data.tensors}["W0"] == 4 * 4 * 8
    assert data.components == ("Main", "Buffer", "MAC")
    assert (data.title, data.stats, data.run) == ("chain", {"n": 1}, {"versions": {}})
    assert data.points[data.best] == best_of(data.points)


def test_few_mappings_are_all_shown_and_of_many_those_along_the_front() -> None:
    points = [Point(i, 1000.0 - i, 1.0 + i * i) for i in range(200)]
    assert chosen(points[:50]) == list(range(50))
    shown = chosen(points)
    assert len(shown) == len(set(shown)) == 50
    assert {0, 199, best_of(points).number} <= set(shown)
    assert max(b - a for a, b in pairwise(shown)) <= 8
    few = gather(ReportSubject(Mappings(front().entries)), max_details=3)
    assert len(few.details) == 3
    assert len(few.points) == len(front())
    assert few.best in [d.point.number for d in few.details]
