"""Tables of all forms, which number wins, and one clear sentence for each table that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ffcore as ff
from ffcore.errors import SpecError
from tests.cli.process import ff_here

ARCH = """
arch:
  nodes:
  - !Memory
    name: Buffer
    component_class: SRAM
    size: 8192
    tensors: {keep: All}
ACTIONS
  - !Compute
    name: MAC
    component_class: IntMAC
    area: 1e-9
    leak_power: 0
    actions:
    - {name: compute, throughput: 1e9}
mapper: {cost_model: tables, cost_model_options: {files: costs.csv}}
"""
WORKLOAD = """
workload:
  rank_sizes: {M: 8, K: 8, N: 8}
  bits_per_value: {All: 8}
  einsums: ["Y[m, n] = X[m, k] * W[k, n]"]
"""
CSV = """component,action,energy (pJ),throughput,area (um^2),leakage (mW)
Buffer,read,2,1e9,300,4
Buffer,write,3,1e9,,
IntMAC,compute,0.5 fJ,,,
"""


def load(folder: Path, table: str | dict[str, str] = CSV, rows: str = "", **options: Any) -> ff.Spec:
    """A spec with its tables beside it."""
    (folder / "arch.yaml").write_text(ARCH.replace("ACTIONS", rows))
    (folder / "workload.yaml").write_text(WORKLOAD)
    for name, text in (table if isinstance(table, dict) else {"costs.csv": table}).items():
        (folder / name).write_text(text)
    spec = ff.Spec.from_yaml(folder / "arch.yaml", folder / "workload.yaml")
    if options:
        spec.mapper.cost_model_options = options
    return spec


def costs(spec: ff.Spec) -> dict[str, Any]:
    return {c.name: c for c in spec.costs()}


def message(spec: ff.Spec) -> str:
    with pytest.raises(SpecError) as caught:
        spec.problem()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_units_stand_in_the_head_or_in_the_cell(tmp_path: Path) -> None:
    found = costs(load(tmp_path))
    assert found["Buffer"].energy == {"read": 2e-12, "write": 3e-12}
    assert found["Buffer"].throughput == {"read": 1e9, "write": 1e9}
    assert (found["Buffer"].area, found["Buffer"].leak_power) == (pytest.approx(3e-10), 4e-3)
    assert found["MAC"].energy == {"compute": 0.5e-15}  # by its class


def test_the_specs_own_numbers_win_and_sources_are_told(tmp_path: Path) -> None:
    spec = load(tmp_path, rows="    leak_power: 0\n    actions:\n    - {name: read, energy: 7}")
    buffer = costs(spec)["Buffer"]
    assert (buffer.energy, buffer.leak_power) == ({"read": 7, "write": 3e-12}, 0)
    assert {n for n, s in buffer.sources.items() if s == "spec"} == {"energy of read", "leak_power"}
    assert buffer.sources["area"].startswith("tables: ")
    assert buffer.sources["area"].endswith("costs.csv")


def test_each_missing_number_is_listed_and_none_is_zero(tmp_path: Path) -> None:
    table = "component,action,energy\nBufer,read,1\n"
    with pytest.raises(SpecError) as caught:
        load(tmp_path, table).problem()
    first, second = str(caught.value).split("\n")
    lacking = "energy of read, energy of write, throughput of read, throughput of write, leak_power"
    assert f"Buffer (component_class SRAM) has no {lacking}: give them, or add them to" in first
    assert "costs.csv, which list no component 'Buffer' or 'SRAM'; did they mean 'Bufer'?" in first
    assert "MAC (component_class IntMAC) has no energy of compute" in second
    with pytest.raises(SpecError, match="area of Buffer is unknown"):
        load(tmp_path, CSV.replace("300", "")).areas()


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (CSV.replace("(pJ)", "(pj)"), "costs.csv:1: energy: unknown unit 'pj'"),
        (CSV.replace("(pJ)", "(pW)"), "costs.csv:1: energy: '1 pW' is a power; expected an energy"),
        (CSV.replace("0.5 fJ", "0.5 parsec"), "costs.csv:4: energy: unknown unit 'parsec'"),
        (CSV.replace(",2,", ",-2,"), "costs.csv:2: energy must be a finite number of at least 0, got -2e-12"),
        (CSV.replace(",2,", ",inf,"), "costs.csv:2: energy must be a finite number of at least 0, got inf"),
        (CSV.replace("2,1e9", "2,0"), "costs.csv:2: throughput must be above 0, got 0"),
        (CSV.replace(",2,", ",much,"), "costs.csv:2: energy: 'much' is not a quantity"),
        (CSV + "Buffer,read,2,1e9,,\n", "costs.csv:5: energy of Buffer.read is given at "),
        (CSV + "Buffer,x,2,1e9,301,4\n", "costs.csv:5: area of Buffer is another at "),
        (CSV + "Buffer,x\n", "costs.csv:5: the row has 2 cells, the first line 6"),
        (CSV + ",x,1,1,,\n", "costs.csv:5: the row names no component"),
        (CSV + "Other,,1,1,,\n", "costs.csv:5: energy is given, but the row names no action"),
        ("component,enregy\n", "costs.csv:1: unknown column 'enregy'; there are component, action, "),
        ("component,area,area\n", "costs.csv:1: the column 'area' stands twice"),
        ("action,area\n", "costs.csv:1: the table has no column 'component'"),
        ("", "costs.csv:1: the table is empty"),
        ('component\n"x', "costs.csv:2: not a CSV table"),
    ],
)
def test_bad_csv(tmp_path: Path, table: str, expected: str) -> None:
    assert expected in message(load(tmp_path, table))


ERT = """ERT:
  version: '0.4'
  tables:
  - name: chip.Buffer
    actions:
    - {name: read, arguments: {data_delta: 0}, energy: 1}
    - {name: read, arguments: {data_delta: 1}, energy: 2}
    - {name: write, arguments: {}, energy: 3}
    - {name: leak, energy: 4}
  - name: chip.PE[0..15].MAC
    actions:
    - {name: mac, energy: 0.5}
