"""``ff render``: text, pictures, files and pipes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.process import ff, ff_here, write_specs

MAPPING = """
mapping:
  nodes:
  - !Storage {tensors: [T0, W0, W1, T2], component: MainMemory}
  - !Temporal {rank_variable: m, tile_shape: {{TILE | default(1)}}}
  - !Storage {tensors: [T1], component: GlobalBuffer}
  - !Sequential
    nodes:
    - !Nested
      nodes:
      - !Temporal {rank_variable: n1, tile_shape: 1}
      - !Temporal {rank_variable: n0, tile_shape: 1}
      - !Compute {einsum: Matmul0, component: MAC}
    - !Nested
      nodes:
      - !Temporal {rank_variable: n2, tile_shape: 1}
      - !Temporal {rank_variable: n1, tile_shape: 1}
      - !Compute {einsum: Matmul1, component: MAC}
"""


@pytest.fixture
def specs(tmp_path: Path) -> dict[str, list[str]]:
    """The arguments of each subcommand."""
    arch, workload = map(str, write_specs(tmp_path))
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(MAPPING)
    sets = ["--set", "M=4"]
    return {
        "arch": [arch],
        "workload": [workload, *sets],
        "both": [arch, workload, *sets],
        "bare": [str(mapping)],
        "mapping": [arch, workload, str(mapping), *sets],
    }


def test_text_goes_to_stdout(specs: dict[str, list[str]]) -> None:
    arch = ff_here("render", "arch", *specs["arch"])
    assert (arch.returncode, arch.stderr) == (0, "")
    assert "GlobalBuffer (Memory): 122 KiB" in arch.stdout
    workload = ff_here("render", "workload", *specs["workload"])
    assert "Matmul0  T1[m,n1] = T0[m,n0] * W0[n0,n1]  16" in workload.stdout
    assert ff_here("render", "workload", *specs["both"]).stdout == workload.stdout


def test_mapping_knows_trip_counts_only_with_its_spec(specs: dict[str, list[str]]) -> None:
    bare = ff_here("render", "mapping", *specs["bare"])
    whole = ff_here("render", "mapping", *specs["mapping"])
    assert (bare.returncode, whole.returncode) == (0, 0)
    assert "for m in 4 (tile 1)" in whole.stdout
    assert "for m" in bare.stdout
    assert "in 4" not in bare.stdout
    assert "tile 2" in ff_here("render", "mapping", *specs["bare"], "--set", "TILE=2").stdout


@pytest.mark.parametrize("what", ["arch", "workload", "mapping"])
def test_files_are_written_in_the_format_of_their_suffix(
    what: str, specs: dict[str, list[str]], tmp_path: Path
) -> None:
    for suffix, start in ((".txt", ""), (".dot", "digraph")):
        target = tmp_path / f"out{suffix}"
        done = ff_here("render", what, *specs[what], "-o", target)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert start in target.read_text()
        assert "\x1b" not in target.read_text()


def test_picture_formats_on_stdout(specs: dict[str, list[str]]) -> None:
    dot = ff_here("render", "workload", *specs["workload"], "--format", "dot")
    assert dot.stdout.lstrip().startswith(("digraph", "//"))
    assert "Matmul0" in dot.stdout


def test_binary_goes_into_a_pipe_unharmed(specs: dict[str, list[str]]) -> None:
    command = [sys.executable, "-m", "ffcore.cli", "render", "arch", *specs["arch"], "--format", "png"]
    done = subprocess.run(command, capture_output=True, timeout=60)
    if b"'dot' is not on the PATH" in done.stderr:
        pytest.skip("Graphviz's dot is not installed")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"\x89PNG\r\n\x1a\n")


def test_without_dot_the_file_beside_is_named_in_one_sentence(specs: dict[str, list[str]], tmp_path: Path) -> None:
    done = ff("render", "arch", *specs["arch"], "-o", tmp_path / "a.svg", PATH="/nowhere")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("\n") == 1
    assert f"Wrote {tmp_path / 'a.dot'} instead." in done.stderr
    assert "digraph" in (tmp_path / "a.dot").read_text()
    assert not (tmp_path / "a.svg").exists()
    printed = ff("render", "arch", *specs["arch"], "--format", "svg", PATH="/nowhere")
    assert (printed.returncode, printed.stdout) == (2, "")
    assert "install" in printed.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["arch", "{workload}"], "none of the files has the top-level key 'arch'"),
        (["workload", "{arch}"], "none of the files has the top-level key 'workload'"),
        (["mapping", "{arch}"], "none of the files has the top-level key 'mapping'"),
        (["arch", "{arch}", "--format", "svgg"], "did you mean 'svg'?"),
        (["arch", "{arch}", "--renderer", "nil"], "renderer 'nil' is not installed"),
        (["arch", "{arch}", "--renderer", "graphviz"], "renderer 'graphviz' writes svg, png, dot: choose with"),
        (["arch", "{arch}", "--renderer", "graphviz", "--format", "gif"], "writes svg, png, dot, not 'gif'"),
        (["arch", "{arch}", "-o", "x.svg", "--format", "dot"], "contradict each other"),
        (["arch", "{arch}", "-o", "no/such/folder/x.txt"], "no/such/folder/x.txt: No such file"),
        (["arch", "{arch}", "-o", "nosuffix"], "no suffix"),
    ],
)
def test_bad_input_is_2_with_one_clear_message(arguments: list[str], message: str, specs: dict[str, list[str]]) -> None:
    files = {"arch": specs["arch"][0], "workload": specs["workload"][0]}
    sets = ["--set", "M=4"] if "{workload}" in arguments else []
    done = ff_here("render", *(a.format(**files) for a in arguments), *sets)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
