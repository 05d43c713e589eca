"""Sharing pmappings changes no result: each point of a sweep is what a run of its own gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import pytest

import ffcore as ff
from ffcore.pmappings.set import EinsumPmappings
from ffcore.spec.problem import INFINITY
from ffcore.templates import einsum_choices
from ffcore_sweep import points
from ffcore_sweep import restrict as shared
from ffcore_sweep import run as run_module
from ffcore_sweep.axes import axes_of
from ffcore_sweep.columns import Design
from ffcore_sweep.needs import Needs
from ffcore_sweep.run import prepared
from plugins.sweep.tests.against_single_runs import Job, job, mismatches, quick_diagnosis
from tests.api.specs import chain
from tests.examples import first_few

SIZE, LOOPS = "arch.nodes.Buffer.size", "mapper.ffm.max_fused_loops"
SEEDS = [1002, 1003, 1007, 1008, 1009, 1010]


@pytest.fixture
def explored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the Einsums that are explored, as they are."""
    names: list[str] = []
    explore = run_module.explore_einsum

    def noting(einsum, *others):  # type: ignore[no-untyped-def]
        names.append(einsum.name)
        return explore(einsum, *others)

    monkeypatch.setattr(run_module, "explore_einsum", noting)
    return names


@pytest.mark.parametrize("seed", first_few(SEEDS, 2))
def test_points_of_random_problems_are_those_of_single_runs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_diagnosis(monkeypatch)
    drawn = job(seed)
    assert drawn is not None
    assert mismatches(drawn) == []


@pytest.mark.parametrize("seed", [1002, 1003, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1004, 1050))])
def test_points_with_imperfect_factors_are_those_of_single_runs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_diagnosis(monkeypatch)
    drawn = job(seed, imperfect=True)
    if drawn is None:
        pytest.skip("no memory of a size")
    drawn.spec.mapper.ffm.force_memory_hierarchy_order = True  # else they are not offered everywhere
    assert mismatches(drawn) == []


