"""What plugins are written against besides records and protocols: all of it importable from ``ffcore.plugin``.

The names, and where they stand, are listed once, for type checkers: in ``contract.pyi``. A name is imported when it is
first used, so that nothing heavy is loaded before.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

_LINE = re.compile(r"^from (ffcore[\w.]*) import (\w+) as \2$", re.M)

_WHERE = {name: module for module, name in _LINE.findall(Path(__file__).with_suffix(".pyi").read_text("utf-8"))}

MODULES = {module: tuple(n for n, m in _WHERE.items() if m == module) for module in dict.fromkeys(_WHERE.values())}
"""The names of each module."""


def find(name: str) -> Any:
    """What a name of the contract stands for. Raises AttributeError for others."""
    if name not in _WHERE:
        raise AttributeError(f"module 'ffcore.plugin' has no attribute {name!r}")
    module = importlib.import_module(_WHERE[name])
    return getattr(module, name) if hasattr(module, name) else importlib.import_module(f"{module.__name__}.{name}")
