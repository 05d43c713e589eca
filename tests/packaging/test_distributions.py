"""Each distribution from its wheel, in a fresh environment: core alone, each plugin alone with core, all together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))
ONE = ("--set", "N_EINSUMS=1", "--set", "M=8", "--set", "KN=8")
TWO = ("--set", "N_EINSUMS=2", "--set", "M=8", "--set", "KN=8")
# Each part of each kind can be imported.
LOAD = """
from ffcore.plugin import RECORD_TYPES, current_manager
manager = current_manager()
assert not manager.problems(), manager.problems()
for kind in RECORD_TYPES:
    for record, plugin in manager.providers(kind):
        assert callable(record.load()) or record.load()
        print(kind, record.name, plugin.distribution)
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of core (``ffcore``) and of each plugin, by folder."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "wheel",
        "--no-build-isolation",
        "--no-deps",
        "-q",
    ]
    sources = [ROOT, *(ROOT / "plugins" / name for name in PLUGINS)]
    subprocess.run([*pip, "-w", str(folder), *map(str, sources)], check=True, cwd=folder)
    return {path.name.split("-")[0].removeprefix("ffcore_"): path for path in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is installed here but for ffcore and its plugins, as links."""
    folder = tmp_path_factory.mktemp("libraries")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "ffcore" not in path.name and not path.name.endswith(".pth"):
            (folder / path.name).symlink_to(path)
    return folder


def environment(folder: Path, libraries: Path, wheels: Iterable[Path]) -> Path:
    """A virtual environment with these wheels; its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{libraries}\n")
    for wheel in wheels:
        zipfile.ZipFile(wheel).extractall(site)
    return folder / "bin" / "python"


def ff(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FFCORE"))}
    command = [str(python), "-m", "ffcore.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=python.parent, env=clean)


def loaded(python: Path) -> list[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FFCORE"))}
    done = subprocess.run([str(python), "-c", LOAD], capture_output=True, text=True, cwd=python.parent, env=clean)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_core_alone_maps_one_einsum_and_says_what_is_missing(
    wheels: dict[str, Path], libraries: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "env", libraries, [wheels["ffcore"]])
    helped = ff(python, "--help")
    assert helped.returncode == 0
    assert "ffcore-sweep" in helped.stdout.replace("\n  ", "")
    one = ff(python, "map", "simple", "matmuls", *ONE)
    assert one.returncode == 0, one.stderr
    assert "guarantee: optimal" in one.stdout
    two = ff(python, "map", "simple", "matmuls", *TWO)
    assert (two.returncode, "pip install ffcore-ffm-joiner" in two.stderr) == (2, True)
    for command, dist in (("sweep", "ffcore-sweep"), ("explain", "ffcore-explain"), ("report", "ffcore-html-report")):
        done = ff(python, command, "simple", "matmuls")
        assert (done.returncode, f"pip install {dist}" in done.stderr) == (2, True)
        assert "Traceback" not in done.stderr
    assert ff(python, "validate", "simple", "matmuls", *TWO).returncode == 0
    assert "T1" in ff(python, "render", "workload", "simple", "matmuls", *TWO).stdout


@pytest.mark.parametrize("name", PLUGINS)
def test_each_plugin_works_alone_with_core(name: str, wheels: dict[str, Path], libraries: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", libraries, [wheels["ffcore"], wheels[name]])
    assert any(line.endswith(f" ffcore-{name.replace('_', '-')}") for line in loaded(python))


def test_all_together(wheels: dict[str, Path], libraries: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", libraries, wheels.values())
    assert {line.split()[-1] for line in loaded(python)} == {
        "ffcore",
        *(f"ffcore-{n.replace('_', '-')}" for n in PLUGINS),
    }
    assert "Not installed" not in ff(python, "--help").stdout
    done = ff(python, "map", "simple", "matmuls", *TWO, "--format", "json")
    assert json.loads(done.stdout)["mappings"]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_installs_with_pip_from_wheels(version: str, wheels: dict[str, Path], tmp_path: Path) -> None:
    """Dependencies come from the index; without one there is nothing to test."""
    interpreter = shutil.which(f"python{version}")
    if interpreter is None or subprocess.run([interpreter, "--version"], capture_output=True).returncode:
        pytest.skip(f"Python {version} is not installed")
    folder = tmp_path / "env"
    subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    if subprocess.run([*pip, "pluggy"], capture_output=True).returncode:
        pytest.skip("no package index can be reached")
    subprocess.run([*pip, *map(str, wheels.values())], check=True)
    done = ff(folder / "bin" / "python", "map", "simple", "matmuls", *TWO)
    assert done.returncode == 0, done.stderr
