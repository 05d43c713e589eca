"""``ff new-plugin``: what it writes installs, passes its own test, and is clean for ruff and mypy --strict."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ffcore.files import write_atomically
from ffcore.plugin import RECORD_TYPES
from tests.cli.process import ff_here

ROOT = Path(__file__).resolve().parents[3]
KINDS = tuple(RECORD_TYPES)


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def name_of(kind: str) -> str:
    return f"ffcore-own-{kind.replace('_', '-')}"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new plugin of each kind."""
    folder = tmp_path_factory.mktemp("plugins")
    for kind in KINDS:
        done = ff_here("new-plugin", name_of(kind), kind, "--out", folder / name_of(kind))
        assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def environment(packages: Path) -> dict[str, str]:
    """Variables under which all of them are found as if pip had installed them: by metadata and path."""
    site = packages / "site"
    for kind in KINDS:
        source = packages / name_of(kind)
        project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
        info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir(parents=True)
        about = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}", ""]
        (info / "METADATA").write_text("\n".join(about))
        points = [f"{name} = {module}" for name, module in project["entry-points"]["ffcore"].items()]
        (info / "entry_points.txt").write_text("\n".join(["[ffcore]", *points, ""]))
    paths = [site, *(packages / name_of(kind) / "src" for kind in KINDS)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}


def test_every_kind_is_found_through_its_entry_point(packages: Path, environment: dict[str, str]) -> None:
    done = run(sys.executable, "-m", "ffcore.cli", "plugins", "--format", "json", cwd=packages, env=environment)
    listing = json.loads(done.stdout)
    for kind in KINDS:
        (plugin,) = [p for p in listing["plugins"] if p["distribution"] == name_of(kind)]
        assert plugin["status"] == "ok"
        assert [p["name"] for p in listing["parts"][kind] if p["distribution"] == name_of(kind)] == [
            "own-command" if kind == "command" else f"own_{kind}"
        ]
    assert not [p for p in listing["problems"] if "ffcore-own" in p]


def test_every_kind_passes_its_own_test(packages: Path, environment: dict[str, str]) -> None:
    """In one process, since starting eight would take longer than the tests."""
    folders = [packages / name_of(kind) / "tests" for kind in KINDS]
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", packages]
    done = run(sys.executable, "-m", "pytest", *options, *folders, cwd=packages, env=environment)
    tests = sum(path.read_text().count("\ndef test_") for folder in folders for path in folder.glob("test_*.py"))
    assert tests >= len(KINDS)
    assert re.search(rf"^{tests} passed", done.stdout, re.MULTILINE)


def test_every_kind_is_clean_for_ruff(packages: Path) -> None:
    for rules in (
        [],
        ["--config", ROOT / "pyproject.toml", "--ignore", "I001", "--per-file-ignores", "test_*.py:D"],
    ):  # its own rules, and ours
        run(sys.executable, "-m", "ruff", "check", "--no-cache", *rules, *map(packages.joinpath, map(name_of, KINDS)),
            cwd=packages)  # fmt: skip


@pytest.mark.slow
def test_every_kind_is_clean_for_strict_mypy(packages: Path) -> None:
    """With the cache of the lint that ran before, or this would take a minute."""
    sources = [packages / name_of(kind) / "src" for kind in KINDS]
    done = run(sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", *sources, cwd=ROOT)
    assert f"{3 * len(KINDS)} source files" in done.stdout


@pytest.mark.slow
def test_installs_with_pip(packages: Path, tmp_path: Path) -> None:
    package = packages / name_of("spec_loader")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    run(*pip, "--no-build-isolation", "--target", tmp_path / "site", package, cwd=tmp_path)
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    assert "2 passed" in run(sys.executable, "-m", "pytest", *options, "tests", cwd=package, env=env).stdout


def test_next_steps_are_printed_and_files_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = ff_here("new-plugin", "ffcore-own", "arch")
    assert done.returncode == 0
    assert "  pip install -e ./ffcore-own\n  pytest ./ffcore-own\n  ff plugins\n  ff map own matmuls" in done.stdout
    assert "usually" not in done.stdout
    written = {str(p.relative_to(tmp_path)) for p in Path("ffcore-own").absolute().rglob("*") if p.is_file()}
    assert written == {line for line in done.stdout.splitlines() if line.startswith("ffcore-own/")}


def test_name_without_the_prefix_is_kept_with_a_hint(tmp_path: Path) -> None:
    done = ff_here("new-plugin", "own-chip", "arch", "--out", tmp_path / "new")
    assert done.returncode == 0
    assert "ffcore-own-chip" in done.stdout.splitlines()[-1]
    assert tomllib.loads((tmp_path / "new" / "pyproject.toml").read_text())["project"]["name"] == "own-chip"


def test_what_cannot_be_written_to_its_end_is_not_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        if path.suffix == ".py":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_atomically(path, text)

    words = ("new-plugin", "ffcore-own", "joiner", "--out", tmp_path / "own")
    monkeypatch.setattr("ffcore_scaffold.scaffold.write_atomically", full)
    done = ff_here(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "No space left on device" in done.stderr
    assert list((tmp_path / "own").iterdir()) == []
    monkeypatch.undo()
    assert ff_here(*words).returncode == 0


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = ff_here("new-plugin", "ffcore-own", "arch", "--out", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing is overwritten" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("My Chip", "arch", "did you mean 'ffcore-my-chip'?"),
        ("ffcore-", "arch", "did you mean 'ffcore-mine'?"),
        ("9lives", "arch", "did you mean 'ffcore-9lives'?"),
        ("../evil", "arch", "did you mean 'ffcore-evil'?"),
        ('x"\nimport os', "arch", "did you mean 'ffcore-x-import-os'?"),
        ("a" * 61, "arch", "at most 60 characters"),
        ("pytest", "arch", "is installed already; another name, such as 'ffcore-pytest-arch'?"),
        ("json", "arch", "the module json is not free"),
        ("class", "arch", "the module class is not free"),
        ("yaml", "arch", "the module yaml is not free"),  # of the distribution PyYAML
        ("ffcore-single", "joiner", "joiner 'single' is registered by ffcore"),
        ("ffcore-default", "model", "model 'default' is registered by ffcore"),
        ("ffcore-simple", "arch", "'simple' names simple.arch.yaml of ffcore itself; another name"),
        ("ffcore-own", "joner", "did you mean 'joiner'?"),
    ],
)
def test_bad_names_and_kinds_are_2_with_a_better_one(
    name: str, kind: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ff_here("new-plugin", name, kind)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert not list(tmp_path.iterdir())
