"""What labels have to beat: good mappings found by a quick search, and the least that is still to come.

Only where all rows compete with each other in energy and latency alone: no fused loops, no memory that the join looks
at. A label is dropped when some known mapping is better than the least that it can become:

* its energy and latencies so far, pending columns multiplied by as little as loops to come can multiply them by,
* and the least that cuts further out add, whatever tile sizes are chosen there: a search from the outermost cut
  inwards, column by column, that forgets all but what single tiles take of memories.

The known mappings come from a beam search over a few templates: at each step only the labels are kept that look best.
Exact: a mapping that betters, or equals, every known one is never dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ffcore.explore.kernels import Floats, Guard, Ints, Rivals
from ffcore.explore.labels import Labeller, Node
from ffcore.explore.lattice import Lattice
from ffcore.explore.numbers import prime_factors
from ffcore.explore.outline import Outline
from ffcore.explore.spread import Thinner
from ffcore.spec.problem import MapperOptions, Metric

WORTH = 1_000_000  # nodes times states from which on the beam search pays
_BEAM = 150  # labels kept for each of the three ways to look good
_TEMPLATES = 8
_LOOKED_AT = 64


def guard(
    labeller: Labeller,
    root: Node,
    outlines: Sequence[Outline],
    options: MapperOptions,
    found: Callable[[Labeller, Outline, Node], Floats],
) -> None:
    """Give the nodes of the only group of templates on a path what their labels have to beat.

    ``found``: (energy, latency) of the rows that a node of one outline gives.
    """
    nodes = list(_outermost_first([root]))
    if len(nodes) * labeller.lattice.n < WORTH:
        return
    beam = Labeller(labeller.costs, labeller.columns, labeller.tracked, options, labeller.pulse, _thinner(labeller))
    nothing = np.zeros((0, 2))
    roots = _promising(beam, outlines)
    _guard(beam, [node for _, node in roots], nothing)
    known = np.concatenate([nothing, *(found(beam, outline, node) for outline, node in roots)])
    _guard(labeller, [root], _front(known))


def _promising(beam: Labeller, outlines: Sequence[Outline]) -> list[tuple[Outline, Node]]:
    """A few outlines: of those with different holders the ones that look best if loops save about what they can."""
    different: dict[frozenset[tuple[str, int]], Outline] = {}
    for outline in outlines:
        different.setdefault(frozenset((s.tensor, s.index) for s in outline.template.sites), outline)
    spread = list(different.values())[:: 1 + len(different) // _LOOKED_AT]
    made = [(outline, beam.node([outline], outline.fused)) for outline in spread]
    roots = [(outline, node) for outline, node in made if node is not None]
    looks: list[tuple[float, int]] = []
    for k, (_, node) in enumerate(roots):
        _guard(beam, [node], np.zeros((0, 2)), usual=True)
        innermost = list(_outermost_first([node]))[-1]
        looks.append((float(innermost.guard.to_go[0, 0]), k))
    return [roots[k] for _, k in sorted(looks)[:_TEMPLATES]]


def _front(known: Floats) -> Floats:
    """Points that no other one betters."""
    order = np.lexsort((known[:, 1], known[:, 0]))
    kept: list[int] = []
    for k in order.tolist():
        if not kept or known[k, 1] < known[kept[-1], 1]:
            kept.append(k)
    return known[kept]


def _outermost_first(roots: Sequence[Node]) -> Iterator[Node]:
    """Each node below the roots once, after all those further out that have it as a part."""
    order: list[Node] = []
    seen: set[int] = set()
    stack = [(root, False) for root in roots]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((part.inner.node, False) for part in node.parts)
    yield from reversed(order)


def _guard(labeller: Labeller, roots: Sequence[Node], known: Floats, usual: bool = False) -> None:
    """Set guards and shares of all nodes below the roots; ``usual``: not the least to go, but a guess."""
    lattice, columns = labeller.lattice, labeller.columns
    height = 1 + len(columns.forms)
    timed = float(bool(labeller.options.metrics & (Metric.LATENCY | Metric.ENERGY_DELAY_PRODUCT)))
    scale = np.array([_least_scale(labeller, index) for index, _ in columns.forms], np.float64)
    to_go: dict[int, Floats] = {id(root): np.zeros((height, lattice.n)) for root in roots}
    share: dict[int, float] = {id(root): 1.0 for root in roots}
    for node in _outermost_first(roots):
        own = to_go[id(node)]
        node.guard = Guard(own, scale, columns.constant_power, timed, known)
        node.share = share[id(node)]
        further = own + _added(labeller, node, usual)
        for v in node.outline.closed[node.cut]:
            axis = lattice.variables.index(v)
            further[:, lattice.grid[v] < lattice.values[axis][-1]] = np.inf
        for part in node.parts:
            inner = part.inner
            moving = {*part.outline.template.blocks[node.cut], *(v for _, _, v in inner.spread.loops)}
            least = further.copy()
            for v in moving:
                _over_multiples(least, lattice, lattice.variables.index(v))
            key = id(inner.node)
            to_go[key] = np.minimum(to_go[key], least) if key in to_go else least
            instances = math.prod(most for _, _, most in inner.spread.most)
            inner.share = min(inner.share, node.share) if key in share else node.share
            share[key] = min(share.get(key, 1.0), node.share / instances)


def _least_scale(labeller: Labeller, index: int) -> float:
    """The least that the total of a component is multiplied by: 1 / the most instances of it."""
    columns = labeller.columns
    points = float(math.prod(columns.einsum.bounds.values()))
    result = 1.0
    for component in columns.components[: index + 1]:
        for dimension in component.spatial:
            result /= max(1.0, min(points, dimension.most))
    return result


def _added(labeller: Labeller, node: Node, usual: bool) -> Floats:
    """The least that a node's cut adds to energy and forms, per state; infinity where a tile does not fit."""
    columns, costs = labeller.columns, labeller.costs
    result = np.zeros((1 + len(columns.forms), labeller.lattice.n))
    bits: dict[int, Floats] = {}
    for row, (target, signature) in costs.entries(node.outline.cuts[node.cut]):
        values = costs.bank[row]
        low, high = costs.ranges.of(signature)
        if target == 0 or 2 <= target < 2 + len(columns.forms):
            least = values * np.sqrt(low * high) if usual else np.minimum(values * low, values * high)
            result[max(0, target - 1)] += least
        else:
            bits[target] = bits.get(target, 0.0) + values
    np.maximum(result, 0.0, out=result)  # what is skipped is never more than what is moved
    most = dict(zip((t for t, _ in columns.plain()), columns.limits(columns.plain()), strict=True))
    for target, values in bits.items():
        result[:, values > most[target]] = np.inf
    return result


