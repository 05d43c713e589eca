"""Does a nest keep to the constraints of its Einsum's mapspace (semantics, section 2)?

The model evaluates any nest that fits its Einsum; this module says which constraints of the
architecture a nest breaks. ``min_usage`` compares the tile choices of one template, so a single
nest cannot break it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from ffcore.mapping.nest import Nest
from ffcore.mapping.paths import MappingError
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.mapping import memory_overflows
from ffcore.model.tensor_nest import HolderAt, Item, Loop, ResolvedNest, resolve
from ffcore.spec.problem import (
    Bound,
    Component,
    ComponentKind,
    EinsumProblem,
    Holding,
    LoopBound,
    Relevance,
    SpatialDimension,
    Tensor,
)


def check_nest(einsum: EinsumProblem, nest: Nest) -> list[str]:
    """Sentences that say which constraints ``nest`` breaks, capacities included; empty if it is valid."""
    try:
        return broken_constraints(einsum, nest) + memory_overflows(evaluate_nest(einsum, nest))
    except MappingError as error:
        return [str(error)]


def broken_constraints(einsum: EinsumProblem, nest: Nest) -> list[str]:
    """As `check_nest`, without the capacities of memories. Raises MappingError if the nest does not fit."""
    resolved = resolve(einsum, nest)
    problems = [
        *_holdings(resolved),
        *_holder_orders(resolved),
        *_factors(resolved),
        *_loops_above_first_holders(resolved),
        *_spatial_places(resolved),
        *_spatial_limits(resolved),
        *_refetches(resolved),
        *_tile_shapes(resolved),
    ]
    return [f"Einsum {einsum.name}: {p}" for p in problems]


def _holdings(resolved: ResolvedNest) -> list[str]:
    """Each memory keeps what it must, and nothing that it may not."""
    problems = []
    above: set[str] = set()
    for index, component in enumerate(resolved.components):
        if component.holding is None:
            continue
        held = {i.tensor for i in resolved.items if isinstance(i, HolderAt) and i.component == index}
        must, may = component.holding.must, component.holding.may
        if component.kind is ComponentKind.TOLL:
            must = must & above
        # A copy drops the holders below its last backing one.
        if not resolved.einsum.is_copy:
            problems += [f"{component.name} must keep {t}" for t in sorted(must - held)]
        problems += [f"{component.name} may not keep {t}" for t in sorted(held - must - may)]
        if component.kind is ComponentKind.MEMORY:
            above |= held
    return problems


def _holder_orders(resolved: ResolvedNest) -> list[str]:
    """A tensor's outer memory stands above its inner one, each once; a Toll has a memory above it."""
    problems = []
    for tensor in resolved.einsum.tensors:
        holders = resolved.holders(tensor.name)
        for upper, lower in pairwise(holders):
            if upper.component >= lower.component:
                names = [resolved.components[h.component].name for h in (upper, lower)]
                problems.append(f"{tensor.name} in {names[0]} stands above {tensor.name} in {names[1]}, out of order")
        if holders and not holders[0].is_memory(resolved.components):
            toll = resolved.components[holders[0].component].name
            problems.append(f"no memory keeps {tensor.name} above the toll {toll}")
    for index, component in enumerate(resolved.components):
        options = component.holding.tensor_order_options if component.holding else None
        held = [i.tensor for i in resolved.items if isinstance(i, HolderAt) and i.component == index]
        if options is not None and not any(_in_order(held, option) for option in options):
            problems.append(f"{component.name} keeps {', '.join(held)} in an order that tensor_order_options rules out")
    return problems


def _in_order(held: Sequence[str], option: Sequence[frozenset[str]]) -> bool:
    ranks = [next((i for i, group in enumerate(option) if t in group), None) for t in held]
    known = [r for r in ranks if r is not None]
    return known == sorted(known)


def _factors(resolved: ResolvedNest) -> list[str]:
    """Tile sizes divide each other, but for an imperfect factor in a variable's outermost loop."""
    problems = []
    seen: set[str] = set()
    compound = {v for t in resolved.einsum.tensors for v in t.compound}
    for loop in resolved.loops:
        if loop.ratio != loop.trips:
            if loop.variable in seen:
                problems.append(
                    f"the tile {loop.tile} of an inner loop over {loop.variable} does not divide its extent"
                )
            elif loop.variable in compound:
                problems.append(
                    f"the tile {loop.tile} of {loop.variable} does not divide its extent, "
                    "as it must for a variable inside an expression"
                )
        seen.add(loop.variable)
    return problems


def _loops_above_first_holders(resolved: ResolvedNest) -> list[str]:
    """What a loop above a tensor's first memory must not do: produce or fetch the tensor anew."""
    problems = []
    for tensor in resolved.einsum.tensors:
        for item in resolved.items[: resolved.backing(tensor.name).position]:
            if not isinstance(item, Loop) or item.trips == 1 or item.variable in tensor.split_by:
                continue
            kept = tensor.output or tensor.name in resolved.einsum.intermediates or tensor.union is not None
            if not item.spatial or kept:  # replicating an input in space is fine
                problems.append(
                    f"a loop over {item.variable} stands above the first memory of {tensor.name}, "
                    f"which {item.variable} does not index alone"
                )
    return problems


def _spatial_places(resolved: ResolvedNest) -> list[str]:
    """A spatial loop stands below every holder whose component stands above its own."""
    problems = []
    for place, item in enumerate(resolved.items):
        if not isinstance(item, Loop) or not item.spatial:
            continue
        for later in resolved.items[place + 1 :]:
            if isinstance(later, HolderAt) and later.component < item.component:
                upper = resolved.components[later.component].name
                problems.append(
                    f"the spatial loop over {item.variable} of {resolved.components[item.component].name} "
                    f"stands above {later.tensor} in {upper}, an outer component"
                )
    return problems


