"""Architectures, problems and constraints of Timeloop, what is not said of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import ffcore as ff
from ffcore.errors import SpecError
from ffcore.locks import writing
from ffcore_timeloop_import.convert import Converted, read
from tests.cli.process import ff as ff_command
from tests.cli.process import ff_here

PROBLEM = """
problem:
  instance: {C: 8, M: 16, P: 7, R: 3, stride: 2, dilation: 3, G: 4, densities: {Weights: 0.5}}
  shape:
    name: grouped-conv
    dimensions: [G, C, M, P, R]
    coefficients: [{name: stride, default: 1}, {name: dilation, default: 1}]
    data_spaces:
    - {name: Weights, projection: [[[G]], [[C]], [[M]], [[R]]]}
    - {name: Inputs, projection: [[[G]], [[C]], [[P, stride], [R, dilation]]]}
    - {name: Outputs, projection: [[[G]], [[M]], [[P]]], read_write: True}
"""
ARCH = """
architecture:
  version: 0.4
  nodes:
  - !Component {name: DRAM, class: DRAM, attributes: {width: 64, datawidth: 8}}
  - !Component
    name: glb
    class: SRAM
    attributes:
      {depth: 16384, width: 64, datawidth: 8, read_bandwidth: 16, global_cycle_seconds: 2e-9, multiple_buffering: 2}
    constraints: {dataspace: {keep: [Inputs], bypass: [Weights]}, temporal: {permutation: [P, R], factors: [P=1]}}
  - !Container
    name: PE
    spatial: {meshX: 14, meshY: 12}
    constraints: {spatial: {permutation: [C, M, R], split: 1, factors: [C<=7, R=3, P=1]}}
  - !Component {name: spad, class: smartbuffer_RF, attributes: {entries: 16, width: 16, datawidth: 16}}
  - !Component {name: mac, class: intmac}
