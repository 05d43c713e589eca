"""Rows: pmappings as arrays. One row is one pmapping.

Its columns are energy, latency and, for each tracked memory, the Einsum's own peak and the bits of private
reservations above each depth of the fused nest, all that a join can ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import attrs
import numpy as np

from ffcore.pmappings.arrays import Floats, Ints
from ffcore.pmappings.pareto import pareto_mask
from ffcore.spec.problem import Component
from ffcore.templates import SpatialLoop, Template

_NARROW = 1 << 16  # columns of up to so many values need no numbers of their own


@attrs.frozen
class SpatialChoice:
    """Trip counts of the spatial loops of one template (those that run once left out)."""

    loops: tuple[SpatialLoop, ...]
    trips: tuple[int, ...]

    @cached_property
    def _items(self) -> tuple[tuple[SpatialLoop, int], ...]:
        return tuple(zip(self.loops, self.trips, strict=True))

    def below(self, index: int) -> dict[str, int]:
        """Per rank variable, the trips of loops across components further in than ``index``."""
        return self._product(lambda loop: loop.index > index)

    def upto(self, index: int) -> int:
        """Instances of component ``index`` in use: trips across it and all outer components."""
        result = 1
        for loop, n in self._items:
            if loop.index <= index:
                result *= n
        return result

    def total(self) -> dict[str, int]:
        """Per rank variable, the trips of all its spatial loops."""
        return self._product(lambda loop: True)

    def multicast(self, outer: int, inner: int, irrelevant: Callable[[SpatialLoop], bool]) -> int:
        """Trips between components ``outer`` (exclusive) and ``inner`` that save traffic."""
        result = 1
        for loop, n in self._items:
            if outer < loop.index <= inner and irrelevant(loop):
                result *= n
        return result

    def across(self, index: int, dimension: int) -> int:
        """Instances along one dimension in use: the product of the trips across it."""
        result = 1
        for loop, n in self._items:
            if loop.index == index and loop.dimension == dimension:
                result *= n
        return result

    def usage(self, components: Sequence[Component], index: int, dimension: int) -> float:
        """Share of one dimension in use (semantics, section 3)."""
        return components[index].spatial[dimension].usage(self.across(index, dimension))

    def _product(self, wanted: Callable[[SpatialLoop], bool]) -> dict[str, int]:
        result: dict[str, int] = {}
        for loop, n in self._items:
            if wanted(loop):
                result[loop.variable] = result.get(loop.variable, 1) * n
        return result


@attrs.frozen
class RowShape:
    """Sizes that all rows of a problem share."""

    shared: tuple[str, ...]  # the Einsum's shared tensors
    memories: tuple[str, ...]  # tracked memories
    depth: int  # greatest number of fused loops
    cuts: int  # greatest number of cuts of a template
    # Latencies that stay apart from the others', of whose values one set of rows serves many: (component, which form).
    apart: tuple[tuple[str, int], ...] = ()

    @property
    def open(self) -> int:
        """Open columns per memory: persistent, then one for each depth of the nest."""
        return self.depth + 1

    @property
    def width(self) -> int:
        return self.first_apart + len(self.apart)

    @property
    def first_apart(self) -> int:
        """Column of the first latency that stays apart."""
        return self.own(len(self.memories))

    @property
    def shares(self) -> slice:
        """All columns that are shares of memories."""
        return slice(self.own(0), self.first_apart)

    def own(self, memory: int) -> int:
        """Column of the Einsum's own peak in a tracked memory, as a share of it; energy and latency come first."""
        return 2 + memory * (1 + self.open)

    def opened(self, memory: int, depth: int) -> int:
        """Column of the share that private reservations above loop ``depth`` (at levels below it) take."""
        return self.own(memory) + 1 + depth

    @property
    def kernel(self) -> tuple[Ints, Ints]:
        """For compiled code: per memory the columns of its own peak and of the shares above each depth, and those of
        the latencies that stay apart."""
        blocks = [range(self.own(m), self.own(m + 1)) for m in range(len(self.memories))]
        apart = np.arange(self.first_apart, self.width, dtype=np.int64)
        return np.array(blocks, np.int64).reshape(-1, 1 + self.open), apart

    def all_opened(self, memory: int) -> slice:
        """Columns of the shares above every depth, in their order."""
        return slice(self.opened(memory, 0), self.opened(memory, self.open))


@attrs.frozen(eq=False)
class Rows:
    """Struct of arrays; one row is one pmapping."""

    loops: Ints  # (n, depth) codes of the fused loops, outermost first, 0 beyond
    blocks: Ints  # (n, depth) block of each: loops of one block may be permuted; -2 beyond
    depth: Ints  # (n, shared) loops above each shared tensor's backing reservation, -1: persistent
    memory: Ints  # (n, shared) the component of each shared tensor's backing holder, by its number in ``places``
    values: Floats  # (n, width)
    job: Ints  # (n,) template and spatial choice
    states: Ints  # (n, cuts) temporal iterations left, as states of the lattice without spatial loops; -1 beyond

    def __len__(self) -> int:
        return len(self.values)

    @property
    def costs(self) -> Floats:
        """(n, 2) energy (J) and latency (s)."""
        return self.values[:, :2]

    def take(self, rows: Ints) -> Rows:
        return Rows(*(getattr(self, f.name)[rows] for f in attrs.fields(Rows)))

    @staticmethod
    def concatenate(parts: list[Rows]) -> Rows:
        return Rows(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in attrs.fields(Rows)))

    @staticmethod
    def empty(shape: RowShape) -> Rows:
        def none(columns: int) -> Ints:
            return np.zeros((0, columns), np.int64)

        depth, shared = shape.depth, len(shape.shared)
        return Rows(
            none(depth),
            none(depth),
            none(shared),
            none(shared),
            np.zeros((0, shape.width)),
            np.zeros(0, np.int64),
            none(shape.cuts),
        )


