"""Labels: the Pareto fronts of everything below a cut, by dynamic programming over the lattice.

The part of a template below a cut is a problem of its own, whatever stands above; templates that
share that part share its solution. Below and between spatial loops there is one lattice for each
choice of spatial trip counts. Above them all only tile sizes matter, not how they came about, so the
labels of all choices are merged into one lattice and solved on together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.explore.chains import Chains
from ffcore.explore.costs import Costs
from ffcore.explore.kernels import Floats, Ints, pareto_groups, union_prime
from ffcore.explore.lattice import Lattice
from ffcore.explore.outline import Cut, Outline

FIT = 1 + 1e-12  # sums of shares and of widths like 1/3 bit may differ in the last bits


class Inner(Protocol):
    """What labels came from: labels one cut further in, or those of several spatial choices."""

    def paths(self, rows: Ints) -> Ints: ...
    def choices(self, rows: Ints) -> Ints: ...


@attrs.frozen(eq=False)
class Labels:
    """Pareto-optimal label rows per state at one cut; ``origin`` is the label's row in ``inner``.

    State ``s`` has rows ``offsets[s]:offsets[s + 1]``, in lexicographic order of their values.
    """

    offsets: Ints
    values: Floats
    origin: Ints
    state: Ints
    inner: Inner | None

    def paths(self, rows: Ints) -> Ints:
        """States (rows, cuts from here to the compute) that the given labels came through."""
        here = self.state[rows][:, None]
        if self.inner is None:
            return here
        return np.concatenate([here, self.inner.paths(self.origin[rows])], axis=1)

    def choices(self, rows: Ints) -> Ints:
        """Per label, the number of its spatial choice (see ``Merge``)."""
        if self.inner is None:
            return np.zeros(len(rows), np.int64)
        return self.inner.choices(self.origin[rows])

    def filter(self, keep: NDArray[np.bool_]) -> Labels:
        """The labels for which ``keep`` is true."""
        if keep.all():
            return self
        counts = np.bincount(self.state[keep], minlength=len(self.offsets) - 1)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Labels(offsets, self.values[keep], self.origin[keep], self.state[keep], self.inner)


@attrs.frozen(eq=False)
class Merge:
    """Labels of several spatial choices, one after the other; row ``r`` belongs to ``choice[r]``."""

    parts: Sequence[Labels]
    choice: Ints
    row: Ints  # within its part

    def paths(self, rows: Ints) -> Ints:
        """States of the parts' own lattices."""
        width = self.parts[0].paths(np.zeros(0, np.int64)).shape[1]
        result = np.zeros((len(rows), width), np.int64)
        for number, part in enumerate(self.parts):
            own = np.flatnonzero(self.choice[rows] == number)
            if len(own):
                result[own] = part.paths(self.row[rows[own]])
        return result

    def choices(self, rows: Ints) -> Ints:
        return self.choice[rows]


