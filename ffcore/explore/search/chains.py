"""Fused tile choices: every chain of states from the outermost cut to the fused cut, with the spatial loops between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from ffcore.explore.search.lattice import Lattice
from ffcore.explore.search.outline import Outline
from ffcore.explore.search.spread import Rules
from ffcore.pmappings.arrays import Bools, Ints
from ffcore.pmappings.loops import encode_loops, loop_sizes
from ffcore.spec.problem import MapperOptions


@attrs.frozen
class Entry:
    """A loop above the fused cut: temporal, or across a dimension (component index, dimension)."""

    block: int
    axis: int
    place: tuple[int, int] | None = None


@attrs.frozen(eq=False)
class Chains:
    """All chains above one fused cut within the fused-loop limits."""

    states: Ints  # (chains, cuts 0 .. fused cut)
    trips: Ints  # (chains, entries)
    tiles: Ints  # (chains, entries) below each
    entries: tuple[Entry, ...]
    _above: dict[tuple[int, int], Ints] = attrs.Factory(dict)

    def loops_above(self, cut: int, index: int) -> Ints:
        """Per chain, the loops that run more than once above a reservation of component ``index`` at ``cut``.

        Spatial loops go by component: a tile belongs to one instance.
        """
        if (cut, index) not in self._above:
            columns = [
                k for k, e in enumerate(self.entries) if (e.block < cut if e.place is None else e.place[0] <= index)
            ]
            self._above[cut, index] = np.asarray((self.trips[:, columns] > 1).sum(axis=1), np.int64)
        return self._above[cut, index]


def fused_chains(lattice: Lattice, outline: Outline, options: MapperOptions) -> Chains | None:
    """Enumerate chains variable by variable; None when there are none."""
    template, last = outline.template, outline.fused
    per_variable, room = options.max_fused_loops_per_rank_variable, options.max_fused_loops
    if not template.fuses:
        per_variable = room = float("inf")  # no loop is fused, however high it stands
    dimensions = [(-1, d) for d in outline.space_above]
    dimensions += [(b, d) for b in range(last) for d in outline.spatial[b]]
    rules = [Rules(template.components[d.index].spatial[d.dimension], d, options) for _, d in dimensions]
    none = np.ones((1, 0), np.int64)
    found = _Found(np.zeros((1, last + 1), np.int64), none, none, [])
    for axis, v in enumerate(lattice.variables):
        slots = [Entry(b, axis) for b in range(last) if v in template.blocks[b]]
        slots += [Entry(b, axis, (d.index, d.dimension)) for b, d in dimensions if v in d.variables]
        slots.sort(key=lambda e: (e.block, e.place is not None, e.place or (0, 0)))
        inner = any(v in block for block in template.blocks[last:])
        inner = inner or any(s.variable == v and s.block >= last for s in template.spatial)
        allowed = [next((r for r in rules if (r.own.index, r.own.dimension) == e.place), None) for e in slots]
        ends = dict(outline.ends).get(v, last) < last
        tiles = frozenset(lattice.tiles[v]) if ends else frozenset()
        own = _Variable(lattice.values[axis], slots, allowed, v, min(per_variable, room), inner, tiles)
        coordinates, trips, below = own.table(last)
        if not len(coordinates):
            return None
        found = found.times(coordinates * lattice.strides[axis], trips, below, slots)
        found = found.kept((found.trips > 1).sum(axis=1) <= room)
        for r in rules:
            place = (r.own.index, r.own.dimension)
            product = found.trips[:, [k for k, e in enumerate(found.entries) if e.place == place]].prod(axis=1)
            found = found.kept(product <= r.most)
    for r in rules:
        found = found.kept(_accepted(r, found, lattice))
    return Chains(found.states, found.trips, found.tiles, tuple(found.entries)) if len(found.states) else None


@attrs.frozen(eq=False)
class _Found:
    """Chains of some of the variables."""

    states: Ints
    trips: Ints
    tiles: Ints
    entries: list[Entry]

    def times(self, states: Ints, trips: Ints, tiles: Ints, entries: Sequence[Entry]) -> _Found:
        """Each of the chains with each of another variable's."""
        n, own = len(self.states), len(states)
        both = (self.states[:, None, :] + states[None, :, :]).reshape(n * own, -1)
        ran, below = (
            np.concatenate([np.repeat(before, own, axis=0), np.tile(more, (n, 1))], axis=1)
            for before, more in ((self.trips, trips), (self.tiles, tiles))
        )
        return _Found(both, ran, below, [*self.entries, *entries])

    def kept(self, keep: Bools) -> _Found:
        return self if keep.all() else _Found(self.states[keep], self.trips[keep], self.tiles[keep], self.entries)


