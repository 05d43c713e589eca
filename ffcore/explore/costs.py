"""Costs under one spatial choice: what each cut of a template adds, as arrays over lattice states.

Every objective and every occupancy is a sum over cuts of a function of the state at that cut
(section 3 of the semantics rearranged): a child holder's traffic depends on the tile sizes where
the child stands, a reservation on those where it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import attrs
import numpy as np

from ffcore.explore.lattice import Floats, Lattice
from ffcore.explore.outline import EdgeShape, Limited, Outline, Reserved
from ffcore.explore.spatial import SpatialChoice, compare
from ffcore.spec.problem import Component, EinsumProblem, Tensor
from ffcore.templates import SpatialLoop


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
    memories = [
        i
        for i, c in enumerate(components)
        if c.holding is not None and (c.size < _most(einsum, c) or c.name in tracked)
    ]
    return Layout(tuple(forms) if with_latency else (), tuple(memories))


def _most(einsum: EinsumProblem, component: Component) -> float:
    """The most bits that an Einsum can ask of a memory: it holds each tensor at most once."""
    bits = sum(t.tile_values(einsum.bounds) * component.width(t) for t in einsum.tensors)
    return bits * max(1.0, einsum.n_instances)


@attrs.define(eq=False)
class Costs:
    """Cost arrays of one Einsum on one path under one spatial choice; each is computed once."""

    lattice: Lattice
    layout: Layout
    components: tuple[Component, ...]
    _edges: dict[EdgeShape, dict[int, Floats]] = attrs.Factory(dict)
    _bits: dict[Reserved, Floats] = attrs.Factory(dict)
    _masks: dict[Limited, Floats] = attrs.Factory(dict)

    def edge(self, edge: EdgeShape) -> dict[int, Floats]:
        """Columns of a label that an edge adds to, each an array over the states at its cut."""
        if edge not in self._edges:
            self._edges[edge] = self._edge(edge)
        return self._edges[edge]

    def bits(self, reserved: Reserved) -> Floats:
        """Bits (per instance) that a holder occupies, per state at its reservation's cut."""
        if reserved not in self._bits:
            einsum = self.lattice.einsum
            tensor = einsum.tensor[reserved.tensor]
            width = self.components[reserved.index].width(tensor)
            copies = einsum.n_instances if reserved.persistent else 1.0  # all instances stay at once
            self._bits[reserved] = self.lattice.tile(tensor, reserved.index) * (width * copies)
        return self._bits[reserved]

    def mask(self, limited: Limited) -> Floats:
        """0 where a holder's tile obeys its memory's ``tile_shape``, infinity elsewhere."""
        if limited not in self._masks:
            self._masks[limited] = self._mask(limited)
        return self._masks[limited]

    def _edge(self, edge: EdgeShape) -> dict[int, Floats]:
        tensor = self.lattice.einsum.tensor[edge.tensor]
        gross_rate: dict[int, float] = {}
        skipped_rate: dict[int, float] = {}
        for book in _books(self.components, self.lattice.choice, tensor, edge):
            for column, rate in self.action_rates(book.component, book.action, tensor):
                gross_rate[column] = gross_rate.get(column, 0.0) + rate * book.gross
                skipped_rate[column] = skipped_rate.get(column, 0.0) + rate * book.skipped
        gross = self.lattice.traffic(tensor, edge.child)
        if not any(skipped_rate.values()):
            return {c: gross * rate for c, rate in gross_rate.items() if rate}
        skipped = self.lattice.traffic(tensor, edge.child, skipped=True)
        return {c: gross * rate - skipped * skipped_rate[c] for c, rate in gross_rate.items() if rate}

    def action_rates(self, index: int, action: str, tensor: Tensor) -> Iterator[tuple[int, float]]:
        """(column, amount per value moved by all instances) of one action on one tensor."""
        component = self.components[index]
        record = component.action(action)
        if record is None:
            return
        calls = 1 / record.values_per_action[tensor.name]
        if record.energy:
            yield 0, record.energy * calls
        instances = self.lattice.choice.upto(index)
        for k, (i, which) in enumerate(self.layout.forms):
            if i == index:
                seconds = component.latency[which].get(action, 0.0)
                if seconds:
                    yield self.layout.form(k), seconds * calls / instances

    def _mask(self, limited: Limited) -> Floats:
        below = self.lattice.choice.below(limited.index)
        result = np.zeros(self.lattice.n)
        tensor = self.lattice.einsum.tensor[limited.tensor]
        for limit in limited.shapes:
            sizes = [self.lattice.grid[v] * below.get(v, 1) for v in limit.variables if v in tensor.variables]
            if limit.operator.startswith("product") and sizes:
                sizes = [np.prod(sizes, axis=0)]
            op = limit.operator.removeprefix("product")
            for size in sizes:
                ok = np.array([compare(op, float(x), limit.value) for x in size])
                result[~ok] = np.inf
        return result

    def constant(self, outline: Outline) -> tuple[Floats, float]:
        """(label columns, seconds of the compute) that do not depend on tile sizes."""
        einsum, components, choice = self.lattice.einsum, self.components, self.lattice.choice
        label = np.zeros(self.layout.width)
        compute = components[-1]
        if einsum.is_copy:
            calls, per_instance = self._copy(outline, label)
        else:
            calls = 1.0
            for bound in einsum.bounds.values():
                calls *= bound
            per_instance = calls / choice.upto(len(components) - 1)
        record = compute.action("compute")
        if record is not None:
            label[0] += record.energy * calls
        seconds = max((form.get("compute", 0.0) * per_instance for form in compute.latency), default=0.0)
        return label, seconds

    def _copy(self, outline: Outline, label: Floats) -> tuple[float, float]:
        """A copy reads its source once and writes its destination once, booked under the source tensor."""
        einsum = self.lattice.einsum
        source = next(t for t in einsum.tensors if not t.output)
        where = {s.tensor: s.index for s in outline.template.sites if s.backing}
        values = source.tile_values(einsum.bounds)
        for target in (t for t in einsum.tensors if t.output):
            if where[target.name] == where[source.name]:
                continue
            for index, action in ((where[source.name], "read"), (where[target.name], "write")):
                for column, rate in self.action_rates(index, action, source):
                    label[column] += rate * values
        if not self.components[-1].computes_copies:
            return 0.0, 0.0
        fanout = 1
        for component in self.components:
            fanout *= component.fanout
        return float(values), values / fanout


