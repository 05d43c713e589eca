"""Costs of a template under a spatial choice: what each cut adds, as arrays over lattice states.

Every objective and every occupancy is a sum over cuts of a function of the state at that cut
(section 3 of the semantics rearranged): a child holder's traffic depends on the tile sizes where
the child stands, a reservation on those where it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import attrs
import numpy as np

from ffcore.explore.lattice import Floats, Lattice
from ffcore.explore.spatial import SpatialChoice, compare
from ffcore.spec.problem import Component, EinsumProblem, Tensor
from ffcore.templates import Site, SpatialLoop, Template


@attrs.frozen
class Layout:
    """What the columns of a label are: energy, latency forms, bits of each limited memory."""

    forms: tuple[tuple[int, int], ...]  # (component index, which of its forms)
    memories: tuple[int, ...]  # component indices

    @property
    def width(self) -> int:
        return 1 + len(self.forms) + len(self.memories)

    def form(self, k: int) -> int:
        return 1 + k

    def memory(self, index: int) -> int | None:
        return 1 + len(self.forms) + self.memories.index(index) if index in self.memories else None


def layout_of(
    einsum: EinsumProblem, components: Sequence[Component], with_latency: bool, tracked: Collection[str]
) -> Layout:
    """Columns for a path: forms where latency or leakage counts, memories that can overflow or are tracked."""
    compute = len(components) - 1
    forms = [(i, k) for i, c in enumerate(components) for k in range(len(c.latency)) if i != compute]
    # A memory holds each tensor at most once, so this is the most that it can ever be asked to hold.
    most = sum(t.tile_values(einsum.bounds) * t.bits_per_value for t in einsum.tensors) * max(1.0, einsum.n_instances)
    memories = [
        i for i, c in enumerate(components) if c.holding is not None and (c.size < most or c.name in tracked)
    ]
    return Layout(tuple(forms) if with_latency else (), tuple(memories))


@attrs.frozen
class Book:
    """One kind of traffic: ``gross`` and ``skipped`` actions per value of one component."""

    component: int
    action: str
    gross: float
    skipped: float


@attrs.frozen
class Edge:
    """Traffic of one tensor between a parent holder and its child (a holder or the compute)."""

    tensor: Tensor
    child: int  # component index
    cut: int
    books: tuple[Book, ...]


def edges(template: Template, choice: SpatialChoice) -> Iterator[Edge]:
    """All parent-child pairs of a template; multicast is a constant factor under a spatial choice."""
    if template.einsum.is_copy:
        return
    compute = len(template.components) - 1
    for tensor in template.einsum.tensors:
        sites = [s for s in template.sites if s.tensor == tensor.name]
        children: list[tuple[int, int]] = [(s.index, s.cut) for s in sites[1:]]
        children.append((compute, len(template.blocks)))
        for parent, (child, cut) in zip(sites, children, strict=True):
            yield Edge(tensor, child, cut, tuple(_books(template, choice, tensor, parent, child)))


def _books(
    template: Template, choice: SpatialChoice, tensor: Tensor, parent: Site, child: int
) -> Iterator[Book]:
    components = template.components
    up = 1.0 if tensor.output else 0.0
    skips = 1.0 if tensor.output and components[child].skip_initial_output_write else 0.0

    def saves(loop: SpatialLoop) -> bool:
        dimension = components[loop.index].spatial[loop.dimension]
        return loop.variable not in tensor.variables and tensor.name in dimension.may_reuse

    shared = choice.multicast(parent.index, child, saves)
    serves = skips if components[parent.index].skip_initial_output_write else 0.0
    yield Book(parent.index, "read", 1 / shared, serves / shared)
    if up:
        yield Book(parent.index, "write", up / shared, 0.0)
    if child < len(components) - 1:
        yield Book(child, "write", 1.0, skips)
        if up:
            yield Book(child, "read", up, 0.0)
    for toll in template.tolls:
        if toll.tensor == tensor.name and parent.index < toll.index < child:
            component = components[toll.index]
            merged = choice.multicast(toll.index, child, saves)
            passing = component.charges_up * up + component.charges_down
            yield Book(toll.index, "read", passing / merged, component.charges_down * skips / merged)


def edge_cost(lattice: Lattice, template: Template, layout: Layout, edge: Edge) -> dict[int, Floats]:
    """Columns of a label that an edge adds to, each an array over the states at its cut."""
    gross_rate: dict[int, float] = {}
    skipped_rate: dict[int, float] = {}
    for book in edge.books:
        for column, rate in action_rates(template, layout, lattice.choice, book.component, book.action, edge.tensor):
            gross_rate[column] = gross_rate.get(column, 0.0) + rate * book.gross
            skipped_rate[column] = skipped_rate.get(column, 0.0) + rate * book.skipped
    gross = lattice.traffic(edge.tensor, edge.child)
    if not any(skipped_rate.values()):
        return {c: gross * rate for c, rate in gross_rate.items() if rate}
    skipped = lattice.traffic(edge.tensor, edge.child, skipped=True)
    return {c: gross * rate - skipped * skipped_rate[c] for c, rate in gross_rate.items() if rate}


def action_rates(
    template: Template, layout: Layout, choice: SpatialChoice, index: int, action: str, tensor: Tensor
) -> Iterator[tuple[int, float]]:
    """(column, amount per value moved by all instances) of one action on one tensor."""
    component = template.components[index]
    record = component.action(action)
    if record is None:
        return
    calls = 1 / record.values_per_action[tensor.name]
    if record.energy:
        yield 0, record.energy * calls
    instances = choice.upto(index)
    for k, (i, which) in enumerate(layout.forms):
        if i == index:
            seconds = component.latency[which].get(action, 0.0)
            if seconds:
                yield layout.form(k), seconds * calls / instances


def constant_cost(template: Template, choice: SpatialChoice, layout: Layout) -> tuple[Floats, float]:
    """(label columns, seconds of the compute) that do not depend on tile sizes."""
    einsum, components = template.einsum, template.components
    label = np.zeros(layout.width)
    compute = components[-1]
    if einsum.is_copy:
        calls, per_instance = _copy_cost(template, choice, layout, label)
    else:
        calls = float(np.prod([float(b) for b in einsum.bounds.values()]))
        per_instance = calls / choice.upto(len(components) - 1)
    record = compute.action("compute")
    if record is not None:
        label[0] += record.energy * calls
    seconds = max((form.get("compute", 0.0) * per_instance for form in compute.latency), default=0.0)
    return label, seconds


def _copy_cost(template: Template, choice: SpatialChoice, layout: Layout, label: Floats) -> tuple[float, float]:
    """A copy reads its source once and writes its destination once, booked under the source tensor."""
    einsum, components = template.einsum, template.components
    source = next(t for t in einsum.tensors if not t.output)
    where = {s.tensor: s.index for s in template.sites if s.backing}
    values = source.tile_values(einsum.bounds)
    for target in (t for t in einsum.tensors if t.output):
        if where[target.name] == where[source.name]:
            continue
        for index, action in ((where[source.name], "read"), (where[target.name], "write")):
            for column, rate in action_rates(template, layout, choice, index, action, source):
                label[column] += rate * values
    if not components[-1].computes_copies:
        return 0.0, 0.0
    fanout = 1
    for component in components:
        fanout *= component.fanout
    return float(values), values / fanout


def reservation_bits(lattice: Lattice, template: Template, site: Site) -> Floats:
    """Bits (per instance) that a holder occupies, per state at its reservation's cut."""
    tensor = template.einsum.tensor[site.tensor]
    copies = template.einsum.n_instances if site.persistent else 1.0  # all instances stay at once
    return lattice.tile(tensor, site.index) * (tensor.bits_per_value * copies)


