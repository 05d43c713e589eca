"""The built wheel, installed away from the clone: everything that it needs is inside."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-build-isolation", "--no-deps"]
    run(*pip, "-w", folder, ROOT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def target(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    run(*pip, "--target", folder, wheel, cwd=folder)
    return folder


def environment(target: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(target), "FFCORE_DISABLE_PLUGINS": "all"}


def test_wheel_holds_the_library_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for folder in ("arches", "workloads"):
        packaged = {Path(n).name for n in names if n.startswith(f"ffcore/_library/{folder}/")}
        assert packaged >= {p.name for p in (ROOT / folder).rglob("*") if p.suffix in (".yaml", ".jinja")}
        assert packaged
    assert {"ffcore/py.typed", "ffcore/plugin/contract.pyi"} <= set(names)
    assert not [n for n in names if n.startswith(("tests/", "plugins/", "demo/"))]


def test_installed_wheel_is_what_runs(target: Path, tmp_path: Path) -> None:
    code = "import ffcore; print(ffcore.__file__)"
    done = run(sys.executable, "-c", code, cwd=tmp_path, env=environment(target))
    assert Path(done.stdout.strip()).is_relative_to(target)


def test_packaged_specs_are_found_by_bare_name(target: Path, tmp_path: Path) -> None:
    sets = ["--set", "N_EINSUMS=2", "--set", "M=8", "--set", "KN=8"]
    ff = [sys.executable, "-m", "ffcore.cli"]
    done = run(*ff, "validate", "simple", "matmuls", *sets, cwd=tmp_path, env=environment(target))
    assert done.stdout.startswith("valid: 2 Einsums")
    shared = run(
        *ff, "validate", "simple", "vgg16", cwd=tmp_path, env=environment(target)
    )  # layers in a text of their own
    assert shared.stdout.startswith("valid: 21 Einsums")


def test_console_script_is_installed(target: Path, tmp_path: Path) -> None:
    done = run(target / "bin" / "ff", "--version", cwd=tmp_path, env=environment(target))
    assert done.stdout.startswith("ff 0.")