def _over_multiples(values: Floats, lattice: Lattice, axis: int) -> None:
    """Per state, the least over all states whose extent of one variable is a multiple; in place."""
    size, stride = len(lattice.values[axis]), lattice.strides[axis]
    shaped = values.reshape(len(values), -1, size, stride)
    own = lattice.values[axis]
    place = {value: i for i, value in enumerate(own)}
    for p in prime_factors(own[-1]):
        for i in range(size - 1, -1, -1):
            j = place.get(own[i] * p)
            if j is not None:
                np.minimum(shaped[:, :, i], shaped[:, :, j], out=shaped[:, :, i])


def _thinner(labeller: Labeller) -> Callable[[Guard], Thinner]:
    """Keeps the labels that look best: in energy, in time, in their product."""
    n = labeller.lattice.n

    def of(guard: Guard) -> Thinner:
        def thinned(offsets: Ints, values: Floats, rivals: Rivals) -> tuple[Ints, Floats, Ints]:
            count = np.diff(offsets)
            if len(values) <= _BEAM:
                return offsets, values, np.arange(len(values))
            places = np.repeat(np.arange(len(count)), count)
            first = rivals.ends[0]
            own = (places % n)[:, None], rivals.which[0, None, 1:first]
            factors = np.sqrt(rivals.most[own] * rivals.least[own])
            energy = (values[:, 1:first] * factors).sum(axis=1) + guard.to_go[0, places % n]
            time = values[:, first]
            chosen = [np.lexsort(keys)[:_BEAM] for keys in ((time, energy), (energy, time))]
            chosen.append(np.argsort(energy * time, kind="stable")[:_BEAM])
            kept = np.unique(np.concatenate(chosen))
            left = np.bincount(places[kept], minlength=len(count))
            return np.concatenate([[0], np.cumsum(left)]).astype(np.int64), values[kept], kept

        return thinned

    return of
