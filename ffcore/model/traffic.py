"""Reads and writes that one tensor causes, counted from the compute outwards (semantics, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ffcore.model.own_nest import Exact, HolderAt, Loop, OwnNest
from ffcore.spec.problem import Component, ComponentKind, Relevance, Tensor


@attrs.define
class Count:
    """Values that one holder reads or writes, as gross and skipped, in all and per instance."""

    component: int
    action: str
    gross: Exact
    skipped: Exact
    gross_each: Exact
    skipped_each: Exact

    @property
    def net(self) -> Exact:
        return self.gross - self.skipped

    @property
    def net_each(self) -> Exact:
        return self.gross_each - self.skipped_each


@attrs.define
class _Demand:
    """What the node below asks of its parent: reads, writes, and first reads that are skipped."""

    reads: Exact
    writes: Exact
    skipped: Exact


def count_traffic(own: OwnNest, components: Sequence[Component], ceilings: bool) -> list[Count]:
    """Values read and written by each of the tensor's holders.

    With ``ceilings`` every imperfect factor is rounded up, as time needs it; otherwise it counts
    as the fraction extent / tile where the variable is relevant to the tensor.
    """
    tensor = own.tensor
    top = next((i for i in own.items if isinstance(i, HolderAt) and i.is_memory(components)), None)
    demand = _compute_demand(tensor, components[-1])
    counts: list[Count] = []
    for place in range(len(own.items) - 1, -1, -1):
        item = own.items[place]
        if isinstance(item, Loop):
            _loop(tensor, item, ceilings, demand, counts)
            continue
        component = components[item.component]
        if component.kind is ComponentKind.TOLL:
            counts.append(_toll(item.component, component, demand))
        else:
            tile = 0 if item is top else own.values(place, ceilings)
            demand = _hold(tensor, item.component, component, tile, demand, counts)
    return counts


def _compute_demand(tensor: Tensor, compute: Component) -> _Demand:
    skips = tensor.output and compute.skip_initial_output_write
    return _Demand(reads=1, writes=1 if tensor.output else 0, skipped=1 if skips else 0)


def _hold(tensor: Tensor, index: int, memory: Component, tile: Exact, child: _Demand, counts: list[Count]) -> _Demand:
    """Book what a memory reads and writes; return what it asks of the memory above (tile 0: none)."""
    skips = memory.skip_initial_output_write
    own = _Demand(
        reads=tile,
        writes=tile if tensor.output else 0,
        skipped=tile if tensor.output and skips else 0,
    )
    written = own.reads + child.writes
    read = own.writes + child.reads
    unread = child.skipped if skips else 0
    counts.append(Count(index, "write", written, own.skipped, written, own.skipped))
    counts.append(Count(index, "read", read, unread, read, unread))
    return own


def _toll(index: int, toll: Component, child: _Demand) -> Count:
    up = child.writes if toll.charges_up else 0
    down, unread = (child.reads, child.skipped) if toll.charges_down else (0, 0)
    return Count(index, "read", up + down, unread, up + down, unread)


def _loop(tensor: Tensor, loop: Loop, ceilings: bool, demand: _Demand, counts: list[Count]) -> None:
    relevance = tensor.relevance(loop.variable)
    irrelevant = relevance is Relevance.IRRELEVANT
    n = loop.trips if ceilings or irrelevant else loop.ratio
    if loop.dimension is not None:
        for count in counts:
            count.gross *= n
            count.skipped *= n
        if irrelevant and tensor.name in loop.dimension.may_reuse:
            return  # multicast of an input, spatial reduction of an output
        demand.reads *= n
        demand.writes *= n
        demand.skipped *= n
        return
    # The first pass over a value is a first read; only a fully relevant loop brings new values.
    first = n if relevance is Relevance.RELEVANT else 1
    for count in counts:
        count.gross *= n
        count.gross_each *= n
        count.skipped *= first
        count.skipped_each *= first
    demand.reads *= n
    demand.writes *= n
    demand.skipped *= first
