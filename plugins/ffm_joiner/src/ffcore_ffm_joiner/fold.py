"""The fold: Einsums in workload order, left's rows joined with right's (semantics, section 4).

0. Rows that cannot be part of a wanted mapping are dropped (``narrow.py``), the others ordered.
1. Compatibility alone gives a graph of groups (``graph.py``); dead ends are dropped (look-ahead) and
   each node gets a lower bound on what is still to come.
2. Known mappings: the fold is run on rows whose bound is near the least bound, in widening circles,
   until some mapping fits; once for energy, once for latency.
3. The exact fold leaves out every row whose bound a known mapping beats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np

from ffcore.explore.nests import nest_of_row
from ffcore.explore.types import EinsumPmappings
from ffcore.join.types import JoinedMapping, PmappingSet
from ffcore_ffm_joiner.graph import Bounds, Step, bounds, build, forward
from ffcore_ffm_joiner.kernels import Constants, Floats, Ints, Limits, join_rows
from ffcore_ffm_joiner.keys import Detail, Faces, TensorTable, number_tensors
from ffcore_ffm_joiner.narrow import Selection, beaten, ordered, shallow, with_partners, within_bounds

_FIT = 1 + 1e-12  # as in the explorer
_WIDER = (1e-9, 1e-3, 1e-2, 5e-2, 0.25)  # relative circles around the least bound


@attrs.frozen(eq=False)
class State:
    """The Einsums joined so far. Node n: rows offsets[n]:offsets[n + 1]."""

    offsets: Ints
    values: Floats
    who: Ints  # (rows, 2): row of the previous state, row of the Einsum's pmappings
    before: State | None


def join_all(pmappings: PmappingSet, progress: Callable[[str], None] | None = None) -> tuple[list[JoinedMapping], int]:
    """(whole mappings, combinations looked at): the Pareto set in energy and latency.

    Mappings with few fused loops come first: they are quickly found, and bound what more loops have
    to beat.
    """
    best = np.zeros((0, 2))
    combined = 0
    start = [Selection(e, np.arange(len(e.rows))) for e in pmappings.einsums]
    depth = max(int((e.rows.loops != 0).sum(axis=1).max(initial=0)) for e in pmappings.einsums)
    for loops in range(min(1, depth), depth):
        fold = _prepared(shallow(start, loops), best)
        if fold is not None:
            best = np.concatenate([best, fold.known()])
            combined += fold.combined
    fold = _prepared(start, best)
    if fold is None:
        return [], combined
    final = fold.run(best, progress)
    return fold.mappings(final), combined + fold.combined


def _prepared(selections: Sequence[Selection], best: Floats) -> Fold | None:
    """A fold of the rows that can still be part of a wanted mapping; None when an Einsum has none."""
    if not all(len(s.source) for s in selections):
        return None
    narrowed = with_partners(within_bounds(selections, best), Detail.LOOPS)
    if not all(len(s.source) for s in narrowed):
        return None
    narrowed = with_partners([ordered(s) for s in narrowed], Detail.ORDER)
    return Fold(narrowed) if all(len(s.source) for s in narrowed) else None


@attrs.define
class Fold:
    """Joins selected rows; each step keeps what the later ones can still ask for."""

    selections: Sequence[Selection]
    combined: int = 0
    _einsums: Sequence[EinsumPmappings] = attrs.field(init=False)
    _tables: dict[str, TensorTable] = attrs.field(init=False)
    _faces: list[Faces] = attrs.field(init=False)
    _steps: list[Step] = attrs.field(init=False)
    _bounds: Bounds = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._einsums = [s.pmappings for s in self.selections]
        self._faces, self._tables = number_tensors(self._einsums, Detail.ORDER)
        self._steps = build(self._faces, self._tables)
        self._bounds = bounds(self._steps, self._faces)

    def run(self, best: Floats, progress: Callable[[str], None] | None = None) -> State:
        """Fold all Einsums; the rows of the last state are whole mappings."""
        return self._fold(np.concatenate([best, self.known()]), np.full(2, np.inf), progress)

    def known(self) -> Floats:
        """(energy, latency) of some good mappings."""
        return np.concatenate([self._near(column) for column in (0, 1)])

    def _near(self, column: int) -> Floats:
        """(energy, latency) of mappings found among rows whose bound is near the least bound."""
        rest = (self._bounds.energy, self._bounds.latency)[column]
        least = self._least(column, rest)
        for wider in _WIDER:
            most = np.full(2, np.inf)
            most[column] = least * (1 + wider)
            found = self._fold(np.zeros((0, 2)), most, None)
            if len(found.values):
                return found.values[:, :2]
        return np.zeros((0, 2))

    def _least(self, column: int, rest: Sequence[Floats]) -> float:
        step, face = self._steps[0], self._faces[0]
        own = (face.energy, face.latency)[column]
        return float(np.min(own[step.right] + rest[0][step.out], initial=np.inf))

    def _fold(self, best: Floats, most: Floats, progress: Callable[[str], None] | None) -> State:
        memories = self._einsums[0].shape.memories
        levels = self._einsums[0].shape.depth + 1
        state = State(np.array([0, 1]), np.zeros((1, 2 + 2 * levels * len(memories))), np.zeros((1, 2), np.int64), None)
        ahead = forward(self._steps, self._faces)
        for i, step in enumerate(self._steps):
            state = self._join(state, i, self._promising(i, step, ahead, best, most), best, most)
            if progress is not None:
                progress(f"joined {self._einsums[i].einsum.name}: {len(state.values)} partial mappings")
        return state

    def _promising(self, i: int, step: Step, ahead: Bounds, best: Floats, most: Floats) -> Step:
        """Edges whose bound no known mapping beats."""
        face = self._faces[i]
        energy = face.energy[step.right] + self._bounds.energy[i][step.out]
        latency = face.latency[step.right] + self._bounds.latency[i][step.out]
        if i:
            energy = energy + ahead.energy[i - 1][step.left]
            latency = latency + ahead.latency[i - 1][step.left]
        keep = (energy <= most[0]) & (latency <= most[1]) & ~beaten(energy, latency, best)
        return step.keep(np.flatnonzero(keep))

    def _join(self, left: State, i: int, step: Step, best: Floats, most: Floats) -> State:
        right = self._einsums[i]
        order = np.lexsort((step.right, step.left, step.out))
        counts = np.bincount(step.out, minlength=len(step.nodes))
        pair_offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rest = np.stack([self._bounds.energy[i], self._bounds.latency[i]], axis=1)
        offsets, values, who, combined = join_rows(
            (left.offsets, left.values),
            (right.offsets, right.rows.values),
            (step.left[order], step.right[order], pair_offsets),
            self._constants(i),
            Limits(rest, best, most),
            i == len(self._steps) - 1,
        )
        self.combined += combined
        return State(offsets, values, who, left)

    def _constants(self, i: int) -> Constants:
        before = self._steps[i - 1] if i else None
        face, step = self._faces[i], self._steps[i]
        shape = self._einsums[i].shape
        earlier = {t for f in self._faces[:i] for t in f.tensors}
        memories, levels = len(shape.memories), shape.depth + 1
        nodes = len(before.nodes) if before is not None else 1
        live = np.zeros((nodes, memories))
        fresh, dying = (np.zeros((len(face.ids), memories, levels)) for _ in range(2))
        for k, t in enumerate(before.live if before is not None else ()):
            if before is not None and t not in face.tensors:
                self._add(live, t, before.nodes[:, k])
        for k, t in enumerate(face.tensors):
            if t not in earlier:
                self._add_by_level(fresh, t, face.ids[:, k])
            if t not in step.live:
                self._add_by_level(dying, t, face.ids[:, k])
        depth_in = before.depth if before is not None else np.zeros(1, np.int64)
        sizes = np.full(memories, _FIT)
        return Constants(depth_in, step.depth, live, fresh, dying, sizes, levels)

    def _add(self, bits: Floats, tensor: str, ids: Ints) -> None:
        table = self._tables[tensor]
        for m in range(bits.shape[1]):
            bits[:, m] += np.where(table.memory[ids] == m, table.share[ids], 0.0)

    def _add_by_level(self, bits: Floats, tensor: str, ids: Ints) -> None:
        table = self._tables[tensor]
        for m in range(bits.shape[1]):
            here = np.where(table.memory[ids] == m, table.share[ids], 0.0)
            for depth in range(bits.shape[2]):
                bits[:, m, depth] += np.where(table.depth[ids] < depth, here, 0.0)

    def mappings(self, final: State) -> list[JoinedMapping]:
        """The joined mappings of the last state, each traced back to one row per Einsum."""
        result = []
        for row in range(len(final.values)):
            rows: list[int] = []
            state: State | None = final
            at = row
            while state is not None and state.before is not None:
                rows.append(int(state.who[at, 1]))
                at = int(state.who[at, 0])
                state = state.before
            rows.reverse()
            nests = tuple(
                nest_of_row(s.pmappings, r, s.pmappings.rows.loops[r].tolist())
                for s, r in zip(self.selections, rows, strict=True)
            )
            sources = tuple(int(s.source[r]) for s, r in zip(self.selections, rows, strict=True))
            result.append(JoinedMapping(float(final.values[row, 0]), float(final.values[row, 1]), nests, sources))
        return sorted(result, key=lambda m: (m.energy, m.latency))