@attrs.frozen
class _Book:
    """One kind of traffic: ``gross`` and ``skipped`` actions per value of one component."""

    component: int
    action: str
    gross: float
    skipped: float


def _books(components: Sequence[Component], choice: SpatialChoice, tensor: Tensor, edge: EdgeShape) -> Iterator[_Book]:
    """What an edge makes its two ends and the Tolls between do; multicast is a constant factor here."""
    up = 1.0 if tensor.output else 0.0
    skips = 1.0 if tensor.output and components[edge.child].skip_initial_output_write else 0.0

    def saves(loop: SpatialLoop) -> bool:
        dimension = components[loop.index].spatial[loop.dimension]
        return loop.variable not in tensor.variables and tensor.name in dimension.may_reuse

    shared = choice.multicast(edge.parent, edge.child, saves)
    serves = skips if components[edge.parent].skip_initial_output_write else 0.0
    yield _Book(edge.parent, "read", 1 / shared, serves / shared)
    if up:
        yield _Book(edge.parent, "write", up / shared, 0.0)
    if edge.child < len(components) - 1:
        yield _Book(edge.child, "write", 1.0, skips)
        if up:
            yield _Book(edge.child, "read", up, 0.0)
    for index in edge.tolls:
        toll = components[index]
        merged = choice.multicast(index, edge.child, saves)
        passing = toll.charges_up * up + toll.charges_down
        yield _Book(index, "read", passing / merged, toll.charges_down * skips / merged)


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
