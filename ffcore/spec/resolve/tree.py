"""The architecture tree, flattened: paths from the root to each Compute, and what stands above each node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from ffcore.errors import ErrorCollector, SpecError
from ffcore.spec.architecture import Arch, ArchNode, Array, Branch, Compute, Container, Fork, Memory, Spatial, walk
from ffcore.spec.fields import spec_fields

MAX_NODES = 500
"""Nodes of an architecture."""


@attrs.frozen
class Place:
    """A node with all that stands above it, outermost first."""

    node: Container
    above: tuple[Container, ...]


def places(nodes: Iterable[ArchNode], above: tuple[Container, ...] = ()) -> tuple[Place, ...]:
    """Every node that is no mere branch, in file order, with the nodes above it.

    Computes have nothing below them, and what is inside a Fork is not above what follows it. What is inside an Array
    stands above its fanout: the Array repeats what follows it.
    """
    found, _ = _places(nodes, above)
    return tuple(found)


def _places(nodes: Iterable[ArchNode], above: tuple[Container, ...]) -> tuple[list[Place], tuple[Container, ...]]:
    found: list[Place] = []
    for node in nodes:
        if isinstance(node, Fork):
            found += _places(node.nodes, above)[0]
        elif isinstance(node, Branch):
            inner, above = _places(node.nodes, above)
            found += inner
        elif isinstance(node, Container):
            if isinstance(node, Array):
                inner, above = _places(node.nodes, above)
                found += inner
            found.append(Place(node, above))
            if not isinstance(node, Compute):
                above = (*above, node)
    return found, above


def forks(
    nodes: Sequence[ArchNode], after: frozenset[str] = frozenset()
) -> Iterator[tuple[Fork, frozenset[str], frozenset[str]]]:
    """Each Fork with the names of the nodes inside of it, and of those that follow it (``after``: the whole list)."""
    for index, node in enumerate(nodes):
        if not isinstance(node, Branch | Array):
            continue
        behind = after | {n.name for n in walk(nodes[index + 1 :]) if n.name}
        if isinstance(node, Fork):
            yield node, frozenset(n.name for n in walk(node.nodes) if n.name), behind
        yield from forks(node.nodes, frozenset() if isinstance(node, Fork) else behind)


def paths(arch: Arch) -> tuple[tuple[Container, ...], ...]:
    """One root-to-compute path for each Compute, in file order."""
    return tuple((*p.above, p.node) for p in places(arch.nodes) if isinstance(p.node, Compute))


def spread_memories(arch: Arch) -> dict[str, tuple[Array, bool]]:
    """Memories inside of an Array over which at least one of them is spread -> the Array, and whether it is that one.

    A memory with a dimension that is called like one of its Array is spread over it: it divides the Array's instances.
    """
    found: dict[str, tuple[Array, bool]] = {}
    for array in (node for node in walk(arch.nodes) if isinstance(node, Array)):
        names = {s.name for s in array.spatial}
        inner = [node for node in walk(array.nodes) if isinstance(node, Memory)]
        spread = [any(s.name in names for s in node.spatial) for node in inner]
        if any(spread):
            found |= {node.name: (array, own) for node, own in zip(inner, spread, strict=True)}
    return found


def check_tree(arch: Arch, errors: ErrorCollector) -> None:
    """Unique names, and at least one Compute. Raises SpecError for too many nodes, of which nothing more is said."""
    seen: dict[str, ArchNode] = {}
    everything = list(walk(arch.nodes))
    if len(everything) > MAX_NODES:
        place = everything[MAX_NODES].position_of("")
        raise SpecError.one(f"the architecture has {len(everything):,} nodes, more than {MAX_NODES}", place)
    for node in everything:
        if node.name and node.name in seen:
            first = seen[node.name].position_of("")
            where = f"; the first is at {first}" if first else ""
            errors.add(f"duplicate architecture node {node.name!r}{where}", node.position_of(""))
        seen.setdefault(node.name, node)
    for array in (node for node in everything if isinstance(node, Array)):
        for inner in (node for node in walk(array.nodes) if isinstance(node, Compute)):
            message = (
                f"Compute {inner.name} stands inside of !Array {array.name}, above its fanout: put it behind the Array"
            )
            errors.add(message, inner.position_of(""))
        _check_spread(array, errors)
    if not any(isinstance(node, Compute) for node in everything):
        errors.add("the architecture has no Compute", arch.position_of("nodes") or arch.position_of(""))


def _check_spread(array: Array, errors: ErrorCollector) -> None:
    """What is spread over an Array divides its dimensions, and says no more of them."""
    whole = Spatial()
    for memory in (node for node in walk(array.nodes) if isinstance(node, Memory)):
        own = {s.name for s in array.spatial}
        for dimension in memory.spatial if any(s.name in own for s in memory.spatial) else ():
            said = [f for f in spec_fields(Spatial) if f not in ("name", "fanout", "may_reuse")]
            more = [f for f in said if getattr(dimension, f) != getattr(whole, f)]
            if dimension.name not in own or more:
                wrong = f"says {more[0]}" if more else "is none of the Array's"
                message = (
                    f"{memory.name} is spread over !Array {array.name}: its dimensions are the Array's, with a fanout "
                    f"that divides it; {dimension.name} {wrong}"
                )
                errors.add(message, dimension.position_of(""))
