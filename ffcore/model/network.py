"""The law of networks in closed form: links that values pass between the instances of components.

A network joins the instances that the dimensions below it make, down to the next network. Dimensions are lines of a
mesh, travelled one after the other in the order of the architecture; loops across the same one are nested in it in the
order of the Einsum's rank variables, so that an inner one runs between neighbours and an outer one in strides. Values
enter at the first instance of all, inputs on their way down, outputs on their way up (and partial sums do not count on
their way back). ``crossing.py`` counts the same anew.

Each loop bears on a count by a factor that depends on its trips n alone, numbered by a *power*: e stands for n^e,
`STEPS` + e for (n - 1) n^e, and `USED` + e for n^e where the loop runs more than once, else 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffcore.spec.problem import MAX_HOPS, MAX_LINK_TRAFFIC, Component, ComponentKind, SpatialDimension, Tensor

Floats = NDArray[np.float64]

HOP = "hop"  # the action
STEPS, USED = 100, 200
_EXPONENTS = 50  # less than that either way

LoopPlace = tuple[int, int, str]  # component index, dimension, rank variable
Powers = tuple[tuple[LoopPlace, int], ...]


def saves_traffic(dimension: SpatialDimension, tensor: Tensor, variable: str) -> bool:
    """Is one access for all instances that a spatial loop spans enough? (multicast, spatial reduction)"""
    return variable not in tensor.variables and tensor.name in dimension.may_reuse


def factor(trips: Floats, power: int) -> Floats:
    """What loops of so many trips multiply by.

    >>> [float(factor(np.array(4.0), power)) for power in (-1, STEPS - 1, USED)]
    [0.25, 0.75, 1.0]
    """
    kind, exponent = divmod(power + _EXPONENTS, STEPS)
    result: Floats = trips ** float(exponent - _EXPONENTS)
    if kind:
        result = result * (trips - 1.0 if kind == 1 else trips > 1.0)
    return result


def factors_between(most: Floats, power: int) -> tuple[Floats, Floats]:
    """The least and the most that loops of 1 to ``most`` trips multiply by."""
    ends = factor(np.ones_like(most), power), factor(most, power)
    low, high = np.minimum(*ends), np.maximum(*ends)
    if power >= _EXPONENTS:  # (n - 1) n^-2 is greatest at 2, as n^-1 is where n = 1 does not count
        high = np.maximum(high, np.where(most > 1.0, factor(np.minimum(2.0, most), power), 0.0))
    return low, high


def is_plain(power: int) -> bool:
    """Does a loop that runs once change nothing?"""
    return power < _EXPONENTS


def is_power(power: int) -> bool:
    """Do two loops multiply by what one of all their trips would?"""
    return -_EXPONENTS <= power < STEPS - _EXPONENTS


class Hop(NamedTuple):
    """What an edge does to a network, per value that all instances of the child receive (or send) together.

    ``action``: HOP, or the `link` of a dimension: what that carries in one instance of the network, counted before it
    is divided among the instances that loops at or above the network make. ``amount`` times the factor of each loop.
    """

    network: int  # index on the path
    action: str
    amount: float
    powers: Powers


def network_of(components: Sequence[Component], index: int) -> int | None:
    """The network that joins the instances made by a component's dimensions: the nearest one at or above it."""
    return next((i for i in range(index, -1, -1) if components[i].kind is ComponentKind.NETWORK), None)


def link(components: Sequence[Component], component: int, dimension: int) -> str:
    """What forms of latency call the traffic of the busiest link of one dimension."""
    own = components[component]
    return f"{MAX_LINK_TRAFFIC} {own.name} {own.spatial[dimension].name}"


def network_forms(
    components: Sequence[Component], network: int, form: Mapping[str, float]
) -> Iterator[dict[str, float]]:
    """One of a network's forms of latency, for each dimension that may have the busiest link."""
    rest = {name: seconds for name, seconds in form.items() if name == MAX_HOPS and seconds}
    seconds = form.get(MAX_LINK_TRAFFIC, 0.0)
    places = [
        (i, d)
        for i, component in enumerate(components)
        for d, dimension in enumerate(component.spatial)
        if seconds and dimension.fanout > 1 and network_of(components, i) == network
    ]
    if rest and not places:
        yield rest
    for place in places:
        yield {**rest, link(components, *place): seconds}


def laid_out(loops: Iterable[LoopPlace], variables: Sequence[str]) -> list[LoopPlace]:
    """Spatial loops as networks see them, outermost first."""
    return sorted(set(loops), key=lambda loop: (loop[0], loop[1], variables.index(loop[2])))


def furthest(components: Sequence[Component], network: int, loops: Sequence[LoopPlace]) -> Iterator[Powers]:
    """``max_hops``, as a sum of products of factors; ``loops``: of the whole nest, `laid_out`.

    On a mesh each loop that runs more than once adds its trips times its stride (the way in counts as one), else one.
    """
    own = [loop for loop in loops if network_of(components, loop[0]) == network]
    for k, loop in enumerate(own):
        if components[network].all_to_all:
            yield ((loop, USED),)
        else:
            yield ((loop, USED + 1), *((inner, 1) for inner in own[k + 1 :] if inner[:2] == loop[:2]))


def hops(
    components: Sequence[Component], tensor: Tensor, parent: int, child: int, loops: Sequence[LoopPlace]
) -> Iterator[Hop]:
    """What moving a tensor between two of its holders (or the compute) does to the networks between them.

    ``loops``: the spatial ones of the whole nest, `laid_out`.
    """
    crossed = [(loop, n) for loop in loops if (n := network_of(components, loop[0])) is not None and n > parent]
    crossed = [(loop, network) for loop, network in crossed if loop[0] <= child]
    shared = {loop: saves_traffic(components[loop[0]].spatial[loop[1]], tensor, loop[2]) for loop, _ in crossed}
    for k, (loop, network) in enumerate(crossed):
        inner = [other for other, _ in crossed[k + 1 :]]
        mesh = not components[network].all_to_all
        # A value goes once to all instances that share it; else n of them go 0 to n - 1 strides: n (n - 1) / 2.
        far = mesh and not shared[loop]
        powers = {loop: STEPS if far else STEPS - 1}
        for other in inner:
            powers[other] = int(mesh and other[:2] == loop[:2]) - int(shared[other])
        yield Hop(network, HOP, 0.5 if far else 1.0, _said(powers))
        powers = {other: -1 for other, _ in crossed if other[0] > network}
        powers[loop] = powers.get(loop, 0) + (USED if shared[loop] else STEPS)
        for other in inner:
            powers[other] = powers.get(other, 0) + int(not shared[other])
        yield Hop(network, link(components, loop[0], loop[1]), 1.0, _said(powers))


def _said(powers: Mapping[LoopPlace, int]) -> Powers:
    return tuple(sorted((loop, power) for loop, power in powers.items() if power))
