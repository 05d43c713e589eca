"""Labels: the Pareto fronts of everything below a cut, by dynamic programming over the lattice.

The part of a template below a cut is a problem of its own, whatever stands above; templates that
share that part share its solution. Below and between spatial loops there is one lattice for each
choice of spatial trip counts. Above them only tile sizes matter, not how they came about, so the
labels of all choices are merged into one lattice and solved on together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import attrs
import numpy as np

from ffcore.explore.chains import Chains
from ffcore.explore.costs import Costs
from ffcore.explore.kernels import Bools, Floats, Ints, add_costs, union_prime
from ffcore.explore.lattice import Lattice
from ffcore.explore.outline import Cut, Outline


@attrs.frozen(eq=False)
class Labels:
    """Pareto-optimal label rows per state at one cut; ``origin`` is the label's row in ``inner``.

    State ``s`` has rows ``offsets[s]:offsets[s + 1]``, in lexicographic order of their values.
    """

    offsets: Ints
    values: Floats
    origin: Ints
    solver: SuffixSolver
    inner: Labels | Merge | None  # labels one cut further in, or those of several spatial choices

    def trace(self, rows: Ints) -> tuple[Ints, list[Ints]]:
        """(number of each label's spatial choice, iterations at each cut from here to the compute).

        Iterations as states of the lattice without spatial loops.
        """
        if self.inner is None:
            choices, further = np.zeros(len(rows), np.int64), list[Ints]()
        else:
            choices, further = self.inner.trace(self.origin[rows])
        states = np.searchsorted(self.offsets, rows, side="right") - 1
        return choices, [self.solver.iterations(choices, states), *further]


@attrs.frozen(eq=False)
class Merge:
    """Labels of several sources, one after the other; row ``r`` is ``row[r]`` of ``parts[part[r]]``."""

    parts: Sequence[Labels]
    choices: int  # spatial choices of each part
    part: Ints
    row: Ints

    def trace(self, rows: Ints) -> tuple[Ints, list[Ints]]:
        """Choices are numbered part by part."""
        part, row = self.part[rows], self.row[rows]
        choices = np.zeros(len(rows), np.int64)
        states: list[Ints] = []
        for number in np.unique(part):
            own = np.flatnonzero(part == number)
            inner, further = self.parts[number].trace(row[own])
            choices[own] = number * self.choices + inner
            states = states or [np.zeros(len(rows), np.int64) for _ in further]
            for whole, some in zip(states, further, strict=True):
                whole[own] = some
        return choices, states


@attrs.frozen(eq=False)
class Source:
    """Labels that are merged: those of ``solver`` under one choice of further spatial loops.

    ``states``: per state of its lattice that of the merging one, or -1. ``scale``: what the choice
    multiplies each column by (latencies per instance fall with the number of instances).
    """

    solver: SuffixSolver
    states: Ints
    scale: Floats | None = None


@attrs.define(eq=False)
class SuffixSolver:
    """Solves the parts of templates below a cut on one lattice.

    Without ``sources`` the lattice is that of one spatial choice. With ``sources`` it is the lattice
    without spatial loops, for cuts up to ``outline.merges[level]``.
    """

    costs: Costs
    whole: Lattice  # without spatial loops
    tracked: frozenset[int]  # memories whose usage the join must know
    totals: Sequence[Mapping[str, int]]  # per spatial choice, the trips over each rank variable
    sources: Sequence[Source] = ()
    level: int = 0
    pulse: Callable[[], None] = lambda: None  # called between two steps of the work
    evaluated: int = 0
    chains: dict[Hashable, Chains | None] = attrs.Factory(dict)  # for ``rows``: fused tile choices
    loops: dict[Hashable, tuple[Ints, Ints]] = attrs.Factory(dict)  # and their loops
    _memo: dict[int, Labels] = attrs.Factory(dict)
    _iterations: dict[int, Ints] = attrs.Factory(dict)

    def labels(self, outline: Outline, cut: int) -> Labels:
        """The labels at ``cut``, costs and reservations standing there included."""
        key = outline.keys[cut]
        found = self._memo.get(key)
        if found is None:
            offsets, values, inner = self._inside(outline, cut)
            labels = self._loop(offsets, values, outline, cut)
            at = outline.cuts[cut]
            entries = self.costs.entries(at)  # makes rows of the bank
            summed = add_costs(labels, self.costs.bank, entries, self.costs.limits(), self._forgotten(at))
            found = Labels(*summed, self, inner)
            self._memo[key] = found
            self.pulse()
        return found

    def iterations(self, choices: Ints, states: Ints) -> Ints:
        """States of this lattice as states of the whole one: temporal iterations under each choice."""
        if not self.sources:
            return self._map(0)[states]
        result = np.zeros(len(states), np.int64)
        for choice in np.unique(choices):
            own = choices == choice
            result[own] = self._map(int(choice))[states[own]]
        return result

    def forget(self) -> None:
        """Let all labels and chains go."""
        for memo in (self._memo, self.chains, self.loops):
            memo.clear()

    def _map(self, choice: int) -> Ints:
        if choice not in self._iterations:
            lattice = self.costs.lattice
            moved = lattice.over(self.totals[choice]) if self.sources else lattice.times(self.whole, {})
            self._iterations[choice] = moved
        return self._iterations[choice]

    def _inside(self, outline: Outline, cut: int) -> tuple[Ints, Floats, Labels | Merge | None]:
        """(offsets, values, what they are) below the temporal loops that follow ``cut``."""
        if self.sources and cut == outline.merges[self.level]:
            return self._merged(outline, cut)
        if cut == len(outline.cuts) - 1:
            offsets = np.ones(self.costs.lattice.n + 1, np.int64)
            offsets[0] = 0
            return offsets, self.costs.constant(outline)[None, :], None
        inner = self.labels(outline, cut + 1)
        return inner.offsets, inner.values, inner

    def _merged(self, outline: Outline, cut: int) -> tuple[Ints, Floats, Merge]:
        """The Pareto fronts, by tile sizes, of all sources' labels.

        Exact: from here outwards a label's future depends on the tile sizes alone; choices that
        differ in compute time or leakage are not merged (see ``solve``).
        """
        parts = [s.solver.labels(outline, cut + 1) for s in self.sources]
        filled = {id(p): np.flatnonzero(np.diff(p.offsets)) for p in parts}  # states that have labels
        targets, lengths, rows, values = [], [], [], []
        for source, part in zip(self.sources, parts, strict=True):
            states = filled[id(part)]
            target = source.states[states]
            reached = target >= 0
            length = part.offsets[states + 1] - part.offsets[states]
            row = np.flatnonzero(np.repeat(reached, length))  # states without labels have no rows
            targets.append(target[reached])
            lengths.append(length[reached])
            rows.append(row)
            values.append(part.values[row] if source.scale is None else part.values[row] * source.scale)
        # Most states of the lattice are empty: the others are numbered anew while parts are merged.
        flags = np.zeros(self.costs.lattice.n, np.bool_)
        flags[np.concatenate(targets)] = True
        numbers = np.cumsum(flags) - 1
        counts = np.zeros((len(parts), int(numbers[-1]) + 1), np.int64)
        for number, (target, length) in enumerate(zip(targets, lengths, strict=True)):
            counts[number, numbers[target]] = length
        starts, merged, origin = self._tournament(counts, np.concatenate(values))
        offsets = np.zeros(len(flags) + 1, np.int64)
        offsets[1:] = starts[numbers + 1]
        part_of = np.repeat(np.arange(len(parts)), [len(row) for row in rows])[origin]
        choices = len(self.sources[0].solver.totals)
        return offsets, merged, Merge(parts, choices, part_of, np.concatenate(rows)[origin])

    def _tournament(self, counts: Ints, values: Floats) -> tuple[Ints, Floats, Ints]:
        """(offsets, values, origin): per state the front over all parts, merged two by two; counts: (parts, states)."""
        n = counts.shape[1]
        origin = np.arange(len(values))
        pair = np.array([-1, 0])
        while len(counts) > 1:
            if len(counts) % 2:
                counts = np.concatenate([counts, np.zeros((1, n), np.int64)])
            offsets, values, origin, made = union_prime(_starts(counts), values, origin, n, pair, last_only=True)
            self.evaluated += made
            counts = np.diff(offsets).reshape(len(counts) // 2, 2, n)[:, 1]
        return _starts(counts), values, origin

    def _loop(self, offsets: Ints, values: Floats, outline: Outline, cut: int) -> tuple[Ints, Floats, Ints]:
        """Labels (offsets, values, origin) above the temporal loops between ``cut`` and the next one.

        A variable without a loop further out must have done everything here: only states with all
        of its iterations are kept, and such variables come first, which keeps the others' work small.
        Exact: a chain of tile sizes begins with all iterations of all variables.
        """
        lattice = self.costs.lattice
        closed = outline.closed[cut]
        origin = np.arange(len(values))
        block = outline.cuts[cut].block
        for k, v in enumerate(lattice.variables):
            # Spatial loops chosen here may have been the last to run over a variable.
            if v in closed and v not in block and cut + 1 < len(outline.cuts) and v not in outline.closed[cut + 1]:
                nothing = np.full(len(lattice.values[k]), -1)
                offsets, values, origin, _ = union_prime(offsets, values, origin, lattice.strides[k], nothing, True)
        for v in sorted(block, key=lambda v: (v not in closed, lattice.variables.index(v))):
            axis = lattice.variables.index(v)
            passes = lattice.smaller(axis)
            for smaller in passes:
                last = v in closed and smaller is passes[-1]
                offsets, values, origin, made = union_prime(
                    offsets, values, origin, lattice.strides[axis], smaller, last
                )
                self.evaluated += made
        return offsets, values, origin

    def _forgotten(self, cut: Cut) -> Bools:
        """Columns of memories that nothing further out adds to: checked, they are forgotten."""
        result = np.zeros(self.costs.layout.width, np.bool_)
        for index in cut.closing:
            place = self.costs.layout.memory(index)
            if index not in self.tracked and place is not None:
                result[place] = True
        return result


def _starts(counts: Ints) -> Ints:
    """Offsets from counts, part after part."""
    return np.concatenate([[0], np.cumsum(counts.reshape(-1))]).astype(np.int64)
