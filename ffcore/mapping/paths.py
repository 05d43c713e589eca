"""Which components a nest runs on, and where the reservations of its holders stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

from ffcore.errors import FFError, suggest
from ffcore.mapping.nest import Holder, Nest, NestNode, Spatial
from ffcore.spec.problem import Component, EinsumProblem, PathProblem, Relevance, Tensor


class MappingError(FFError):
    """A nest or a mapping cannot be evaluated: it does not fit its Einsum or its architecture."""


def unknown_name(
    einsum: EinsumProblem, what: str, name: str, known: Mapping[str, object] | Sequence[str]
) -> MappingError:
    """The error for a name that the Einsum does not have, with the nearest one that it has."""
    names = list(known)
    near = suggest(name, names)
    hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(names) or 'none'}"
    return MappingError(f"Einsum {einsum.name} has no {what} {name!r}; {hint}")


def select_path(einsum: EinsumProblem, compute: str) -> PathProblem:
    """The path that ends in ``compute``. Raises MappingError if there is none."""
    for path in einsum.paths:
        if path.names[-1] == compute:
            return path
    raise unknown_name(einsum, "compute", compute, [p.names[-1] for p in einsum.paths])


def path_components(einsum: EinsumProblem, nest: Nest) -> tuple[Component, ...]:
    """The components of the nest's path, root to compute, each evaluated for what is kept above it."""
    path = select_path(einsum, nest.compute)
    kept: dict[str, set[str]] = {}
    for node in nest.nodes:
        if isinstance(node, Holder):
            kept.setdefault(node.component, set()).add(node.tensor)
    held: dict[str, frozenset[str]] = {}
    components = []
    for index, name in enumerate(path.names):
        component = path.component(index, held)
        components.append(component)
        if component.holding is not None:
            held = {**held, name: frozenset(kept.get(name, ()))}
    return tuple(components)


def sinks_through(tensor: Tensor, nodes: Sequence[NestNode], position: int) -> list[int]:
    """Places of the temporal loops that the reservation of a holder sinks through (semantics, section 2).

    ``nodes[position]`` is a holder of ``tensor`` that does not back it (a backing one's reservation
    stands directly under it). The reservation sinks through loops fully relevant to its tensor and
    spatial loops of its own component, and through one partially relevant loop, below which it
    stops. Loops that run once count like any other.
    """
    holder = nodes[position]
    passed: list[int] = []
    for place in range(position + 1, len(nodes)):
        node = nodes[place]
        if isinstance(node, Holder):
            break
        if isinstance(node, Spatial):
            if not isinstance(holder, Holder) or node.component != holder.component:
                break
            continue
        relevance = tensor.relevance(node.variable)
        if relevance is Relevance.IRRELEVANT:
            break
        passed.append(place)
        if relevance is Relevance.PARTIAL:
            break
    return passed


def settled(einsum: EinsumProblem, nest: Nest) -> Nest:
    """The nest as it is written down: without idle loops (`without_idle_loops`), its holders in the best order.

    Of holders of one memory that no loop separates only the last one's reservation can sink. Where a tensor among them
    has partially relevant variables, so that it matters much and nobody means it, the order says nothing: that one
    stands last which sinking makes smaller by most. Others stay as they are (published mappings are meant so), and so
    do those of a memory that orders its tensors (``tensor_order_options``).
    """
    while True:
        found = _well_ordered(einsum, without_idle_loops(einsum, nest))
        if found == nest:
            return found
        nest = found


def _well_ordered(einsum: EinsumProblem, nest: Nest) -> Nest:
    groups = _neighbours(nest.nodes)
    nodes = list(nest.nodes)
    holding = {c.name: c.holding for c in path_components(einsum, nest)} if groups else {}
    for places in groups:
        holder = nodes[places[0]]
        own = holding.get(holder.component) if isinstance(holder, Holder) else None
        partial = any(_is_partial(einsum, nodes[place]) for place in places)
        if partial and own is not None and own.tensor_order_options is None:
            best = max(reversed(places), key=lambda place: _saved_by_sinking(einsum, nodes, place, places[-1]))
            nodes.insert(places[-1], nodes.pop(best))
    return Nest(nest.einsum, nest.compute, tuple(nodes))


