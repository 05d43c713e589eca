"""The files that ship, found by name; architectures of plugins; files of other formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ffcore import plugin
from ffcore.errors import SpecError
from ffcore.plugin.records import ArchRecord, SpecLoaderRecord
from ffcore.spec import Arch, Spec, arch
from ffcore.spec.library import find_file, library_files
from ffcore.spec.problem import Component, EinsumProblem
from ffcore.spec.spec import spec_from_data

MATMULS = {"N_EINSUMS": 2, "M": 64, "KN": 32}


def components(einsum: EinsumProblem, path: int = 0) -> dict[str, Component]:
    """The components of a path, each memory keeping what it must."""
    held: dict[str, frozenset[str]] = {}
    made: dict[str, Component] = {}
    for index, name in enumerate(einsum.paths[path].names):
        made[name] = einsum.paths[path].component(index, held)
        if (rules := made[name].holding) is not None:
            held[name] = rules.must
    return made


def test_every_file_is_found_by_name_and_resolves() -> None:
    assert set(library_files("arches")) >= {"simple", "tpu_v4i_like", "tpu_v4i_like_constrained"}
    assert set(library_files("workloads")) >= {"gpt3_6.7B", "matmuls", "matmuls8_mixed"}
    for name in library_files("arches"):
        for workload in ("gpt3_6.7B", "matmuls", "matmuls8_mixed"):
            assert Spec.from_yaml(name, workload).problem().einsums
    assert find_file("matmuls") == library_files("workloads")["matmuls"]
    assert find_file("nothing") is None


def test_gpt3_has_the_shapes_of_the_issue() -> None:
    spec = Spec.from_yaml("tpu_v4i_like_constrained", "gpt3_6.7B", jinja_parse_data={"BATCH_SIZE": 4, "N_TOKENS": 4096})
    problem = spec.problem()
    assert [e.name for e in problem.einsums] == ["I", "V", "K", "Q", "QK", "QK_softmax", "AV", "Z", "FFA", "FFB"]
    bounds = {v: b for e in problem.einsums for v, b in e.bounds.items()}
    tokens = dict.fromkeys("mp", 4096)
    assert bounds == {"b": 4, **tokens, "h": 32, "e": 128, "f": 128, **dict.fromkeys("dgj", 4096), "c": 16384}
    assert [e.is_copy for e in problem.einsums] == [True] + [False] * 9
    attention = problem.einsum["AV"]
    assert [(r.rank, r.terms[0][0]) for r in attention.tensor["V"].ranks] == [
        ("B", "b"),
        ("M", "p"),
        ("H", "h"),
        ("E", "f"),
    ]
    assert not any(t.persistent for e in problem.einsums for t in e.tensors)
    register = components(attention)["Register"]
    assert register.holding is not None
    assert (register.holding.must, register.holding.may, register.size) == ({"V"}, set(), 8)


@pytest.mark.parametrize("name", ["simple", "tpu_v4i_like", "tpu_v4i_like_constrained"])
def test_a_spec_as_plain_data_can_be_read_again(name: str) -> None:
    spec = Spec.from_yaml(name, "gpt3_6.7B")
    data = json.loads(json.dumps(spec.to_dict()))
    again = spec_from_data(data, "<test>")
    assert again.to_dict() == spec.to_dict()
    assert again.problem().spec_hash == spec.problem().spec_hash
    assert spec.copy().hash() == spec.hash()
    again.arch.nodes["MAC"].actions[0].energy = 0
    assert again.hash() != spec.hash()


def test_gpt3_has_defaults() -> None:
    bounds = Spec.from_yaml("simple", "gpt3_6.7B").problem().einsum["QK"].bounds
    assert (bounds["b"], bounds["m"], bounds["p"]) == (1, 8192, 8192)


def test_the_constrained_tpu() -> None:
    problem = Spec.from_yaml("tpu_v4i_like_constrained", "gpt3_6.7B").problem()
    assert [e.paths[0].names[-1] for e in problem.einsums][:6] == ["ScalarUnit", *["MAC"] * 4, "ScalarUnit"]
    made = components(problem.einsum["FFA"])
    assert list(made) == ["MainMemory", "GlobalBuffer", "LocalBuffer", "ProcessingElement", "Register", "MAC"]
    assert made["MainMemory"].latency == ({"read": 1 / (8 * 614e9), "write": 1 / (8 * 614e9)},)
    assert made["GlobalBuffer"].size == 2**30
    assert made["GlobalBuffer"].latency == ()
    assert made["LocalBuffer"].size == 2**25
    (z,) = made["LocalBuffer"].spatial
    assert (z.name, z.fanout, z.reuse, z.may_reuse, z.min_usage) == ("Z", 4, {"WFFA"}, set(), 1)
    assert made["LocalBuffer"].holding is not None
    assert (made["LocalBuffer"].holding.must, made["LocalBuffer"].holding.may) == ({"Z", "FFA"}, set())
    assert [(d.fanout, d.reuse, d.min_usage) for d in made["ProcessingElement"].spatial] == [
        (128, {"Z"}, 1),
        (128, {"FFA"}, 1),
    ]
    assert made["MAC"].latency == ({"compute": 1 / 1.05e9},)
    energies = [
        [a.energy for a in made[n].actions] for n in ("MainMemory", "GlobalBuffer", "LocalBuffer", "Register", "MAC")
    ]
    assert energies == [[7.03e-12] * 2, [1.88e-12, 2.36e-12], [0.249e-12, 0.293e-12], [0, 0], [0.084e-12]]
    scalar = components(problem.einsum["QK_softmax"])["ScalarUnit"]
    assert scalar.computes_copies
    assert scalar.latency == ({"compute": 1 / (128 * 1.05e9)},)
    assert all(not e.leaks for e in problem.einsums)


def test_the_plain_tpu() -> None:
    problem = Spec.from_yaml("tpu_v4i_like", "gpt3_6.7B").problem()
    made = components(problem.einsum["FFA"])
    assert made["GlobalBuffer"].latency == ({"read": 1 / (8 * 2048e9)}, {"write": 1 / (8 * 1024e9)})
    assert made["LocalBuffer"].spatial[0].reuse == set()
    assert not components(problem.einsum["I"])["ScalarUnit"].computes_copies


def test_simple_has_unit_costs_and_a_size() -> None:
    einsum = Spec.from_yaml("simple", "matmuls", jinja_parse_data=MATMULS).problem().einsums[1]
    assert dict(einsum.bounds) == {"m": 64, "n1": 32, "n2": 32}
    made = components(einsum)
    assert {a.energy for c in made.values() for a in c.actions} == {1}
    assert made["MAC"].latency == ({"compute": 1},)
    assert made["GlobalBuffer"].size == float("inf")
    small = Spec.from_yaml("simple", "matmuls", GlobalBufferSize=1024)
    assert small.arch.nodes["GlobalBuffer"].size == 1024
    assert small.hash() != Spec.from_yaml("simple", "matmuls").hash()


def test_an_architecture_object_instead_of_a_file() -> None:
    made = arch("simple", GlobalBufferSize=1024)
    assert isinstance(made, Arch)
    spec = Spec.from_yaml(made, "matmuls", jinja_parse_data=MATMULS)
    assert components(spec.problem().einsums[0])["GlobalBuffer"].size == 1024
    with pytest.raises(SpecError, match="arch is given as an object and in a file"):
        Spec.from_yaml(made, "simple", "matmuls")


DATA: dict[str, Any] = {
    "arch": {
        "nodes": [
            {
                "tag": "!Memory",
                "name": "Main",
                "size": "inf",
                "actions": [{"name": a, "energy": 1, "throughput": "inf"} for a in ("read", "write")],
            },
            {"tag": "Compute", "name": "MAC", "actions": [{"name": "compute", "energy": 1, "throughput": 1}]},
        ]
    }
}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that registers an architecture as data, one as text, a broken one, and a loader of JSON files."""

    class Loader:
        def load(self, path: Path) -> dict[str, Any]:
            data: dict[str, Any] = json.loads(path.read_text())
            return data

    class Hooks:
        @plugin.hookimpl
        def ffcore_arches(self) -> list[ArchRecord]:
            return [
                ArchRecord("as_data", "", lambda: DATA),
                ArchRecord("as_text", "", lambda: "arch: {nodes: [!Compute {nam: MAC}]}"),
                ArchRecord("broken", "", lambda: {"workload": {}}),
            ]

        @plugin.hookimpl
        def ffcore_spec_loaders(self) -> list[SpecLoaderRecord]:
            return [SpecLoaderRecord("json", "", Loader, suffixes=(".json",))]

    class Point:
        name, value, dist = "test", "test", None

        def load(self) -> Any:
            return Hooks()

    manager = plugin.PluginManager([Point()])
    monkeypatch.setattr(plugin, "current_manager", lambda: manager)


