"""Links that values pass on networks, counted loop by loop from the inside out; ``network.py`` has the closed form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from ffcore.model.tensor_nest import Loop, OwnNest, ResolvedNest
from ffcore.spec.problem import MAX_HOPS, MAX_LINK_TRAFFIC, Component, ComponentKind, Relevance, SpatialDimension

HOP = "hop"
Line = tuple[int, int]  # component index, number of a dimension


@attrs.frozen
class Crossing:
    """What one pass over the spatial loops between two holders does to one network.

    ``hops``: links passed, per value that each instance of the child takes; ``hops_each``: in one instance of the
    network, as is ``busiest``, what the busiest link of each line carries. ``receivers``: instances of the child.
    """

    network: int
    hops: int
    hops_each: int
    busiest: Mapping[Line, int]
    receivers: int


def crossings(own: OwnNest, parent: int, loops: Iterable[Loop], components: Sequence[Component]) -> list[Crossing]:
    """What a tensor's values do to networks on their way from component ``parent``, through spatial ``loops``."""
    hops: dict[int, int] = {}
    hops_each: dict[int, int] = {}
    busiest: dict[int, dict[Line, int]] = {}
    strides: dict[Line, int] = {}
    wanted = receivers = 1  # different values among the instances so far, and how many these are
    for line, variable, n in _inside_out(loops, components, own.variables):
        network = _network(components, line[0])
        if network is None or network <= parent:
            continue
        dimension = components[line[0]].lines[line[1]]
        irrelevant = own.tensor.relevance(variable) is Relevance.IRRELEVANT
        shared = irrelevant and own.tensor.name in dimension.may_reuse
        line, apart = _on_array(components, line)
        steps = range(1, n)  # the first instance is where values enter
        if components[network].all_to_all:
            way = len(steps)
        else:  # from each to the next, or to each one from the first
            way = strides.get(line, apart) * sum(1 if shared else step for step in steps)
        hops = {other: count * n for other, count in hops.items()}
        hops[network] = hops.get(network, 0) + way * wanted
        hops_each[network] = hops_each.get(network, 0) * n + way * wanted
        carried = busiest.setdefault(network, {})
        carried[line] = carried.get(line, 0) + wanted * (min(1, len(steps)) if shared else len(steps))
        strides[line] = strides.get(line, apart) * n
        wanted *= 1 if shared else n
        receivers *= n
    return [Crossing(i, hops[i], hops_each[i], busiest[i], receivers) for i in sorted(hops)]


def network_seconds(resolved: ResolvedNest, index: int, carried: Mapping[Line, float]) -> float:
    """Seconds that a network takes; ``carried``: actions of the busiest link of each line, in one instance of it."""
    components = resolved.components
    strides: dict[Line, int] = {}
    furthest = 0
    for line, _, n in _inside_out(resolved.loops, components, list(resolved.einsum.bounds)):
        if n == 1 or _network(components, line[0]) != index:
            continue
        stride = strides.get(line, 1)
        furthest += 1 if components[index].all_to_all else n * stride
        strides[line] = stride * n
    known = {MAX_HOPS: float(furthest), MAX_LINK_TRAFFIC: max(carried.values(), default=0.0)}
    return max((sum(s * known[name] for name, s in form.items()) for form in components[index].latency), default=0.0)


def _inside_out(
    loops: Iterable[Loop], components: Sequence[Component], variables: Sequence[str]
) -> list[tuple[Line, str, int]]:
    """(line, variable, trips) of spatial loops as networks see them, innermost first, whatever their order in the nest.

    Those across one line stand in the order of the Einsum's rank ``variables``.
    """
    found: dict[tuple[int, int, int], int] = {}
    for loop in loops:
        if loop.dimension is not None:
            key = loop.component, _number(components[loop.component], loop.dimension), variables.index(loop.variable)
            found[key] = found.get(key, 1) * loop.trips
    return [((c, d), variables[v], n) for (c, d, v), n in sorted(found.items(), reverse=True)]


def _on_array(components: Sequence[Component], line: Line) -> tuple[Line, int]:
    """The line that instances stand on, and how many places they are apart there.

    Those of a memory that is spread over an Array stand on the Array's, if their network joins its places too.
    """
    memory, array = components[line[0]], components[line[0]].array
    if not memory.spread:
        return line, 1
    index = next(i for i, c in enumerate(components) if c.name == array)
    if _network(components, index) != _network(components, line[0]):
        return line, 1
    own = memory.lines[line[1]]
    number = next(d for d, whole in enumerate(components[index].spatial) if whole.name == own.name)
    return (index, number), components[index].spatial[number].fanout // own.fanout


def _number(component: Component, dimension: SpatialDimension) -> int:
    return next(d for d, own in enumerate(component.lines) if own.name == dimension.name)


def _network(components: Sequence[Component], index: int) -> int | None:
    above = [i for i, c in enumerate(components[: index + 1]) if c.kind is ComponentKind.NETWORK]
    return above[-1] if above else None