@attrs.frozen
class TemplateChoice:
    """A template under one choice of spatial trip counts."""

    template: Template
    choice: SpatialChoice


def reshaped(rows: Rows, own: RowShape, shape: RowShape, larger: Mapping[str, float] | None = None) -> Rows:
    """The rows in columns of another shape: for other memories, deeper or shallower nests, more or fewer cuts.

    ``larger``: what the share of a memory is multiplied by. A memory that the rows do not know is not used. Open sums
    above a row's deepest fused loop are all the same, so that depths beyond ``own`` say no more.
    """
    return attrs.evolve(
        rows,
        loops=_columns(rows.loops, shape.depth, 0),
        blocks=_columns(rows.blocks, shape.depth, -2),
        values=reshaped_values(rows.values, own, shape, larger),
        states=_columns(rows.states, shape.cuts, -1),
    )


def reshaped_values(found: Floats, own: RowShape, shape: RowShape, larger: Mapping[str, float] | None = None) -> Floats:
    """The values of `reshaped` rows, from theirs."""
    values = np.zeros((len(found), shape.width))
    values[:, :2] = found[:, :2]
    for m, name in enumerate(shape.memories):
        if name not in own.memories:
            continue
        k = own.memories.index(name)
        factor = 1.0 if larger is None else larger.get(name, 1.0)
        values[:, shape.own(m)] = found[:, own.own(k)] * factor
        for depth in range(shape.open):
            values[:, shape.opened(m, depth)] = found[:, own.opened(k, min(depth, own.depth))] * factor
    return values


def _columns(table: Ints, width: int, beyond: int) -> Ints:
    """The first columns of a table, or more of them."""
    if table.shape[1] >= width:
        return np.ascontiguousarray(table[:, :width])
    return np.pad(table, ((0, 0), (0, width - table.shape[1])), constant_values=beyond)


def places(templates: Sequence[Template]) -> tuple[Component, ...]:
    """All components of all paths, each name once: two paths may have different memories at one position."""
    found: dict[str, Component] = {}
    for template in templates:
        for component in template.components:
            found.setdefault(component.name, component)
    return tuple(found.values())


def prune(rows: Rows) -> tuple[Rows, Ints]:
    """Pareto-optimal rows per compatibility, and the offsets of the groups of equal compatibility.

    Blocks are numbered anew, so that only which loops share one matters.
    """
    if not len(rows):
        return rows, np.zeros(1, np.int64)
    rows = attrs.evolve(rows, blocks=renumbered(rows.blocks))
    group = numbered([np.concatenate([rows.loops, rows.blocks, rows.depth, rows.memory], axis=1)])
    return grouped(rows.take(np.flatnonzero(keep := pareto_mask(group, rows.values))), group[keep])


def grouped(rows: Rows, group: Ints) -> tuple[Rows, Ints]:
    """Rows in ascending order of their group's number, and the offsets of the groups."""
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    return rows.take(order), np.concatenate([[0], np.cumsum(counts[counts > 0])]).astype(np.int64)


def numbered(tables: Sequence[Ints]) -> Ints:
    """Numbers of the distinct rows of all tables together, in lexicographic order.

    Columns are packed into as few integers as their ranges allow: sorting is what costs time.
    """
    table = np.concatenate(tables)
    words: list[Ints] = [np.zeros(len(table), np.int64)]
    room = 1
    for column in table.T if len(table) else ():
        low = int(column.min())
        code, span = column - low, int(column.max()) - low + 1
        if span > _NARROW:
            distinct, inverse = np.unique(column, return_inverse=True)
            code, span = inverse.reshape(-1), len(distinct)
        if room * span >= 2**62:
            words.append(np.zeros(len(table), np.int64))
            room = 1
        words[-1] = words[-1] * span + code
        room *= span
    if len(words) == 1:
        return np.asarray(np.unique(words[0], return_inverse=True)[1], np.int64).reshape(-1)
    return np.asarray(np.unique(np.stack(words, axis=1), axis=0, return_inverse=True)[1], np.int64).reshape(-1)


def renumbered(blocks: Ints) -> Ints:
    """Block numbers 0, 1, ... in order of first use; -2 stays."""
    result = np.full(blocks.shape, -2, np.int64)
    number = np.zeros(len(blocks), np.int64)
    for k in range(blocks.shape[1]):
        if k:
            number = number + (blocks[:, k] != blocks[:, k - 1])
        result[:, k] = np.where(blocks[:, k] == -2, -2, number)
    return result


def round_up(shares: Floats, tolerance: float) -> None:
    """Shares of memories in steps of ``tolerance``, so that more rows are alike; what fits still fits.

    See ``ffcore.pmappings.guarantee`` for what this can cost.
    """
    if tolerance > 0:
        rounded = np.ceil(shares / tolerance) * tolerance
        shares[:] = np.where(shares <= 1, np.clip(rounded, shares, 1), shares)