@pytest.mark.usefixtures("registered")
def test_architectures_of_plugins() -> None:
    spec = Spec.from_yaml("as_data", "matmuls")
    assert spec.problem().einsums[0].paths[0].names == ("Main", "MAC")
    assert arch("as_data").nodes["MAC"].name == "MAC"
    with pytest.raises(SpecError, match=r"<architecture as_text>:1: arch.nodes.*unknown field 'nam' of Compute"):
        Spec.from_yaml("as_text", "matmuls")
    with pytest.raises(SpecError, match="must give a mapping with the key 'arch'"):
        Spec.from_yaml("broken", "matmuls")
    with pytest.raises(SpecError, match="top-level key 'arch' is given twice"):
        Spec.from_yaml("simple", "as_data", "matmuls")
    with pytest.raises(SpecError, match=r"architectures: as_data, as_text, broken, .*simple.*did you mean 'as_data'"):
        Spec.from_yaml("as_dat", "matmuls")


@pytest.mark.usefixtures("registered")
def test_files_of_other_formats(tmp_path: Path) -> None:
    (tmp_path / "arch.json").write_text(json.dumps(DATA))
    assert Spec.from_yaml(tmp_path / "arch.json", "matmuls").problem().einsums[0].paths[0].names == ("Main", "MAC")
    (tmp_path / "arch.json").write_text(json.dumps({"arhc": {}}))
    with pytest.raises(SpecError, match=r"arch\.json:1: arhc: unknown field 'arhc' of Spec; did you mean 'arch'"):
        Spec.from_yaml(tmp_path / "arch.json", "matmuls")
