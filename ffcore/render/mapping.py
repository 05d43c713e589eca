"""A mapping as people draw it: holders with their tiles, loops with trip counts, Einsums side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs

from ffcore.mapping.tree import (
    Compute,
    Loop,
    MappingTree,
    Nested,
    Node,
    Sequential,
    Spatial,
    Storage,
    Toll,
    of_einsum,
)
from ffcore.model.types import JointEvaluation
from ffcore.render.facts import Hardware, LevelView, NumbersView, hardware_of, numbers_of
from ffcore.spec.problem import Problem, Tensor
from ffcore.units import Dimension, format_quantity


@attrs.frozen
class TensorTile:
    """One tile that a holder keeps; ``size`` is in human units, empty where it is not known."""

    tensor: str
    size: str = ""
    backing: bool = False  # whether this is the first holder of the tensor, outermost and in time
    users: tuple[str, ...] = ()  # Einsums below that use the tile; empty where that is not known


@attrs.frozen
class HolderView:
    """Consecutive holders of one component."""

    component: str
    tiles: tuple[TensorTile, ...]
    passes_only: bool = False  # a Toll, which charges what passes and holds nothing


@attrs.frozen
class LoopView:
    """A loop that runs ``trips`` times (None: not known); one iteration covers ``tile`` of ``variable``.

    Where Einsums name the same loop differently, the names (and tiles) are separated by slashes.
    """

    variable: str
    tile: str
    trips: int | None = None
    spatial: str = ""  # ``component.dimension`` of a spatial loop
    fanout: int | None = None  # how many instances that dimension has, where it is known


@attrs.frozen
class ComputeView:
    """The end of a nest: the Einsum, where it runs, and its tensors where they are known."""

    einsum: str
    component: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    is_copy: bool = False


@attrs.frozen
class BranchView:
    """Parts that run one after the other and share everything above."""

    branches: tuple[tuple[StepView, ...], ...]


StepView: TypeAlias = "HolderView | LoopView | ComputeView | BranchView"


@attrs.frozen
class MappingView:
    """A whole mapping, outermost step first; ``tensors`` in the order of the workload.

    ``levels`` are the components that hold tensors, outermost first; ``numbers`` is what the mapping costs,
    where somebody has evaluated it.
    """

    tree: MappingTree
    steps: tuple[StepView, ...]
    tensors: tuple[str, ...]
    levels: tuple[LevelView, ...] = ()
    numbers: NumbersView | None = None


def view_mapping(
    tree: MappingTree, problem: Problem | None = None, evaluation: JointEvaluation | None = None
) -> MappingView:
    """The mapping with everything that ``problem`` (bounds, tensors, bits) and its ``evaluation`` tell about it.

    Without a problem, tile sizes in bytes and the trip counts of outermost loops are not known.
    Nothing is checked: a tree that does not fit the problem is shown as far as it can be.
    """
    einsums = problem.einsums if problem is not None else ()
    tensors = [name for e in einsums for name in e.names]
    tensors += [t for node in _nodes(tree.nodes) if isinstance(node, Storage | Toll) for t in node.tensors]
    sizes = {e.name: dict(e.bounds) for e in einsums}
    hardware = hardware_of(tree, problem)
    return MappingView(
        tree,
        _Viewer(problem, hardware).chain(tree.nodes, sizes),
        tuple(dict.fromkeys(tensors)),
        hardware.levels,
        None if evaluation is None else numbers_of(evaluation),
    )


def einsums_of(steps: Sequence[StepView]) -> tuple[str, ...]:
    """The Einsums that a chain of steps computes, in order."""
    found: list[str] = []
    for step in steps:
        if isinstance(step, ComputeView):
            found.append(step.einsum)
        elif isinstance(step, BranchView):
            for branch in step.branches:
                found.extend(einsums_of(branch))
    return tuple(found)


def title_of(steps: Sequence[StepView]) -> str:
    """What to call a branch: its Einsum, or the first and the last of several."""
    names = einsums_of(steps)
    return f"{names[0]} … {names[-1]}" if len(names) > 1 else "".join(names)


def _nodes(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        if isinstance(node, Nested | Sequential):
            yield from _nodes(node.nodes)


Sizes: TypeAlias = Mapping[str, Mapping[str, int]]  # Einsum -> rank variable -> extent above the node


@attrs.define
class _Viewer:
    """Walks a tree from the outside in and from left to right, with the extents left of each rank variable."""

    problem: Problem | None
    hardware: Hardware
    held: set[str] = attrs.field(factory=set)  # tensors that have had their outermost holder

    def chain(self, nodes: Sequence[Node], sizes: Sizes) -> tuple[StepView, ...]:
        """The steps of ``nodes``, each inside the one before."""
        steps: list[StepView] = []
        pending = list(reversed(nodes))
        below = _computed(nodes)
        while pending:
            node = pending.pop()
            if isinstance(node, Nested):
                pending.extend(reversed(node.nodes))
            elif isinstance(node, Sequential):
                steps.append(BranchView(tuple(self.branch(child, sizes) for child in node.nodes)))
                below = _computed(pending[::-1])
            elif isinstance(node, Compute):
                steps.append(self.compute(node))
                below = _computed(pending[::-1])
            elif isinstance(node, Storage | Toll):
                _append(steps, self.holder(node, below, sizes))
            else:
                step, sizes = self.loop(node, below, sizes)
                steps.append(step)
        return tuple(steps)

    def branch(self, node: Node, sizes: Sizes) -> tuple[StepView, ...]:
        """The steps of one part of several, with the extents of its own Einsums."""
        return self.chain((node,), {name: sizes[name] for name in _computed((node,)) if name in sizes})

    def compute(self, node: Compute) -> ComputeView:
        einsum = self.problem.einsum.get(node.einsum) if self.problem is not None else None
        tensors = einsum.tensors if einsum is not None else ()
        reads = tuple(dict.fromkeys(t.base for t in tensors if not t.output))
        writes = tuple(t.name for t in tensors if t.output)
        return ComputeView(node.einsum, node.component, reads, writes, einsum is not None and einsum.is_copy)

    def holder(self, node: Storage | Toll, below: Sequence[str], sizes: Sizes) -> HolderView:
        named = [name for name in below if node.einsums is None or name in node.einsums]
        tiles = []
        for tensor in node.tensors:
            users = tuple(name for name in named if self.uses(name, tensor))
            if isinstance(node, Toll):
                tiles.append(TensorTile(tensor, users=users))
                continue
            size = self.tile_size(node, tensor, users, sizes)
            bases = self.bases(tensor, users)
            tiles.append(TensorTile(tensor, size, not bases & self.held, users))
            self.held |= bases
        return HolderView(node.component, tuple(tiles), isinstance(node, Toll))

    def bases(self, tensor: str, users: Sequence[str]) -> set[str]:
        """The tensor itself where ``tensor`` names one of its accesses: they are backed by one holder."""
        einsums = [self.problem.einsum[name] for name in users] if self.problem is not None else []
        return {e.tensor[a].base for e in einsums for a in e.read_as.get(tensor, ())} or {tensor}

    def uses(self, einsum: str, tensor: str) -> bool:
        known = self.problem.einsum if self.problem is not None else {}
        return einsum in known and tensor in known[einsum].read_as

    def tile_size(self, node: Storage, tensor: str, users: Sequence[str], sizes: Sizes) -> str:
        for name in users:
            found: Sequence[Tensor] = ()
            if self.problem is not None and name in self.problem.einsum:
                einsum = self.problem.einsum[name]
                backing = tensor not in self.held and tensor in einsum.names
                accesses = einsum.read_as.get(tensor, ())
                found = [einsum.kept(a, backing) for a in accesses]
            if found and all(t.variables <= sizes[name].keys() for t in found):
                width = self.hardware.widths.get((node.component, found[0].base), found[0].bits_per_value)
                values = sum(t.tile_values(sizes[name]) * t.times for t in found)
                return format_quantity(values * width, Dimension.SIZE)
        return ""

    def loop(self, node: Loop, below: Sequence[str], sizes: Sizes) -> tuple[LoopView, Sizes]:
        """The loop as shown, and the extents that are left inside it."""
        trips: int | None = None
        inside = {name: dict(own) for name, own in sizes.items()}
        for name in below:
            variable, tile = of_einsum(node.rank_variable, name), of_einsum(node.tile_shape, name)
            if variable is None or tile is None:
                continue
            own = inside.setdefault(name, {})
            if trips is None and variable in own and tile > 0:
                trips = -(-own[variable] // tile)
            if self.problem is None or variable in own:
                own[variable] = tile
        spatial, fanout = "", None
        if isinstance(node, Spatial):
            spatial = f"{_shown(node.component)}.{_shown(node.name)}"
            dimensions = [(of_einsum(node.component, e), of_einsum(node.name, e)) for e in below]
            fanouts = {self.hardware.fanouts.get((c, d)) for c, d in dimensions if c is not None and d is not None}
            fanout = fanouts.pop() if len(fanouts) == 1 else None
        return LoopView(_shown(node.rank_variable), _shown(node.tile_shape), trips, spatial, fanout), inside


def _shown(value: object) -> str:
    """A loop's field; where Einsums differ, each value once."""
    values = value.values() if isinstance(value, Mapping) else [value]
    return "/".join(dict.fromkeys(str(v) for v in values))


def _append(steps: list[StepView], step: HolderView) -> None:
    """Add a holder, to the one before if that is the same component's."""
    last = steps[-1] if steps else None
    if isinstance(last, HolderView) and (last.component, last.passes_only) == (step.component, step.passes_only):
        steps[-1] = attrs.evolve(last, tiles=last.tiles + step.tiles)
    else:
        steps.append(step)


def _computed(nodes: Sequence[Node]) -> list[str]:
    """The Einsums computed in or below ``nodes``."""
    return [node.einsum for node in _nodes(nodes) if isinstance(node, Compute)]
