"""Evaluate one Einsum's nest exactly (semantics, sections 2, 3): energy, latency, reservations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from ffcore.mapping.nest import Nest
from ffcore.model.own_nest import Exact, HolderAt, Loop, OwnNest, ResolvedNest, own_nest, resolve, sink
from ffcore.model.traffic import count_traffic
from ffcore.model.types import LEAK, ActionCount, ActionKey, LoopAbove, NestEvaluation, Reservation
from ffcore.spec.problem import EinsumProblem, Relevance

Actions = dict[ActionKey, ActionCount]


def evaluate_nest(einsum: EinsumProblem, nest: Nest) -> NestEvaluation:
    """Energy, latency and reservations of ``nest``. See `NestEvaluation` for units.

    Raises MappingError if the nest does not fit the Einsum (unknown names, a tensor that no memory
    holds, work left undone). Constraints and capacities are not judged here: see `check_nest`.
    """
    resolved = resolve(einsum, nest)
    own = [own_nest(resolved, tensor) for tensor in einsum.tensors]
    actions = _copy_actions(resolved, own) if einsum.is_copy else _actions(resolved, own)
    calls = _calls_per_instance(actions)
    latency = {
        c.name: max(sum(seconds * calls.get((c.name, a), 0) for a, seconds in form.items()) for form in c.latency)
        for c in resolved.components
        if c.latency
    }
    energy = _action_energy(resolved, actions)
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


def _actions(resolved: ResolvedNest, own: Sequence[OwnNest]) -> Actions:
    """Actions of every holder and of the compute."""
    actions: Actions = {}
    imperfect = any(isinstance(loop.ratio, Fraction) for loop in resolved.loops)
    for nest in own:
        resolved.backing(nest.tensor.name)  # raises if it is kept nowhere
        counts = count_traffic(nest, resolved.components, ceilings=False)
        times = count_traffic(nest, resolved.components, ceilings=True) if imperfect else counts
        for count, time in zip(counts, times, strict=True):
            _book(actions, resolved, count.component, nest.tensor.name, count.action, count.net, time.net_each)
    total: Exact = math.prod(loop.ratio for loop in resolved.loops)
    each = math.prod(loop.trips for loop in resolved.loops if not loop.spatial)
    _book(actions, resolved, len(resolved.components) - 1, None, "compute", total, each)
    return actions


def _copy_actions(resolved: ResolvedNest, own: Sequence[OwnNest]) -> Actions:
    """A copy reads its source once and writes its destination once; within one memory it is free."""
    actions: Actions = {}
    source = next(n for n in own if not n.tensor.output)
    origin = resolved.backing(source.tensor.name)
    for target in (n for n in own if n.tensor.output):
        destination = resolved.backing(target.tensor.name)
        if destination.component == origin.component:
            continue
        name = source.tensor.name
        _book(actions, resolved, origin.component, name, "read", *_moved(resolved, source, origin))
        _book(actions, resolved, destination.component, name, "write", *_moved(resolved, target, destination))
    if resolved.compute.computes_copies:
        values = source.tensor.tile_values(resolved.einsum.bounds)
        instances = math.prod(c.fanout for c in resolved.components)
        _book(actions, resolved, len(resolved.components) - 1, None, "compute", values, values / instances)
    return actions


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


def _book(
    actions: Actions,
    resolved: ResolvedNest,
    index: int,
    tensor: str | None,
    name: str,
    total: Exact | float,
    each: Exact | float,
) -> None:
    """Add values moved to the action's count, if the component has that action."""
    component = resolved.components[index]
    action = component.action(name)
    if action is None or (total == 0 and each == 0):
        return
    values = 1.0 if tensor is None else action.values_per_action[tensor]
    key = ActionKey(component.name, tensor, name)
    before = actions.get(key, ActionCount(0.0, 0.0))
    actions[key] = ActionCount(before.total + float(total / values), before.per_instance + float(each / values))


def _calls_per_instance(actions: Actions) -> Mapping[tuple[str, str], float]:
    calls: dict[tuple[str, str], float] = {}
    for key, count in actions.items():
        at = key.component, key.action
        calls[at] = calls.get(at, 0.0) + count.per_instance
    return calls


def _action_energy(resolved: ResolvedNest, actions: Actions) -> dict[ActionKey, float]:
    price = {(c.name, a.name): a.energy for c in resolved.components for a in c.actions}
    return {k: n.total * price[k.component, k.action] for k, n in actions.items()}


def _leak_energy(resolved: ResolvedNest, elapsed: float) -> dict[ActionKey, float]:
    """Leakage of every component of the architecture over ``elapsed`` seconds.

    A gateable dimension of a component, or of one outside of it, used to the share u leaks u.
    """
    trips = _spatial_trips(resolved)
    result: dict[ActionKey, float] = {}
    for leak in resolved.einsum.leaks:
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
    values = own.values(inside[-1] if inside else place)
    loops = tuple(loop for loop in loops if loop.trips > 1)
    return Reservation(
        tensor=tensor.name,
        component=memory.name,
        bits=float(values) * memory.width(tensor) * (resolved.einsum.n_instances if persistent else 1),
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
