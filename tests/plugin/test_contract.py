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


def test_our_own_plugins_and_new_ones_import_nothing_else_of_core() -> None:
    imported = {(path, a or b) for path in SOURCES for a, b in IMPORT.findall(path.read_text())}
    assert len({path for path, _ in imported}) > len(SOURCES) // 4
    core = [(str(path), name) for path, name in imported if name.split(".")[0] == "ffcore"]
    assert [(path, name) for path, name in core if name not in ("ffcore", "ffcore.plugin")] == []


def test_what_they_import_is_there() -> None:
    """Mypy takes any name for one that ``ffcore.plugin`` finds when it is first used."""
    named = {(path, name) for path in SOURCES for name in names_of(path)}
    assert len(named) > len(SOURCES)
    assert [(str(path), name) for path, name in named if not hasattr(plugin, name)] == []


def names_of(path: Path) -> list[str]:
    text = path.read_text()
    if path.suffix == ".j2":
        lines = re.findall(r"^from ffcore\.plugin import ([\w, ]+)$", text, re.M)
        return [name for line in lines for name in line.split(", ")]
    found = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom) and n.module == "ffcore.plugin"]
    return [alias.name for node in found for alias in node.names]


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


def test_names_are_found() -> None:
    names = [name for own in contract.MODULES.values() for name in own]
    assert len(names) > 100
    assert [name for name in names if getattr(plugin, name) is not contract.find(name)] == []


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = plugin.nothing
