"""``ff validate``: what it finds right, wrong, and without effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.process import ff_here, write_specs
from tests.cli.test_render import MAPPING


def test_json_says_what_there_is(tmp_path: Path) -> None:
    done = ff_here("validate", *write_specs(tmp_path), "--set", "M=8", "--set", "SIZE=2KiB", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "valid": True,
        "problems": [],
        "warnings": [],
        "einsums": ["Matmul0", "Matmul1"],
        "tensors": ["T0", "W0", "T1", "W1", "T2"],
        "components": [
            {"name": "MainMemory", "type": "Memory", "size": None},
            {"name": "GlobalBuffer", "type": "Memory", "size": 2 * 2**13},
            {"name": "MAC", "type": "Compute"},
        ],
        "mapping": False,
        "imperfect": "",
    }


def test_json_lists_all_problems_and_exits_with_2(tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    arch.write_text(arch.read_text().replace("    size: inf", "    sise: inf").replace("size: {{", "size: 3 ms #"))
    done = ff_here("validate", arch, workload, "--set", "M=8", "--format", "json")
    assert (done.returncode, done.stderr) == (2, "")
    data = json.loads(done.stdout)
    assert data["valid"] is False
    found = {p["message"].split(";")[0]: p for p in data["problems"]}
    assert set(found) == {
        "unknown field 'sise' of Memory", "Memory needs a field 'size'", "'3 ms' is a time"
    }  # fmt: skip
    assert all(p["file"] == str(arch) for p in data["problems"])
    assert found["unknown field 'sise' of Memory"]["suggestion"] == "size"
    unit = found["'3 ms' is a time"]
    assert (unit["line"], unit["field"], unit["suggestion"]) == (13, "arch.nodes.GlobalBuffer.size", None)


@pytest.mark.parametrize("arguments", [["nothing"], ["simple", "--arch-param", "x"], ["simple", "--spec", "a=1"]])
def test_json_of_what_is_no_spec_at_all(arguments: list[str]) -> None:
    done = ff_here("validate", *arguments, "--format", "json")
    assert (done.returncode, done.stderr) == (2, "")
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["message"]
    assert problem["file"] is None


def test_several_files_and_a_mapping(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(MAPPING)
    done = ff_here("validate", *write_specs(tmp_path), mapping, "--set", "M=4")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("valid: 2 Einsums, 5 tensors, a mapping\n")


def test_mapping_that_breaks_a_rule_is_not_valid(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(MAPPING.replace("component: GlobalBuffer", "component: GlobalBufer"))
    done = ff_here("validate", *write_specs(tmp_path), mapping, "--set", "M=4")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{mapping}:6: " in done.stderr
    assert "did you mean 'GlobalBuffer'?" in done.stderr


def test_what_has_no_effect_is_a_warning_on_stderr(tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    extra = tmp_path / "extra.yaml"
    extra.write_text("variables: {used: 1e6, unused: 3}")
    sets = ["--set", "M=8", "--set", "SIZ=3", "--spec", "arch.nodes.GlobalBuffer.size=used * 2"]
    done = ff_here("validate", arch, workload, extra, *sets)
    assert done.returncode == 0
    assert done.stdout.startswith("valid: ")
    assert done.stderr.splitlines() == [
        "warning: --set SIZ: no file uses it; did you mean 'SIZE'?",
        "warning: variables.unused: nothing uses it",
    ]
    data = json.loads(ff_here("validate", arch, workload, extra, *sets, "--format", "json").stdout)
    assert data["warnings"] == [line.removeprefix("warning: ") for line in done.stderr.splitlines()]


def test_parameters_that_included_files_use_are_used(tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    (tmp_path / "sizes.yaml").write_text("{M: {{M}}, N0: {{INNER | default(2)}}, N1: 2, N2: 2}")
    workload.write_text(workload.read_text().replace("{M: {{M}}, N0: 2, N1: 2, N2: 2}", '{{include("sizes.yaml")}}'))
    done = ff_here("validate", arch, workload, "--set", "M=8", "--set", "INNER=4")
    assert (done.returncode, done.stderr) == (0, "")


def test_other_commands_warn_of_unused_parameters_too(tmp_path: Path) -> None:
    done = ff_here("render", "arch", write_specs(tmp_path)[0], "--set", "SIZZE=3")
    assert done.returncode == 0
    assert done.stderr == "warning: --set SIZZE: no file uses it; did you mean 'SIZE'?\n"
    assert "warning" not in done.stdout
