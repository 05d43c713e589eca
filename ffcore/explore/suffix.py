"""Labels: the Pareto fronts of everything below a cut, by dynamic programming over the lattice.

The part of a template below a cut is a problem of its own, whatever stands above; templates that
share that part share its solution (kept in a memo for one spatial choice).
"""

from __future__ import annotations

from collections.abc import Hashable

import attrs
import numpy as np

from ffcore.explore.costs import Edge, Layout, constant_cost, edge_cost, edges, reservation_bits, tile_shape_mask
from ffcore.explore.kernels import Floats, Ints, union_axis
from ffcore.explore.lattice import Lattice
from ffcore.templates import Site, Template

_FIT = 1 + 1e-9  # occupancies are sums of exact products; the slack covers bits per value like 1/3


@attrs.frozen(eq=False)
class Labels:
    """Pareto-optimal label rows per state at one cut; ``origin`` is the label's row one cut further in."""

    offsets: Ints
    values: Floats
    origin: Ints
    state: Ints
    inner: Labels | None

    def paths(self, rows: Ints) -> Ints:
        """States (rows, cuts from here to the compute) that the given labels came through."""
        columns = []
        labels: Labels | None = self
        while labels is not None:
            columns.append(labels.state[rows])
            rows = labels.origin[rows]
            labels = labels.inner
        return np.stack(columns, axis=1)


def shapes(template: Template, site: Site) -> Hashable:
    """The ``tile_shape`` limits that a holder is under."""
    holding = template.components[site.index].holding
    return holding.tile_shape if holding is not None else ()


@attrs.define
class SuffixSolver:
    """Solves the parts of templates below a cut, for one spatial choice of one path."""

    lattice: Lattice
    layout: Layout
    tracked: frozenset[int]  # memories whose usage the join must know
    memo: dict[Hashable, Labels] = attrs.Factory(dict)
    evaluated: int = 0
    _costs: dict[Hashable, dict[int, Floats]] = attrs.Factory(dict)
    _bits: dict[Hashable, Floats] = attrs.Factory(dict)

    def labels(self, template: Template, cut: int) -> Labels:
        """The labels at ``cut``, costs and reservations standing there included."""
        return self._solve(template, cut, tuple(edges(template, self.lattice.choice)))

    def _solve(self, template: Template, cut: int, all_edges: tuple[Edge, ...]) -> Labels:
        key = self._key(template, cut, all_edges)
        found = self.memo.get(key)
        if found is None:
            if cut == len(template.blocks):
                start = self._start(template)
            else:
                inner = self._solve(template, cut + 1, all_edges)
                start = self._loop(inner, template.blocks[cut])
            found = self._add(start, template, cut, all_edges)
            self.memo[key] = found
        return found

    def _key(self, template: Template, cut: int, all_edges: tuple[Edge, ...]) -> Hashable:
        """Everything that the labels at ``cut`` depend on."""
        items = tuple((e.tensor.name, e.child, e.cut - cut, e.books) for e in all_edges if e.cut >= cut)
        sites = tuple(
            (s.tensor, s.index, s.reservation - cut, s.cut - cut, shapes(template, s))
            for s in self._within(template, cut)
        )
        copied = tuple((s.tensor, s.index) for s in template.sites if template.einsum.is_copy and s.backing)
        drops = tuple(self._last(template, k) for k in range(cut, len(template.blocks) + 1))
        return (cut - len(template.blocks), items, sites, template.blocks[cut:], drops, copied)

    def _within(self, template: Template, cut: int) -> list[Site]:
        return [s for s in template.sites if s.reservation >= cut]

    def _last(self, template: Template, cut: int) -> tuple[int, ...]:
        """Memories whose outermost reservation stands at ``cut`` and whose usage is not tracked."""
        return tuple(
            i
            for i in self.layout.memories
            if i not in self.tracked
            and cut == min((s.reservation for s in template.sites if s.index == i), default=-1)
        )

    def _start(self, template: Template) -> Labels:
        offsets = np.ones(self.lattice.n + 1, np.int64)
        offsets[0] = 0
        label, _ = constant_cost(template, self.lattice.choice, self.layout)
        zero = np.zeros(1, np.int64)
        return Labels(offsets, label[None, :], zero, zero, None)

    def _loop(self, inner: Labels, variables: tuple[str, ...]) -> Labels:
        offsets, values = inner.offsets, inner.values
        origin = np.arange(len(values))
        for v in variables:
            axis = self.lattice.variables.index(v)
            size = len(self.lattice.values[axis])
            if size > 1:
                self.evaluated += len(values)
                divides = self.lattice.divides(axis)
                offsets, values, origin = union_axis(
                    offsets, values, origin, self.lattice.strides[axis], size, divides
                )
        state = np.repeat(np.arange(self.lattice.n), np.diff(offsets))
        return Labels(offsets, values, origin, state, inner)

    def _add(self, labels: Labels, template: Template, cut: int, all_edges: tuple[Edge, ...]) -> Labels:
        values, state = labels.values.copy(), labels.state
        for edge in all_edges:
            if edge.cut == cut:
                for column, cost in self.edge_costs(template, edge).items():
                    values[:, column] += cost[state]
        for site in template.sites:
            if site.cut == cut:
                mask = tile_shape_mask(self.lattice, template, site)
                if mask is not None:
                    values[:, 0] += mask[state]
            column_or_none = self.layout.memory(site.index)
            if site.reservation == cut and column_or_none is not None:
                values[:, column_or_none] += self.bits(template, site)[state]
        ok = np.isfinite(values[:, 0])
        for i in self.layout.memories:
            column = self.layout.memory(i)
            assert column is not None
            ok &= values[:, column] <= template.components[i].size * _FIT
            if i in self._last(template, cut):
                values[:, column] = 0.0
        return self._filter(labels, values, ok)

    def _filter(self, labels: Labels, values: Floats, ok: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Labels:
        if ok.all():
            return attrs.evolve(labels, values=values)
        counts = np.bincount(labels.state[ok], minlength=self.lattice.n)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Labels(offsets, values[ok], labels.origin[ok], labels.state[ok], labels.inner)

    def edge_costs(self, template: Template, edge: Edge) -> dict[int, Floats]:
        """Memoised :func:`edge_cost`."""
        key = (edge.tensor.name, edge.child, edge.books)
        if key not in self._costs:
            self._costs[key] = edge_cost(self.lattice, template, self.layout, edge)
        return self._costs[key]

    def bits(self, template: Template, site: Site) -> Floats:
        """Memoised :func:`reservation_bits`."""
        key = (site.tensor, site.index, site.persistent)
        if key not in self._bits:
            self._bits[key] = reservation_bits(self.lattice, template, site)
        return self._bits[key]
