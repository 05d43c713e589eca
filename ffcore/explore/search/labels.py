"""Labels: the Pareto fronts of everything below a cut, by dynamic programming over the lattice.

The part of a template below a cut is a problem of its own, whatever stands above. Templates that share that part
share its solution (one `Node`), and templates that are the same above a cut are solved at once from there on: their
labels at the cut are compared with each other, and only the best are taken further out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial

import attrs
import numpy as np

from ffcore.explore.search.bookings import Column, Columns, LoopName, slack_of
from ffcore.explore.search.field import Field, around
from ffcore.explore.search.judging import Guard
from ffcore.explore.search.kernels import Moves, add_costs, gather, hopeful, stacked, union_prime
from ffcore.explore.search.lattice import Lattice, Steps
from ffcore.explore.search.lists import Lists, together
from ffcore.explore.search.outline import Cut, Outline
from ffcore.explore.search.spread import Spread, Spreading, Thinner
from ffcore.pmappings.arrays import Bools, Floats, Ints
from ffcore.spec.problem import MapperOptions
from ffcore.threads import Threads

Item = tuple[int, int, int]


@attrs.define(eq=False)
class Node:
    """The labels at one cut of outlines that are the same above it.

    ``outline``: one of them. ``parts``: what they have below the cut, each with the loops between.
    """

    outline: Outline
    cut: int
    parts: tuple[Part, ...]
    uses: int = 0  # by nodes further out and rows, still to come
    labels: Labels | None = None
    guard: Guard | None = None
    share: float = 1.0  # the least that compute time will be multiplied by further out


@attrs.define(eq=False)
class Spaced:
    """A node and the spatial loops right outside of it."""

    node: Node
    spread: Spread
    uses: int = 0  # by parts, still to come
    labels: Labels | None = None
    spreading: Spreading | None = None
    share: float = 1.0


@attrs.define(eq=False)
class Part:
    """Loops below a node's cut, and the node below them. ``outline``: one that has them."""

    item: Item
    outline: Outline
    inner: Spaced
    start: int = 0  # number of its first label among all parts'


@attrs.define(eq=False)
class Labels:
    """Pareto-optimal label rows per state; ``origin`` numbers labels of the node's parts.

    Those of a state are in lexicographic order of their values.
    """

    columns: tuple[Column, ...]
    lists: Lists
    values: Floats
    origin: Ints


@attrs.define(eq=False)
class Trace:
    """How labels came about: per label its outline, the states at its cuts and the trips of its spatial loops."""

    outlines: list[Outline]
    outline: Ints  # number in ``outlines``
    states: Ints  # (labels, cuts)
    trips: dict[LoopName, Ints]


