"""Mapping trees as YAML (the peer's dialect, see `ffcore.mapping.tree`) and as plain data for JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs

from ffcore.errors import ErrorCollector, Position, SpecError, suggest
from ffcore.mapping import tree
from ffcore.spec.fields import clean_name
from ffcore.spec.source import Node, YamlMap, YamlScalar, YamlSeq, load_text

_KINDS: Mapping[str, type[tree.Node]] = {
    kind.__name__: kind
    for kind in (
        tree.Storage,
        tree.Toll,
        tree.Temporal,
        tree.Spatial,
        tree.Compute,
        tree.Nested,
        tree.Sequential,
    )
}
_DERIVED = "Reservation"
"""A node that files of AccelForge hold, and that follows from the others."""
_UNUSED = ("persistent", "binding")
"""Fields of its holders that say what the workload says (``persistent_tensors``), or nothing."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_TEXT = frozenset(["true", "false", "yes", "no", "on", "off", "null"])
_LONG_KEY = 1000  # YAML wants a mark before keys that are about as long
_T = TypeVar("_T")


def from_yaml(text: str, name: str = "<string>") -> tree.MappingTree:
    """Read the section ``mapping:`` of YAML text. Raises SpecError that lists all that is wrong."""
    document = load_text(text, name)
    section = document.get("mapping")
    if section is None:
        errors = ErrorCollector()
        errors.add("there is no section 'mapping'", document.position, suggest("mapping", document.entries))
        errors.raise_if_any()
    assert section is not None
    return tree_from_node(section)


def tree_from_node(section: Node) -> tree.MappingTree:
    """Read the value of the top-level key ``mapping`` of a loaded spec. Raises SpecError."""
    errors = ErrorCollector()
    result = _Reader(errors).root(section)
    errors.raise_if_any()
    return result


def to_yaml(mapping: tree.MappingTree) -> str:
    """YAML text that `from_yaml` reads back to an equal tree."""
    return "\n".join(["mapping:", "  nodes:", *_node_lines(mapping.nodes, "  ")]) + "\n"


def to_data(mapping: tree.MappingTree) -> dict[str, object]:
    """The tree as dicts and lists that JSON can hold; each node says its ``type``."""
    return {"nodes": [_data(node) for node in mapping.nodes]}


def _data(node: tree.Node) -> dict[str, object]:
    data: dict[str, object] = {"type": type(node).__name__}
    for name, value in _fields(node).items():
        if name == "nodes" and isinstance(node, tree.Nested | tree.Sequential):
            data[name] = [_data(child) for child in node.nodes]
        elif isinstance(value, Mapping):
            data[name] = dict(value)
        else:
            data[name] = list(value) if isinstance(value, tuple) else value
    return data


def _fields(node: tree.Node) -> dict[str, object]:
    """Fields of the node that are set, in order, without its position."""
    fields = {a.name: getattr(node, a.name) for a in attrs.fields(type(node)) if a.name != "position"}
    return {name: value for name, value in fields.items() if value is not None}


# -- writing --------------------------------------------------------------------------------------


def _node_lines(nodes: Iterable[tree.Node], indent: str) -> list[str]:
    lines: list[str] = []
    for node in nodes:
        kind = type(node).__name__
        if isinstance(node, tree.Nested | tree.Sequential):
            empty = "" if node.nodes else " []"
            lines += [f"{indent}- !{kind}", f"{indent}  nodes:{empty}", *_node_lines(node.nodes, indent + "  ")]
        else:
            text = ", ".join(f"{name}: {_flow(value)}" for name, value in _fields(node).items())
            lines.append(f"{indent}- !{kind} {{{text}}}")
    return lines


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    if isinstance(value, str) and not (_PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT):
        if "{" in value:  # which Jinja would read
            return json.dumps(value, ensure_ascii=False).replace("{", "\\x7B")
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def _key(name: object) -> str:
    text = _flow(name)
    return text if len(text) < _LONG_KEY else f"? {text} "


# -- reading --------------------------------------------------------------------------------------


