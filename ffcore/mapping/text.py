"""Mapping trees for people: an indented loop nest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ffcore.mapping import tree
from ffcore.spec.problem import Problem

_INDENT = "  "


def mapping_text(mapping: tree.MappingTree, problem: Problem | None = None) -> str:
    """The tree as indented text; with ``problem``, loops also say how often they run.

    One node a line, but for holders that no loop separates: these are one line for each component.

    ::

        [T0 W0] in MainMemory
        for m in 8 (tile 1)
          [T1] in GlobalBuffer
          Sequential
            1:
              for k in 4 (tile 1)
                compute A on MAC

    A tile that does not divide what it is taken of is followed by the last one: ``for m in 13 (tile 16, last 5)``.
    """
    bounds = {e.name: dict(e.bounds) for e in problem.einsums} if problem else {}
    return "\n".join(_lines(mapping.nodes, bounds, 0))


def _lines(nodes: Sequence[tree.Node], sizes: Mapping[str, Mapping[str, int]], depth: int) -> list[str]:
    lines: list[str] = []
    held: dict[str, list[str]] = {}  # where and for whom -> tensors, of the holders just above
    for node in _flat(nodes):
        pad = _INDENT * depth
        if isinstance(node, tree.Storage | tree.Toll):
            verb = "in" if isinstance(node, tree.Storage) else "through"
            only = f" (for {', '.join(node.einsums)})" if node.einsums is not None else ""
            held.setdefault(f"{verb} {node.component}{only}", []).extend(node.tensors)
            continue
        lines += _holders(held, pad)
        if isinstance(node, tree.Sequential):
            lines.append(f"{pad}Sequential")
            for number, child in enumerate(node.nodes, 1):
                lines.append(f"{pad}{_INDENT}{number}:")
                lines += _lines([child], _only_below(child, sizes), depth + 2)
        elif isinstance(node, tree.Temporal | tree.Spatial):
            lines.append(pad + _loop(node, sizes))
            sizes = _inside(node, sizes)
            depth += 1
        elif isinstance(node, tree.Compute):
            lines.append(f"{pad}compute {node.einsum} on {node.component}")
    return lines + _holders(held, _INDENT * depth)


def _flat(nodes: Sequence[tree.Node]) -> Iterator[tree.Leaf | tree.Compute | tree.Sequential]:
    """The nodes of a chain without the `Nested` around them."""
    for node in nodes:
        if isinstance(node, tree.Nested):
            yield from _flat(node.nodes)
        else:
            yield node


def _holders(held: dict[str, list[str]], pad: str) -> list[str]:
    """Write holders out and forget them."""
    lines = [f"{pad}[{' '.join(tensors)}] {where}" for where, tensors in held.items()]
    held.clear()
    return lines


def _loop(node: tree.Loop, sizes: Mapping[str, Mapping[str, int]]) -> str:
    found = sorted(
        {
            (-(-extents[variable] // tile), extents[variable] % tile)
            for einsum, extents in sizes.items()
            if (variable := tree.of_einsum(node.rank_variable, einsum)) in extents
            and variable is not None
            and (tile := tree.of_einsum(node.tile_shape, einsum))
        }
    )
    often = f" in {'/'.join(map(str, dict.fromkeys(n for n, _ in found)))}" if found else ""
    last = "/".join(map(str, dict.fromkeys(rest for _, rest in found if rest)))
    sizes_of_tiles = f"tile {_each(node.tile_shape)}{f', last {last}' if last else ''}"
    text = f"for {_each(node.rank_variable)}{often} ({sizes_of_tiles})"
    if isinstance(node, tree.Spatial):
        return f"{text} across {_each(node.component)}.{_each(node.name)}"
    return text


def _only_below(node: tree.Node, sizes: Mapping[str, Mapping[str, int]]) -> dict[str, Mapping[str, int]]:
    names = {branch.compute.einsum for branch in tree.branches(tree.MappingTree((node,)))}
    return {einsum: extents for einsum, extents in sizes.items() if einsum in names}


def _each(value: object) -> str:
    """A plain value, or ``A: m, B: p``."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{einsum}: {v}" for einsum, v in value.items()) + "}"
    return str(value)


def _inside(node: tree.Loop, sizes: Mapping[str, Mapping[str, int]]) -> dict[str, Mapping[str, int]]:
    """Extents of each Einsum's rank variables in one iteration of the loop."""
    inside = dict(sizes)
    for einsum, extents in sizes.items():
        variable, tile = tree.of_einsum(node.rank_variable, einsum), tree.of_einsum(node.tile_shape, einsum)
        if variable in extents and variable is not None and tile is not None:
            inside[einsum] = {**extents, variable: tile}
    return inside