"""


def reading(tmp_path: Path, *texts: str) -> Converted:
    files = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return read(files)


def refused(tmp_path: Path, *texts: str) -> str:
    with pytest.raises(SpecError) as caught:
        reading(tmp_path, *texts)
    assert len(caught.value.problems) == 1
    return str(caught.value)


def test_problem_with_strides_dilations_and_groups(tmp_path: Path) -> None:
    workload = reading(tmp_path, PROBLEM).data()["workload"]
    assert workload["einsums"][0]["name"] == "grouped_conv"
    accesses = {a["name"]: a["projection"] for a in workload["einsums"][0]["tensor_accesses"]}
    assert accesses == {
        "Weights": {"G": "g", "C": "c", "M": "m", "R": "r"},
        "Input": {"G": "g", "C": "c", "PR": "2*p + 3*r"},
        "Output": {"G": "g", "M": "m", "P": "p"},
    }
    assert workload["iteration_space_shape"]["p"] == "0 <= p < 7"


def test_architecture_and_constraints_of_version_0_4(tmp_path: Path) -> None:
    converted = reading(tmp_path, ARCH, PROBLEM)
    nodes = {node["name"]: node for node in converted.data()["arch"]["nodes"]}
    assert [node["tag"] for node in nodes.values()] == ["Memory", "Memory", "Container", "Memory", "Compute"]
    assert (nodes["DRAM"]["size"], nodes["DRAM"]["tensors"]) == (float("inf"), {"keep": "All", "may_keep": "All"})
    glb = nodes["glb"]
    assert (glb["size"], glb["bits_per_action"]) == (16384 * 64, 64)
    assert glb["tensors"] == {"keep": "Input", "bypass": "Weights", "may_keep": "All"}
    assert [action["throughput"] for action in glb["actions"]] == [1e9, float("inf")]
    assert nodes["spad"]["size"] == 16 * 16
    assert nodes["spad"]["bits_per_value"] == {"All": 16}
    x, y = nodes["PE"]["spatial"]
    assert (x["fanout"], y["fanout"]) == (14, 12)
    assert {(b["expression"], b["operator"], b["value"]) for b in x["loop_bounds"]} == {
        ("m | r", "<=", 1), ("c", "<=", 7), ("p", "<=", 1),
    }  # fmt: skip
    assert {(b["expression"], b["operator"], b["value"]) for b in y["loop_bounds"]} == {
        ("c", "<=", 1), ("r", "==", 3), ("p", "<=", 1),
    }  # fmt: skip
    assert set(converted.notes) == {
        "densities of the problem: every value is stored, moved and computed with",
        "glb: multiple_buffering: 2",
        "glb: temporal factors of P: only as far as tiles of memories say them",
        "glb: temporal permutation P R",
    }


TEMPORAL = """
constraints:
- {target: DRAM, type: temporal, factors_only: [M=4], permutation: [P, M]}
- {target: glb, type: temporal, no_iteration_over_dataspaces: [Weights], rmw_first_update: [Outputs]}
- {target: PE, type: spatial, factors: [M<=4, C=8, R=1, G=1, P=1], permutation: [C, M], split: 1, no_reuse: [Weights]}
- {target: spad, type: temporal, factors: {P: 1, R: 3}, permutation: RPMCG}
- {target: spad, type: dataspace, bypass_only: [Outputs]}
"""


def test_temporal_constraints_are_tiles_and_single_fetches(tmp_path: Path) -> None:
    arch = "\n".join(line for line in ARCH.splitlines() if "constraints:" not in line)
    converted = reading(tmp_path, arch, PROBLEM, TEMPORAL)
    nodes = {node["name"]: node for node in converted.data()["arch"]["nodes"]}
    shapes = {
        name: {(b["expression"], b["operator"], b["value"]) for b in nodes[name]["tensors"].get("tile_shape", ())}
        for name in ("DRAM", "glb", "spad")
    }
    # M = 16 is 4 in DRAM, then 4 across PEs at most; P is free at glb alone; C is all across PEs, as loop_bounds say.
    assert shapes == {
        "DRAM": set(),
        "glb": {("m", "==", 4), ("r", "==", 3), ("p", "==", 7), ("g", "==", 4)},
        "spad": {("m", "<=", 4), ("r", "==", 3), ("p", "==", 1), ("g", "==", 4)},
    }
    assert (
        nodes["glb"]["tensors"]["no_refetch_from_above"] == "Weights | Input | Output"
    )  # but for M nothing turns in DRAM
    assert nodes["spad"]["tensors"]["bypass"] == "Output"
    assert [d["may_reuse"] for d in nodes["PE"]["spatial"]] == ["~(Weights)"] * 2
    assert set(converted.notes) == {
        "densities of the problem: every value is stored, moved and computed with",
        "glb: multiple_buffering: 2",
        "glb: temporal rmw_first_update: ['Outputs']",
        # 4 across PEs and 1 at glb, or the other way round?
        "glb: temporal factors of M: only as far as tiles of memories say them",
    }


def test_factors_that_make_up_no_problem_are_refused(tmp_path: Path) -> None:
    wrong = TEMPORAL.replace("M=4]", "M=32]")
    assert "no factors of M are left that make up 16" in refused(tmp_path, ARCH, PROBLEM, wrong)
    assert "the problem has no dimension 'Q'" in refused(tmp_path, ARCH, PROBLEM, TEMPORAL.replace("P: 1", "Q: 1"))
    held = "constraints: [{target: PE, type: temporal, factors: [M=2]}]"
    assert "PE has temporal factors and holds nothing" in refused(tmp_path, ARCH, PROBLEM, held)


def test_converted_files_map(tmp_path: Path) -> None:
    (tmp_path / "arch.yaml").write_text(ARCH)
    (tmp_path / "problem.yaml").write_text(PROBLEM)
    out = tmp_path / "out"
    arguments = ["convert", tmp_path / "arch.yaml", tmp_path / "problem.yaml", "--from", "timeloop", "-o", out]
    done = ff_here(*arguments)
    assert done.returncode == 0, done.stderr
    assert f"wrote {out / 'arch.yaml'}" in done.stdout
    assert "not said: glb: multiple_buffering: 2" in done.stdout
    assert (out / "arch.yaml").read_text().startswith("# not said: ")
    assert ff_here(*arguments).returncode == 2
    assert ff_here(*arguments, "--force").returncode == 0
    spec = ff.Spec.from_yaml(out / "arch.yaml", out / "workload.yaml")
    with pytest.raises(SpecError, match=r"glb \(component_class SRAM\) has no energy of read"):
        spec.problem()
    spec.validate()


def test_storages_side_by_side_and_variables(tmp_path: Path) -> None:
    text = """
variables: {version: 0.4, global_cycle_seconds: 2e-9, lines: 12}
architecture:
  version: 0.4
  nodes:
  - !Component {name: DRAM, class: DRAM, attributes: {width: 64, datawidth: 8}}
  - !Container {name: PE, spatial: {meshX: 3}}
  - !Parallel
    nodes:
    - !Component
      {name: ifmap, class: regfile, attributes: {depth: lines, width: 8}, constraints: {dataspace: {keep: [Inputs]}}}
    - !Component
      {name: psum, class: regfile, attributes: {depth: 16, width: 8}, constraints: {dataspace: {keep: [Outputs]}}}
  - !Component {name: mac, class: intmac}
