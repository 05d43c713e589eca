"""docs/plugins.md keeps up with the hooks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ffcore.plugin import RECORD_TYPES, hooks, interfaces
from ffcore.plugin.hooks import HOOK_OF_KIND

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "plugins.md").read_text()


def hook_names() -> list[str]:
    return [name for name in vars(hooks) if name.startswith("ffcore_")]


def test_hooks_are_those_of_the_kinds() -> None:
    assert sorted(hook_names()) == sorted(HOOK_OF_KIND.values())


@pytest.mark.parametrize("kind", RECORD_TYPES)
def test_kind_has_a_row_in_the_docs(kind: str) -> None:
    (row,) = [line for line in DOCS.splitlines() if line.startswith("|") and f"`{HOOK_OF_KIND[kind]}`" in line]
    assert f"`{RECORD_TYPES[kind].__name__}`" in row


def test_docs_name_no_hook_or_record_that_is_not_there() -> None:
    assert set(re.findall(r"ffcore_\w+s\b", DOCS)) <= set(hook_names())
    assert set(re.findall(r"\b\w+Record\b", DOCS)) <= {r.__name__ for r in RECORD_TYPES.values()}


@pytest.mark.parametrize("name", hook_names())
def test_hook_docstring_has_an_example_that_yields_its_record(name: str) -> None:
    kind = next(k for k, hook in HOOK_OF_KIND.items() if hook == name)
    doc = getattr(hooks, name).__doc__
    assert f"def {name}():" in doc
    assert f"yield {RECORD_TYPES[kind].__name__}(" in doc


def test_docs_name_the_interfaces() -> None:
    for name in ("SpecLoader", "Arch", "CostModel", "Model", "Explorer", "Joiner", "Renderer"):
        assert hasattr(interfaces, name)
        assert f"`{name}`" in DOCS
