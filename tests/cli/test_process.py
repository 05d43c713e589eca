"""``ff`` as a process: exit codes, what goes to which stream, start-up time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ffcore
from tests.cli.process import ff, ff_here, write_specs

SHOWN = "valid: 2 Einsums, 5 tensors\nMainMemory unlimited > GlobalBuffer 122 KiB > MAC\n"


def test_version_and_help() -> None:
    assert ff("--version").stdout == f"ff {ffcore.__version__}\n"
    done = ff("--help")
    assert done.returncode == 0
    for command in ("map", "evaluate", "validate", "plugins"):
        assert command in done.stdout


def test_help_imports_only_the_command_line() -> None:
    code = """
import sys
from ffcore.cli.main import main
sys.argv = ["ff", "--help"]
try:
    main()
except SystemExit:
    print(*(m for m in sys.modules if m.startswith("ffcore") or m in ("rich", "yaml", "numpy", "numba", "jinja2")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    light = {"ffcore", "ffcore._version", "ffcore.cli", "ffcore.errors", "ffcore.plugin", "ffcore.units"}
    light.add("ffcore_tpu_arch.parameters")
    assert "ffcore.cli.render" in loaded
    stages = {m for m in loaded - light if m.startswith("ffcore.")}
    assert {m for m in stages if not m.startswith(("ffcore.cli.", "ffcore.plugin."))} == set()
    of_plugins = {m for m in loaded - light if m.startswith("ffcore_")}
    assert of_plugins  # they register their commands
    assert {m for m in of_plugins if "." in m} == {m for m in of_plugins if m.endswith(".plugin")}
    assert loaded <= stages | of_plugins | light


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["map"], ["map", "a", "--jobs", "0"], ["plugins", "--format", "xml"]]
)
def test_wrong_usage_is_2_without_a_traceback(arguments: list[str]) -> None:
    done = ff_here(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


def test_validate_says_what_is_there(tmp_path: Path) -> None:
    done = ff("validate", *write_specs(tmp_path), "--set", "M=8")
    assert (done.returncode, done.stdout, done.stderr) == (0, SHOWN, "")


def test_missing_jinja_parameter_is_named(tmp_path: Path) -> None:
    done = ff_here("validate", *write_specs(tmp_path))
    assert done.returncode == 2
    assert "'M'" in done.stderr
    assert "workload.yaml:3" in done.stderr


def test_all_problems_are_listed_with_file_line_and_field(tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    arch.write_text(arch.read_text().replace("    size: inf", "    sise: inf").replace("keep: ~Inter", "kep: ~Inter"))
    done = ff_here("validate", arch, workload, "--set", "M=8")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert any(line.startswith(f"{arch}:6: ") and "did you mean 'size'?" in line for line in lines)
    assert any(line.startswith(f"{arch}:7: ") and "did you mean 'keep'?" in line for line in lines)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spec", "arch.nodes.GlobalBufer.size=3"], "did you mean 'GlobalBuffer'"),
        (["--spec", "arch.nodes.GlobalBuffer"], "expected NAME=VALUE"),
        (["--set", "M"], "expected NAME=VALUE"),
        (["--arch-param", "cores"], "expected NAME=VALUE"),
    ],
)
def test_wrong_overrides_are_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = ff_here("validate", *write_specs(tmp_path), "--set", "M=8" if "M" not in arguments else "N=1", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("arguments", [["--out", ""], ["--out="], ["--cache", "", "--jobs", "1"], ["--set", ""]])
def test_an_empty_value_is_2_and_not_the_working_folder(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ff_here("map", "simple", "matmuls", *arguments)
    assert done.returncode == 2
    assert done.stderr == f"{arguments[0].rstrip('=')} is followed by an empty text: give it a value, or leave it out\n"
    assert not list(tmp_path.iterdir())


def test_unknown_bare_name_is_2() -> None:
    done = ff_here("validate", "no_such_architecture")
    assert done.returncode == 2
    assert "no_such_architecture" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_file_is_2() -> None:
    done = ff_here("validate", "no/such/file.yaml")
    assert done.returncode == 2
    assert "no/such/file.yaml" in done.stderr


def test_includes_from_elsewhere_need_leave(tmp_path: Path) -> None:
    inner, elsewhere = tmp_path / "inner", tmp_path / "elsewhere"
    for folder in (inner, elsewhere):
        folder.mkdir()
    (elsewhere / "sizes.yaml").write_text("{M: 8, N0: 2, N1: 2, N2: 2}")
    arch, workload = write_specs(inner)
    text = workload.read_text().replace("{M: {{M}}, N0: 2, N1: 2, N2: 2}", "!include ../elsewhere/sizes.yaml")
    workload.write_text(text)
    refused = ff_here("validate", arch, workload)
    assert refused.returncode == 2
    assert "elsewhere" in refused.stderr
    assert ff_here("validate", arch, workload, "--allow-dir", elsewhere).returncode == 0


def test_plugins_lists_parts_as_text_and_json() -> None:
    text = ff("plugins", FFCORE_DISABLE_PLUGINS="all")
    assert "single" in text.stdout
    data = json.loads(ff("plugins", "--format", "json", FFCORE_DISABLE_PLUGINS="all").stdout)
    assert [part["name"] for part in data["parts"]["joiner"]] == ["single"]
    assert {plugin["status"] for plugin in data["plugins"]} <= {"ok", "disabled"}


def test_no_plugins_leaves_cores_own_parts() -> None:
    data = json.loads(ff_here("plugins", "--format", "json", "--no-plugins").stdout)
    assert all(part["distribution"] == "ffcore" for parts in data["parts"].values() for part in parts)


def test_internal_error_is_one_sentence_and_3(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import ffcore.plugin\n"
        "def current_manager():\n    raise RuntimeError('boom')\n"
        "ffcore.plugin.current_manager = current_manager\n"
    )
    done = ff("plugins", PYTHONPATH=f"{tmp_path}")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "boom" in done.stderr
    assert "--debug" in done.stderr
    assert "Traceback" in ff("plugins", "--debug", PYTHONPATH=f"{tmp_path}").stderr


def test_broken_pipe_is_quiet() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ffcore.cli", "plugins"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.wait()
