"""Labels: the Pareto fronts of everything below a cut, by dynamic programming over the lattice.

The part of a template below a cut is a problem of its own, whatever stands above; templates that
share that part share its solution (kept in a memo for one spatial choice).
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.explore.costs import Costs
from ffcore.explore.kernels import Floats, Ints, pareto_groups, union_prime
from ffcore.explore.outline import Cut, Outline

FIT = 1 + 1e-9  # occupancies are sums of exact products; the slack covers bits per value like 1/3


@attrs.frozen(eq=False)
class Labels:
    """Pareto-optimal label rows per state at one cut; ``origin`` is the label's row one cut further in.

    State ``s`` has rows ``offsets[s]:offsets[s + 1]``, ascending in energy.
    """

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

    def filter(self, keep: NDArray[np.bool_]) -> Labels:
        """The labels for which ``keep`` is true."""
        if keep.all():
            return self
        counts = np.bincount(self.state[keep], minlength=len(self.offsets) - 1)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Labels(offsets, self.values[keep], self.origin[keep], self.state[keep], self.inner)


@attrs.define(eq=False)
class SuffixSolver:
    """Solves the parts of templates below a cut, for one spatial choice of one path."""

    costs: Costs
    tracked: frozenset[int]  # memories whose usage the join must know
    evaluated: int = 0
    _memo: dict[int, Labels] = attrs.Factory(dict)

    def labels(self, outline: Outline, cut: int) -> Labels:
        """The labels at ``cut``, costs and reservations standing there included."""
        key = outline.keys[cut]
        found = self._memo.get(key)
        if found is None:
            if cut == len(outline.cuts) - 1:
                start = self._start(outline)
            else:
                start = self._loop(self.labels(outline, cut + 1), outline.cuts[cut].block)
            found = self._add(start, outline.cuts[cut], outline.template.einsum.is_copy)
            self._memo[key] = found
        return found

    def _start(self, outline: Outline) -> Labels:
        offsets = np.ones(self.costs.lattice.n + 1, np.int64)
        offsets[0] = 0
        label, _ = self.costs.constant(outline)
        zero = np.zeros(1, np.int64)
        return Labels(offsets, label[None, :], zero, zero, None)

    def _loop(self, inner: Labels, variables: tuple[str, ...]) -> Labels:
        lattice = self.costs.lattice
        offsets, values = inner.offsets, inner.values
        origin = np.arange(len(values))
        for v in variables:
            axis = lattice.variables.index(v)
            for smaller in lattice.smaller(axis):
                offsets, values, origin = union_prime(
                    offsets, values, origin, lattice.strides[axis], len(smaller), smaller
                )
                self.evaluated += len(values)
        state = np.repeat(np.arange(lattice.n), np.diff(offsets))
        return Labels(offsets, values, origin, state, inner)

    def _add(self, labels: Labels, cut: Cut, is_copy: bool) -> Labels:
        costs, layout = self.costs, self.costs.layout
        values, state = labels.values.copy(), labels.state
        for edge in () if is_copy else cut.edges:
            for column, cost in costs.edge(edge).items():
                values[:, column] += cost[state]
        for limited in cut.limits:
            values[:, 0] += costs.mask(limited)[state]
        for reserved in cut.reservations:
            place = layout.memory(reserved.index)
            if place is not None:
                values[:, place] += costs.bits(reserved)[state]
        fits = np.isfinite(values[:, 0])
        for i in layout.memories:
            place = layout.memory(i)
            fits &= values[:, place] <= costs.components[i].size * FIT
        kept = attrs.evolve(labels, values=values).filter(fits)
        return self._close(kept, cut)

    def _close(self, labels: Labels, cut: Cut) -> Labels:
        """Usage of memories that nothing further out adds to has been checked and is forgotten."""
        columns = [self.costs.layout.memory(i) for i in cut.closing if i not in self.tracked]
        closed = [c for c in columns if c is not None]
        if not closed or not len(labels.values):
            return labels
        labels.values[:, closed] = 0.0
        return labels.filter(pareto_groups(labels.offsets, labels.values))
