"""Who may import whom: one direction through core, no plugin in core, no plugin in another plugin."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from ffcore.plugin.known import DISTRIBUTION_OF

ROOT = Path(__file__).resolve().parents[2]

# Each package may import those above it in this list and itself. ``plugin`` only names the stages (in strings
# and under TYPE_CHECKING), so that every stage may look parts up in it.
LAYERS: list[set[str]] = [
    {"_version", "errors", "files", "kernel", "locks", "numbers", "phases", "system", "threads", "tolerances", "units"},
    {"plugin"},
    {"spec"},
    {"mapping", "model", "objectives"},
    {"templates"},
    {"pmappings"},
    {"explore"},
    {"mapspace"},
    {"diagnose", "results", "render"},
    {"api", "mapper"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# `spec.workload.render()` is a shortcut to the text renderer.
ALLOWED = {("spec", "render")}


@cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """(line, dotted name) of each import that runs, wherever it stands; ``if TYPE_CHECKING`` does not run."""

    def walk(node: ast.AST) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            # `from ffcore import x` imports the submodule x
            names = [f"ffcore.{a.name}" for a in node.names] if node.module == "ffcore" else [node.module or ""]
            yield from ((node.lineno, name) for name in names)
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return tuple(walk(ast.parse(path.read_text())))


def top(name: str) -> str:
    return name.split(".")[0]


def core_files() -> list[Path]:
    return sorted((ROOT / "ffcore").rglob("*.py"))


def plugin_folders() -> list[Path]:
    return sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))


def test_every_core_package_has_a_layer() -> None:
    packages = {path.relative_to(ROOT / "ffcore").parts[0].removesuffix(".py") for path in core_files()}
    assert packages - {"__init__"} <= set(LEVEL)


def test_core_imports_go_one_way() -> None:
    wrong, arrows = [], set()
    for path in core_files():
        package = path.relative_to(ROOT / "ffcore").parts[0].removesuffix(".py")
        for line, name in imports(path) if package != "__init__" else ():
            if top(name) != "ffcore" or name == "ffcore":
                continue
            other = name.split(".")[1]
            if other not in LEVEL:  # a public name such as ffcore.__version__
                continue
            arrows.add((package, other))
            if LEVEL[other] > LEVEL[package] and (package, other) not in ALLOWED:
                wrong.append(f"{path}:{line}: {package} imports {other}")
    assert not wrong
    assert arrows >= ALLOWED


def test_core_and_plugins_import_no_other_plugin() -> None:
    packages = {folder: {p.name for p in (folder / "src").iterdir()} for folder in plugin_folders()}
    assert packages, "no plugins found"
    wrong = []
    for owner in [ROOT / "ffcore", *packages]:
        foreign = set().union(*(names for folder, names in packages.items() if folder != owner))
        files = owner.rglob("*.py") if owner == ROOT / "ffcore" else (owner / "src").rglob("*.py")
        wrong += [f"{f}:{line}: {name}" for f in files for line, name in imports(f) if top(name) in foreign]
    assert not wrong


def test_core_names_plugins_in_one_file_only() -> None:
    """Neither distributions nor packages; what `ff plugins` and errors say comes from ``plugin/known.py``."""
    names = [f"ffcore{sep}{folder.name.replace('_', sep)}" for folder in plugin_folders() for sep in "-_"]
    known = ROOT / "ffcore" / "plugin" / "known.py"
    texts = {path: path.read_text() for path in core_files() if path != known}
    named = [f"{path}: {name}" for path, text in texts.items() for name in names if name in text]
    assert not named
    assert {folder.name for folder in plugin_folders()} == {
        dist.removeprefix("ffcore-").replace("-", "_") for dist in DISTRIBUTION_OF.values()
    }


def test_the_page_on_architecture_names_every_part() -> None:
    """Packages and modules of core by their full names, those of the explorer as files, and each plugin's folder."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    packages = {path.relative_to(ROOT / "ffcore").parts[0].removesuffix(".py") for path in core_files()}
    explorer = {path.name for path in (ROOT / "ffcore" / "explore").rglob("*.py")} - {"__init__.py"}
    named = [f"`ffcore.{name}`" for name in packages if not name.startswith("_")]
    named += [f"`plugins/{folder.name}`" for folder in plugin_folders()]
    assert [name for name in named if name not in page] == []
    assert [name for name in explorer if not re.search(rf"[`/]{name}`", page)] == []
    files = {name for text in re.findall(r"`([\w/]+\.py)`", page) for name in [text.split("/")[-1]]}
    assert files <= {path.name for where in ("ffcore", "plugins", "tests") for path in (ROOT / where).rglob("*.py")}


def test_core_stays_small() -> None:
    """Little more than now: what grows beyond that is a slice of its own, or a reason to raise the number."""
    files = [*core_files(), *(ROOT / "ffcore").rglob("*.pyi")]
    assert len({path.relative_to(ROOT / "ffcore").parts[0] for path in files if path.parent != ROOT / "ffcore"}) <= 16
    assert sum(len(path.read_text().splitlines()) for path in files) < 33_600


def test_every_plugin_is_installed_by_make() -> None:
    listed = (ROOT / "requirements-dev.txt").read_text().split()
    for users in (listed, (ROOT / "requirements.txt").read_text().split()):
        for folder in plugin_folders():
            assert f"./plugins/{folder.name}" in users


@pytest.mark.parametrize("folder", plugin_folders(), ids=lambda folder: folder.name)
def test_plugin_distribution_is_whole(folder: Path) -> None:
    import tomllib

    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert "ffcore>=0.2,<0.3" in project["dependencies"]
    assert project["entry-points"]["ffcore"]
    assert (folder / "README.md").read_text().strip()
    assert list((folder / "tests").glob("test_*.py"))


HEAVY = {"graphviz", "numba", "numpy", "pandas", "plotly", "pyarrow", "rich"}


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("statement", ["import ffcore", "import ffcore.plugin", "import ffcore.cli.main"])
def test_importing_is_light(statement: str) -> None:
    loaded = modules_after(statement)
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("ffcore_")}  # the plugins' packages


def test_heavy_modules_would_be_seen() -> None:
    assert "numpy" in modules_after("import ffcore, numpy")


def test_a_stage_does_not_load_plugins() -> None:
    assert not {name for name in modules_after("import ffcore; ffcore.Spec") if name.startswith("ffcore_")}


def test_public_names_exist() -> None:
    import ffcore

    for name in ffcore.__all__:
        assert getattr(ffcore, name) is not None
    assert set(ffcore.__all__) <= set(dir(ffcore))
    with pytest.raises(AttributeError, match="nothing_like_this"):
        ffcore.nothing_like_this  # noqa: B018