"""
    nodes = {node["name"]: node for node in reading(tmp_path, text, PROBLEM).data()["arch"]["nodes"]}
    assert list(nodes) == ["DRAM", "PE", "ifmap", "psum", "mac"]
    assert nodes["ifmap"]["tensors"] == {"keep": "Input", "bypass": "Weights | Output", "may_keep": "All"}
    assert nodes["psum"]["tensors"] == {"keep": "Output", "bypass": "Weights | Input", "may_keep": "All"}
    assert nodes["ifmap"]["size"] == 12 * 8
    assert nodes["mac"]["actions"] == [{"name": "compute", "throughput": 0.5e9}]
    beside = text.replace("{name: psum, class: regfile,", "{name: psum, class: intmac,")
    assert "only storages are converted side by side" in refused(tmp_path, beside)


def test_meshes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    text = """
architecture:
  subtree:
  - name: chip
    local:
    - {name: DRAM, class: DRAM}
    - {name: "spad[0..5]", class: regfile, attributes: {meshX: 4}}
    - {name: "mac[0..5]", class: mac}
"""
    assert "spad: 6 instances cannot lie on a mesh of 4 columns" in refused(tmp_path, text)
    text = text.replace("meshX: 4", "meshX: 3").replace("mac[0..5]", "mac[0..6]")
    assert "mac has 7 instances, no multiple of the 6 above it" in refused(tmp_path, text)


def test_instances_and_meshes_of_older_versions(tmp_path: Path) -> None:
    text = """
architecture:
  version: 0.3
  subtree:
  - name: chip
    attributes: {datawidth: 16}
    local: [{name: DRAM, class: DRAM}, {name: buffer, class: SRAM, attributes: {sizeKB: 2}}]
    subtree:
    - name: column[0..3]
      local: [{name: bus, class: network}]
      subtree:
      - name: PE[1..6]
        local:
        - {name: spad, class: regfile, attributes: {depth: 8, width: 16, meshX: 4}}
        - {name: macs, class: intmac, attributes: {meshX: 8, instances: 48}}
"""
    converted = reading(tmp_path, text)
    nodes = {node["name"]: node for node in converted.data()["arch"]["nodes"]}
    assert nodes["buffer"]["size"] == 2 * 1024 * 8
    fanouts = {name: [(s["name"], s["fanout"]) for s in node.get("spatial", [])] for name, node in nodes.items()}
    assert fanouts == {"DRAM": [], "buffer": [], "bus": [("X", 4)], "spad": [("Y", 6)], "macs": [("X", 2)]}
    assert converted.notes == ("bus (network): moving data between memories is free; its fanout stays",)


BOMB = "\n".join(
    ["x0: &a0 [1]", *(f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)), "problem: *a9"]
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not valid YAML"),
        ("- 1", "expected a mapping of sections"),
        (BOMB, "more than 100,000 values"),
        ("problem: &a {instance: *a}", "not valid YAML"),
        (
            f"problem: {{shape: {{dimensions: [C]}}, instance: {{C: 0x1{'0' * 5000}}}}}",
            "the size of C must be a number, got a",
        ),
        ("layers: {}", "no file of Timeloop's: it has none of architecture, problem"),
        ("problem: {shape: {dimensions: [C]}}", "gives no size of C"),
        ("problem: {shape: {dimensions: [C, c]}, instance: {C: 1, c: 1}}", "differ in upper and lower case"),
        ("problem: {shape: {dimensions: []}}", "has no dimensions"),
        ("problem: {shape: {dimensions: [C]}, instance: {C: x}}", "the size of C must be a number, got 'x'"),
        ("problem: {shape: {dimensions: [C], data_spaces: []}, instance: {C: 4}}", "exactly one data space"),
        ("architecture: {version: 0.4}", "neither nodes (version 0.4) nor a subtree"),
        ("architecture: {nodes: [{name: DRAM, class: DRAM}]}", "the innermost level must be a compute"),
        ("mapping: []", "neither an architecture nor a problem"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text)


MAPPING = """
mapping:
- {target: DRAM, type: temporal, factors: C=8 G=4 M=16 P=7 R=3}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MAPPING.replace("P=7", "P=3"), "the factors of P make up 3, but the problem has 7 of it"),
        (MAPPING.replace("P=7", "P=0 ").replace("R=3", "R=3 Q=1"), "a factor of Q, which is no dimension"),
        (MAPPING.replace("DRAM", "DRM"), "no level 'DRM'; did you mean 'DRAM'?"),
        (MAPPING.replace("temporal", "temporl"), "unknown type 'temporl'"),
        (MAPPING.replace("P=7", "P=x"), "the factor of P must be a number, got 'x'"),
        (MAPPING.replace("P=7", "P").replace("}", ", permutation: CGX}"), "must be a number, got ''"),
        (MAPPING.replace("R=3}", "R=3, permutation: CGX}"), "no dimension 'X'"),
        (MAPPING.replace("C=8 ", "") + "- {target: PE, type: spatial, factors: C=8, split: 0, permutation: MC}", ""),
        (
            MAPPING.replace("M=16 ", "") + "- {target: PE, type: spatial, factors: M=16, split: 0, permutation: MC}",
            "spreads over 16 instances in Y, of 12",
        ),
        ("architecture_constraints: {targets: [{target: gbl, type: bypass}]}", "no level 'gbl'; did you mean 'glb'?"),
    ],
)
def test_wrong_mappings_and_constraints(tmp_path: Path, text: str, message: str) -> None:
    if not message:
        assert reading(tmp_path, ARCH, PROBLEM, text).mapping
        return
    assert message in refused(tmp_path, ARCH, PROBLEM, text)