def _accepted(rules: Rules, found: _Found, lattice: Lattice) -> Bools:
    """Which chains obey all rules of a dimension."""
    place = (rules.own.index, rules.own.dimension)
    columns = [k for k, e in enumerate(found.entries) if e.place == place]
    ways, way = np.unique(found.trips[:, columns], axis=0, return_inverse=True)
    fine = []
    for trips in ways.tolist():
        reached = rules.start
        for k, n in zip(columns, trips, strict=True):
            reached = rules.after(reached, lattice.variables[found.entries[k].axis], n)
        fine.append(rules.accepts(reached))
    return np.array(fine, np.bool_)[way.reshape(-1)]


@attrs.frozen
class _Variable:
    """The loops of one rank variable above the fused cut, outermost first; ``inner``: there are some below it.

    ``tiles``: what the first one may have beside perfect factors.
    """

    values: tuple[int, ...]
    slots: Sequence[Entry]
    rules: Sequence[Rules | None]  # of each slot's dimension
    name: str
    limit: float  # loops that may run more than once
    inner: bool
    tiles: frozenset[int]

    def table(self, last: int) -> tuple[Ints, Ints, Ints]:
        """(coordinate at each cut, trips of each slot, tile below each), one row a chain."""
        top = len(self.values) - 1
        ends = [max((k for k, e in enumerate(self.slots) if e.block < cut), default=-1) for cut in range(last + 1)]
        coordinates, trips, tiles = [], [], []
        for steps in self._from(0, top, 0):
            coordinates.append([steps[end] if end >= 0 else top for end in ends])
            befores = [top, *steps]
            trips.append([-(-self.values[a] // self.values[b]) for a, b in zip(befores, steps, strict=False)])
            tiles.append([self.values[a] for a in steps])
        n = len(coordinates)
        shape = n, len(self.slots)
        return (
            np.array(coordinates, np.int64).reshape(n, last + 1),
            np.array(trips, np.int64).reshape(shape),
            np.array(tiles, np.int64).reshape(shape),
        )

    def _from(self, k: int, at: int, used: int) -> Iterator[list[int]]:
        """The coordinates after each slot from ``k`` on."""
        if k == len(self.slots):
            if self.inner or at == 0:
                yield []
            return
        for lower in range(at, -1, -1):
            tile = self.values[lower]
            n = -(-self.values[at] // tile)
            rules = self.rules[k]
            allowed = rules is None or rules.allowed(self.name, n)
            fits = self.values[at] % tile == 0 or (k == 0 and tile in self.tiles)
            if fits and allowed and used + (n > 1) <= self.limit:
                for tail in self._from(k + 1, lower, used + (n > 1)):
                    yield [lower, *tail]


def loop_table(chains: Chains, lattice: Lattice, fuses: bool, depth: int) -> tuple[Ints, Ints]:
    """(codes, blocks) of each chain's fused loops, both (chains, depth); 0 and -2 beyond the last loop.

    Blocks are cut at every holder and reservation. Within a block the order given here is one of
    several that count the same.
    """
    count = len(chains.states)
    codes = np.zeros((count, depth), np.int64)
    blocks = np.full((count, depth), -2, np.int64)
    placed = np.zeros(count, np.int64)
    order = sorted(range(len(chains.entries)), key=lambda k: _order(chains.entries[k])) if fuses else []
    for k in order:
        entry, trips, tile = chains.entries[k], chains.trips[:, k], chains.tiles[:, k]
        everything = np.asarray(loop_sizes(lattice.einsum, lattice.variables[entry.axis]))
        code = encode_loops(
            entry.axis,
            int(entry.place is not None),
            np.searchsorted(everything, trips),
            np.searchsorted(everything, tile),
        )
        members = np.flatnonzero(trips > 1)
        codes[members, placed[members]] = code[members]
        blocks[members, placed[members]] = entry.block
        placed[members] += 1
    return codes, blocks


def _order(entry: Entry) -> tuple[int, bool, int, tuple[int, int]]:
    return entry.block, entry.place is not None, entry.axis, entry.place or (0, 0)
