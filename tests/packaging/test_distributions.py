"""Each distribution from its wheel, in a fresh environment: core alone, each plugin alone with core, all together.

What is installed is what the module's path leads to, so that wheels are unpacked once. Nothing is compiled: to compile
the search's kernels takes longer than all that is tested here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from tests.examples import first_few

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))
ONE = ("--set", "N_EINSUMS=1", "--set", "M=2", "--set", "KN=2")
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
def unpacked(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What each wheel installs, in a folder of its own."""
    folder = tmp_path_factory.mktemp("unpacked")
    for name, wheel in wheels.items():
        zipfile.ZipFile(wheel).extractall(folder / name)
    return {name: folder / name for name in wheels}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with what is installed here, but for ffcore and its plugins."""
    libraries = tmp_path_factory.mktemp("libraries")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "ffcore" not in path.name and not path.name.endswith(".pth"):
            (libraries / path.name).symlink_to(path)
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{libraries}\n")
    return folder / "bin" / "python"


@attrs.frozen
class Environment:
    """A Python, and the folders of what is installed beside its libraries."""

    python: Path
    installed: Sequence[Path] = ()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FFCORE"))}
        if self.installed:
            clean |= {"PYTHONPATH": os.pathsep.join(map(str, self.installed)), "NUMBA_DISABLE_JIT": "1"}
        command = [str(self.python), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.python.parent, env=clean)

    def ff(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "ffcore.cli", *words)

    def loaded(self) -> list[str]:
        done = self.run("-c", LOAD)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


def test_core_alone_maps_one_einsum_and_says_what_is_missing(unpacked: dict[str, Path], bare: Path) -> None:
    core = Environment(bare, [unpacked["ffcore"]])
    helped = core.ff("--help")
    assert helped.returncode == 0
    assert "ffcore-sweep" in helped.stdout.replace("\n  ", "")
    one = core.ff("map", "simple", "matmuls", *ONE)
    assert one.returncode == 0, one.stderr
    assert "guarantee: optimal" in one.stdout
    two = core.ff("map", "simple", "matmuls", *TWO)
    assert (two.returncode, "pip install ffcore-ffm-joiner" in two.stderr) == (2, True)
    done = core.ff("explain", "simple", "matmuls")
    assert (done.returncode, "pip install ffcore-explain" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr
    assert "T1" in core.ff("render", "workload", "simple", "matmuls", *TWO).stdout


# That of the others is known without slow tests too: none imports another one (test_dependencies.py).
ALONE = ("ffm_joiner", "sweep")


@pytest.mark.parametrize("name", first_few(sorted(PLUGINS, key=lambda name: name not in ALONE), len(ALONE)))
def test_each_plugin_works_alone_with_core(name: str, unpacked: dict[str, Path], bare: Path) -> None:
    loaded = Environment(bare, [unpacked["ffcore"], unpacked[name]]).loaded()
    assert any(line.endswith(f" ffcore-{name.replace('_', '-')}") for line in loaded)


def test_all_together(unpacked: dict[str, Path], bare: Path) -> None:
    everything = Environment(bare, [*unpacked.values()])
    assert {line.split()[-1] for line in everything.loaded()} == {
        "ffcore",
        *(f"ffcore-{n.replace('_', '-')}" for n in PLUGINS),
    }
    assert "Not installed" not in everything.ff("--help").stdout
    done = everything.ff("map", "simple", "matmuls", *TWO, "--format", "json")
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
    done = Environment(folder / "bin" / "python").ff("map", "simple", "matmuls", *TWO)
    assert done.returncode == 0, done.stderr