def _is_partial(einsum: EinsumProblem, node: NestNode) -> bool:
    return (
        isinstance(node, Holder)
        and node.tensor in einsum.tensor
        and bool(einsum.tensor[node.tensor].partially_relevant)
    )


def _neighbours(nodes: Sequence[NestNode]) -> list[range]:
    """Places of several holders of one component with no other node between them."""
    result: list[range] = []
    for place, node in enumerate(nodes):
        last = nodes[place - 1] if place else None
        if not isinstance(node, Holder) or not isinstance(last, Holder) or node.component != last.component:
            result.append(range(place, place + 1))
        else:
            result[-1] = range(result[-1].start, place + 1)
    return [places for places in result if len(places) > 1]


def _saved_by_sinking(einsum: EinsumProblem, nodes: Sequence[NestNode], place: int, last: int) -> float:
    """Bits that a holder's reservation shrinks by, if the holder stands last."""
    holder = nodes[place]
    if not isinstance(holder, Holder) or holder.tensor not in einsum.tensor:
        return 0.0
    if not any(isinstance(n, Holder) and n.tensor == holder.tensor for n in nodes[:place]):
        return 0.0  # it backs the tensor
    tensor, sizes = einsum.tensor[holder.tensor], dict(einsum.bounds)
    for node in nodes[:last]:
        if not isinstance(node, Holder):
            sizes[node.variable] = node.tile
    sunk = dict(sizes)
    for passed in sinks_through(tensor, [*nodes[:last], holder, *nodes[last + 1 :]], last):
        loop = nodes[passed]
        if not isinstance(loop, Holder):
            sunk[loop.variable] = loop.tile
    return (tensor.tile_values(sizes) - tensor.tile_values(sunk)) * tensor.bits_per_value


def without_idle_loops(einsum: EinsumProblem, nest: Nest) -> Nest:
    """The nest without its loops that run once, but for those that keep a reservation from sinking.

    before: ``[W in Buffer] for n in 1: for k in 8:`` after: the same if n is irrelevant to W (it
    stops W's reservation above the loop over k), else ``[W in Buffer] for k in 8:``.
    """
    sizes = dict(einsum.bounds)
    idle: set[int] = set()
    for place, node in enumerate(nest.nodes):
        if not isinstance(node, Holder):
            if sizes.get(node.variable) == node.tile:
                idle.add(place)
            sizes[node.variable] = node.tile
    kept = list(range(len(nest.nodes)))
    expected = _sunk(einsum, nest.nodes, kept, idle)
    for place in sorted(idle):
        shorter = [k for k in kept if k != place]
        if _sunk(einsum, nest.nodes, shorter, idle) == expected:
            kept = shorter
    return Nest(nest.einsum, nest.compute, tuple(nest.nodes[k] for k in kept))


def _sunk(einsum: EinsumProblem, nodes: Sequence[NestNode], kept: Sequence[int], idle: set[int]) -> list[list[int]]:
    """For each holder, which loops that run more than once its reservation sinks through."""
    remaining = [nodes[k] for k in kept]
    seen: set[str] = set()
    result = []
    for place, node in enumerate(remaining):
        if not isinstance(node, Holder) or node.tensor not in einsum.tensor:
            continue
        if node.tensor in seen:
            passed = sinks_through(einsum.tensor[node.tensor], remaining, place)
            result.append([kept[p] for p in passed if kept[p] not in idle])
        seen.add(node.tensor)
    return result


def deepest_alive(count: int, spans: Sequence[tuple[int, int, int]]) -> list[int | None]:
    """For each of ``count`` Einsums, which of the tensors that are alive when it begins lies deepest.

    ``spans``: for each tensor (first, last, depth): it is alive when ``first < place <= last``. The answer is an index
    into ``spans``, of equally deep ones the first; None: nothing is alive. Time: that of sorting the tensors.
    """
    starting: list[list[int]] = [[] for _ in range(count)]
    for number, (first, _, _) in enumerate(spans):
        starting[first].append(number)
    alive: list[tuple[int, int]] = []  # a heap: what has ended leaves it when it comes to the top
    result: list[int | None] = []
    for place in range(count):
        while alive and spans[alive[0][1]][1] < place:
            heappop(alive)
        result.append(alive[0][1] if alive else None)
        for number in starting[place]:
            heappush(alive, (-spans[number][2], number))
    return result
