"""Which loops a template has, given its holders in order (semantics, section 2)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import attrs

from ffcore.spec.problem import Component, EinsumProblem
from ffcore.templates.holders import HolderOrder, OrderedHolder
from ffcore.templates.types import Site, SpatialLoop, Template, TollSite


class _Gap(NamedTuple):
    """Loops between two holders; ``sinks``: variables that the upper one's reservation may sink through."""

    variables: tuple[str, ...]
    sinks: tuple[str, ...] = ()


@attrs.define
class Known:
    """Parts that the templates of one Einsum have in common, each made once."""

    gaps: dict[Hashable, _Gap] = attrs.Factory(dict)
    sites: dict[Hashable, Site] = attrs.Factory(dict)
    loops: dict[Hashable, SpatialLoop] = attrs.Factory(dict)
    # With the component that its key names by identity, which lives as long.
    candidates: dict[Hashable, tuple[Component, tuple[str, ...]]] = attrs.Factory(dict)


def templates_of_order(einsum: EinsumProblem, order: HolderOrder, known: Known | None = None) -> Iterator[Template]:
    """The templates of one order of holders: one, or one per choice of first partial loops."""
    known = Known() if known is None else known
    gaps = _gaps(einsum, order, known)
    _add_missing(einsum, order, gaps)
    _drop_constrained(einsum, order, gaps)
    spatial = _spatial(einsum, order, known)
    looped = {v for g in gaps for v in g.variables} | {v for _, _, v, _ in spatial}
    if any(bound > 1 and v not in looped for v, bound in einsum.bounds.items()):
        return  # Rule: work would disappear
    tolls = tuple(TollSite(t, i) for i, tensors in order.choice.tolls for t in tensors)
    for firsts in product(*(g.sinks or (None,) for g in gaps)):
        yield _assemble(einsum, order, gaps, firsts, spatial, tolls, known)


def _gaps(einsum: EinsumProblem, order: HolderOrder, known: Known) -> list[_Gap]:
    """Loops that may follow G0 (the first of them) and each further holder."""
    holders = order.holders
    seen = {h.tensor for h in holders[: order.outer]}
    gaps = []
    for count in range(order.outer, len(holders) + 1):
        above = holders[count - 1] if count else None
        if count > order.outer and above is not None:
            seen.add(above.tensor)
        following = holders[count].tensor if count < len(holders) else None
        own = (above.tensor, above.backing) if above is not None else None
        key = (frozenset(seen), count == order.outer, own, following)
        gap = known.gaps.get(key)
        if gap is None:
            gap = known.gaps[key] = _made_gap(einsum, order, count - order.outer)
        gaps.append(gap)
    return gaps


def _made_gap(einsum: EinsumProblem, order: HolderOrder, k: int) -> _Gap:
    count = order.outer + k
    seen = order.holders[:count]
    if count < len(order.holders) and order.holders[count].joins:
        return _Gap(())
    held = {h.tensor for h in seen}
    variables = list(einsum.bounds)
    for tensor in einsum.tensors:
        if tensor.name not in held:
            variables = [v for v in variables if v in tensor.split_by]
    just_above = seen[-1] if seen else None
    partial: frozenset[str] = frozenset()
    if just_above is not None:
        tensor = einsum.tensor[just_above.tensor]
        # All of G0 stands directly above its gap, in no particular order; so do all accesses of one backing holder.
        above = seen if k == 0 else _standing_together(seen)
        partial = frozenset().union(*(einsum.tensor[h.tensor].partially_relevant for h in above))
        if not just_above.backing:
            variables = [v for v in variables if v not in tensor.fully_relevant]
    if einsum.shared <= held and count < len(order.holders):
        following = einsum.tensor[order.holders[count].tensor]
        variables = [v for v in variables if v in following.variables or v in partial]
    sinking = just_above is not None and not just_above.backing
    return _Gap(tuple(variables), tuple(v for v in variables if v in partial) if sinking else ())


def _standing_together(seen: Sequence[OrderedHolder]) -> Sequence[OrderedHolder]:
    """The last holder, with those that it joins."""
    first = len(seen) - 1
    while seen[first].joins and first > 0:
        first -= 1
    return seen[first:]