@attrs.define(eq=False)
class Labeller:
    """Makes the labels of one Einsum's templates on one path."""

    field: Field
    tracked: frozenset[int]  # memories whose usage the join must know
    options: MapperOptions
    pulse: Callable[[int], None]
    thinner: Thinner | None = None  # for labels that need not be exact
    threads: Threads = attrs.Factory(Threads)
    done: int = 0  # nodes that have had their labels
    _nodes: dict[Hashable, Node] = attrs.Factory(dict)
    _spaced: dict[Hashable, Spaced] = attrs.Factory(dict)
    _spreads: dict[Hashable, Spread | None] = attrs.Factory(dict)

    @property
    def lattice(self) -> Lattice:
        return self.field.lattice

    @property
    def columns(self) -> Columns:
        return self.field.columns

    def afresh(self, thinner: Thinner | None = None) -> Labeller:
        """One of the same path without any labels."""
        return Labeller(self.field, self.tracked, self.options, self.pulse, thinner, self.threads)

    # -- structure --------------------------------------------------------------------------------

    def node(self, outlines: Sequence[Outline], cut: int) -> Node | None:
        """The node of outlines that are the same above ``cut`` and at it; None if none of them has a mapping."""
        different = {o.keys[cut]: o for o in outlines}
        key = frozenset(different)
        if key not in self._nodes:
            found = self._made(list(different.values()), cut)
            if found is None:
                return None
            self._nodes[key] = found
        node = self._nodes[key]
        node.uses += 1
        return node

    def _made(self, outlines: Sequence[Outline], cut: int) -> Node | None:
        if outlines[0].cuts[cut].last:
            return Node(outlines[0], cut, ())
        by_item: dict[Item, list[Outline]] = {}
        for outline in outlines:
            by_item.setdefault(outline.item(cut), []).append(outline)
        parts = []
        for item, own in sorted(by_item.items()):
            inner = self._inner(own, cut)
            if inner is not None:
                parts.append(Part(item, own[0], inner))
        return Node(outlines[0], cut, tuple(parts)) if parts else None

    def _inner(self, outlines: Sequence[Outline], cut: int) -> Spaced | None:
        """What lies below the temporal loops below ``cut``."""
        spread = self._spread(outlines[0], cut)
        if spread is None:
            return None
        key = frozenset(o.keys[cut + 1] for o in outlines), self._space(outlines[0], cut)
        if key not in self._spaced:
            node = self.node(outlines, cut + 1)
            if node is None:
                return None
            self._spaced[key] = Spaced(node, spread)
        self._spaced[key].uses += 1
        return self._spaced[key]

    def _spread(self, outline: Outline, cut: int) -> Spread | None:
        """The spatial loops in the block below ``cut``; None if their rules allow nothing."""
        key = self._space(outline, cut)
        if key not in self._spreads:
            dimensions, imperfect = outline.spatial[cut], key[1]
            self._spreads[key] = Spread.of(dimensions, self.columns, self.options, self.lattice, imperfect, self.pulse)
        return self._spreads[key]

    def _space(self, outline: Outline, cut: int) -> tuple[int, frozenset[str]]:
        """What tells apart the spatial loops in the block below ``cut``: with the variables to which they are the
        outermost loops and may have imperfect tiles."""
        ends = outline.imperfect(cut)
        return outline.spaces[cut], frozenset(v for v in ends if v not in outline.template.blocks[cut])

    # -- labels -----------------------------------------------------------------------------------

    def labels(self, node: Node) -> Labels:
        """The labels of a node, costs and reservations standing at its cut included."""
        if node.labels is None:
            at = node.outline.cuts[node.cut]
            found = self._innermost(at) if at.last else self._inside(node)
            node.labels = self._added(found, at, node)
            self.done += 1
            for part in node.parts:
                part.inner.uses -= 1
                if not part.inner.uses and part.inner.labels is not None:
                    part.inner.labels.values = _NONE
        return node.labels

    def release(self, node: Node) -> None:
        """One use of a node is over; after the last one its values are let go (not where its labels come from)."""
        node.uses -= 1
        if not node.uses and node.labels is not None:
            node.labels.values = _NONE

    def _innermost(self, at: Cut) -> Labels:
        lists = Lists.one(self.lattice.n, self.field.sparse)  # one label, in the state where nothing is left to do
        found = self.field.costs(lists.keys).constant(at)
        columns = self.columns.ordered(found)
        values = np.array([[0.0, *(found[c] for c in columns)]])
        values[0, 0] = values[0, 1]
        return Labels(columns, lists, values, np.zeros(1, np.int64))

    def _inside(self, node: Node) -> Labels:
        """Labels below a node's cut, of all its parts; ``origin`` numbers them part by part."""
        start = 0
        by_block: dict[int, list[Labels]] = {}
        for part in node.parts:
            inner = self._spaced_labels(part.inner)
            part.start = start
            start += len(inner.origin)
            found = Labels(inner.columns, inner.lists, inner.values, inner.origin + part.start)
            by_block.setdefault(part.item[0], []).append(found)
        outline = {part.item[0]: part.outline for part in node.parts}
        looped = [self._loop(self._merged(found), outline[block], node) for block, found in sorted(by_block.items())]
        return self._merged(looped)

    def _spaced_labels(self, spaced: Spaced) -> Labels:
        """The labels outside of spatial loops, numbered."""
        if spaced.labels is None:
            inner = self.labels(spaced.node)
            lists, values, columns = inner.lists, inner.values, inner.columns
            if spaced.spread.passes:
                rules = self.pulse, spaced.node.guard, spaced.share, self.thinner, self.threads
                found = spaced.spread.apply(self.field, columns, (lists, values), *rules)
                columns = spaced.spread.columns_after(self.columns, columns)
                lists, values = found.lists, found.values
                spaced.spreading = attrs.evolve(found, values=_NONE)
            spaced.labels = Labels(columns, lists, values, np.arange(len(values)))
            self.release(spaced.node)
        return spaced.labels

    def _merged(self, found: Sequence[Labels]) -> Labels:
        """The Pareto fronts, by tile sizes, of several sets of labels.

        Exact: from here outwards a label's future depends on the tile sizes alone.
        """
        if len(found) == 1:
            return found[0]
        columns = self.columns.ordered(c for labels in found for c in labels.columns)
        values = stacked([(labels.values, _into(labels.columns, columns)) for labels in found], 1 + len(columns))
        classes, n = len(found), self.lattice.n
        kinds = np.zeros((1, 1), np.int64)
        moves = Moves(
            np.stack([np.arange(classes), np.zeros(classes, np.int64)], axis=1),
            np.array([0, classes]),
            np.zeros((classes, 2), np.int64),
            np.arange(classes + 1),
            Steps(n, 1, kinds, kinds),
            np.ones((1, 1 + len(columns))),
            np.arange(1 + len(columns)),
            np.zeros(1),
            np.zeros(1),
        )
        lists = together([labels.lists for labels in found], n)
        merged = gather(lists, values, n, moves, partial(self.field.around, columns), threads=self.threads)
        self.pulse(len(merged.values))
        origin = np.concatenate([labels.origin for labels in found])
        return Labels(columns, merged.lists.filled(), merged.values, origin[merged.source])

    def _loop(self, labels: Labels, outline: Outline, node: Node) -> Labels:
        """Labels above the temporal loops between a node's cut and the next one.

        A variable without a loop further out must have done everything here: only states with all
        of its iterations are kept, and such variables come first, which keeps the others' work small.
        Exact: a chain of tile sizes begins with all iterations of all variables.
        """
        lattice, cut = self.lattice, node.cut
        closed, block = outline.closed[cut], outline.template.blocks[cut]
        for k, v in enumerate(lattice.variables):
            # Spatial loops of this block may have been the last to run over a variable.
            if v in closed and v not in block and v not in outline.closed[cut + 1] and len(lattice.values[k]) > 1:
                labels = self._united(labels, k, np.full(len(lattice.values[k]), -1), True)
        order = sorted(block, key=lambda v: (v not in closed, lattice.variables.index(v)))
        loops = [(lattice.variables.index(v), v in outline.imperfect(cut)) for v in order]
        guards = node.guard.below(loops) if node.guard is not None and self.field.sparse else []
        for k, (axis, to_bound) in enumerate(loops):
            if to_bound:
                labels = self._to_bound(labels, axis)
                continue
            steps = lattice.smaller(axis)
            for smaller in steps:
                last = smaller is steps[-1]
                labels = self._united(labels, axis, smaller, last and order[k] in closed)
                if guards:
                    labels = self._hopeful(labels, guards[k + last], node.share)
        return labels

    def _hopeful(self, labels: Labels, guard: Guard, share: float) -> Labels:
        """Labels that may still beat what is known. Exact: the guard is the least over all that loops lead to."""
        around = self.field.around(labels.columns, labels.lists.keys, guard)
        share = 0.0 if self.lattice.einsum.is_copy else share
        kept = hopeful(labels.lists, labels.values, self.lattice.n, around, share)
        return Labels(labels.columns, labels.lists.only(kept).filled(), labels.values[kept], labels.origin[kept])

    def _united(self, labels: Labels, axis: int, smaller: Ints, last: bool) -> Labels:
        """Labels with those that a prime factor of a variable leads from; see `union_prime`."""
        lattice = self.lattice
        around = partial(self.field.around, labels.columns)
        along = lattice.n, lattice.strides[axis], smaller, around, last
        lists, values, origin, made = union_prime(labels.lists, labels.values, labels.origin, *along)
        self.pulse(made)
        return Labels(labels.columns, lists, values, origin)

    def _to_bound(self, labels: Labels, axis: int) -> Labels:
        """Labels above the outermost loop over a variable with imperfect factors: one step from any tile to the bound.

        Exact: see `gather`; a label above it is at the bound, whichever tile it comes from.
        """
        lattice, v = self.lattice, self.lattice.variables[axis]
        name, tiles = slack_of(v), lattice.tiles[v]
        columns = self.columns.ordered(self.columns.passed(c, [name]) for c in labels.columns)
        powers = np.array([0.0, *(self.columns.power_of(c, name) for c in labels.columns)])
        scale = np.array([lattice.slack(v, t) for t in tiles])[:, None] ** powers
        into = _into(tuple(self.columns.passed(c, [name]) for c in labels.columns), columns)
        links = np.stack([np.zeros(len(tiles), np.int64), np.arange(len(tiles))], axis=1)
        starts = np.array([0, len(tiles)])
        moves = Moves(
            links,
            starts,
            links,
            starts,
            lattice.steps_to_bound(axis, tiles),
            scale,
            into,
            np.zeros(1),
            np.zeros(1),
        )
        reached = None
        if labels.lists.keys is None:
            shape = -1, moves.steps.size, moves.steps.stride
            some = (np.diff(labels.lists.offsets) > 0).reshape(shape)[:, [lattice.coordinates[v][t] for t in tiles]]
            reached = np.zeros(lattice.n, np.bool_)
            reached.reshape(shape)[:, -1] = some.any(axis=1)
        found = gather(labels.lists, labels.values, lattice.n, moves, partial(self.field.around, columns), reached)
        self.pulse(len(found.values))
        return Labels(columns, found.lists.filled(), found.values, labels.origin[found.source])

    def _added(self, labels: Labels, at: Cut, node: Node) -> Labels:
        """Labels with the costs of a cut."""
        costs = self.field.costs(labels.lists.keys)
        entries = costs.entries(at)
        columns = self.columns.ordered((*labels.columns, *(c for _, c in entries)))
        pairs = np.array([(row, 1 + columns.index(c)) for row, c in entries], np.int64).reshape(-1, 2)
        limits = np.array([np.inf, *self.columns.limits(columns)])
        found = labels.lists, labels.values, labels.origin
        rules = around(costs, columns, node.guard)
        share = 0.0 if self.lattice.einsum.is_copy else node.share
        into, forgotten = _into(labels.columns, columns), self._forgotten(at, columns)
        lists, values, origin = add_costs(found, into, costs.bank, pairs, limits, forgotten, rules, share, self.threads)
        if self.thinner is not None:
            lists, values, kept = self.thinner(lists, values, rules, np.array([share]))
            origin = origin[kept]
        return Labels(columns, lists.filled(), values, origin)

    def _forgotten(self, at: Cut, columns: Sequence[Column]) -> Bools:
        """Columns of memories that nothing further out adds to: checked, they are forgotten."""
        gone = {self.columns.memory(i) for i in at.closing if i not in self.tracked}
        return np.array([False, *(c[0] in gone for c in columns)])

    # -- where labels come from -------------------------------------------------------------------

    def trace(self, node: Node, outlines: Sequence[Outline], rows: Ints, cuts: int) -> Trace:
        """How labels of a node came about; ``outlines``: those whose node it is, ``cuts``: the most cuts of any."""
        trace = Trace(list(outlines), np.zeros(len(rows), np.int64), np.full((len(rows), cuts), -1, np.int64), {})
        self._follow(trace, node, outlines[0].fused, list(range(len(outlines))), np.arange(len(rows)), rows)
        return trace

    def _follow(self, trace: Trace, node: Node, cut: int, own: Sequence[int], at: Ints, rows: Ints) -> None:
        """Fill in what lies below a node; ``own``: outlines that may still be meant, ``at``: the labels' places.

        ``cut``: where the node is in these outlines; in others that share it, it may be elsewhere.
        """
        assert node.labels is not None
        trace.states[at, cut] = node.labels.lists.keys_of(rows)
        if not node.parts:
            trace.outline[at] = own[0]
            return
        origin = node.labels.origin[rows]
        starts = np.array([part.start for part in node.parts])
        which = np.searchsorted(starts, origin, side="right") - 1
        for number in np.unique(which):
            part = node.parts[number]
            mine = np.flatnonzero(which == number)
            inner = origin[mine] - part.start
            spreading = part.inner.spreading
            if spreading is not None:
                for loop, trips in spreading.trips(inner).items():
                    trace.trips.setdefault(loop, np.ones(len(trace.outline), np.int64))[at[mine]] = trips
                inner = spreading.origin[inner]
            left = [k for k in own if trace.outlines[k].item(cut) == part.item]
            self._follow(trace, part.inner.node, cut + 1, left, at[mine], inner)


_NONE = np.zeros((0, 1))


def _into(before: tuple[Column, ...], after: tuple[Column, ...]) -> Ints:
    """What each column becomes among ``after``, counted with the key in front."""
    return np.array([0, *(1 + after.index(c) for c in before)])
