"""Energy, time and sizes of an Einsum must stay numbers: what could come to more than a float holds is refused."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from ffcore.spec.problem import Component, ComponentKind, EinsumProblem

MOST = 280
"""The largest power of ten that energy, time and their product may reach in one Einsum; sums of many still count."""


def too_large(einsum: EinsumProblem, components: Iterable[Component]) -> str:
    """What may come to too much, in words; empty if nothing does.

    A bound from above: every tensor is moved at every computation, by every component (a network: over all links).
    """
    for tensor in einsum.tensors:
        size = _log(tensor.tile_values(einsum.bounds)) + _log(tensor.bits_per_value)
        if size > MOST:
            return f"the size of tensor {tensor.name} of Einsum {einsum.name} comes to 1e{size:.0f} bits"
    operations = sum(map(_log, einsum.bounds.values())) + _log(max(1.0, einsum.n_instances)) + _log(len(einsum.tensors))
    power = max((_log(leak.power) for leak in einsum.leaks), default=-math.inf)
    for component in components:
        times = operations * (2 if component.kind is ComponentKind.NETWORK else 1)
        seconds = max(each for _, each in _costs(component)) + times
        energy = max(max(each for each, _ in _costs(component)) + times, seconds + power)
        for what, size in (("energy", energy), ("time", seconds), ("energy times time", energy + seconds)):
            if size > MOST:
                return f"the {what} of Einsum {einsum.name} may come to 1e{size:.0f} at {component.name}"
    return ""


def _costs(component: Component) -> Iterator[tuple[float, float]]:
    """Powers of ten of the joules and of the seconds of one value, for each action."""
    for action in component.actions:
        values = min(action.values_per_action.values(), default=1.0)
        seconds = max((form.get(action.name, 0.0) for form in component.latency), default=0.0)
        yield _log(action.energy) - _log(values), _log(seconds) - _log(values)
    yield -math.inf, max((_log(s) for form in component.latency for s in form.values()), default=-math.inf)


def _log(number: float) -> float:
    return math.log10(number) if number > 0 else -math.inf
