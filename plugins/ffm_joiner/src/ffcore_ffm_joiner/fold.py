"""The fold: Einsums in workload order, left's rows joined with right's (semantics, section 4).

Compatibility alone gives a graph of groups (``graph.py``); dead ends are dropped (look-ahead) and each node gets a
lower bound on what is still to come. ``rounds.py`` says which rows are folded, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np

from ffcore.plugin import RowShape, Threads
from ffcore_ffm_joiner.arrays import Memo
from ffcore_ffm_joiner.columns import StateShape
from ffcore_ffm_joiner.compatibility import (
    Detail,
    Extent,
    GroupSummary,
    Source,
    Table,
    TensorTable,
    number_tensors,
    summary_of,
)
from ffcore_ffm_joiner.costs import edge_costs, resting_shares
from ffcore_ffm_joiner.graph import Bounds, Step, bounds, build
from ffcore_ffm_joiner.kernels import Floats, Ints, Limits, Mask, least_product
from ffcore_ffm_joiner.prefilter import with_partners
from ffcore_ffm_joiner.progress import Reporter
from ffcore_ffm_joiner.target import Target
from ffcore_ffm_joiner.threads import join_by_threads
from ffcore_ffm_joiner.weighted import Weighted, slopes_around

_WIDER = (1e-9, 1e-3, 1e-2, 5e-2, 0.25)  # relative circles around the least bound
_BEAM = 300  # rows of a state that are kept meanwhile


@attrs.frozen(eq=False)
class State:
    """The Einsums joined so far. Node n: rows offsets[n]:offsets[n + 1]."""

    offsets: Ints
    values: Floats
    trail: tuple[Ints, ...]  # per Einsum (rows, 3): row of the state before, row of the Einsum's table, node

    def best(self, rest: Floats, slope: float, count: int) -> State:
        """The ``count`` rows whose ``slope * energy + latency``, with the least of the rest, is least."""
        who = self.trail[-1]
        sums = slope * self.values[:, 0] + self.values[:, 1] + rest[who[:, 2]]
        kept = np.sort(np.argpartition(sums, count)[:count])
        offsets = np.searchsorted(kept, self.offsets)
        return State(offsets, self.values[kept], (*self.trail[:-1], who[kept]))


@attrs.frozen
class Choice:
    """A whole mapping: per Einsum a row of its pmappings, and the codes of its fused loops in their order."""

    rows: tuple[int, ...]
    loops: tuple[tuple[int, ...], ...]


@attrs.define(eq=False)
class Fold:
    """Joins the rows of tables; each step keeps what the later ones can still ask for."""

    sources: Sequence[Source]
    tables: Sequence[Table]
    faces: list[GroupSummary]
    tensors: dict[str, TensorTable]
    once: Memo
    threads: Threads
    extent: Extent
    combined: int = 0
    _steps: list[Step] = attrs.field(init=False)
    _bounds: Bounds = attrs.field(init=False)  # of energy and latency
    _rights: list[Floats] = attrs.field(init=False)
    _weighted: Weighted | None = None

    @staticmethod
    def of(
        sources: Sequence[Source],
        tables: Sequence[Table],
        once: Memo,
        threads: Threads,
        extent: Extent = Extent.OWN,
    ) -> Fold:
        """A fold of those groups that have partners."""
        ids, tensors = number_tensors(sources, [once(Table.first, t) for t in tables], Detail.ORDER, once)
        alive = with_partners([s.shared for s in sources], ids, {t: len(table) for t, table in tensors.items()})
        kept, faces = [], []
        for source, table, own, mask in zip(sources, tables, ids, alive, strict=True):
            groups = once.same(np.flatnonzero(mask))
            kept.append(once(Table.groups, table, groups))
            faces.append(summary_of(source, kept[-1], once(_some, own, groups), tensors, once))
        return Fold(sources, kept, faces, tensors, once, threads, extent)

    def __attrs_post_init__(self) -> None:
        self._steps = build(self.faces, self.tensors, self.once)
        self._bounds = bounds(self._steps, self._costs(()))
        seen: set[str] = set()
        self._rights = []
        for i in range(len(self._steps)):
            self._rights.append(self._right(i, seen))
            seen.update(self.faces[i].tensors)

    def run(self, target: Target, told: Reporter | None = None) -> State:
        """Fold all Einsums; the rows of the last state are the wanted mappings that are not yet known."""
        return self._fold(target, np.full(2, np.inf), told, "all that can be better")

    def near(self, column: int, target: Target, told: Reporter | None = None) -> State:
        """Wanted mappings among rows whose bound in one objective (0: energy) is near the least bound.

        The circle widens until some mapping is in it, found now or known before.
        """
        least = self._least(column)
        found = State(np.zeros(2, np.int64), np.zeros((0, 2)), ())
        for wider in _WIDER:
            most = np.full(2, np.inf)
            most[column] = least * (1 + wider)
            found = self._fold(target, most, told, f"near the least {('energy', 'latency')[column]}")
            if len(found.values) or (target.known[:, column] <= most[column]).any():
                break
        return found

    def weigh(self, target: Target) -> None:
        """Bound weighted sums too.

        Their slopes are around that of equal products at the known mapping of least product, else at the least bounds.
        """
        energy, latency = self._least(0), self._least(1)
        if len(target.known):
            energy, latency = target.known[np.argmin(target.known[:, 0] * target.known[:, 1])].tolist()
        if 0 < energy < np.inf and 0 < latency < np.inf:
            slopes = slopes_around(latency / energy)
            self._weighted = Weighted(slopes, bounds(self._steps, self._costs(tuple(slopes.tolist()))))

    def _least(self, column: int) -> float:
        """What no whole mapping is below in energy (0) or latency (1)."""
        return float(np.min(self._bounds.through(0, self._steps[0])[:, column], initial=np.inf))

    def _costs(self, slopes: tuple[float, ...]) -> list[Floats]:
        """Per step and edge, the least sum for each slope, of rows that fit beside what rests; without any, the least
        energy and latency.

        Exact as a bound: see `least_costs` and ``_run_beside_next``: open sums, left out here, take more.
        """
        memories, own = self._shape.memories, self.once.same(self._own_peaks)
        result = []
        for i, (step, table) in enumerate(zip(self._steps, self.tables, strict=True)):
            live = self._resting(i) if i else []
            nodes = self._steps[i - 1].edges.nodes if i else self.once.same(np.zeros((1, 0), np.int64))
            columns, tables = tuple(k for k, _ in live), tuple(t for _, t in live)
            resting = self.once(resting_shares, nodes, columns, tables, memories)
            edges = step.edges
            result.append(
                self.once(edge_costs, table.values, table.offsets, edges.left, edges.right, resting, own, slopes)
            )
        return result

    def _resting(self, i: int) -> list[tuple[int, TensorTable]]:
        """What is live before step ``i`` and not touched in it: columns of the nodes before, and tables."""
        live = self._steps[i - 1].live
        return [(k, self.tensors[t]) for k, t in enumerate(live) if t not in self.faces[i].tensors]

    def beam(self, target: Target, told: Reporter | None = None) -> State:
        """Wanted mappings among the few rows of each state whose bound on the weighted sum is least.

        None where nothing is weighted: where all energies or all latencies are 0.
        """
        if self._weighted is None:
            return State(np.zeros(2, np.int64), np.zeros((0, 2)), ())
        return self._fold(target, np.full(2, np.inf), told, "the least weighted sums", _BEAM)

    def _fold(self, target: Target, most: Floats, told: Reporter | None, what: str, beam: int = 0) -> State:
        nothing = np.zeros((1, self._shape.width))
        state = State(np.array([0, 1]), nothing, ())
        best, product = target.best, target.most
        for i in range(len(self._steps)):
            keep = np.flatnonzero(self._promising(i, target, most))
            limits = Limits(self._bounds.rest[i], best, np.array([*most, product]))
            if self._weighted is not None:
                limits = attrs.evolve(limits, sums=self._weighted.bounds.rest[i], slopes=self._weighted.slopes)
            state = self._join(state, i, keep, limits, target.usage)
            if self._weighted is not None and 0 < beam < len(state.values):
                state = state.best(self._weighted.at_tangent(i), self._weighted.tangent, beam)
            if told is not None:
                told.joined(i + 1, len(state.values), f"{self.sources[i].pmappings.einsum.name}, {what}")
            if not len(state.values):
                break
        return state

    @property
    def _shape(self) -> StateShape:
        return StateShape.of(self.sources[0].pmappings.shape)

    @property
    def _own_peaks(self) -> Ints:
        """Columns of ``Rows``."""
        shape = self.sources[0].pmappings.shape
        return np.array([shape.own(m) for m in range(len(shape.memories))], np.int64)

    def _promising(self, i: int, target: Target, most: Floats) -> Mask:
        """Edges whose bound can be that of a wanted mapping.

        Exact: the bound adds the least of all that can be joined before and after, and dead ends have none.
        """
        energy, latency = self._bounds.through(i, self._steps[i]).T
        near: Mask = (energy <= most[0]) & (latency <= most[1])
        near &= target.open(energy, latency)
        if self._weighted is not None:
            some = np.flatnonzero(near)
            sums = self._weighted.bounds.through(i, self._steps[i])[some]
            near[some] = least_product(energy[some], latency[some], sums, self._weighted.slopes) <= target.most
        return near

    def usages(self, final: State) -> Floats:
        """Energy, latency and the greatest share of each memory in use, of the rows of the last state."""
        shape = self._shape
        return final.values[:, [0, 1, *(shape.peaks(m).start for m in range(shape.memories))]]

    def _without(self, values: Floats, columns: Callable[[int], slice]) -> Floats:
        """A copy without one block of open sums (``columns`` of each memory), for the last join.

        Exact: what runs beside the last Einsum is in a column of its own, and only peaks are made of the other block.
        """
        result = values.copy()
        for m in range(self._shape.memories):
            result[:, columns(m)] = 0.0
        return result

    def _join(self, left: State, i: int, keep: Ints, limits: Limits, usage: bool) -> State:
        step, table, last = self._steps[i], self.tables[i], i == len(self._steps) - 1
        edges = step.edges
        a, b, out = edges.left[keep], edges.right[keep], edges.out[keep]
        depth_in = self._steps[i - 1].edges.depth[a] if i else np.zeros(len(keep), np.int64)
        pairs = np.stack(
            [left.offsets[a], left.offsets[a + 1], table.offsets[b], table.offsets[b + 1], out, depth_in,
             edges.depth[out]],
            axis=1,
        )  # fmt: skip
        rows, right, shape = left.values, self._rights[i], self._shape
        if last and usage:
            rows, right = self._without(rows, shape.opened), self._without(right, shape.dying)
        costs_only = last and not usage
        values, who, combined = join_by_threads(self.threads, rows, right, pairs, limits, shape, costs_only)
        self.combined += combined
        if not last:
            self._run_beside_next(i, values, who[:, 2])
        offsets = np.searchsorted(who[:, 2], np.arange(len(edges.nodes) + 1))
        return State(offsets, values, (*left.trail, who))

    def _run_beside_next(self, i: int, values: Floats, node: Ints) -> None:
        """Per memory, what is surely there while the next Einsum runs: open sums and live tensors that it leaves."""
        shape, step, resting = self._shape, self._steps[i], self._resting(i + 1)
        depth = step.edges.depth[node]
        for m in range(shape.memories):
            beside = shape.beside(m)
            values[:, beside] = values[np.arange(len(values)), shape.opened(m).start + depth]
            for k, tensor in resting:
                ids = step.edges.nodes[node, k]
                values[:, beside] += np.where(tensor.memory[ids] == m, tensor.share[ids], 0.0)

    def _right(self, i: int, seen: set[str]) -> Floats:
        """Rows of an Einsum with the tensors added that are first or last touched by it, at levels below each depth."""
        face, table = self.faces[i], self.tables[i]
        fresh = tuple(k for k, t in enumerate(face.tensors) if t not in seen)
        dying = tuple(k for k, t in enumerate(face.tensors) if t not in self._steps[i].live)
        own = tuple(self.tensors[t] for t in face.tensors)
        user = tuple(sum(t in f.tensors for f in self.faces[:i]) for t in face.tensors)
        rows = self.sources[i].pmappings.shape
        return self.once(_right, table, face.ids, own, user, fresh, dying, rows, self.extent)

    def choice(self, final: State, row: int) -> Choice:
        """A row of the last state, traced back to one row per Einsum."""
        rows: list[int] = []
        for who in reversed(final.trail):
            rows.append(int(who[row, 1]))
            row = int(who[row, 0])
        chosen = list(zip(self.tables, reversed(rows), strict=True))
        return Choice(tuple(int(t.source[r]) for t, r in chosen), tuple(tuple(t.loops[r].tolist()) for t, r in chosen))


def _some(ids: Ints, groups: Ints) -> Ints:
    return ids[groups]


def _right(
    table: Table, ids: Ints, tensors: tuple[TensorTable, ...], user: tuple[int, ...], fresh: tuple[int, ...],
    dying: tuple[int, ...], rows: RowShape, extent: Extent,
) -> Floats:  # fmt: skip
    """``user``: which user of each tensor the Einsum is."""
    shape = StateShape.of(rows)
    group = np.repeat(np.arange(len(ids)), np.diff(table.offsets))
    result = np.zeros((len(table.values), shape.width))
    result[:, :2] = table.values[:, :2]
    for m in range(shape.memories):
        result[:, shape.beside(m)] = table.values[:, rows.own(m)]
        for part in (shape.fresh(m), shape.dying(m)):
            result[:, part] = table.values[:, rows.all_opened(m)]
        for k, tensor in enumerate(tensors):  # while the Einsum runs, beside what it sees itself
            number = ids[:, k]
            if extent is Extent.LARGEST or k not in (*fresh, *dying):
                more = tensor.share[number] - tensor.seen[user[k], number]
                result[:, shape.beside(m)] += np.where(tensor.memory[number] == m, more, 0.0)[group]
        for columns, part in ((fresh, shape.fresh(m)), (dying, shape.dying(m))):
            for k in columns:
                tensor, number = tensors[k], ids[:, k]
                share = tensor.share if extent is Extent.LARGEST else tensor.seen[user[k]]
                here = np.where(tensor.memory[number] == m, share[number], 0.0)
                for depth, column in enumerate(range(part.start, part.stop)):
                    result[:, column] += np.where(tensor.depth[number] < depth, here, 0.0)[group]
    return result