def tile_shape_mask(lattice: Lattice, template: Template, site: Site) -> Floats | None:
    """0 where a holder's tile obeys its memory's ``tile_shape``, infinity elsewhere; None: no limit."""
    holding = template.components[site.index].holding
    if holding is None or not holding.tile_shape:
        return None
    below = lattice.choice.below(site.index)
    result = np.zeros(lattice.n)
    tensor = template.einsum.tensor[site.tensor]
    for limit in holding.tile_shape:
        sizes = {v: lattice.grid[v] * below.get(v, 1) for v in limit.variables if v in tensor.variables}
        product = limit.operator.startswith("product")
        op = limit.operator.removeprefix("product")
        checked = [np.prod(list(sizes.values()), axis=0)] if product and sizes else list(sizes.values())
        for size in checked:
            ok = np.array([compare(op, float(x), limit.value) for x in size])
            result[~ok] = np.inf
    return result


def leak_power(einsum: EinsumProblem, components: Sequence[Component], choice: SpatialChoice) -> float:
    """W that leak while the Einsum runs: a gateable dimension used to the share u leaks u."""
    used: dict[tuple[str, str], int] = {}
    for loop, n in zip(choice.loops, choice.trips, strict=True):
        component = components[loop.index]
        key = (component.name, component.spatial[loop.dimension].name)
        used[key] = used.get(key, 1) * n
    total = 0.0
    for leak in einsum.leaks:
        share = 1.0
        for component_name, dimension_name, fanout in leak.gates:
            share *= used.get((component_name, dimension_name), 1) / fanout
        total += leak.power * share
    return total
