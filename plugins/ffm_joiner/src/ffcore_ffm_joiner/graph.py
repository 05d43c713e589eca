"""The graph of groups: which partial joins exist at all, before any row is looked at.

A node is a set of compatible reservations of the live tensors after some Einsum; an edge joins one
more group of the next Einsum. It is small beside the rows; nodes from which no whole mapping can be
reached (look-ahead) and bounds on what is still to come are read off it.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from ffcore_ffm_joiner.arrays import Memo, distinct, least, pack
from ffcore_ffm_joiner.compatibility import GroupSummary, TensorTable
from ffcore_ffm_joiner.kernels import Floats, Ints


@attrs.frozen(eq=False)
class Edges:
    """All edges of one Einsum's join, ascending by (out, left, right), and the nodes that they lead to."""

    left: Ints  # node before
    right: Ints  # group of the Einsum
    out: Ints  # node after
    nodes: Ints  # (nodes, live) numbers of the live tensors
    depth: Ints  # (nodes,) greatest depth among the live tensors


@attrs.frozen(eq=False)
class Step:
    """One Einsum's join."""

    edges: Edges
    before: tuple[str, ...]  # tensors that earlier Einsums and this or later ones touch
    live: tuple[str, ...]  # tensors that earlier and later Einsums touch, after this one


def build(faces: Sequence[GroupSummary], tables: dict[str, TensorTable], once: Memo) -> list[Step]:
    """All edges that compatibility allows (semantics, section 4, "Order")."""
    last = {t: i for i, face in enumerate(faces) for t in face.tensors}
    steps: list[Step] = []
    live: tuple[str, ...] = ()
    nodes = np.zeros((1, 0), np.int64)
    for i, face in enumerate(faces):
        staying = tuple(t for t in live if last[t] > i)
        fresh = tuple(t for t in face.tensors if last[t] > i and t not in live)
        after = staying + fresh

        columns = _Columns(
            tuple(_place(t, live, face.tensors) for t in live if t in face.tensors),
            tuple(k for k, t in enumerate(live) if last[t] > i),
            tuple(k for k, t in enumerate(face.tensors) if last[t] > i),
            tuple(_place(t, live, face.tensors) for t in after),
        )
        left_tables, right_tables = (tuple(tables[t] for t in names) for names in (live, face.tensors))
        edges = once(_edges, once.same(nodes), face.ids, face.trips, left_tables, right_tables, columns)
        steps.append(Step(edges, live, after))
        live, nodes = after, edges.nodes
    return steps


@attrs.frozen
class _Columns:
    """Where tensors stand among the nodes' columns and among the face's."""

    known: tuple[tuple[int, int], ...]  # live and touched
    staying: tuple[int, ...]  # live before and after
    reaching: tuple[int, ...]  # touched, and live afterwards
    after: tuple[tuple[int, int], ...]  # live afterwards


def _place(tensor: str, live: tuple[str, ...], touched: tuple[str, ...]) -> tuple[int, int]:
    """Column of the tensor among the nodes' and among the face's, -1: not there."""
    return live.index(tensor) if tensor in live else -1, touched.index(tensor) if tensor in touched else -1


def _edges(
    nodes: Ints, ids: Ints, trips: Ints, left_tables: tuple[TensorTable, ...], right_tables: tuple[TensorTable, ...],
    columns: _Columns,
) -> Edges:  # fmt: skip
    left_known = nodes[:, [k for k, _ in columns.known]]
    right_known = ids[:, [k for _, k in columns.known]]
    left_trips = _trips(nodes, left_tables, trips.shape[1])
    left, right = _matches(left_known, left_trips, right_known, trips)
    reach = _depth(ids, right_tables, columns.reaching)
    fits = _depth(nodes, left_tables, columns.staying)[left] <= reach[right]
    left, right = left[fits], right[fits]
    after = [ids[right, r] if r >= 0 else nodes[left, k] for k, r in columns.after]
    first, out = distinct(pack(after, len(left)))
    found = np.stack([c[first] for c in after], axis=1) if after else np.zeros((len(first), 0), np.int64)
    tables = [right_tables[r] if r >= 0 else left_tables[k] for k, r in columns.after]
    order = np.lexsort((right, left, out))
    return Edges(left[order], right[order], out[order], found, _depth(found, tables, range(len(tables))))


