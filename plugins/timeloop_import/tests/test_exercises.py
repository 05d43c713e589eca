"""Converted exercises of Timeloop move the words that its reference outputs count."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import ffcore as ff
from ffcore.errors import SpecError
from ffcore_timeloop_import.convert import convert


def _beside(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


exercises = _beside("exercises")
NATIVE = {"Inputs": "Input", "Outputs": "Output", "Weights": "Weights"}


def converted(text: str, folder: Path) -> ff.Spec:
    folder.mkdir(exist_ok=True)
    (folder / "timeloop.yaml").write_text(text)
    written = convert([folder / "timeloop.yaml"], folder / "native").written
    spec = ff.Spec.from_yaml(*written)
    for node in spec.arch.nodes:
        for action in getattr(node, "actions", ()):
            action.energy = 1
        if hasattr(node, "leak_power"):
            node.area = node.leak_power = 0
    return spec


def words(spec: ff.Spec, mappings: ff.Mappings | None = None) -> dict[tuple[str, str], tuple[float, float]]:
    """(level, tensor) -> words read, written, by all instances."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    bits = spec.workload.bits_per_value["All"]
    for column, count in (mappings or ff.evaluate_mapping(spec)).data.iloc[0].items():
        parts = str(column).split("<SEP>")
        if parts[1] == "action" and parts[-1] in ("read", "write"):
            moved = count * spec.arch.nodes[parts[2]].bits_per_action / bits
            read, wrote = found.get((parts[2], parts[3]), (0.0, 0.0))
            found[parts[2], parts[3]] = (read + moved, wrote) if parts[-1] == "read" else (read, wrote + moved)
    return found


def expected(case: str, table: dict[tuple[str, str], tuple[int, int, int]], instances: int) -> dict[object, object]:
    result: dict[object, object] = {}
    for (level, space), (reads, fills, updates) in table.items():
        moved_up = exercises.MOVED_UP.get(case, {}).get(level, 0) if space == "Outputs" else 0
        several = 1 if level in ("DRAM", "MainMemory") or (case == "06" and level == "GlobalBuffer") else instances
        result[level, NATIVE[space]] = ((reads + moved_up) * several, (fills + updates) * several)
    return result


@pytest.mark.parametrize("case", exercises.CASES)
def test_words_of_an_exercise(case: str, tmp_path: Path) -> None:
    text, table = exercises.CASES[case]
    assert words(converted(text, tmp_path)) == expected(case, table, 1)


def test_words_of_output_channels_side_by_side(tmp_path: Path) -> None:
    assert words(converted(exercises.SPATIAL, tmp_path)) == expected("04", exercises.SPATIAL_WORDS, 16)


def test_the_search_under_factors_as_constraints_finds_the_words_of_the_mapping_that_they_leave(tmp_path: Path) -> None:
    """Exercise 05: all factors and permutations are given; of Inputs, whose tile slides, those that hold them whole."""
    spec = converted(exercises.THREE + exercises.CONV1D_OC + exercises.BAKED, tmp_path)
    head = (tmp_path / "native" / "arch.yaml").read_text().split("arch:")[0]
    assert head == (
        "# not said: GlobalBuffer: temporal permutation P R K: only that RegisterFile fetches Weights and Output once\n"
    )
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY
    found = words(spec, ff.map_workload_to_arch(spec, n_jobs=1))
    reference = expected("03-no-bypass", exercises.CASES["03-no-bypass"][1], 1)
    sliding = {("RegisterFile", "Input"), ("GlobalBuffer", "Input")}
    assert {place: count for place, count in found.items() if place not in sliding} == {
        place: count for place, count in reference.items() if place not in sliding
    }
    assert found["RegisterFile", "Input"] == (1536, 3 * 256)  # 288 where only what is new is fetched


def test_a_given_mapping_obeys_the_factors_that_are_said(tmp_path: Path) -> None:
    text = exercises.THREE + exercises.CONV1D_OC + exercises.BAKED
    spec = converted(text + exercises.GIVEN, tmp_path / "right")
    assert words(spec) == expected("03-no-bypass", exercises.CASES["03-no-bypass"][1], 1)
    assert "RegisterFile: constraints of tiles of p, along which the mapping slides" in (
        (tmp_path / "right" / "native" / "arch.yaml").read_text()
    )
    other = text.replace("K=16", "K=8").replace("K=2", "K=4")
    spec = converted(other + exercises.GIVEN, tmp_path / "wrong")
    with pytest.raises(SpecError, match="RegisterFile"):
        ff.evaluate_mapping(spec)


def test_words_of_a_layer_on_eyeriss(tmp_path: Path) -> None:
    spec = converted(exercises.EYERISS, tmp_path)
    assert words(spec) == expected("06", exercises.EYERISS_WORDS, exercises.EYERISS_INSTANCES)
    assert ff.evaluate_mapping(spec).latency() == pytest.approx(308281344e-9)
    # Only there a tile that slides needs more room than there is.
    assert spec.arch.nodes["InputRegFile"].size == (56 + 2) * 4 * 16
    assert "InputRegFile: its size is 3712 bits instead of 192" in (tmp_path / "native" / "arch.yaml").read_text()


def test_energies_come_from_the_tables(tmp_path: Path) -> None:
    pytest.importorskip("ffcore_component_costs")
    (tmp_path / "all.yaml").write_text(exercises.CASES["03-bypass"][0])
    (tmp_path / "costs.yaml").write_text(exercises.ERT)
    written = convert([tmp_path / "all.yaml", tmp_path / "costs.yaml"], tmp_path / "native").written
    assert [path.name for path in written] == ["arch.yaml", "workload.yaml", "mapping.yaml", "costs.yaml"]
    found = ff.evaluate_mapping(ff.Spec.from_yaml(*written[:3]))
    picojoule = {
        "MainMemory": 8 * (96 + 18 + 512) * 8 / 256,
        "GlobalBuffer": (2 * (1536 + 1536) + 3 * (96 + 18)) * 8 / 64,
        "RegisterFile": 1536 + 1536,
        "MACC": 0.5 * 1536,
    }
    energies = {name: energy for name, energy in found.energy(per_component=True).items() if energy}
    assert energies == pytest.approx({name: energy * 1e-12 for name, energy in picojoule.items()})


def test_the_search_is_no_worse_than_a_given_mapping(tmp_path: Path) -> None:
    spec = converted(exercises.CASES["03-no-bypass"][0], tmp_path)
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY
    assert ff.map_workload_to_arch(spec, n_jobs=1).energy() <= ff.evaluate_mapping(spec).energy()