def _add_missing(einsum: EinsumProblem, order: HolderOrder, gaps: list[_Gap]) -> None:
    """A rank variable with no temporal loop at all gets one below the last backing holder."""
    looped = {v for g in gaps for v in g.variables}
    missing = tuple(v for v in einsum.bounds if v not in looped)
    if missing:
        last = max((i for i, h in enumerate(order.holders) if h.backing), default=-1)
        place = max(0, last - order.outer + 1)
        gaps[place] = _Gap(gaps[place].variables + missing, gaps[place].sinks)


def _drop_constrained(einsum: EinsumProblem, order: HolderOrder, gaps: list[_Gap]) -> None:
    """``no_refetch_from_above`` and ``no_resend_to_below`` forbid loops that are not fully relevant."""
    limited = [c.holding for c in order.choice.components if c.holding is not None]
    names = frozenset().union(*(h.no_refetch_from_above | h.no_resend_to_below for h in limited))
    for name, tensor in einsum.tensor.items():
        if name not in names:
            continue
        own = [i for i, h in enumerate(order.holders) if h.tensor == name]
        for rank, i in enumerate(own):
            holding = order.choice.components[order.holders[i].index].holding
            assert holding is not None
            spans = []
            if name in holding.no_refetch_from_above:
                spans.append((own[0], i))
            if name in holding.no_resend_to_below:
                spans.append((i, own[rank + 1] if rank + 1 < len(own) else len(order.holders)))
            for start, stop in spans:
                # gap g stands below holder outer + g - 1 and above holder outer + g
                for g, gap in enumerate(gaps):
                    if start <= order.outer + g - 1 < stop:
                        left = tuple(v for v in gap.variables if v in tensor.fully_relevant)
                        gaps[g] = _Gap(left, tuple(v for v in gap.sinks if v in left))


def _spatial(einsum: EinsumProblem, order: HolderOrder, known: Known) -> list[tuple[int, int, str, int]]:
    """(component index, dimension index, variable, gap at whose end it stands), outermost first."""
    result = []
    for index, component in enumerate(order.choice.components):
        if component.fanout == 1:
            continue
        above = max((i for i, h in enumerate(order.holders) if h.index < index), default=-1)
        gap = max(0, above - order.outer + 1) if above >= 0 else -1
        held = frozenset(h.tensor for h in order.holders[: order.outer + gap]) if gap >= 0 else frozenset()
        outer = frozenset(h.tensor for h in order.holders if h.index < index)
        for d, dimension in enumerate(component.spatial):
            key = id(component), d, held, outer
            if key not in known.candidates:
                known.candidates[key] = component, einsum.spatial_candidates(dimension, held, outer)
            result += [(index, d, v, gap) for v in known.candidates[key][1]]
    return result


def _assemble(
    einsum: EinsumProblem,
    order: HolderOrder,
    gaps: Sequence[_Gap],
    firsts: Sequence[str | None],
    spatial: Sequence[tuple[int, int, str, int]],
    tolls: tuple[TollSite, ...],
    known: Known,
) -> Template:
    blocks: list[tuple[str, ...]] = []
    start: list[int] = []  # first block of each gap
    for k, (gap, first) in enumerate(zip(gaps, firsts, strict=True)):
        start.append(len(blocks))
        following = order.outer + k
        if following < len(order.holders) and order.holders[following].joins:
            continue  # which stands at the same cut
        if first is not None:
            blocks.append((first,))
        blocks.append(gap.variables if first is None else tuple(v for v in gap.variables if v != first))
    sites = []
    for i, holder in enumerate(order.holders):
        gap_index = max(0, i - order.outer + 1)
        cut = start[gap_index]
        sinks = i >= order.outer and firsts[gap_index] is not None
        own = (holder.tensor, holder.index, cut, cut + sinks, holder.backing, holder.persistent)
        if own not in known.sites:
            known.sites[own] = Site(*own)
        sites.append(known.sites[own])
    ends = [*start[1:], len(blocks)]
    loops = []
    for i, d, v, g in spatial:
        loop = (v, i, d, ends[g] - 1 if g >= 0 else -1)
        if loop not in known.loops:
            known.loops[loop] = SpatialLoop(*loop)
        loops.append(known.loops[loop])
    return Template(einsum, order.choice.components, tuple(sites), tolls, tuple(blocks), tuple(loops))


__all__ = ["OrderedHolder", "templates_of_order"]
