"""The mapping of a whole workload as a tree: the outer loops that Einsums share, then each Einsum's own.

Read a path from the root to a `Compute` as one Einsum's loop nest, outermost first. The nodes above a
`Sequential` are common to all Einsums below it: a storage applies to each that uses the tensor, a
loop to each (or, written per Einsum, to each that is named).

YAML, the peer's dialect; a plain name or number stands for all Einsums below the node::

    mapping:
      nodes:
      - !Storage {tensors: [T0, W0, T2, W1], component: MainMemory}
      - !Temporal {rank_variable: m, tile_shape: 1}
      - !Storage {tensors: [T1], component: GlobalBuffer}
      - !Sequential
        nodes:
        - !Nested
          nodes:
          - !Temporal {rank_variable: k, tile_shape: 1}
          - !Compute {einsum: A, component: MAC}
        - ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias, TypeVar

import attrs

from ffcore.errors import Position

Value = TypeVar("Value", str, int)


@attrs.frozen
class Storage:
    """A memory keeps tiles of ``tensors``, in this order from the outside in."""

    tensors: tuple[str, ...]
    component: str
    einsums: tuple[str, ...] | None = None  # only for these; None: for each below that uses the tensor
    position: Position | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)


@attrs.frozen
class Toll:
    """As `Storage`, for a component that handles tensors without keeping them."""

    tensors: tuple[str, ...]
    component: str
    einsums: tuple[str, ...] | None = None
    position: Position | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)


@attrs.frozen
class Temporal:
    """A loop in time. ``tile_shape``: extent of the rank variable that one iteration covers.

    Einsums may name the same rank by different variables; each field then maps Einsum to value,
    and the loop applies to those Einsums only.
    """

    rank_variable: str | Mapping[str, str]
    tile_shape: int | Mapping[str, int]
    position: Position | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)


@attrs.frozen
class Spatial:
    """A loop across dimension ``name`` of ``component``; fields as in `Temporal`."""

    rank_variable: str | Mapping[str, str]
    tile_shape: int | Mapping[str, int]
    component: str | Mapping[str, str]
    name: str | Mapping[str, str]
    position: Position | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)


@attrs.frozen
class Compute:
    """The end of one Einsum's nest."""

    einsum: str
    component: str
    position: Position | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)


@attrs.frozen
class Nested:
    """Nodes one inside the other."""

    nodes: tuple[Node, ...]
    position: Position | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)


@attrs.frozen
class Sequential:
    """Branches that run one after the other, again in each iteration of the loops above."""

    nodes: tuple[Node, ...]
    position: Position | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)


@attrs.frozen
class MappingTree:
    """The root: nodes one inside the other, down to each Einsum's `Compute`."""

    nodes: tuple[Node, ...]
    position: Position | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)


Loop: TypeAlias = Temporal | Spatial
Leaf: TypeAlias = Storage | Toll | Temporal | Spatial
Node: TypeAlias = Storage | Toll | Temporal | Spatial | Compute | Nested | Sequential


@attrs.frozen
class Branch:
    """One Einsum's path: its nodes from the root down, without `Nested` and `Sequential`."""

    nodes: tuple[Leaf, ...]
    compute: Compute


def branches(tree: MappingTree) -> list[Branch]:
    """The path to each `Compute`, in the order in which they run; ends without one are left out."""
    return [b for b in _walk(tree.nodes, ()) if isinstance(b, Branch)]


def loose_ends(tree: MappingTree) -> list[Node | MappingTree]:
    """The last node of each path that ends without a `Compute`."""
    return [b if b is not None else tree for b in _walk(tree.nodes, ()) if not isinstance(b, Branch)]


def _walk(nodes: tuple[Node, ...], above: tuple[Leaf, ...]) -> Iterator[Branch | Node | None]:
    last: Node | None = None
    for place, node in enumerate(nodes):
        last = node
        rest = nodes[place + 1 :]
        if isinstance(node, Compute):
            yield Branch(above, node)
            return
        if isinstance(node, Nested):
            yield from _walk(node.nodes + rest, above)
            return
        if isinstance(node, Sequential):
            for child in node.nodes:
                yield from _walk((child, *rest), above)
            return
        above = (*above, node)
    yield last


def of_einsum(value: Value | Mapping[str, Value], einsum: str) -> Value | None:
    """A loop's field for one Einsum; None if the loop is written per Einsum and does not name it."""
    return value.get(einsum) if isinstance(value, Mapping) else value
