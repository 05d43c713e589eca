"""Renames: canonical names (``input``, ``weight``, ``output``) for the tensors of each Einsum."""

# ruff: noqa: RUF009 - spec_field makes attrs fields, whose defaults are not shared
from __future__ import annotations

import attrs

from ffcore.errors import ErrorCollector
from ffcore.spec.fields import Expression, Many, SpecNode, Text, Value, forget_position, spec_field
from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar, YamlSeq


@attrs.define(kw_only=True, on_setattr=forget_position)
class Rename(SpecNode):
    """One new name for a set of tensors or of rank variables."""

    name: str = spec_field(Text(), required=True, default="", doc="the new name")
    source: Expression = spec_field(Value(), required=True, default="Nothing", doc="set expression")
    expected_count: Expression | None = spec_field(Value(), doc="number of members that source must have")


@attrs.define(kw_only=True, on_setattr=forget_position)
class EinsumRenames(SpecNode):
    """The renames of one Einsum; the entry ``default`` supplies names that an Einsum lacks."""

    name: str = spec_field(Text(), default="", doc="the Einsum, or default")
    tensor_accesses: list[Rename] = spec_field(Many(Rename, "rename"), factory=list, doc="names for sets of tensors")
    rank_variables: list[Rename] = spec_field(
        Many(Rename, "rename"), factory=list, doc="names for sets of rank variables"
    )

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """``{weight: W0}`` and ``[{name: weight, source: W0}]`` are short for ``{tensor_accesses: [...]}``."""
        if isinstance(node, YamlSeq):
            return _wrap(node, node)
        if not isinstance(node, YamlMap):
            return node
        if any(k in node.entries for k in ("tensor_accesses", "rank_variables")):
            entries = {k: (key, _as_list(v) if k != "name" else v) for k, (key, v) in node.entries.items()}
            return YamlMap(entries=entries, tag=node.tag, position=node.position)
        if "name" in node.entries and len(node.entries) == 1:
            return node
        return _wrap(_as_list(node), node)


def _as_list(node: Node) -> Node:
    """``{weight: W0}`` as ``[{name: weight, source: W0}]``; anything else as it is."""
    if not isinstance(node, YamlMap):
        return node
    items: list[Node] = []
    for key, value in node.entries.values():
        name_key = YamlScalar(value="name", text="name", tag=None, position=key.position)
        source_key = YamlScalar(value="source", text="source", tag=None, position=value.position)
        if isinstance(value, YamlMap):  # {weight: {source: W0, expected_count: 1}}
            entries = {"name": (name_key, key), **value.entries}
        else:
            entries = {"name": (name_key, key), "source": (source_key, value)}
        items.append(YamlMap(entries=entries, tag=None, position=key.position))
    return YamlSeq(items=items, tag=None, position=node.position)


def _wrap(items: Node, node: Node) -> YamlMap:
    key = YamlScalar(value="tensor_accesses", text="tensor_accesses", tag=None, position=node.position)
    return YamlMap(entries={"tensor_accesses": (key, items)}, tag=node.tag, position=node.position)


@attrs.define(kw_only=True, on_setattr=forget_position)
class Renames(SpecNode):
    """Renames for all Einsums, or for one by its name."""

    einsums: list[EinsumRenames] = spec_field(
        Many(EinsumRenames, "renames entry"), factory=list, doc="one entry for each Einsum, and one named default"
    )

    def entry(self, name: str) -> EinsumRenames | None:
        """The entry of that name, if there is one."""
        return next((e for e in self.einsums if e.name == name), None)