def test_names_in_notes_stay_in_their_line(tmp_path: Path) -> None:
    """They are comments of a file that is read as YAML, and go to a terminal."""
    name = '"glb\\nvariables: {x: 1}\\n#\\e[2J"'
    (tmp_path / "a.yaml").write_text(ARCH.replace("name: glb", f"name: {name}"))
    done = ff_here("convert", tmp_path / "a.yaml", "--from", "timeloop", "-o", tmp_path / "out")
    assert done.returncode == 0
    assert "not said: glb\\nvariables: {x: 1}\\n#\\x1b[2J: multiple_buffering: 2\n" in done.stdout
    lines = (tmp_path / "out" / "arch.yaml").read_text().split("arch:\n")[0].splitlines()
    assert all(line.startswith("# not said: ") for line in lines)


def test_tables_replace_no_native_file(tmp_path: Path) -> None:
    table = "ERT: {version: 0.4, tables: [{name: System.DRAM, actions: [{name: read, energy: 1}]}]}\n"
    (tmp_path / "more").mkdir()
    (tmp_path / "arch.yaml").write_text(ARCH + table)
    (tmp_path / "more" / "costs_arch.yaml").write_text(table.replace("ERT", "ART").replace("read", "area"))
    files = (tmp_path / "arch.yaml", tmp_path / "more" / "costs_arch.yaml")
    assert ff_here("convert", *files, "--from", "timeloop", "-o", tmp_path / "out").returncode == 0
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["arch.yaml", "costs_arch.yaml", "costs_costs_arch.yaml"]
    assert "arch:\n  nodes:" in (tmp_path / "out" / "arch.yaml").read_text()
    assert "files: [costs_arch.yaml, costs_costs_arch.yaml]" in (tmp_path / "out" / "arch.yaml").read_text()


def test_nothing_is_half_written(tmp_path: Path) -> None:
    """A folder in the place of a file, a link to elsewhere, a full disk, a second process."""
    for name, text in (("a.yaml", ARCH), ("p.yaml", PROBLEM)):
        (tmp_path / name).write_text(text)
    words = [
        "convert",
        tmp_path / "a.yaml",
        tmp_path / "p.yaml",
        "--from",
        "timeloop",
        "--force",
        "-o",
        tmp_path / "out",
    ]
    (tmp_path / "out" / "workload.yaml").mkdir(parents=True)
    done = ff_here(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "workload.yaml: is a folder" in done.stderr
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["workload.yaml"]
    (tmp_path / "out" / "workload.yaml").rmdir()
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "out" / "arch.yaml").symlink_to(tmp_path / "victim")
    assert "is there already" in ff_here(*[w for w in words if w != "--force"]).stderr
    with writing(tmp_path / "out"):
        second = ff_command(*words)
    assert (second.returncode, second.stdout) == (2, "")
    assert "is in use by process" in second.stderr
    assert ff_here(*words).returncode == 0
    assert (tmp_path / "victim").read_text() == "kept"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["arch.yaml", "workload.yaml"]


def test_sections_of_two_jobs_are_refused(tmp_path: Path) -> None:
    assert "there are 2 of the section 'problem'" in refused(tmp_path, PROBLEM, PROBLEM)
    assert "need the architecture and the problem" in refused(tmp_path, PROBLEM, MAPPING)