class _Reader:
    """Builds nodes from YAML; every problem is noted, so that a user sees all of them at once."""

    def __init__(self, errors: ErrorCollector) -> None:
        self.errors = errors

    def root(self, section: Node) -> tree.MappingTree:
        position = _at(section, "mapping")
        if not isinstance(section, YamlMap):
            self.errors.add("must be 'nodes:' and a list of nodes", position)
            return tree.MappingTree((), position=position)
        nodes = self._nodes(self._take(section, "mapping", ["nodes"]).get("nodes"), "mapping.nodes")
        return tree.MappingTree(nodes, position=position)

    def _nodes(self, value: Node | None, path: str) -> tuple[tree.Node, ...]:
        if value is None:
            return ()
        if not isinstance(value, YamlSeq):
            self.errors.add("must be a list of nodes", _at(value, path))
            return ()
        read = [self._node(item, f"{path}[{i}]") for i, item in enumerate(value.items)]
        return tuple(node for node in read if node is not None)

    def _node(self, value: Node, path: str) -> tree.Node | None:
        position = _at(value, path)
        if value.tag == _DERIVED:
            return None
        if value.tag is None or value.tag not in _KINDS:
            what = f"unknown node !{value.tag}" if value.tag else "a node needs a tag that says what it is"
            near = suggest(value.tag or "", _KINDS)
            self.errors.add(f"{what}; there are: {', '.join('!' + k for k in _KINDS)}", position, near and "!" + near)
            return None
        if not isinstance(value, YamlMap):
            self.errors.add(f"!{value.tag} must be a mapping of fields", position)
            return None
        kind = _KINDS[value.tag]
        if kind in (tree.Storage, tree.Toll):
            entries = {key: entry for key, entry in value.entries.items() if key not in _UNUSED}
            value = attrs.evolve(value, entries=entries)
        names = [a.name for a in attrs.fields(kind) if a.name != "position"]
        taken = self._take(value, path, names, optional=("einsums",))
        before = len(self.errors)
        fields: dict[str, Any] = {name: self._field(name, node, kind, f"{path}.{name}") for name, node in taken.items()}
        if len(self.errors) > before or len(taken) < len(set(names) - {"einsums"}):
            return None
        return kind(**fields, position=position)

    def _take(self, value: YamlMap, path: str, names: list[str], optional: tuple[str, ...] = ()) -> dict[str, Node]:
        """The known fields of a node; unknown and missing ones are noted."""
        for key, (written, _) in value.entries.items():
            if key not in names:
                self.errors.add(f"unknown field {key!r}", _at(written, f"{path}.{key}"), suggest(key, names))
        for name in names:
            if name not in value.entries and name not in optional:
                self.errors.add(f"the field {name!r} is missing", _at(value, path))
        return {name: node for name in names if (node := value.get(name)) is not None}

    def _field(self, name: str, node: Node, kind: type[tree.Node], path: str) -> object:
        if name == "nodes":
            return self._nodes(node, path)
        if name in ("tensors", "einsums"):
            return self._names(node, path)
        if name == "tile_shape":
            return self._each(node, path, self._count)
        if kind in (tree.Temporal, tree.Spatial):
            return self._each(node, path, self._name)
        return self._name(node, path)

    def _each(self, node: Node, path: str, read: Callable[[Node, str], _T | None]) -> object:
        """A plain value, or one for each Einsum."""
        if not isinstance(node, YamlMap):
            return read(node, path)
        return {key: read(value, f"{path}.{key}") for key, (_, value) in node.entries.items()}

    def _names(self, node: Node, path: str) -> tuple[str | None, ...]:
        if isinstance(node, YamlSeq):
            return tuple(self._name(item, f"{path}[{i}]") for i, item in enumerate(node.items))
        return (self._name(node, path),)

    def _name(self, node: Node, path: str) -> str | None:
        if isinstance(node, YamlScalar) and node.text and node.value is not None:
            try:
                return str(clean_name(node.text))
            except SpecError as error:
                self.errors.add(error.problems[0].message, _at(node, path))
                return None
        self.errors.add("must be a name", _at(node, path))
        return None

    def _count(self, node: Node, path: str) -> int | None:
        value = node.value if isinstance(node, YamlScalar) else None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self.errors.add("must be a whole number of at least 1", _at(node, path))
        return None


def _at(node: Node, path: str) -> Position:
    return node.position.with_field(path)
