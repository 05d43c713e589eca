"""Fields of other tools that are read and change nothing: one warning for each object that has some."""

from __future__ import annotations

import warnings
from collections.abc import Collection

import attrs

from ffcore.errors import SpecWarning
from ffcore.spec.source.nodes import Node, YamlMap


def without_ignored(node: Node, names: Collection[str], reason: str, path: str) -> Node:
    """The mapping without its fields among ``names``, of which a warning tells; ``reason``: what is done instead."""
    found = [name for name in node.entries if name in names] if isinstance(node, YamlMap) else []
    if not found or not isinstance(node, YamlMap):
        return node
    place = node.entries[found[0]][0].position.with_field(path)
    verb = "has" if len(found) == 1 else "have"
    warnings.warn(SpecWarning(f"{place}: {', '.join(found)} {verb} no effect: {reason}"), stacklevel=2)
    return attrs.evolve(node, entries={key: entry for key, entry in node.entries.items() if key not in found})