"""
RATES = "component,action,throughput\nBuffer,read,1e9\nBuffer,write,1e9\n"
DELTA = "    actions:\n    - {name: read, extra_attributes_for_component_model: {data_delta: 1}}"


def accelergy(folder: Path, ert: str = ERT, rows: str = DELTA, **more: Any) -> ff.Spec:
    files = [str(folder / "ert.yaml"), str(folder / "rates.csv")]
    options = {"files": files, "clock": "1 GHz", "actions": {"compute": "mac"}} | more
    return load(folder, {"ert.yaml": ert, "rates.csv": RATES}, rows, **options)


def test_an_ert_with_arguments_leakage_and_other_names_of_actions(tmp_path: Path) -> None:
    found = costs(accelergy(tmp_path))
    assert found["Buffer"].energy == {"read": 2e-12, "write": 3e-12}
    assert found["Buffer"].leak_power == 4e-12 * 1e9
    assert found["MAC"].energy == {"compute": 0.5e-12}


def test_tables_of_the_first_version(tmp_path: Path) -> None:
    old = """ERT:
  version: 0.2
  tables:
    chip.Buffer: {read: 2, write: [{arguments: {}, energy: 3}], leak: 0}
    chip.MAC: {mac: 0.5}
"""
    found = costs(accelergy(tmp_path, old, rows=""))
    assert found["Buffer"].energy == {"read": 2e-12, "write": 3e-12}
    assert found["Buffer"].leak_power == 0


@pytest.mark.parametrize(
    ("ert", "options", "expected"),
    [
        (ERT.replace("{data_delta: 1}", "{data_delta: 0}"), {}, "ert.yaml:7: energy of chip.Buffer.read is given at "),
        (ERT, {"actions": {"compute": "macc"}}, "MAC (component_class IntMAC) has no energy of compute"),
        (ERT, {"clock": None}, "ert.yaml:9: chip.Buffer: leak is energy per clock cycle: give the clock"),
        (ERT, {"clock": "3 pJ"}, "expected a frequency"),
        (ERT, {"clock": 0}, "'clock' of the cost model 'tables' must be above 0"),
        (ERT.replace("energy: 3", "energy: -3"), {}, "ert.yaml:8: energy must be a finite number of at least 0"),
        (ERT.replace("energy: 3", "energy: 3 J"), {}, "ert.yaml:8: energy of chip.Buffer.write must be a plain number"),
        (ERT.replace("energy: 3", "enrgy: 3"), {}, "ert.yaml:8: chip.Buffer.write has no energy"),
        (ERT.replace("ERT", "ETR"), {}, "ert.yaml:1: the file holds neither an ERT nor an ART at its top"),
        (ERT.replace("tables", "table"), {}, "ert.yaml:2: ERT has no 'tables'"),
        (ERT.replace("- name: chip.Buffer", "- nam: x"), {}, "ert.yaml:4: an item of ERT.tables has no name"),
        (ERT + "  - {name: b, name: b}\n", {}, "'name' stands twice"),
        (ERT + "  - [", {}, "ert.yaml:14: not valid YAML"),
        ("ERT: " + "[" * 5000, {}, "not valid YAML"),
    ],
)
def test_bad_accelergy_tables(tmp_path: Path, ert: str, options: dict[str, Any], expected: str) -> None:
    assert expected in message(accelergy(tmp_path, ert, **options))


def test_rows_that_only_arguments_tell_apart_need_them(tmp_path: Path) -> None:
    assert "2 energy rows for chip.Buffer.read; extra_attributes" in message(accelergy(tmp_path, rows=""))
    none = DELTA.replace("data_delta: 1", "data_delta: 5")
    assert "no energy row of chip.Buffer.read suits data_delta: 5" in message(accelergy(tmp_path, rows=none))


def test_two_components_of_one_short_name(tmp_path: Path) -> None:
    both = ERT + "  - {name: dsp.Buffer, actions: [{name: read, energy: 1}]}\n"
    assert "ert.yaml:13: energy is given for chip.Buffer, dsp.Buffer, which have one name" in message(
        accelergy(tmp_path, both)
    )


def test_files_and_options_that_are_not_there(tmp_path: Path) -> None:
    spec = load(tmp_path)
    (tmp_path / "costs.csv").rename(tmp_path / "cost.csv")
    assert "arch.yaml:17: mapper.cost_model_options.files: there is no file 'costs.csv' in" in message(spec)
    assert message(spec).endswith("did you mean 'cost.csv'?")
    spec.mapper.cost_model_options = {"fils": "x"}
    assert message(spec).endswith("has no option 'fils'; it has files, clock, actions; did you mean 'files'?")
    spec.mapper.cost_model_options = {"files": 3}
    assert "must be the name of a file" in message(spec)
    spec.mapper.cost_model_options = {"files": str(tmp_path / "arch.txt")}
    assert "arch.txt is no cost table: expected .csv, .yaml, .yml" in message(spec)
    spec.mapper.cost_model_options = {}
    assert "has no tables: say which in mapper.cost_model_options" in message(spec)


def test_a_spec_file_reads_tables_of_its_own_folder_only(tmp_path: Path) -> None:
    folder, outside = tmp_path / "spec", tmp_path / "tables"
    folder.mkdir()
    outside.mkdir()
    (outside / "costs.csv").write_text(CSV)
    load(folder)
    (folder / "arch.yaml").write_text(ARCH.replace("ACTIONS", "").replace("costs.csv", "../tables/costs.csv"))
    files = folder / "arch.yaml", folder / "workload.yaml"
    refused = message(ff.Spec.from_yaml(*files))
    assert "lies outside of the folders that this spec may read" in refused
    assert ff.Spec.from_yaml(*files, allowed_dirs=[outside]).problem().einsums
    mine = ff.Spec.from_yaml(*files)
    mine.set("mapper.cost_model_options", {"files": str(outside / "costs.csv")})  # the user, not the file
    assert mine.problem().einsums


def test_validate_shows_costs_with_their_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load(tmp_path)
    done = ff_here("validate", "arch.yaml", "workload.yaml", "--costs")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-4].split()[:4] == ["component", "class", "instances", "action"]
    assert lines[-3].split("  ")[0] == "Buffer"
    assert "300 um^2" in lines[-3]
    assert lines[-3].endswith("tables: costs.csv")
    assert lines[-1].endswith("spec (throughput, area, leak power); tables: costs.csv (energy)") or lines[-1].endswith(
        "tables: costs.csv (energy); spec (throughput, area, leak power)"
    )
    as_json = ff_here("validate", "arch.yaml", "--costs", "--format", "json")
    data = json.loads(as_json.stdout)
    assert data["costs"][0]["energy"] == {"read": 2e-12, "write": 3e-12}
    (tmp_path / "costs.csv").write_text("component,action,energy\n")
    lacking = ff_here("validate", "arch.yaml", "workload.yaml", "--costs")
    assert lacking.returncode == 2
    assert lacking.stderr.count("has no energy of") == 2


def test_a_run_goes_on_with_the_tables_that_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load(tmp_path)
    begun = ff_here("map", "arch.yaml", "workload.yaml", "--max-fused-loops", "0", "--out", "run")
    assert begun.returncode == 0, begun.stderr
    (tmp_path / "costs.csv").unlink()
    on = ff_here("map", "--resume", "run")
    assert (on.returncode, on.stdout.splitlines()[:2]) == (0, begun.stdout.splitlines()[:2])
    again = ff_here("report", "run", "--out", "again")
    assert again.returncode == 0, again.stderr


def test_the_points_of_a_sweep_read_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load(tmp_path)
    vary = ["--vary", "arch.nodes.Buffer.size=8192,16384", "--max-fused-loops", "0", "--out", "swept"]
    done = ff_here("sweep", "arch.yaml", "workload.yaml", *vary)
    assert done.returncode == 0, done.stderr
    (tmp_path / "costs.csv").unlink()
    assert ff_here("sweep", "--resume", "swept").returncode == 0
