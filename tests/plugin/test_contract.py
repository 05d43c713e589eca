"""Everything that a plugin needs is importable from ``ffcore.plugin``."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ffcore
from ffcore import plugin
from ffcore.plugin import contract

ROOT = Path(__file__).resolve().parents[2]
CORE = Path(ffcore.__file__).parent
SOURCES = sorted([*ROOT.glob("plugins/*/src/**/*.py"), *ROOT.glob("plugins/scaffold/src/**/*.py.j2")])
IMPORT = re.compile(r"^\s*(?:from (ffcore[\w.]*) import|import (ffcore[\w.]*))", re.M)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_our_own_plugins_and_new_ones_import_nothing_else_of_core(path: Path) -> None:
    found = {a or b for a, b in IMPORT.findall(path.read_text())}
    assert {name for name in found if name.split(".")[0] == "ffcore"} <= {"ffcore", "ffcore.plugin"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_they_import_is_there(path: Path) -> None:
    """Mypy takes any name for one that ``ffcore.plugin`` finds when it is first used."""
    text = path.read_text()
    if path.suffix == ".j2":
        names = [
            n for line in re.findall(r"^from ffcore\.plugin import ([\w, ]+)$", text, re.M) for n in line.split(", ")
        ]
    else:
        found = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom) and n.module == "ffcore.plugin"]
        names = [alias.name for node in found for alias in node.names]
    assert [name for name in names if not hasattr(plugin, name)] == []


def test_no_name_is_that_of_a_module_of_the_package() -> None:
    """``from ffcore.plugin import options`` would give the module once something has imported it."""
    modules = {path.stem for path in (CORE / "plugin").glob("*.py")}
    assert modules & {name for names in contract.MODULES.values() for name in names} == set()


def test_what_is_typed_is_what_is_there() -> None:
    tree = ast.parse(Path(contract.__file__).with_suffix(".pyi").read_text())
    typed = {(n.module, a.name) for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert typed - {("typing", "Any")} == {
        (module, name) for module, names in contract.MODULES.items() for name in names
    }


@pytest.mark.parametrize("name", [name for names in contract.MODULES.values() for name in names])
def test_name_is_found(name: str) -> None:
    assert getattr(plugin, name) is contract.find(name)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = plugin.nothing
