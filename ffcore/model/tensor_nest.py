"""Each tensor's own copy of a nest: its loops and holders with trip counts and tile sizes.

The counts of a tensor depend on the loops, on its own holders and on the compute only. Spatial
loops, which a nest places with regard to the holders of *all* tensors, move up to just above the
tensor's first holder at or below their component.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias, cast

import attrs

from ffcore.mapping.nest import Holder, Nest, Spatial
from ffcore.mapping.paths import MappingError, path_components, sinks_through, unknown_name
from ffcore.spec.problem import (
    Component,
    ComponentKind,
    EinsumProblem,
    SpatialDimension,
    Tensor,
)

Exact: TypeAlias = int | Fraction  # a Fraction only where an imperfect factor forces one


@attrs.frozen
class Loop:
    """A loop with its trip count. ``dimension`` and ``component`` are set if it is spatial."""

    variable: str
    ratio: Exact  # extent above / tile; trips is its ceiling
    trips: int
    tile: int  # in the nest as written
    component: int = -1  # index on the path
    dimension: SpatialDimension | None = None

    @property
    def spatial(self) -> bool:
        return self.dimension is not None


@attrs.frozen
class HolderAt:
    """A holder: where it stands in the nest, and which component of the path it is."""

    tensor: str
    component: int
    position: int  # in the nest's nodes

    def is_memory(self, components: Sequence[Component]) -> bool:
        return components[self.component].kind is ComponentKind.MEMORY


Item: TypeAlias = Loop | HolderAt


@attrs.frozen
class ResolvedNest:
    """A nest with its names looked up: ``items`` stand one for one for the nest's nodes."""

    einsum: EinsumProblem
    nest: Nest
    components: tuple[Component, ...]  # the path, root to compute
    items: tuple[Item, ...]

    @property
    def compute(self) -> Component:
        return self.components[-1]

    @property
    def loops(self) -> list[Loop]:
        return [i for i in self.items if isinstance(i, Loop)]

    def holders(self, tensor: str) -> list[HolderAt]:
        return [i for i in self.items if isinstance(i, HolderAt) and i.tensor == tensor]

    def backing(self, tensor: str) -> HolderAt:
        """The tensor's first memory. Raises MappingError if it is kept nowhere."""
        for holder in self.holders(tensor):
            if holder.is_memory(self.components):
                return holder
        raise MappingError(f"Einsum {self.einsum.name}: no memory holds tensor {tensor}")