@attrs.define(eq=False)
class SuffixSolver:
    """Solves the parts of templates below a cut on one lattice.

    Without ``inner`` the lattice is that of one spatial choice. With ``inner``, one solver for each
    of some spatial choices, it is the lattice without spatial loops, for cuts up to ``merge``.
    """

    costs: Costs
    whole: Lattice  # without spatial loops
    tracked: frozenset[int]  # memories whose usage the join must know
    inner: Sequence[SuffixSolver] = ()
    evaluated: int = 0
    chains: dict[Hashable, Chains | None] = attrs.Factory(dict)  # for ``rows``: fused tile choices
    loops: dict[Hashable, tuple[Ints, Ints]] = attrs.Factory(dict)  # and their loops
    _memo: dict[int, Labels] = attrs.Factory(dict)
    _maps: tuple[Ints, Ints, Ints] | None = None

    def labels(self, outline: Outline, cut: int) -> Labels:
        """The labels at ``cut``, costs and reservations standing there included."""
        key = outline.keys[cut]
        found = self._memo.get(key)
        if found is None:
            if self.inner and cut == outline.merge:
                start = self._loop(self._merge(outline, cut + 1), outline, cut)
            elif cut == len(outline.cuts) - 1:
                start = self._start(outline)
            else:
                start = self._loop(self.labels(outline, cut + 1), outline, cut)
            found = self._add(start, outline.cuts[cut], outline.template.einsum.is_copy)
            self._memo[key] = found
        return found

    def _start(self, outline: Outline) -> Labels:
        offsets = np.ones(self.costs.lattice.n + 1, np.int64)
        offsets[0] = 0
        label, _ = self.costs.constant(outline)
        zero = np.zeros(1, np.int64)
        return Labels(offsets, label[None, :], zero, zero, None)

    def _merge(self, outline: Outline, cut: int) -> Labels:
        """The Pareto fronts, by tile sizes, of all spatial choices' labels at ``cut``.

        Exact: from here outwards a label's future depends on the tile sizes alone; choices that
        differ in compute time or leakage are not merged (see ``explorer``).
        """
        parts = [solver.labels(outline, cut) for solver in self.inner]
        lattice = self.costs.lattice
        state = np.concatenate([s.maps()[0][part.state] for s, part in zip(self.inner, parts, strict=True)])
        values = np.concatenate([part.values for part in parts])
        counts = [len(part.values) for part in parts]
        choice = np.repeat(np.arange(len(parts)), counts)
        row = np.concatenate([np.arange(n) for n in counts])
        order = np.lexsort((*values.T[::-1], state))
        offsets = np.concatenate([[0], np.cumsum(np.bincount(state, minlength=lattice.n))]).astype(np.int64)
        merged = Labels(offsets, values[order], order, state[order], Merge(parts, choice, row))
        return merged.filter(pareto_groups(merged.offsets, merged.values))

    def maps(self) -> tuple[Ints, Ints, Ints]:
        """State maps between this lattice and the one without spatial loops.

        (to the state of the same tile sizes; to that of the same iterations ``u``; and, per state of
        the whole lattice, the state of iterations ``u`` = tile / spatial trips, or -1).
        """
        if self._maps is None:
            lattice = self.costs.lattice
            tiles = lattice.within(self.whole, lattice.choice.total())
            iterations = lattice.within(self.whole, {})
            back = np.full(self.whole.n, -1, np.int64)
            back[tiles] = iterations
            self._maps = tiles, iterations, back
        return self._maps

    def _loop(self, inner: Labels, outline: Outline, cut: int) -> Labels:
        """Labels above the temporal loops between ``cut`` and the next one.

        A variable without a loop further out must have done everything here: only states with all
        of its iterations are kept, and such variables come first, which keeps the others' work small.
        """
        lattice = self.costs.lattice
        closed = outline.closed[cut]
        offsets, values = inner.offsets, inner.values
        origin = np.arange(len(values))
        for v in sorted(outline.cuts[cut].block, key=lambda v: (v not in closed, lattice.variables.index(v))):
            axis = lattice.variables.index(v)
            stride, size = lattice.strides[axis], len(lattice.values[axis])
            for smaller in lattice.smaller(axis):
                offsets, values, origin = union_prime(offsets, values, origin, stride, size, smaller)
                self.evaluated += len(values)
            if v in closed and size > 1:
                offsets, keep = _only_last(offsets, stride, size)
                values, origin = values[keep], origin[keep]
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


def _only_last(offsets: Ints, stride: int, size: int) -> tuple[Ints, Ints]:
    """(offsets, rows) of the labels whose states have the last coordinate of one variable."""
    counts = np.diff(offsets)
    last = np.arange(len(counts)) // stride % size == size - 1
    rows = np.flatnonzero(np.repeat(last, counts))
    return np.concatenate([[0], np.cumsum(np.where(last, counts, 0))]).astype(np.int64), rows