def _matches(left: Ints, left_trips: Ints, right: Ints, right_trips: Ints) -> tuple[Ints, Ints]:
    """Pairs that agree on the known tensors and on the trip counts of their common depth."""
    pairs: list[tuple[Ints, Ints]] = []
    left_depth, right_depth = (left_trips > 0).sum(axis=1), (right_trips > 0).sum(axis=1)
    for x in np.unique(left_depth):
        for y in np.unique(right_depth):
            i, j = np.flatnonzero(left_depth == x), np.flatnonzero(right_depth == y)
            common = min(x, y)
            both = [*np.concatenate([left[i], right[j]]).T]
            both += [*np.concatenate([left_trips[i, :common], right_trips[j, :common]]).T]
            codes = pack(both, len(i) + len(j))
            k, m = _equal_pairs(codes[: len(i)], codes[len(i) :])
            pairs.append((i[k], j[m]))
    if not pairs:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate([p for p, _ in pairs]), np.concatenate([p for _, p in pairs])


def _equal_pairs(a: Ints, b: Ints) -> tuple[Ints, Ints]:
    """All (i, j) with ``a[i] == b[j]``."""
    order = np.argsort(b, kind="stable")
    low = np.searchsorted(b[order], a, side="left")
    high = np.searchsorted(b[order], a, side="right")
    counts = high - low
    i = np.repeat(np.arange(len(a)), counts)
    start = np.cumsum(counts) - counts
    return i, order[np.arange(len(i)) - np.repeat(start - low, counts)]


def _depth(ids: Ints, tables: Sequence[TensorTable], columns: Sequence[int]) -> Ints:
    """Greatest depth among the tensors of these columns; 0 for none or persistent ones only."""
    result = np.zeros(len(ids), np.int64)
    for k in columns:
        result = np.maximum(result, tables[k].depth[ids[:, k]])
    return result


def _trips(nodes: Ints, tables: Sequence[TensorTable], width: int) -> Ints:
    """Trip counts of the deepest loop list among live tensors, 0 beyond."""
    result = np.zeros((len(nodes), width), np.int64)
    deepest = np.full(len(nodes), -1)
    for k, table in enumerate(tables):
        depth = table.depth[nodes[:, k]]
        deeper = depth > deepest
        result[deeper] = table.trips[nodes[deeper, k]]
        deepest = np.maximum(deepest, depth)
    return result


@attrs.frozen(eq=False)
class Bounds:
    """Per step, least costs, column by column; inf: a dead end.

    ``edges``: of the rows of each edge alone. ``ahead``: per node, of all that is joined up to it. ``rest``: after it.
    """

    edges: list[Floats]
    ahead: list[Floats]
    rest: list[Floats]

    def others(self, i: int, step: Step) -> Floats:
        """Of all that whole mappings that take an edge of step ``i`` are made of beside its own rows."""
        edges = step.edges
        return self.rest[i][edges.out] + (self.ahead[i - 1][edges.left] if i else 0.0)

    def through(self, i: int, step: Step) -> Floats:
        """Of whole mappings that take each edge of step ``i``."""
        return self.edges[i] + self.others(i, step)


def bounds(steps: Sequence[Step], costs: Sequence[Floats]) -> Bounds:
    """Lower bounds by going over the graph both ways. ``costs``: per step the least of each edge, (edges, columns).

    Exact as bounds: every whole mapping follows edges of the graph, and its rows cost no less than the least of theirs.
    """
    columns = costs[0].shape[1]
    ahead: list[Floats] = [np.zeros((1, columns))]
    for step, own in zip(steps, costs, strict=True):
        ahead.append(least(ahead[-1][step.edges.left] + own, step.edges.out, len(step.edges.nodes)))
    rest: list[Floats] = [np.zeros((len(steps[-1].edges.nodes), columns))]
    for i in range(len(steps) - 1, 0, -1):
        edges = steps[i].edges
        rest.append(least(costs[i] + rest[-1][edges.out], edges.left, len(steps[i - 1].edges.nodes)))
    return Bounds(list(costs), ahead[1:], rest[::-1])
