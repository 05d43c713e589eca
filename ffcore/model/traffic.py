"""Reads and writes that one tensor causes, counted from the compute outwards (semantics, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import attrs

from ffcore.model.crossing import HOP, Line, crossings
from ffcore.model.tensor_nest import Exact, HolderAt, Loop, OwnNest, round_up
from ffcore.spec.problem import Component, ComponentKind, Relevance, Tensor


@attrs.define
class Count:
    """Values that one holder reads or writes, as gross and skipped, in all and per instance.

    ``tile``: values that one transfer moves; ``transfers``: how many there are, before any are shared.
    """

    component: int
    action: str
    gross: Exact
    skipped: Exact
    gross_each: Exact
    skipped_each: Exact
    tile: Exact
    transfers: Exact = 1
    line: Line | None = None  # of a network: the action is what the busiest link of that line carries

    @classmethod
    def once(cls, component: int, action: str, gross: Exact, skipped: Exact, tile: Exact) -> Count:
        """Of one pass: in one instance, before any loop."""
        return cls(component, action, gross, skipped, gross, skipped, tile)

    @property
    def net(self) -> Exact:
        return self.gross - self.skipped

    @property
    def net_each(self) -> Exact:
        return self.gross_each - self.skipped_each


@attrs.define
class _Demand:
    """What the node below asks of its parent: reads, writes, and first reads that are skipped.

    ``tile``: values that each transfer moves; ``transfers``: how many so far. ``place``: of the child among the
    tensor's items. ``received``, ``received_each``: values that all its instances take together, and one of them.
    """

    reads: Exact
    writes: Exact
    skipped: Exact
    tile: Exact
    place: int
    received: Exact
    received_each: Exact
    transfers: Exact = 1


def count_traffic(own: OwnNest, components: Sequence[Component], ceilings: bool) -> list[Count]:
    """Values read and written by each of the tensor's holders.

    With ``ceilings`` every imperfect factor is rounded up, as time needs it; otherwise it counts
    as the fraction extent / tile where the variable is relevant to the tensor.
    """
    tensor = own.tensor
    top = next((i for i in own.items if isinstance(i, HolderAt) and i.is_memory(components)), None)
    demand = _compute_demand(own, components[-1])
    counts: list[Count] = []
    for place in range(len(own.items) - 1, -1, -1):
        item = own.items[place]
        if isinstance(item, Loop):
            _loop(own, place, ceilings, demand, counts)
            continue
        component = components[item.component]
        if component.kind is ComponentKind.TOLL:
            counts.append(_toll(item.component, component, tensor, demand))
        else:
            tile = 0 if item is top else own.values(place, ceilings)
            counts += _crossed(own, place, components, demand)
            demand = _hold(tensor, item.component, component, tile, demand, counts)
            demand.place = place
    return counts


def _compute_demand(own: OwnNest, compute: Component) -> _Demand:
    output = own.tensor.output
    skips = output and compute.skip_initial_output_write
    rest = {"tile": 1, "place": len(own.items), "received": 1, "received_each": 1}
    return _Demand(reads=1, writes=1 if output else 0, skipped=1 if skips else 0, **rest)


def _hold(tensor: Tensor, index: int, memory: Component, tile: Exact, child: _Demand, counts: list[Count]) -> _Demand:
    """Book what a memory reads and writes; return what it asks of the memory above (tile 0: none)."""
    skips = memory.skip_initial_output_write
    own = _Demand(
        reads=tile,
        writes=tile if tensor.output else 0,
        skipped=tile if tensor.output and skips else 0,
        tile=tile,
        place=0,
        received=tile,
        received_each=tile,
    )
    unread = child.skipped if skips else 0
    found = [
        Count.once(index, "write", own.reads, own.skipped, tile),
        Count.once(index, "read", own.writes, 0, tile),
        attrs.evolve(Count.once(index, "write", child.writes, 0, child.tile), transfers=child.transfers),
        attrs.evolve(Count.once(index, "read", child.reads, unread, child.tile), transfers=child.transfers),
    ]
    counts += [c for c in found if c.gross]
    return own


def _crossed(own: OwnNest, place: int, components: Sequence[Component], child: _Demand) -> Iterator[Count]:
    """Hops between the memory at ``place`` and its child, and what the busiest links carry."""
    parent = own.items[place]
    assert isinstance(parent, HolderAt)
    between = [item for item in own.items[place + 1 : child.place] if isinstance(item, Loop)]
    for crossing in crossings(own, parent.component, between, components):
        each = child.received_each
        passed = Fraction(crossing.hops, crossing.receivers) * child.received
        yield Count(crossing.network, HOP, passed, 0, crossing.hops_each * each, 0, child.tile, child.transfers)
        for line, values in crossing.busiest.items():
            yield Count(crossing.network, HOP, 0, 0, values * each, 0, child.tile, child.transfers, line)


def _toll(index: int, toll: Component, tensor: Tensor, child: _Demand) -> Count:
    up = 0 if tensor.name in toll.free_up else child.writes
    down, unread = (0, 0) if tensor.name in toll.free_down else (child.reads, child.skipped)
    return attrs.evolve(Count.once(index, "read", up + down, unread, child.tile), transfers=child.transfers)


def _loop(own: OwnNest, place: int, ceilings: bool, demand: _Demand, counts: list[Count]) -> None:
    tensor, loop = own.tensor, own.items[place]
    assert isinstance(loop, Loop)
    irrelevant = tensor.relevance(loop.variable) is Relevance.IRRELEVANT
    n = loop.trips if ceilings or irrelevant else loop.ratio
    first = _first_visits(own, place, n)
    demand.transfers *= n
    demand.received *= n
    if loop.dimension is None:
        demand.received_each *= n
    for count in counts:
        count.transfers *= n
    if loop.dimension is not None:
        # Of an output that does not see the loop each instance has first reads of its own.
        met = n if irrelevant else first
        for count in counts:
            count.gross *= n
            count.skipped *= met
            if met != n:
                count.skipped_each *= Fraction(met) / n
        if irrelevant and tensor.name in loop.dimension.may_reuse:
            return  # multicast of an input, spatial reduction of an output
        demand.reads *= n
        demand.writes *= n
        demand.skipped *= met
        return
    for count in counts:
        count.gross *= n
        count.gross_each *= n
        count.skipped *= first
        count.skipped_each *= first
    demand.reads *= n
    demand.writes *= n
    demand.skipped *= first


def _first_visits(own: OwnNest, place: int, n: Exact) -> Exact:
    """What the loop multiplies first visits by: of ``n`` times as many visits, those to values not met before."""
    tensor, loop = own.tensor, own.items[place]
    assert isinstance(loop, Loop)
    relevance = tensor.relevance(loop.variable)
    if relevance is not Relevance.PARTIAL:
        return n if relevance is Relevance.RELEVANT else 1
    below = round_up(own.below[place])
    above = {**below, loop.variable: below[loop.variable] * loop.trips}
    return Fraction(tensor.tile_values(above), tensor.tile_values(below))
