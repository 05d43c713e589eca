"""Scripts for AccelForge, as they are but for the import."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

import ffcore as ff
import ffcore_compat_accelforge as af

ARCH = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    area: 2
    leak_power: 1
    tensors: {keep: ~Intermediates, may_keep: All}
    actions: [{name: read, energy: 10, energy_scale: 2, throughput: inf}, {name: write, energy: 10, throughput: inf}]
  - !Memory
    name: Buffer
    size: 1024
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Container {name: Rows, spatial: [{name: x, fanout: 2}]}
  - !Compute {name: MAC, leak_power: 1, area: 1, actions: [{name: compute, energy: 1, throughput: 1}]}
"""
WORKLOAD = """
workload:
  rank_sizes: {M: 4, K: 4, N: 4, P: 4}
  bits_per_value: {All: 8}
  einsums:
  - "T[m, n] = A[m, k] * B[k, n]"
  - "Y[m, p] = T[m, n] * C[n, p]"
"""


@pytest.fixture
def spec(tmp_path: Path) -> af.Spec:
    (tmp_path / "arch.yaml").write_text(ARCH)
    (tmp_path / "workload.yaml").write_text(WORKLOAD)
    return af.Spec.from_yaml(tmp_path / "arch.yaml", tmp_path / "workload.yaml")


def test_numbers_are_those_of_ffcore(spec: af.Spec) -> None:
    spec.mapper.metrics = af.Metrics.ENERGY
    found = spec.map_workload_to_arch(print_progress=False)
    own = ff.Spec.from_string(ARCH + WORKLOAD)
    own.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY
    expected = ff.map_workload_to_arch(own, n_jobs=1)
    assert (found.energy(), found.latency()) == (expected.energy(), expected.latency())
    assert found.energy(per_component=True) == expected.energy(per_component=True)
    assert found.energy(list_if_one_mapping=True) == [expected.energy()]
    assert found.einsum_names == ["T", "Y"]
    assert found.n_computes() == 128
    assert isinstance(found[0], af.Mappings)


def test_names_of_columns(spec: af.Spec) -> None:
    spec.mapper.metrics = af.Metrics.ENERGY
    found = spec.map_workload_to_arch()
    row = found.data.iloc[0]
    for name in (
        "T<SEP>energy<SEP>Main<SEP>leak",
        "T<SEP>energy<SEP>MAC<SEP>None<SEP>compute",
        "T<SEP>action<SEP>Main<SEP>A<SEP>read",
        "T<SEP>usage<SEP>memory<SEP>Buffer<SEP>A",
        "T<SEP>usage<SEP>spatial<SEP>Rows<SEP>x",
        "T<SEP>latency<SEP>MAC",
        "T<SEP>mapping",
    ):
        assert name in found.columns
    assert row["Total<SEP>energy"] == pytest.approx(row["Total<SEP>leak_energy"] + row["Total<SEP>dynamic_energy"])
    assert row["Total<SEP>leak_energy"] == pytest.approx(3 * row["Total<SEP>latency"])
    assert row["Total<SEP>energy_delay_product"] == pytest.approx(found.energy() * found.latency())
    assert row["Total<SEP>mapping"] == found.mapping()
    energies = found.access("energy").drop("Total")
    assert energies.sum().to_dict()["Total"] == pytest.approx(found.energy())
    assert found.to_dict()["Total<SEP>energy"] == found.energy()
    assert found.drop("usage").energy(per_component=True, per_action=True) == pytest.approx(
        found.energy(per_component=True, per_action=True)
    )
    assert found.per_compute().energy(list_if_one_mapping=True) == [pytest.approx(found.energy() / 128)]
    with pytest.raises(ff.FFError, match="no column Total<SEP>energy"):
        energies.energy()
    with pytest.raises(ff.FFError, match="no column of this table is the energy"):
        energies.energy(per_component=True)


def test_actions_and_usage(spec: af.Spec) -> None:
    spec.mapper.metrics = af.Metrics.ENERGY
    found = spec.map_workload_to_arch()
    assert found.actions()[("MAC", "compute")] == 128
    assert found.actions(per_einsum=True, per_component=False)[("T", "compute")] == 64
    by_tensor = found.actions(per_einsum=True, per_tensor=True)
    assert by_tensor[("T", "Main", "A", "read")] == 128
    assert set(found.resource_usage()) == {"Main", "Buffer"}
    assert 0 < found.resource_usage()["Buffer"] <= 1


