"""YAML as the rest of the spec stage sees it: values that know the line they came from."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ffcore.errors import Position

Scalar: TypeAlias = bool | int | float | str | None
Node: TypeAlias = "YamlScalar | YamlSeq | YamlMap"


@attrs.frozen
class YamlScalar:
    """A scalar: ``value`` as YAML reads it, ``text`` as it was written without quotes (``quoted``: it had some)."""

    value: Scalar
    text: str
    tag: str | None
    position: Position
    quoted: bool = False


@attrs.frozen
class YamlSeq:
    """A list; ``tag`` is the node's own tag without ``!`` (``!Memory`` -> ``"Memory"``) or None."""

    items: list[Node]
    tag: str | None
    position: Position


@attrs.frozen
class YamlMap:
    """A mapping in file order: key text -> (key, value). Keys are always text.

    ``anchored``: keys whose values have an anchor, ``base: &base {...}``.
    """

    entries: dict[str, tuple[YamlScalar, Node]]
    tag: str | None
    position: Position
    anchored: frozenset[str] = frozenset()

    def get(self, key: str) -> Node | None:
        """The value under ``key``, or None if there is no such key."""
        entry = self.entries.get(key)
        return None if entry is None else entry[1]


def to_plain(node: Node) -> object:
    """The same data as plain dicts, lists and scalars; tags and positions are lost."""
    if isinstance(node, YamlScalar):
        return node.value
    if isinstance(node, YamlSeq):
        return [to_plain(item) for item in node.items]
    return {key: to_plain(value) for key, (_, value) in node.entries.items()}