def resolve(einsum: EinsumProblem, nest: Nest) -> ResolvedNest:
    """Look up the nest's names and work out its trip counts.

    Raises MappingError for unknown names, for a tile that is larger than the loop's extent or
    less than 1, and for work that is left undone (an innermost tile other than 1).
    """
    components = path_components(einsum, nest)
    index = {c.name: i for i, c in enumerate(components)}
    sizes = dict(einsum.bounds)
    items: list[Item] = []
    for position, node in enumerate(nest.nodes):
        if isinstance(node, Holder):
            if node.tensor not in einsum.tensor:
                raise unknown_name(einsum, "tensor", node.tensor, einsum.tensor)
            if node.component not in index or components[index[node.component]].holding is None:
                holders = [c.name for c in components if c.holding is not None]
                raise unknown_name(einsum, "memory", node.component, holders)
            items.append(HolderAt(node.tensor, index[node.component], position))
            continue
        variable = node.variable
        if variable not in sizes:
            raise unknown_name(einsum, "rank variable", variable, sizes)
        extent = sizes[variable]
        if not 1 <= node.tile <= extent:
            raise MappingError(
                f"Einsum {einsum.name}: a loop over {variable} has tile {node.tile}, "
                f"but must lie between 1 and the extent above it, {extent}"
            )
        trips = -(-extent // node.tile)
        ratio: Exact = trips if trips * node.tile == extent else Fraction(extent, node.tile)
        sizes[variable] = node.tile
        if isinstance(node, Spatial):
            if node.component not in index:
                raise unknown_name(einsum, "component", node.component, index)
            at = index[node.component]
            dimension = _dimension(einsum, components[at], node.dimension)
            items.append(Loop(variable, ratio, trips, node.tile, at, dimension))
        else:
            items.append(Loop(variable, ratio, trips, node.tile))
    for variable, size in sizes.items():
        if size != 1:
            raise MappingError(
                f"Einsum {einsum.name}: work is left undone, the innermost tile of {variable} is {size}, not 1"
            )
    resolved = ResolvedNest(einsum, nest, components, tuple(items))
    for tensor, accesses in einsum.accesses.items():
        _check_backed_together(resolved, tensor, accesses)
    return resolved


def _check_backed_together(resolved: ResolvedNest, tensor: str, accesses: Sequence[str]) -> None:
    """All accesses of a tensor have one backing holder; loops above it must split all of them alike (see `Union`)."""
    einsum = resolved.einsum
    backing = [resolved.backing(name) for name in accesses]
    ends = min(h.position for h in backing), max(h.position for h in backing)
    between = [i for i in resolved.items[slice(*ends)] if isinstance(i, Loop) and i.trips > 1]
    if len({h.component for h in backing}) > 1 or between:
        raise MappingError(
            f"Einsum {einsum.name} reads tensor {tensor} with several indices: the first memory of all of them "
            f"({', '.join(map(einsum.written, accesses))}) must be the same, with no loop between"
        )
    union = einsum.tensor[tensor].union
    for item in resolved.items:
        if not isinstance(item, Loop) or item.trips == 1:
            continue
        place = resolved.items.index(item)
        above = item.component <= backing[0].component if item.spatial else place < ends[0]
        if above and union is not None and item.variable not in union.loops:
            raise MappingError(
                f"Einsum {einsum.name} reads tensor {tensor} with several indices: a loop over {item.variable} may not "
                f"stand above its first memory, as {item.variable} does not index all of them alone in the same rank"
            )


@attrs.frozen
class OwnNest:
    """One tensor's own copy of a nest, outermost first; the compute, which ends it, is implicit.

    ``below[i]`` holds the extent of every rank variable underneath ``items[i]``: the tile of a
    loop, or the tile that a holder keeps. Fractions only where a spatial loop moved up past an
    imperfect factor.
    """

    tensor: Tensor
    items: tuple[Item, ...]
    below: tuple[Mapping[str, Exact], ...]

    @property
    def variables(self) -> list[str]:
        """Rank variables, in the order of the Einsum's bounds."""
        return list(self.below[-1])

    def values(self, index: int, ceilings: bool = True) -> Exact:
        """Values in the tensor's tile underneath ``items[index]``."""
        sizes = self.below[index]
        return tile_values(self.tensor, round_up(sizes) if ceilings else sizes)


def own_nest(resolved: ResolvedNest, tensor: Tensor) -> OwnNest:
    """The tensor's own nest: all loops, and of the holders only its own."""
    own: list[Item] = []
    for item in resolved.items:
        if isinstance(item, HolderAt):
            if item.tensor == tensor.name:
                own.append(item)
        elif item.spatial:
            own.insert(_place_of_spatial(own, item.component), item)
        else:
            own.append(item)
    for holder in [item for item in own if isinstance(item, HolderAt) and resolved.components[item.component].spread]:
        _spread(resolved, own, holder)
    # From the inside out: an extent is the product of the ratios below, as innermost tiles are 1.
    sizes: dict[str, Exact] = dict.fromkeys(resolved.einsum.bounds, 1)
    below: list[Mapping[str, Exact]] = []
    for item in reversed(own):
        below.append(sizes)
        if isinstance(item, Loop):
            sizes = {**sizes, item.variable: sizes[item.variable] * item.ratio}
    return OwnNest(tensor, tuple(own), tuple(reversed(below)))


def _spread(resolved: ResolvedNest, own: list[Item], holder: HolderAt) -> None:
    """At a memory that is spread over an Array, loops across that fall in two: its instances divide the outer part.

    Before: ``[W in D] for n in 4 across Array.X``, two instances of D along X. After: ``for n in 2 across D.X [W in D]
    for n in 2 across Array.X``. Raises MappingError where the instances would not hold equal parts, or the tensor
    stands in another memory of the Array.
    """
    components, memory = resolved.components, resolved.components[holder.component]
    place = f"Einsum {resolved.einsum.name}: {holder.tensor} in {memory.name}, which is spread over {memory.array},"
    for other in own:
        if isinstance(other, HolderAt) and other is not holder and components[other.component].array == memory.array:
            raise MappingError(f"{place} may not be held by {components[other.component].name} too")
    variables = list(resolved.einsum.bounds)
    across = [x for x in own if isinstance(x, Loop) and x.spatial and components[x.component].name == memory.array]
    across.sort(key=lambda x: variables.index(x.variable), reverse=True)
    for line in memory.spread:
        stride = 1
        for loop in across:
            whole = cast(SpatialDimension, loop.dimension)
            if whole.name != line.name:
                continue
            span = whole.fanout // line.fanout  # places that one instance serves
            inner = loop.trips if stride * loop.trips <= span else max(1, span // stride)
            uneven = inner < loop.trips and stride < span != stride * inner
            if inner < loop.trips and (loop.ratio != loop.trips or loop.trips % inner or uneven):
                raise MappingError(f"{place} is divided unevenly by the loop over {loop.variable} across {line.name}")
            stride *= loop.trips
            if inner < loop.trips:
                outer = loop.trips // inner
                own[own.index(loop)] = attrs.evolve(loop, ratio=inner, trips=inner)
                part = attrs.evolve(loop, ratio=outer, trips=outer, component=holder.component, dimension=line)
                own.insert(own.index(holder), part)


def _place_of_spatial(own: Sequence[Item], component: int) -> int:
    for place, item in enumerate(own):
        if isinstance(item, HolderAt) and item.component >= component:
            return place
    return len(own)


def tile_values(tensor: Tensor, sizes: Mapping[str, Exact]) -> Exact:
    """Values in the tensor's tile; exact for fractional sizes too (where variables stand alone)."""
    return cast(Exact, tensor.tile_values(cast(Mapping[str, int], sizes)))


def round_up(sizes: Mapping[str, Exact]) -> dict[str, int]:
    """The sizes of the largest tile, where an imperfect factor makes tiles differ."""
    return {v: math.ceil(s) for v, s in sizes.items()}


def sink(resolved: ResolvedNest, holder: HolderAt) -> list[Loop]:
    """The temporal loops that the holder's reservation sinks through; none for a backing holder."""
    if resolved.backing(holder.tensor) is holder:
        return []
    tensor = resolved.einsum.tensor[holder.tensor]
    passed = [resolved.items[i] for i in sinks_through(tensor, resolved.nest.nodes, holder.position)]
    return [item for item in passed if isinstance(item, Loop)]


def _dimension(einsum: EinsumProblem, component: Component, name: str) -> SpatialDimension:
    for dimension in component.spatial:
        if dimension.name == name:
            return dimension
    raise unknown_name(einsum, f"spatial dimension of {component.name}", name, [d.name for d in component.spatial])
