"""Evaluate one Einsum's nest exactly (semantics, sections 2, 3): energy, latency, reservations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import attrs
import numpy as np

from ffcore.mapping.nest import Nest
from ffcore.model.crossing import HOP, Line, network_seconds
from ffcore.model.tensor_nest import (
    Exact,
    HolderAt,
    Loop,
    OwnNest,
    ResolvedNest,
    own_nest,
    resolve,
    round_up,
    sink,
    tile_values,
)
from ffcore.model.traffic import Count, count_traffic
from ffcore.model.types import LEAK, ActionCount, ActionKey, LoopAbove, NestEvaluation, Reservation
from ffcore.spec.problem import ComponentKind, EinsumProblem, Relevance, Tensor

Actions = dict[ActionKey, ActionCount]
Energy = dict[ActionKey, float]  # J


def evaluate_nest(einsum: EinsumProblem, nest: Nest) -> NestEvaluation:
    """Energy, latency and reservations of ``nest``. See `NestEvaluation` for units.

    Raises MappingError if the nest does not fit the Einsum (unknown names, a tensor that no memory
    holds, work left undone). Constraints and capacities are not judged here: see `check_nest`.
    """
    resolved = resolve(einsum, nest)
    own = [own_nest(resolved, tensor) for tensor in einsum.tensors]
    book = _copy_actions(resolved, own) if einsum.is_copy else _actions(resolved, own)
    actions, energy = book.actions, book.energy
    latency = _latency(resolved, book)
    elapsed = max(latency.values(), default=0.0)
    energy.update(_leak_energy(resolved, elapsed))
    return NestEvaluation(
        einsum=einsum.name,
        actions=actions,
        energy={k: j * einsum.n_instances for k, j in energy.items()},
        latency={c: s * einsum.n_instances for c, s in latency.items()},
        reservations=tuple(_reservations(resolved, own)),
        spatial_usage=_spatial_usage(resolved),
    )


def _latency(resolved: ResolvedNest, book: _Book) -> dict[str, float]:
    """Seconds of every component that takes time, of one instance of the Einsum."""
    calls = _calls_per_instance(book.actions)
    latency = {}
    for index, c in enumerate(resolved.components):
        if c.kind is ComponentKind.NETWORK and c.latency:
            seconds = network_seconds(resolved, index, book.carried.get(index, {}))
            latency[c.name] = 0.0 if resolved.einsum.is_copy else seconds
        elif c.latency:
            forms = [sum(s * calls.get((c.name, a), 0) for a, s in form.items()) for form in c.latency]
            latency[c.name] = max(forms)
    return latency


def _actions(resolved: ResolvedNest, own: Sequence[OwnNest]) -> _Book:
    """Actions of every holder and of the compute, and what they take."""
    book = _Book(resolved)
    imperfect = any(isinstance(loop.ratio, Fraction) for loop in resolved.loops)
    for nest in own:
        resolved.backing(nest.tensor.name)  # raises if it is kept nowhere
        counts = count_traffic(nest, resolved.components, ceilings=False)
        times = count_traffic(nest, resolved.components, ceilings=True) if imperfect else counts
        for count, time in zip(counts, times, strict=True):
            if count.line is not None:
                book.carry(nest.tensor, count.line, count, time.net_each)
                continue
            moved = count.net, time.net_each
            book.add(count.component, nest.tensor, count.action, *moved, count.tile, count.transfers)
    total: Exact = math.prod(loop.ratio for loop in resolved.loops)
    each = math.prod(loop.trips for loop in resolved.loops if not loop.spatial)
    book.add(len(resolved.components) - 1, None, "compute", total, each)
    return book


def _copy_actions(resolved: ResolvedNest, own: Sequence[OwnNest]) -> _Book:
    """A copy reads its source once and writes its destination once; within one memory it is free."""
    book = _Book(resolved)
    source = next(n for n in own if not n.tensor.output)
    origin = resolved.backing(source.tensor.name)
    values = source.tensor.tile_values(resolved.einsum.bounds)
    for target in (n for n in own if n.tensor.output):
        destination = resolved.backing(target.tensor.name)
        if destination.component == origin.component:
            continue
        book.add(origin.component, source.tensor, "read", *_moved(resolved, source, origin), values)
        book.add(destination.component, source.tensor, "write", *_moved(resolved, target, destination), values)
    if resolved.compute.computes_copies:
        instances = math.prod(c.fanout for c in resolved.components)
        book.add(len(resolved.components) - 1, None, "compute", values, values / instances)
    return book


def _moved(resolved: ResolvedNest, own: OwnNest, holder: HolderAt) -> tuple[Exact, Exact]:
    """Values that the copy moves at ``holder``: in all its instances, and in one of them."""
    place = own.items.index(holder)
    replicas, each = 1, own.values(place)
    for item in own.items[:place]:
        if not isinstance(item, Loop):
            continue
        irrelevant = own.tensor.relevance(item.variable) is Relevance.IRRELEVANT
        if item.spatial:
            replicas *= item.trips if irrelevant else 1
        elif not irrelevant:
            each *= item.trips
    return own.tensor.tile_values(resolved.einsum.bounds) * replicas, each


@attrs.define
class _Book:
    """Actions, and the energy that they take; of networks (by index) what the busiest link of each line carries."""

    resolved: ResolvedNest
    actions: Actions = attrs.Factory(dict)
    energy: Energy = attrs.Factory(dict)
    carried: dict[int, dict[Line, float]] = attrs.Factory(dict)

    def carry(self, tensor: Tensor, line: Line, count: Count, values: Exact) -> None:
        """Add what one tensor puts on the busiest link of a line, in one instance of a network."""
        hop = self.resolved.components[count.component].action(HOP)
        assert hop is not None
        priced = self._priced(count.component, tensor, HOP, count.tile, count.transfers)
        calls = values / (hop.values_per_action[tensor.name] if priced is None else count.tile)
        own = self.carried.setdefault(count.component, {})
        own[line] = own.get(line, 0.0) + float(calls) * (1.0 if priced is None else priced[1])

    def _priced(
        self, index: int, tensor: Tensor, name: str, tile: Exact, transfers: Exact
    ) -> tuple[float, float] | None:
        """(J, actions) of one transfer by the law of the problem; None: the architecture says."""
        law = self.resolved.einsum.law
        price = None if law is None else law.price(self.resolved.components[index], name, tensor)
        if price is None:
            return None
        joules, calls = price(np.array([float(tile)]), np.array([float(transfers)]))
        return float(joules[0]), float(calls[0])

    def add(
        self,
        index: int,
        tensor: Tensor | None,
        name: str,
        total: Exact | float,
        each: Exact | float,
        tile: Exact = 1,
        transfers: Exact = 1,
    ) -> None:
        """Add values moved, in all and by one instance, if the component has that action.

        ``tile``: values that one transfer moves; ``transfers``: how many there are (a law may price by them).
        """
        component = self.resolved.components[index]
        action = component.action(name)
        if action is None or (total == 0 and each == 0):
            return
        values = 1.0 if tensor is None else action.values_per_action[tensor.name]
        calls, calls_each = float(total / values), float(each / values)
        joules = calls * action.energy
        priced = None if tensor is None else self._priced(index, tensor, name, tile, transfers)
        if priced is not None:
            joules = float(total / tile) * priced[0]
            calls, calls_each = (float(n / tile) * priced[1] for n in (total, each))
        key = ActionKey(component.name, None if tensor is None else tensor.base, name)
        before = self.actions.get(key, ActionCount(0.0, 0.0))
        self.actions[key] = ActionCount(before.total + calls, before.per_instance + calls_each)
        self.energy[key] = self.energy.get(key, 0.0) + joules


def _calls_per_instance(actions: Actions) -> Mapping[tuple[str, str], float]:
    calls: dict[tuple[str, str], float] = {}
    for key, count in actions.items():
        at = key.component, key.action
        calls[at] = calls.get(at, 0.0) + count.per_instance
    return calls


def _leak_energy(resolved: ResolvedNest, elapsed: float) -> dict[ActionKey, float]:
    """Leakage of every component of the architecture over ``elapsed`` seconds.

    A gateable dimension of a component, or of one outside of it, used to the share u leaks u. What a Fork gates leaks
    nothing while the Einsum runs on the other side of it.
    """
    trips = _spatial_trips(resolved)
    result: dict[ActionKey, float] = {}
    for leak in resolved.einsum.leaks:
        if resolved.components[-1].name in leak.off_with:
            continue
        on = math.prod(trips.get((component, dimension), 1) / fanout for component, dimension, fanout in leak.gates)
        key = ActionKey(leak.component, None, LEAK)
        result[key] = result.get(key, 0.0) + leak.power * elapsed * on
    return result


def _spatial_trips(resolved: ResolvedNest) -> dict[tuple[str, str], int]:
    trips: dict[tuple[str, str], int] = {}
    for loop in resolved.loops:
        if loop.dimension is not None:
            at = resolved.components[loop.component].name, loop.dimension.name
            trips[at] = trips.get(at, 1) * loop.trips
    return trips


def _spatial_usage(resolved: ResolvedNest) -> dict[tuple[str, str], float]:
    trips = _spatial_trips(resolved)
    return {(c.name, d.name): d.usage(trips.get((c.name, d.name), 1)) for c in resolved.components for d in c.spatial}


def _reservations(resolved: ResolvedNest, own: Sequence[OwnNest]) -> list[Reservation]:
    """One reservation for each holder in a memory, in the order of the holders."""
    placed: list[tuple[int, Reservation]] = []
    for nest in own:
        for place, item in enumerate(nest.items):
            if nest.tensor.access_of is not None and resolved.backing(nest.tensor.name) is item:
                continue  # the first access's is for all of them
            if isinstance(item, HolderAt) and item.is_memory(resolved.components):
                placed.append((item.position, _reservation(resolved, nest, place, item)))
    return [r for _, r in sorted(placed, key=lambda pair: pair[0])]


def _reservation(resolved: ResolvedNest, own: OwnNest, place: int, holder: HolderAt) -> Reservation:
    tensor, memory = own.tensor, resolved.components[holder.component]
    backing = resolved.backing(tensor.name) is holder
    persistent = backing and tensor.persistent
    passed = sink(resolved, holder)
    above = [i for i in range(place) if isinstance(own.items[i], Loop)]
    inside = [i for i in range(place, len(own.items)) if any(own.items[i] is loop for loop in passed)]
    loops = tuple(_loop_above(own, i) for i in above + inside)
    kept = tensor.kept if backing else tensor
    values = tile_values(kept, round_up(own.below[inside[-1] if inside else place]))
    loops = tuple(loop for loop in loops if loop.trips > 1)
    return Reservation(
        tensor=tensor.base,
        component=memory.name,
        bits=float(resolved.einsum.bits(kept, memory, values, persistent)),
        size=memory.size,
        level=-1 if persistent else len(loops),
        backing=backing,
        persistent=persistent,
        loops=loops,
    )


def _loop_above(own: OwnNest, index: int) -> LoopAbove:
    loop = own.items[index]
    assert isinstance(loop, Loop)
    ranks = own.tensor.ranks_of(loop.variable)
    return LoopAbove(loop.variable, ranks, loop.trips, math.ceil(own.below[index][loop.variable]), loop.spatial)
