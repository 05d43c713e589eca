"""Shell completion: scripts for each shell, names, files and fields; never an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ffcore.cli.main import app
from tests.cli.process import ff_here, write_specs


def complete(*words: str) -> list[str]:
    """What bash is told for the last word."""
    variables = {"_FF_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["ff", *words]), "COMP_CWORD": str(len(words))}
    done = CliRunner().invoke(app, env=variables, prog_name="ff")
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_shown_for_the_shell_that_asks(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: (shell, f"/bin/{shell}"))
    done = ff_here("--show-completion")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"complete_{shell}" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_a_command() -> None:
    script = 'eval "$(ff --show-completion)"; COMP_WORDS=(ff ma); COMP_CWORD=1; _ff_completion ff; echo "$COMPREPLY"'
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert (done.stdout, done.stderr) == ("map\n", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ma"], ["map"]),
        (["map", "simp"], ["simple"]),
        (["map", "tpu_v4i_like_c"], ["tpu_v4i_like_constrained"]),
        (["map", "simple", "matm"], ["matmuls", "matmuls8_mixed"]),
        (["map", "simple", "matmuls", "--joiner", "ex"], ["exhaustive"]),
        (["map", "simple", "matmuls", "--explorer", "de"], ["default"]),
        (["map", "simple", "matmuls", "--model", ""], ["default"]),
        (["map", "simple", "matmuls", "--executor", "s"], ["serial"]),
        (["map", "simple", "matmuls", "--metrics", "energy,l"], ["energy,latency"]),
        (["map", "simple", "matmuls", "--metrics", "latency,lat"], []),
        (["map", "simple", "matmuls", "--spec", "arch.nodes.G"], ["arch.nodes.GlobalBuffer."]),
        (["map", "simple", "--set", "X=1", "--spec", "arch.nodes.GlobalBuffer.si"], ["arch.nodes.GlobalBuffer.size="]),
        (["map", "simple", "--spec", "arch.nodes.MAC.actions.compute.en"],
         ["arch.nodes.MAC.actions.compute.energy=", "arch.nodes.MAC.actions.compute.energy_scale="]),
        (["render", "work"], ["workload"]),
        (["render", "arch", "simple", "--renderer", "gr"], ["graphviz"]),
        (["render", "arch", "simple", "--format", "p"], ["png"]),
        (["new-plugin", "ffcore-x", "co"], ["command", "cost_model"]),
        (["map", "tpu_v4i_like", "--arch-param", "cl"], ["clock="]),
    ],
)  # fmt: skip
def test_names_and_fields(words: list[str], expected: list[str]) -> None:
    assert complete(*words) == expected


def test_option_without_a_value_yet_does_not_hide_the_arguments_before() -> None:
    assert "global_buffer_size=" in complete("map", "tpu_v4i_like", "--arch-param", "")


@pytest.mark.parametrize(("shell", "more"), [("zsh", {}), ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})])
def test_other_shells_ask_in_their_own_way(shell: str, more: dict[str, str]) -> None:
    words = "ff map simple matmuls --spec arch.nodes.MA"
    variables = {"_FF_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": words, **more}
    done = CliRunner().invoke(app, env=variables, prog_name="ff")
    assert "arch.nodes.MAC." in done.stdout
    assert "MainMemory" not in done.stdout
    assert done.stderr == ""


def test_yaml_files_in_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    write_specs(tmp_path / "specs")
    (tmp_path / "specs" / "notes.txt").write_text("")
    (tmp_path / "arch_of_mine.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert complete("map", "arch_") == ["arch_of_mine.yaml"]
    assert complete("map", "sp") == ["specs/arch.yaml", "specs/workload.yaml"]
    assert complete("map", "specs/arch.yaml", "specs/w") == ["specs/workload.yaml"]
    assert complete("map", "specs/arch.yaml", "--spec", "arch.nodes.Main") == ["arch.nodes.MainMemory."]


@pytest.mark.parametrize(
    "words",
    [
        ["map", "no/such/folder/"],
        ["map", "nothing_like_it", "--spec", "arch.nodes."],
        ["map", "simple", "--spec", "arch.nodes.Nothing."],
        ["map", "simple", "--spec", "arch.nodes.MAC.name=x"],
        ["map", "simple", "--arch-param", ""],
    ],
)
def test_what_cannot_be_completed_is_silence(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert complete(*words) == []