@pytest.mark.parametrize(("keep", "bandwidth"), first_few([("Nothing", 4), ("All", "inf")], 1))
def test_chains_that_fill_their_buffer(keep: str, bandwidth: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here joins depend on shares of memories at every depth; with Nothing small buffers hold no intermediate."""
    quick_diagnosis(monkeypatch)
    spec = chain(bandwidth=bandwidth)
    spec.arch.nodes["Main"].tensors.may_keep = keep
    assert mismatches(Job(spec, {SIZE: [1000, 8 * 25, 8 * 17, 8 * 9, "inf"], LOOPS: [0, 1, "inf"]})) == []


@pytest.mark.parametrize("imperfect", [False, True])
@pytest.mark.parametrize("seed", [1001, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1002, 1024))])
def test_numbers_are_those_of_single_runs_to_the_last_bit(
    seed: int, imperfect: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With throughputs varied too: one exploration serves all of them, and points are put together."""
    quick_diagnosis(monkeypatch)
    drawn = job(seed, imperfect)
    if drawn is None:
        pytest.skip("no memory of a size")
    if imperfect:
        drawn.spec.mapper.ffm.force_memory_hierarchy_order = True
    memories = [n for n in drawn.spec.arch.nodes if n.name in ("MainMemory", "GlobalBuffer")]
    node = memories[seed % len(memories)]
    actions = [action.name for action in node.actions][: 1 + seed % 2]
    vary: dict[str, Sequence[object]] = {path: list(values)[:2] for path, values in drawn.vary.items()}
    for action, values in zip(actions, ([0.7, 3, "inf"], [2, 5]), strict=False):
        vary[f"arch.nodes.{node.name}.actions.{action}.throughput"] = values
    for point in ff.sweep(drawn.spec, vary, sample=4, n_jobs=1):
        spec = drawn.spec.copy()
        for path, value in point.values.items():
            spec.set(path, value)
        try:
            expected = numbers(ff.map_workload_to_arch(spec, n_jobs=1))
        except ff.NoValidMappingError:
            expected = []
        assert sorted(point.numbers) == sorted(expected), dict(point.values)


def alone(spec: ff.Spec, values: Mapping[str, object]) -> dict[str, object]:
    spec = spec.copy()
    for path, value in values.items():
        spec.set(path, value)
    return ff.map_workload_to_arch(spec, n_jobs=1).to_dict()


def check(spec: ff.Spec, vary: Mapping[str, list[object]], **options: object) -> None:
    for point in ff.sweep(spec, vary, n_jobs=1, **options):  # type: ignore[arg-type]
        assert point.mappings is not None
        numbers, expected = point.mappings.to_dict(), alone(spec, point.values)
        for name in ("Total<SEP>energy", "Total<SEP>latency"):
            assert numbers[name] == pytest.approx(expected[name], rel=1e-12)


def test_sizes_and_fused_loops_share_one_exploration(explored: list[str]) -> None:
    vary = {SIZE: [8 * 200, "inf", 8 * 24], LOOPS: [0, "inf"]}
    spec = chain(n_einsums=2, bandwidth=4)
    ff.sweep(spec, vary, n_jobs=1)
    assert sorted(explored) == ["Matmul0", "Matmul1"]
    check(spec, vary)


def test_equal_einsums_and_what_only_joins_look_at_share_too(explored: list[str]) -> None:
    spec = chain(n_einsums=5)
    best = ff.map_workload_to_arch(spec, n_jobs=1)
    spec.mapper.joiner = "simanneal2"
    options = [{"seed": seed, "max_evaluations": 200} for seed in (1, 2)]
    found = ff.sweep(spec, {"mapper.joiner_options": options, SIZE: [8 * 24, 400]}, n_jobs=1)
    assert len(explored) == 3  # first, last, and one for those in between
    least = min(energy * latency for energy, latency in numbers(best)) * (1 - 1e-12)
    assert all(p.edp is not None and p.edp >= least for p in found if p.values[SIZE] == 8 * 24)


def numbers(mappings: ff.mapper.FFM.Mappings) -> list[tuple[float, float]]:
    return [(e.total_energy, e.total_latency) for e in mappings.evaluations]


def test_metrics_share_an_exploration_for_all_of_them(explored: list[str]) -> None:
    vary = {"mapper.ffm.metrics": ["energy", "latency", "energy,latency", "energy_delay_product"]}
    spec = chain(n_einsums=2, bandwidth=4)
    ff.sweep(spec, vary, n_jobs=1)
    assert len(explored) == 2
    check(spec, vary)


def test_what_bears_on_costs_or_on_one_einsum_only_is_not_shared(explored: list[str]) -> None:
    ff.sweep(chain(), {"arch.nodes.Buffer.actions.read.energy": [1, 2]}, n_jobs=1)
    assert len(explored) == 6
    explored.clear()
    ff.sweep(chain(n_einsums=4), {"workload.rank_sizes.N4": [2, 4]}, n_jobs=1)
    assert sorted(explored) == ["Matmul0", "Matmul1", "Matmul3", "Matmul3"]  # Matmul2 is as Matmul1


def test_a_size_that_costs_depend_on_is_not_shared(explored: list[str]) -> None:
    spec = chain(n_einsums=1)
    spec.set("arch.nodes.Buffer.actions.read.energy", "size / 100")
    vary = {SIZE: [400, 200]}
    check(spec, vary)
    assert len(explored) == 2


READ, WRITE = (f"arch.nodes.Main.actions.{name}.throughput" for name in ("read", "write"))


@pytest.mark.parametrize(
    ("vary", "columns"),
    [
        ({(READ, WRITE): [(1, 2), (4, 8)]}, 1),  # what is proportional takes one column
        ({READ: [1, 30, "inf"]}, 2),
        ({READ: [1, 3], SIZE: [100, 300], LOOPS: [1]}, 2),
    ],
)
def test_throughputs_share_an_exploration(
    explored: list[str], vary: dict[str | tuple[str, ...], list[object]], columns: int
) -> None:
    spec = chain(n_einsums=2, bandwidth=4)
    spec.set(WRITE, 5)
    planned = prepared(spec, vary).plan
    assert [len(planned.exploration(k).stored.shape.apart) for k in range(len(planned.groups))] == [columns] * 2
    for point in ff.sweep(spec, vary, n_jobs=1):
        explored_once = sorted(explored)
        expected = alone(spec, point.values)
        assert point.mappings is not None
        assert point.mappings.to_dict() == expected
    assert explored_once == ["Matmul0", "Matmul1"]


def test_throughputs_of_what_leaks_and_of_energy_alone(explored: list[str]) -> None:
    """Leakage is energy that depends on all latencies together: rows of one throughput are not those of another."""
    spec = chain(n_einsums=2, bandwidth=4)
    spec.mapper.ffm.metrics = "energy"
    check(spec, {READ: [1, 30]})
    spec.mapper.ffm.metrics = "energy,latency"
    spec.arch.nodes["Buffer"].leak_power = 0.5
    explored.clear()
    check(spec, {READ: [1, 30]})
    assert len(explored) == 4


def count_resolved(monkeypatch: pytest.MonkeyPatch) -> list[ff.Spec]:
    found: list[ff.Spec] = []
    resolve = points._point

    def noting(number, values, spec):  # type: ignore[no-untyped-def]
        found.append(spec)
        return resolve(number, values, spec)

    monkeypatch.setattr(points, "_point", noting)
    return found


def test_points_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a grid the specs of its edges are resolved; problems, areas, leakages are those of points' own specs."""
    spec = chain(n_einsums=2, bandwidth=4)
    for name, leak in (("Main", 1), ("Buffer", 0), ("MAC", 2)):
        spec.arch.nodes[name].area, spec.arch.nodes[name].leak_power = 1e-6, leak
    vary = {
        SIZE: [100, 300, "inf"],
        READ: [1, 3],
        "arch.nodes.Buffer.leak_power": [0, 1],
        "arch.nodes.Main.area": [1e-6, 2e-6],
        LOOPS: [0, 1],
    }
    resolved = count_resolved(monkeypatch)
    found = points.points_of(spec, axes_of(vary))
    whole = list(found)
    assert len(whole) == 48
    assert len(resolved) <= 8 + 6 + 2
    for point in whole:
        own = points._point(point.number, point.given, point.spec)
        assert own.problem.options == point.problem.options
        assert own.areas_of() == point.areas_of()
        assert Design.of(own.problem, own.areas_of()) == Design.of(point.problem, point.areas_of())
        for mine, theirs in zip(point.problem.einsums, own.problem.einsums, strict=True):
            assert attrs.evolve(mine, paths=()) == attrs.evolve(theirs, paths=())
            assert einsum_choices(mine) == einsum_choices(theirs)
        for need, other in zip(Needs().of(point), Needs().of_problem(own.problem), strict=True):
            assert (need.key, need.shape) == (other.key, other.shape)
            assert [t.components for t in need.templates] == [t.components for t in other.templates]


@pytest.mark.parametrize(
    ("path", "text", "resolved_ones"),
    [
        ("arch.nodes.Buffer.actions.read.energy", "Main.actions['read'].throughput * 0.1", 10),  # of another node
        ("arch.nodes.Main.area", "Buffer.size", 10),
        ("arch.nodes.Buffer.actions.read.energy", "size / 100", 5),  # a field of its own
    ],
)
def test_what_reads_what_is_varied_is_resolved(
    path: str, text: str, resolved_ones: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = chain(n_einsums=1, bandwidth=4)
    spec.set(path, text)
    resolved = count_resolved(monkeypatch)
    found = list(points.points_of(spec, axes_of({SIZE: [100, 200, 300], READ: [1, 2, 3]})))
    assert len(resolved) == resolved_ones
    for point in found:
        own = points._point(point.number, point.given, point.spec)
        assert einsum_choices(point.problem.einsums[0]) == einsum_choices(own.problem.einsums[0])


def test_shares_that_are_rounded_up_are_not_shared(explored: list[str]) -> None:
    spec = chain(n_einsums=1)
    spec.mapper.ffm.resource_usage_tolerance = 0.1
    check(spec, {SIZE: [400, 200]})
    assert len(explored) == 2


def wide() -> ff.Spec:
    """A chain on four cores, each with a buffer: with small ones not all can be used."""
    spec = chain(n_einsums=1, m=8, kn=4)
    text = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 3, throughput: inf}, {name: write, energy: 2, throughput: inf}]
  - !Memory
    name: Buffer
    size: 800
    tensors: {keep: W0}
    actions: [{name: read, energy: 0.1, throughput: inf}, {name: write, energy: 0.1, throughput: inf}]
  - !Container
    name: Array
    spatial: [{name: X, fanout: 4, may_reuse: Nothing, min_usage: 1, loop_bounds: LIMITS}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""
    limits = '[{expression: Outputs.rank_variables, operator: "<=", value: 2}]'
    spec.arch = ff.Spec.from_string(text.replace("LIMITS", limits)).arch
    return spec


def test_the_min_usage_rule_parts_sizes() -> None:
    """What is preferred must fit; which sizes agree on that is known before anything is explored."""
    sizes = [8 * n for n in (64, 32, 16, 8, 4, 2, 1)]
    planned = prepared(wide(), {SIZE: sizes}).plan
    assert 1 < len(planned.groups) < len(sizes)
    check(wide(), {SIZE: sizes})


def test_explored_sizes_are_the_largest_that_matter() -> None:
    first = prepared(chain(), {SIZE: [100, "inf", 200]}).plan.exploration(0)
    (_, bits), *_ = first.sizes.items() if "Main" not in first.sizes else [("Buffer", first.sizes["Buffer"])]
    assert bits == 8 * (8 * 4 + 4 * 4 + 8 * 4)  # all that Matmul0 can ever put there
    first = prepared(chain(), {SIZE: [100, 200]}).plan.exploration(0)
    assert first.sizes["Buffer"] == 200
    first = prepared(chain(), {LOOPS: [0, 1]}).plan.exploration(0)
    assert first.stored.options.max_fused_loops == 1
    assert first.sizes["Main"] == INFINITY


def test_what_fits_to_the_last_bit_fits() -> None:
    """Widths that are no sums of powers of two: the room that a mapping takes is rounded."""
    spec = chain(n_einsums=2)
    spec.workload.bits_per_value = {"All": 1.1}
    spec.arch.nodes["Main"].tensors.may_keep = "Nothing"
    spec.arch.nodes["Buffer"].size = 1000
    peaks = [e.peak_bits("Buffer") for e in ff.map_workload_to_arch(spec, n_jobs=1).evaluations]
    least = min(peaks)
    for size, fits in ((least, True), (least * (1 - 1e-9), None), (7.7, None)):
        vary = {SIZE: [1000, size]}
        (_, point) = ff.sweep(spec, vary, n_jobs=1)
        single = spec.copy()
        single.set(SIZE, size)
        try:
            expected = ff.map_workload_to_arch(single, n_jobs=1)[0].energy()
        except ff.NoValidMappingError:
            expected = None
        assert point.energy == (None if expected is None else pytest.approx(expected, rel=1e-12))
        assert fits is None or (expected is not None) == fits


def test_rows_in_another_shape() -> None:
    """More depths, memories and cuts than were explored: nothing is there, or the same as at the last one."""
    job = prepared(chain(), {SIZE: [200], LOOPS: [1]})
    (need, number) = job.plan.needs_of(job.points[0])[0]
    exploration = job.plan.exploration(number)
    found = run_module.explored(exploration.stored)
    wide_shape = attrs.evolve(need.shape, memories=("Other", *need.shape.memories), depth=3, cuts=need.shape.cuts + 2)
    rows = shared.restricted(found, exploration.sizes, need.sizes, wide_shape, need.options).rows
    assert rows.values.shape == (len(found.rows), wide_shape.width)
    assert rows.loops.shape[1] == 3
    assert not rows.values[:, 2 : 2 + 1 + wide_shape.open].any()
    assert (rows.values[:, wide_shape.opened(1, 3)] == found.rows.values[:, found.shape.opened(0, 1)]).all()
    assert (rows.states[:, -2:] == -1).all()
    assert (rows.blocks[:, -2:] == -2).all()


def test_jobs_are_those_of_the_own_templates() -> None:
    job = prepared(chain(n_einsums=4), {SIZE: [200]})
    needs = dict(zip(["Matmul1", "Matmul2"], job.plan.needs_of(job.points[0])[1:3], strict=True))
    (_, number), (second, same) = needs.values()
    assert number == same
    exploration = job.plan.exploration(number)
    found: EinsumPmappings = run_module.explored(exploration.stored)
    rows = shared.restricted(found, exploration.sizes, second.sizes, second.shape, second.options)
    own = rows.of(second.einsum, second.templates)
    assert len(own.jobs) == len(found.jobs)
    for a, b in zip(own.jobs, found.jobs, strict=True):
        assert a.template.einsum is second.einsum
        assert b.template.einsum is not second.einsum
        assert a.choice.trips == b.choice.trips
        assert {s.variable for s in a.choice.loops} <= set(second.einsum.bounds)
    assert own.jobs[:2] == [own.jobs[0], own.jobs[1]]
