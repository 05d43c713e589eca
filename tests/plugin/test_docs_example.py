"""The third-party plugin of docs/plugins.md: exactly its text is installed and used, away from the clone."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"
FILE_BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ``ffcore-edge``, written as the docs say."""
    folder = tmp_path_factory.mktemp("docs") / "ffcore-edge"
    blocks = FILE_BLOCK.findall(DOCS.read_text())
    assert blocks[0][0] == "pyproject.toml"
    for name, text in blocks:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture(scope="module")
def environment(package: Path) -> dict[str, str]:
    """Environment variables under which the built and installed package is found."""
    site = package.parent / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    run(*pip, "--no-build-isolation", "--target", site, package, cwd=package.parent)
    return {**os.environ, "PYTHONPATH": str(site)}


def ff(environment: dict[str, str], cwd: Path, *arguments: str) -> str:
    return run(sys.executable, "-m", "ffcore.cli", *arguments, cwd=cwd, env=environment).stdout


def test_docs_show_the_files_that_they_announce(package: Path) -> None:
    tree = re.search(r"^```\nffcore-edge/\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert tree is not None
    announced = {line.strip() for line in tree[1].splitlines()}
    assert announced == {str(p.relative_to(package)) for p in package.rglob("*") if p.is_file()}


def test_each_part_is_about_forty_lines(package: Path) -> None:
    for name in ("npu.py", "greedy.py"):
        assert len((package / "src" / "ffcore_edge" / name).read_text().splitlines()) <= 50


def test_installed_example_is_listed(environment: dict[str, str], tmp_path: Path) -> None:
    listing = json.loads(ff(environment, tmp_path, "plugins", "--format", "json"))
    (plugin,) = [p for p in listing["plugins"] if p["distribution"] == "ffcore-edge"]
    assert (plugin["status"], plugin["version"]) == ("ok", "1.0")
    assert "edge_npu" in [part["name"] for part in listing["parts"]["arch"]]
    assert "greedy" in [part["name"] for part in listing["parts"]["joiner"]]


def test_the_examples_own_test_passes(environment: dict[str, str], package: Path) -> None:
    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=package, env=environment)
    assert re.search(r"^2 passed", done.stdout, re.MULTILINE)


def test_commands_of_the_docs_run(environment: dict[str, str], tmp_path: Path) -> None:
    lines = COMMANDS.findall(DOCS.read_text())[-1].splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("ff ")]
    assert len(commands) == 2
    outputs = [ff(environment, tmp_path, *command) for command in commands]
    assert "edge_npu" in outputs[0]
    assert "EDP" in outputs[1]
    data = json.loads(ff(environment, tmp_path, *commands[1], "--format", "json"))
    assert data["mappings"]


def test_wrong_parameter_is_refused_with_a_hint(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ffcore.cli", "validate", "edge_npu", "--arch-param", "arraysize=4"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "did you mean 'array_size'" in done.stderr
