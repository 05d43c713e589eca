"""Holders that save nothing: a memory between others keeps a tensor of which every value passes it just once.

A tensor that every rank variable indexes alone has no reuse: whatever the loops are, each of its values crosses each
edge once. A holder of it that backs nothing then only adds its own accesses and its own usage. Without it
(before: ``[SRAM X] m k [L1 X] [L1 Y] ..``, after: ``[SRAM X] m [L1 Y] k ..``)

* the loops stay as they are, since none may stand directly below it; those directly above it that are irrelevant to
  the next holder move below that one, which gives it the same tile as often;
* the edge from the memory above leads to the next holder below, and carries the same values as often;
* backing holders, the loops above them and hence compatibility stay, and reservations can only sink further.

So each mapping of the choice with the holder is matched by one of the choice without it that costs no more and takes
no more room. Where something could tell the two apart, nothing is dropped: a law of a plugin, constraints on loops or
tiles at memories, memories that need not keep their order, networks, imperfect factors of a variable that would move,
``min_usage``, which asks for what the fullest choice that fits uses: without the holder more may fit, and two holders
of another tensor between which nothing but this one stands: side by side they would be redundant, and no mapping.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise

import attrs

from ffcore.explore.memory import uncollected
from ffcore.explore.reuse.keys import key_of
from ffcore.spec.problem import INFINITY, Component, ComponentKind, EinsumProblem, Holding, MapperOptions
from ffcore.templates import HolderChoice, Template, einsum_choices, einsum_templates

Held = tuple[tuple[int, tuple[str, ...]], ...]  # memory index -> tensors


def useful(einsum: EinsumProblem, choices: Sequence[HolderChoice], options: MapperOptions) -> tuple[HolderChoice, ...]:
    """The choices of holders without those that differ from another one by a holder that saves nothing.

    Exact: whatever sizes and latencies the components have, the other one has a mapping for each that costs no more,
    of the same compatibility and with no more usage; see the module.
    """
    passing = _passing(einsum)
    if not passing or not options.force_memory_hierarchy_order or options.max_pmapping_templates_per_einsum < INFINITY:
        return tuple(choices)
    said: dict[int, Hashable] = {}

    def key(choice: HolderChoice, held: Held) -> Hashable:
        for c in choice.components:
            if id(c) not in said:
                said[id(c)] = _said(c, passing)
        return held, choice.tolls, tuple(said[id(c)] for c in choice.components)

    plain = [choice for choice in choices if _plain(choice, passing)]
    known = {key(choice, choice.held) for choice in plain}
    useless = {id(c) for c in plain if any(key(c, held) in known for held in _without(c, passing))}
    return tuple(choice for choice in choices if id(choice) not in useless)


def left_out(einsum: EinsumProblem, templates: Sequence[Template], options: MapperOptions) -> tuple[Template, ...]:
    """The templates of the choices of holders that are not explored: what is missing in ``templates``, which are.

    None where ``templates`` are all that there are.
    """
    choices = einsum_choices(einsum)
    kept = {id(choice) for choice in useful(einsum, choices, options)}
    dropped = [choice for choice in choices if id(choice) not in kept]
    there = {frozenset((site.index, site.tensor) for site in t.sites) for t in templates}
    if any(frozenset((i, name) for i, names in c.held for name in names) in there for c in dropped):
        return ()
    with uncollected():
        return einsum_templates(einsum, options, dropped)


def _passing(einsum: EinsumProblem) -> frozenset[str]:
    """Tensors of which every value is used once."""
    looped = {v for v, bound in einsum.bounds.items() if bound > 1}
    still = frozenset.intersection(*(t.fully_relevant for t in einsum.tensors))  # loops over these don't move
    if einsum.is_copy or einsum.law is not None or looped & (einsum.imperfect - still):
        return frozenset()
    return frozenset(
        t.name
        for t in einsum.tensors
        if t.union is None and not t.compound and not t.persistent and looped <= t.fully_relevant
    )


def _plain(choice: HolderChoice, passing: frozenset[str]) -> bool:
    """Does nothing in the choice's components look at where a tensor is held, or at the loops between?"""
    for component in choice.components:
        holding = component.holding
        if component.kind is ComponentKind.NETWORK or component.spread or component.array:
            return False
        if not component.skip_initial_output_write or passing & component.bits_per_value.keys():
            return False
        if any(d.min_usage > 0 for d in component.spatial):
            return False
        if holding is not None and not (holding.force_memory_hierarchy_order and _free(holding)):
            return False
    return True


def _free(holding: Holding) -> bool:
    return not (holding.no_refetch_from_above or holding.no_resend_to_below or holding.tile_shape)


def _without(choice: HolderChoice, passing: frozenset[str]) -> Iterator[Held]:
    """What memories hold without one holder that backs nothing, and that keeps no two others apart."""
    apart = [(name, *pair) for name in {n for _, names in choice.held for n in names} for pair in _apart(choice, name)]
    backed: set[str] = set()
    for place, (index, names) in enumerate(choice.held):
        for name in names:
            if name in backed & passing and not any(y != name and i <= index <= j for y, i, j in apart):
                left = tuple(n for n in names if n != name)
                yield (*choice.held[:place], (index, left), *choice.held[place + 1 :])
        backed |= set(names)


def _apart(choice: HolderChoice, name: str) -> Iterator[tuple[int, int]]:
    """Memories that hold a tensor one after the other, and may not do so side by side; see ``_Order.redundant``."""
    for outer, inner in pairwise([index for index, names in choice.held if name in names][1:]):
        holding = choice.components[outer].holding
        assert holding is not None
        between = choice.components[outer + 1 : inner + 1]
        if name not in holding.must | holding.back and all(c.fanout == 1 for c in between):
            yield outer, inner


def _said(component: Component, passing: frozenset[str]) -> Hashable:
    """What a component says, but for which of these tensors it may or must hold."""
    holding = component.holding
    if holding is not None:
        left = attrs.evolve(holding, must=holding.must - passing, may=frozenset())
        component = attrs.evolve(component, holding=left)
    return key_of(component, None)
