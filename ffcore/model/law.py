"""The law in closed form: what a mapping costs (semantics, section 3, rearranged).

What passes between a holder of a tensor and the next one further in (an *edge*) depends on the tile of the inner one
and on the trips above it alone. Who searches asks here which actions that is, per value moved; ``traffic.py`` counts
the same anew, from the compute outwards, and holds this to it. What networks do is in ``network.py``.

A law of a plugin (`Law`) prices accesses by the size of what each transfer moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from ffcore.model.network import HOP, network_forms
from ffcore.model.network import saves_traffic as saves_traffic
from ffcore.spec.problem import Component, ComponentKind, EinsumProblem, Price, PricingLaw, Tensor

__all__ = [
    "Access",
    "Law",
    "Leakage",
    "accesses",
    "compute_seconds",
    "computes",
    "copied",
    "key_of",
    "latency_forms",
    "leakage",
    "price_of",
    "rates",
    "saves_traffic",
    "seconds_in",
]


@attrs.frozen
class Law:
    """What accesses of memories and Tolls, and hops of networks, cost; this one: as the architecture's actions say.

    A law of a plugin derives from it, and is a value: frozen, compared by its fields, picklable. Everything that
    bears on its prices is in its fields: they name cached pmappings, together with the class.
    """

    def price(self, component: Component, action: str, tensor: Tensor) -> Price | None:
        """What transfers of ``tensor`` cost at ``component``, which does ``action`` for them.

        None: as the architecture's actions say. Otherwise a function of two arrays of the same shape: values that one
        transfer moves (the tile of the inner holder; 1 to and from the compute), and transfers in all, before any
        are multicast or reduced; it returns J of one transfer, and actions of one transfer (which latency counts).
        The ``hop`` of a Network: of one transfer over one link.
        """
        return None


@attrs.frozen
class Access:
    """What an edge makes one component do: ``gross`` actions per value moved, less ``skipped`` per first read.

    Loops across components further in than this one, down to the inner holder, may share it (`saves_traffic`).
    """

    component: int  # index on the path
    action: str
    gross: float
    skipped: float


def key_of(law: PricingLaw | None) -> tuple[str, ...] | None:
    """What tells laws apart: the class and its fields."""
    if law is None:
        return None
    return type(law).__module__, type(law).__qualname__, repr(law)


def accesses(
    components: Sequence[Component], tensor: Tensor, parent: int, child: int, between: Sequence[int]
) -> Iterator[Access]:
    """What an edge makes its two ends do, and the Tolls among the components ``between`` that handle the tensor."""
    up = 1.0 if tensor.output else 0.0
    skips = 1.0 if tensor.output and components[child].skip_initial_output_write else 0.0
    serves = skips if components[parent].skip_initial_output_write else 0.0
    yield Access(parent, "read", 1.0, serves)
    if up:
        yield Access(parent, "write", up, 0.0)
    if child < len(components) - 1:
        yield Access(child, "write", 1.0, skips)
        if up:
            yield Access(child, "read", up, 0.0)
    for index in between:
        toll = components[index]
        if parent < index < child and toll.kind is ComponentKind.TOLL:
            charges_up, charges_down = tensor.name not in toll.free_up, tensor.name not in toll.free_down
            yield Access(index, "read", charges_up * up + charges_down, charges_down * skips)


def rates(component: Component, action: str, tensor: Tensor) -> tuple[float, float] | None:
    """(J, actions) per value by what the architecture says; None if the component has no such action."""
    record = component.action(HOP if component.kind is ComponentKind.NETWORK else action)
    if record is None:
        return None
    calls = 1 / record.values_per_action[tensor.name]
    return (record.energy * calls if record.name == action else 0.0), calls  # what a link carries takes time only


def price_of(einsum: EinsumProblem, component: Component, action: str, tensor: Tensor) -> Price | None:
    """The price that the problem's own law sets on an access, or on what a link carries; None: `rates` hold."""
    priced = HOP if component.kind is ComponentKind.NETWORK else action
    if einsum.law is None or component.action(priced) is None:
        return None
    return einsum.law.price(component, priced, tensor)


def latency_forms(components: Sequence[Component]) -> list[tuple[int, Mapping[str, float]]]:
    """(component index, seconds per action) of all that memories, Tolls and networks may take time by."""
    found: list[tuple[int, Mapping[str, float]]] = []
    for i, component in enumerate(components[:-1]):
        for form in component.latency:
            if component.kind is ComponentKind.NETWORK:
                found += [(i, own) for own in network_forms(components, i, form)]
            elif any(form.values()):
                found.append((i, form))
    return found


def seconds_in(
    forms: Sequence[tuple[int, Mapping[str, float]]], index: int, action: str
) -> Iterator[tuple[int, float]]:
    """(number of a form, seconds per action) of those in which an action of component ``index`` takes time."""
    for k, (i, form) in enumerate(forms):
        if i == index and (seconds := form.get(action, 0.0)):
            yield k, seconds


def computes(einsum: EinsumProblem, components: Sequence[Component]) -> float:
    """Computes of all instances: one per point of the iteration space or value copied (some units copy for free)."""
    if einsum.is_copy:
        source = next(t for t in einsum.tensors if not t.output)
        return float(source.tile_values(einsum.bounds)) if components[-1].computes_copies else 0.0
    calls = 1.0
    for bound in einsum.bounds.values():
        calls *= bound
    return calls


def compute_seconds(einsum: EinsumProblem, components: Sequence[Component]) -> float:
    """Seconds of the computes on one instance; a copy keeps all instances busy, whatever runs where."""
    calls = computes(einsum, components)
    if einsum.is_copy:
        for component in components:
            calls /= component.fanout
    return max((form.get("compute", 0.0) * calls for form in components[-1].latency), default=0.0)


def copied(einsum: EinsumProblem, where: Mapping[str, int]) -> Iterator[tuple[int, str, Tensor, float]]:
    """(component index, action, tensor that it is booked under, values) of a copy.

    A copy reads its source once and writes its destination once; within one memory it is free. ``where``: the
    component that backs each tensor.
    """
    source = next(t for t in einsum.tensors if not t.output)
    values = float(source.tile_values(einsum.bounds))
    for target in (t for t in einsum.tensors if t.output):
        if where[target.name] != where[source.name]:
            yield where[source.name], "read", source, values
            yield where[target.name], "write", source, values


@attrs.frozen
class Leakage:
    """W that leak, times the trips across each of the dimensions ``gates`` (component index, number)."""

    power: float
    gates: frozenset[tuple[int, int]]


def leakage(einsum: EinsumProblem, components: Sequence[Component]) -> list[Leakage]:
    """What leaks while the Einsum runs, by the gateable dimensions whose use it depends on.

    A gateable dimension used to the share u leaks u; of one that is not on the path, one instance is on.
    """
    place = {(c.name, d.name): (i, k) for i, c in enumerate(components) for k, d in enumerate(c.spatial)}
    powers: dict[frozenset[tuple[int, int]], float] = {}
    for leak in einsum.leaks:
        if components[-1].name in leak.off_with:
            continue
        share = 1.0
        gates = set()
        for name, dimension, fanout in leak.gates:
            share /= fanout
            if (name, dimension) in place and fanout > 1:
                gates.add(place[name, dimension])
        powers[frozenset(gates)] = powers.get(frozenset(gates), 0.0) + leak.power * share
    return [Leakage(power, gates) for gates, power in powers.items()]