def test_pmappings_then_mappings(spec: af.Spec) -> None:
    pmappings = af.mapper.FFM.make_pmappings(spec, print_progress=False)
    assert pmappings.n_total_pmappings() > pmappings.n_pareto_optimal_pmappings() > 0
    best = af.mapper.FFM.join_pmappings(pmappings, metrics=af.Metrics.ENERGY, print_progress=False)
    assert len(best) == 1
    assert best.energy() == min(af.mapper.FFM.join_pmappings(pmappings).energy(list_if_one_mapping=True))
    spec.mapper.metrics = af.Metrics.LATENCY
    with pytest.raises(ff.FFError, match="without regard to energy"):
        af.mapper.FFM.join_pmappings(af.mapper.FFM.make_pmappings(spec), af.Metrics.ENERGY)


def test_one_einsum_alone(spec: af.Spec) -> None:
    found = spec.map_workload_to_arch(einsum_names=["Y"])
    assert found.einsum_names == ["Y"]
    assert spec.workload.einsum_names == ["T", "Y"]


def test_mapping_of_its_own(spec: af.Spec) -> None:
    spec.mapper.metrics = af.Metrics.ENERGY
    found = spec.map_workload_to_arch()
    again = af.Spec.from_string(ARCH + WORKLOAD + found.to_yaml())
    assert again.evaluate_mapping().energy() == pytest.approx(found.energy())


def test_look_ups(spec: af.Spec) -> None:
    arch = spec.arch
    assert arch["Buffer"] is arch.find("Buffer") is arch.nodes["Buffer"]
    assert arch.find("nobody", None) is None
    with pytest.raises(ValueError, match="no architecture node 'nobody'"):
        arch.find("nobody")
    assert arch.find_spatial("x").fanout == 2
    assert arch.find_spatial("x", return_spatialable=True)[0].name == "Rows"
    with pytest.raises(ValueError, match="no spatial dimension 'z'"):
        arch.find_spatial("z")
    assert [node.name for node in arch.get_nodes_of_type(af.arch.Memory)] == ["Main", "Buffer"]
    assert spec.workload.einsums["T"].input_tensor_names == ["A", "B"]
    assert spec.workload.einsums["T"].tensor_accesses["A"].projection == {"M": "m", "K": "k"}
    assert spec.workload.tensor_names == ["A", "B", "T", "C", "Y"]
    assert spec.workload.einsums_with_tensor("T") == list(spec.workload.einsums)


def test_costs_are_filled_in(spec: af.Spec) -> None:
    priced = spec.calculate_component_costs()
    read = priced.arch["Main"].actions["read"]
    assert (read.energy, read.energy_scale) == (20, 1)
    assert spec.arch["Main"].actions["read"].energy == 10
    assert priced.arch.per_component_total_area == spec.arch.per_component_total_area
    assert priced.arch.total_area == 2 + 2
    assert priced.arch.total_leak_power == 1 + 2
    priced.mapper.metrics = spec.mapper.metrics = af.Metrics.ENERGY
    assert priced.map_workload_to_arch().energy() == pytest.approx(spec.map_workload_to_arch().energy())


def test_parts_of_files(tmp_path: Path, spec: af.Spec) -> None:
    arch = af.Arch.from_yaml(tmp_path / "arch.yaml", top_key="arch")
    workload = af.Workload.from_yaml(tmp_path / "workload.yaml")
    both = af.Spec(arch=arch, workload=workload)
    both.mapper.metrics = spec.mapper.metrics = af.Metrics.ENERGY
    assert both.map_workload_to_arch().energy() == spec.map_workload_to_arch().energy()
    assert copy.deepcopy(both).arch["Main"].size == both.arch["Main"].size
    with pytest.raises(af.EvaluationError, match="'arhc' is missing"):
        af.Arch.from_yaml(tmp_path / "arch.yaml", top_key="arhc")
