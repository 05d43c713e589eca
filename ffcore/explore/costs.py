"""Costs under one spatial choice: what each cut of a template adds, as arrays over lattice states.

Every objective and every occupancy is a sum over cuts of a function of the state at that cut
(section 3 of the semantics rearranged): a child holder's traffic depends on the tile sizes where
the child stands, a reservation on those where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

import attrs
import numpy as np

from ffcore.explore.kernels import Floats, Ints
from ffcore.explore.lattice import Lattice
from ffcore.explore.outline import Cut, EdgeShape, Limited, Outline, Reserved, saves_traffic
from ffcore.explore.spatial import FIT, SpatialChoice, compare
from ffcore.spec.problem import Component, EinsumProblem, Tensor
from ffcore.templates import SpatialLoop

Shape = TypeVar("Shape", EdgeShape, Limited, Reserved)


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
    """Cost arrays of one Einsum on one path under one spatial choice; each is computed once.

    They are rows of ``bank``, one value per lattice state. ``replicas``: per output, into how many
    instances spatial loops that are not part of the choice (see ``outer_replicas``) split its updates.
    """

    lattice: Lattice
    layout: Layout
    components: tuple[Component, ...]
    replicas: Mapping[str, int] = attrs.field(factory=dict)
    bank: Floats = attrs.field(init=False)
    _filled: int = 0
    _entries: dict[Hashable, list[tuple[int, int]]] = attrs.Factory(dict)
    _cuts: dict[Cut, Ints] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.bank = np.empty((16, self.lattice.n))

    def entries(self, cut: Cut) -> Ints:
        """What a cut adds: pairs (row of ``bank``, column of a label)."""
        if cut not in self._cuts:
            edges = () if self.lattice.einsum.is_copy else cut.edges  # a copy's are there to tell cuts apart
            found = [pair for edge in edges for pair in self._stored(edge, self._edge)]
            found += [pair for limited in cut.limits for pair in self._stored(limited, self._mask)]
            for reserved in cut.reservations:
                if self.layout.memory(reserved.index) is not None:
                    found += self._stored(reserved, self._bits)
            self._cuts[cut] = np.array(found, np.int64).reshape(-1, 2)
        return self._cuts[cut]

    def bits(self, reserved: Reserved) -> Floats:
        """Bits (per instance) that a holder occupies, per state at its reservation's cut."""
        ((row, _),) = self._stored(reserved, self._bits)
        found: Floats = self.bank[row]
        return found

    def limits(self) -> Floats:
        """The most that each column of a label may come to: no tile that is ruled out, no memory that overflows."""
        most = np.full(self.layout.width, np.inf)
        most[0] = np.finfo(np.float64).max
        for index in self.layout.memories:
            most[self.layout.memory(index)] = self.components[index].size * FIT
        return most

    def _stored(self, shape: Shape, make: Callable[[Shape], Mapping[int, Floats]]) -> list[tuple[int, int]]:
        if shape not in self._entries:
            pairs = []
            for column, cost in make(shape).items():
                if self._filled == len(self.bank):
                    self.bank = np.concatenate([self.bank, np.empty_like(self.bank)])
                self.bank[self._filled] = cost
                pairs.append((self._filled, column))
                self._filled += 1
            self._entries[shape] = pairs
        return self._entries[shape]

    def _bits(self, reserved: Reserved) -> dict[int, Floats]:
        place = self.layout.memory(reserved.index)
        assert place is not None
        einsum = self.lattice.einsum
        tensor = einsum.tensor[reserved.tensor]
        width = self.components[reserved.index].width(tensor)
        copies = einsum.n_instances if reserved.persistent else 1.0  # all instances stay at once
        return {place: self.lattice.tile(tensor, reserved.index) * (width * copies)}

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
        skipped = self.lattice.traffic(tensor, edge.child, skipped=True) * self.replicas.get(tensor.name, 1)
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

    def _mask(self, limited: Limited) -> dict[int, Floats]:
        """0 where a holder's tile obeys its memory's ``tile_shape``, infinity elsewhere."""
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
        return {0: result}

    def constant(self, outline: Outline) -> Floats:
        """Label columns that do not depend on tile sizes."""
        einsum = self.lattice.einsum
        label = np.zeros(self.layout.width)
        if einsum.is_copy:
            self._copy(outline, label)
        record = self.components[-1].action("compute")
        if record is not None:
            label[0] += record.energy * _computes(einsum, self.components)
        return label

    def _copy(self, outline: Outline, label: Floats) -> None:
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


def _computes(einsum: EinsumProblem, components: Sequence[Component]) -> float:
    """Computes of all instances: one per point of the iteration space or value copied (some units copy for free)."""
    if einsum.is_copy:
        source = next(t for t in einsum.tensors if not t.output)
        return float(source.tile_values(einsum.bounds)) if components[-1].computes_copies else 0.0
    calls = 1.0
    for bound in einsum.bounds.values():
        calls *= bound
    return calls


def compute_seconds(einsum: EinsumProblem, components: Sequence[Component], choice: SpatialChoice) -> float:
    """Seconds of the compute; a copy keeps all instances busy, whatever the spatial choice."""
    instances = choice.upto(len(components) - 1)
    if einsum.is_copy:
        instances = 1
        for component in components:
            instances *= component.fanout
    calls = _computes(einsum, components) / instances
    return max((form.get("compute", 0.0) * calls for form in components[-1].latency), default=0.0)


def outer_replicas(einsum: EinsumProblem, choice: SpatialChoice) -> dict[str, int]:
    """Per output, the instances that spatial loops give a partial result of their own to begin with.

    All of these skip the first read of the output (semantics, section 3): trips of loops over variables
    that are not fully relevant to it.
    """
    result = {}
    for tensor in einsum.tensors:
        if tensor.output:
            trips = 1
            for loop, n in zip(choice.loops, choice.trips, strict=True):
                trips *= 1 if loop.variable in tensor.fully_relevant else n
            result[tensor.name] = trips
    return result


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
        return saves_traffic(components, tensor, loop)

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
