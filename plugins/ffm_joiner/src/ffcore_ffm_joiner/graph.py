"""The graph of groups: which partial joins exist at all, before any row is looked at.

A node is a set of compatible reservations of the live tensors after some Einsum; an edge joins one
more group of the next Einsum. It is small beside the rows; nodes from which no whole mapping can be
reached (look-ahead) and bounds on what is still to come are read off it.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from ffcore_ffm_joiner.kernels import Floats, Ints
from ffcore_ffm_joiner.keys import Faces, TensorTable, combine_columns


@attrs.frozen(eq=False)
class Step:
    """Edges of one Einsum's join, and the nodes that they lead to."""

    left: Ints  # node before
    right: Ints  # group of the Einsum
    out: Ints  # node after
    live: tuple[str, ...]  # tensors that earlier and later Einsums touch, after this one
    nodes: Ints  # (nodes, live) their numbers
    depth: Ints  # (nodes,) greatest depth among the live tensors

    def keep(self, edges: Ints) -> Step:
        return attrs.evolve(self, left=self.left[edges], right=self.right[edges], out=self.out[edges])


def build(faces: Sequence[Faces], tables: dict[str, TensorTable]) -> list[Step]:
    """All edges that compatibility allows (semantics, section 4, "Order")."""
    steps: list[Step] = []
    live: tuple[str, ...] = ()
    nodes = np.zeros((1, 0), np.int64)
    for i, face in enumerate(faces):
        later = {t for f in faces[i + 1 :] for t in f.tensors}
        step = _step(face, tables, live, nodes, later)
        steps.append(step)
        live, nodes = step.live, step.nodes
    return steps


def _step(face: Faces, tables: dict[str, TensorTable], live: tuple[str, ...], nodes: Ints, later: set[str]) -> Step:
    known = [t for t in live if t in face.tensors]
    left_known = nodes[:, [live.index(t) for t in known]]
    right_known = face.ids[:, [face.tensors.index(t) for t in known]]
    left_trips = _trips(nodes, live, tables, face.trips.shape[1])
    left, right = _matches(left_known, left_trips, right_known, face.trips)
    staying = [t for t in live if t in later]
    reach = _depth(face.ids, face.tensors, [t for t in face.tensors if t in later], tables)
    fits = _depth(nodes, live, staying, tables)[left] <= reach[right]
    left, right = left[fits], right[fits]

    after = tuple(sorted({*staying, *(t for t in face.tensors if t in later)}))
    columns = [
        face.ids[right, face.tensors.index(t)] if t in face.tensors else nodes[left, live.index(t)] for t in after
    ]
    table = np.stack(columns, axis=1) if columns else np.zeros((len(left), 0), np.int64)
    if table.shape[1]:
        unique, out = np.unique(table, axis=0, return_inverse=True)
        out = out.reshape(-1)
    else:
        unique, out = np.zeros((min(1, len(table)), 0), np.int64), np.zeros(len(table), np.int64)
    return Step(left, right, out, after, unique, _depth(unique, after, after, tables))


def _matches(left: Ints, left_trips: Ints, right: Ints, right_trips: Ints) -> tuple[Ints, Ints]:
    """Pairs that agree on the known tensors and on the trip counts of their common depth."""
    pairs: list[tuple[Ints, Ints]] = []
    left_depth, right_depth = (left_trips > 0).sum(axis=1), (right_trips > 0).sum(axis=1)
    for x in np.unique(left_depth):
        for y in np.unique(right_depth):
            i, j = np.flatnonzero(left_depth == x), np.flatnonzero(right_depth == y)
            common = min(x, y)
            a, b = combine_columns(
                np.concatenate([left[i], left_trips[i, :common]], axis=1),
                np.concatenate([right[j], right_trips[j, :common]], axis=1),
            )
            k, m = _equal_pairs(a, b)
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


def _depth(ids: Ints, columns: Sequence[str], wanted: Sequence[str], tables: dict[str, TensorTable]) -> Ints:
    """Greatest depth among the wanted tensors; 0 for none or persistent ones only."""
    result = np.zeros(len(ids), np.int64)
    for t in wanted:
        result = np.maximum(result, tables[t].depth[ids[:, list(columns).index(t)]])
    return result


def _trips(nodes: Ints, live: Sequence[str], tables: dict[str, TensorTable], width: int) -> Ints:
    """Trip counts of the deepest loop list among live tensors, 0 beyond."""
    result = np.zeros((len(nodes), width), np.int64)
    deepest = np.full(len(nodes), -1)
    for k, t in enumerate(live):
        depth = tables[t].depth[nodes[:, k]]
        deeper = depth > deepest
        result[deeper] = tables[t].trips[nodes[deeper, k]]
        deepest = np.maximum(deepest, depth)
    return result


@attrs.frozen(eq=False)
class Bounds:
    """Per step and node, the least energy and latency of all that is joined after it; inf: a dead end."""

    energy: list[Floats]
    latency: list[Floats]


def bounds(steps: Sequence[Step], faces: Sequence[Faces]) -> Bounds:
    """Lower bounds by going backwards over the graph, capacities left out.

    Exact as bounds: every whole mapping follows edges of the graph, and its rows cost no less than
    the least of their groups.
    """
    energy: list[Floats] = [np.zeros(len(steps[-1].nodes))]
    latency: list[Floats] = [np.zeros(len(steps[-1].nodes))]
    for i in range(len(steps) - 1, 0, -1):
        for least, rest in ((faces[i].energy, energy), (faces[i].latency, latency)):
            before = np.full(len(steps[i - 1].nodes), np.inf)
            np.minimum.at(before, steps[i].left, least[steps[i].right] + rest[0][steps[i].out])
            rest.insert(0, before)
    return Bounds(energy, latency)


def forward(steps: Sequence[Step], faces: Sequence[Faces]) -> Bounds:
    """Per step and node, the least energy and latency of all that is joined up to it."""
    energy: list[Floats] = []
    latency: list[Floats] = []
    so_far = [np.zeros(1), np.zeros(1)]
    for step, face in zip(steps, faces, strict=True):
        after = [np.full(len(step.nodes), np.inf) for _ in range(2)]
        for least, before, own in zip(after, so_far, (face.energy, face.latency), strict=True):
            np.minimum.at(least, step.out, before[step.left] + own[step.right])
        so_far = after
        energy.append(after[0])
        latency.append(after[1])
    return Bounds(energy, latency)