def _spatial_limits(resolved: ResolvedNest) -> list[str]:
    """Fanout, ``reuse`` and ``loop_bounds`` of every spatial dimension."""
    problems = []
    for index, component in enumerate(resolved.components):
        for dimension in component.spatial:
            loops = [x for x in resolved.loops if x.component == index and x.dimension == dimension]
            where = f"dimension {dimension.name} of {component.name}"
            trips = 1
            for loop in loops:
                trips *= loop.trips
            if trips > dimension.most:
                scaled = "" if dimension.usage_scale == 1 else f" (times usage_scale {dimension.usage_scale:.15g})"
                problems.append(f"{where} is used {trips} wide{scaled}, but its fanout is {dimension.fanout}")
            problems += [f"{where}: {p}" for p in _reused(resolved, dimension, loops)]
            outer = {i.tensor for i in resolved.items if isinstance(i, HolderAt) and i.component < index}
            candidates = resolved.einsum.spatial_candidates(dimension, _held_above(resolved, index), outer)
            for bound in dimension.loop_bounds:
                problems += [f"{where}: {p}" for p in _bound(bound, candidates, loops)]
    return problems


def _held_above(resolved: ResolvedNest, index: int) -> set[str]:
    """Tensors held where the spatial loops of a component stand: down to the lowest holder of an outer component.

    Holders of the outermost memory and of persistent tensors come first; all of them stand above, or none.
    """
    memories = [i for i in resolved.items if isinstance(i, HolderAt) and i.is_memory(resolved.components)]
    lowest = max((h.position for h in memories if h.component < index), default=-1)
    if lowest < 0:
        return set()
    outermost = min(h.component for h in memories)
    first = {t.name for t in resolved.einsum.tensors if t.persistent}
    return first | {h.tensor for h in memories if h.position <= lowest or h.component == outermost}


def _reused(resolved: ResolvedNest, dimension: SpatialDimension, loops: Sequence[Loop]) -> list[str]:
    return [
        f"a loop over {loop.variable} breaks the reuse of {name}"
        for name in sorted(dimension.reuse)
        for loop in loops
        if loop.trips > 1 and name in resolved.einsum.tensor and loop.variable in resolved.einsum.tensor[name].variables
    ]


def _bound(bound: LoopBound, candidates: Sequence[str], loops: Sequence[Loop]) -> list[str]:
    """What breaks a bound; ``candidates``: variables that may have a loop, which a nest leaves out if it runs once."""
    trips = dict.fromkeys((v for v in candidates if v in bound.variables), 1)
    for loop in loops:
        if loop.variable in bound.variables and (loop.variable in trips or loop.trips > 1):
            trips[loop.variable] = trips.get(loop.variable, 1) * loop.trips
    return _broken(bound, trips, "runs", "trips")


def _refetches(resolved: ResolvedNest) -> list[str]:
    """``no_refetch_from_above`` and ``no_resend_to_below``: loops not fully relevant are ruled out."""
    problems = []
    for item in resolved.items:
        if not isinstance(item, HolderAt):
            continue
        tensor, component = resolved.einsum.tensor[item.tensor], resolved.components[item.component]
        holders = resolved.holders(item.tensor)
        inner = [h.position for h in holders if h.position > item.position]
        above = resolved.items[holders[0].position : item.position]
        below = resolved.items[item.position : min(inner, default=len(resolved.items))]
        holding = component.holding or Holding(frozenset(), frozenset())
        if item.tensor in holding.no_refetch_from_above:
            problems += _not_relevant(tensor, component, above, "fetches", "no_refetch_from_above")
        if item.tensor in holding.no_resend_to_below:
            problems += _not_relevant(tensor, component, below, "sends", "no_resend_to_below")
    return problems


def _not_relevant(tensor: Tensor, component: Component, items: Sequence[Item], verb: str, name: str) -> list[str]:
    return [
        f"the loop over {x.variable} {verb} {tensor.name} of {component.name} again, which {name} rules out"
        for x in items
        if isinstance(x, Loop)
        and not x.spatial
        and x.trips > 1
        and tensor.relevance(x.variable) is not Relevance.RELEVANT
    ]


def _tile_shapes(resolved: ResolvedNest) -> list[str]:
    """``tile_shape``: the tile of a holder, where it stands, keeps to the bounds of its memory."""
    problems = []
    sizes = dict(resolved.einsum.bounds)
    for item in resolved.items:
        if isinstance(item, Loop):
            sizes[item.variable] = item.tile
            continue
        component = resolved.components[item.component]
        variables = resolved.einsum.tensor[item.tensor].variables
        for shape in component.holding.tile_shape if component.holding else ():
            tile = {v: s for v, s in sizes.items() if v in shape.variables & variables}
            what = f"tile_shape of {component.name} for {item.tensor}"
            problems += [f"{what}: {p}" for p in _broken(shape, tile, "has a tile of", "tile")]
    return problems


def _broken(bound: Bound, values: Mapping[str, int], verb: str, noun: str) -> list[str]:
    """A sentence for each variable that breaks a bound, or for all of them together with ``product``."""
    text = f"{bound.operator} {bound.value:.15g}"
    if not bound.of_product:
        return [f"{v} {verb} {n}, but must be {text}" for v, n in values.items() if not bound.allows((n,))]
    if bound.allows(values.values()):
        return []
    names = ", ".join(values or sorted(bound.variables)) or "nothing"
    return [f"the {noun} of {names} multiply to {math.prod(values.values())}, but must be {text}"]
