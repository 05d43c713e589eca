"""Rows: the pmappings of one template under one spatial choice, as arrays.

A row is a label at the fused cut together with a chain of fused tile sizes above it. Its columns
are energy, latency and, for each tracked memory, the Einsum's own peak and the bits of private
reservations above each depth of the fused nest (``open``), all that a join can ask for.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise

import attrs
import numpy as np

from ffcore.explore.chains import Chains, fused_chains, loop_table
from ffcore.explore.kernels import Bools, Floats, Ints, pareto_mask, template_rows
from ffcore.explore.outline import Outline, Reserved
from ffcore.explore.spatial import SpatialChoice, SpatialTable
from ffcore.explore.suffix import Labels, SuffixSolver
from ffcore.spec.problem import Component, MapperOptions, Metric
from ffcore.templates import Site, Template

_NARROW = 1 << 16  # columns of up to so many values need no numbers of their own


@attrs.frozen
class RowShape:
    """Sizes that all rows of a problem share."""

    shared: tuple[str, ...]  # the Einsum's shared tensors
    memories: tuple[str, ...]  # tracked memories
    depth: int  # greatest number of fused loops
    cuts: int  # greatest number of cuts of a template

    @property
    def open(self) -> int:
        """Open columns per memory: persistent, then one for each depth of the nest."""
        return self.depth + 1

    @property
    def width(self) -> int:
        return 2 + len(self.memories) * (1 + self.open)

    def own(self, memory: int) -> int:
        """Column of the Einsum's own peak in a tracked memory, as a share of its size."""
        return 2 + memory * (1 + self.open)

    def opened(self, memory: int, depth: int) -> int:
        """Column of the share that private reservations above loop ``depth`` (at levels below it) take."""
        return self.own(memory) + 1 + depth


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
class Job:
    """A template under one choice of spatial trip counts."""

    template: Template
    choice: SpatialChoice


@attrs.frozen(eq=False)
class Candidates:
    """Rows of one template that may turn out Pareto-optimal: labels under chains, not yet written out."""

    maker: RowMaker
    chains: Chains
    labels: Labels
    chain: Ints  # ascending
    label: Ints
    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Ints | Bools) -> Candidates:
        return attrs.evolve(self, chain=self.chain[rows], label=self.label[rows], values=self.values[rows])


@attrs.frozen(eq=False)
class RowMaker:
    """Makes the rows of one template under the spatial choices that one solver stands for."""

    solver: SuffixSolver
    outline: Outline
    nest: SpatialChoice  # of the solver's lattice: none above merged spatial loops
    table: SpatialTable
    choices: Ints  # numbers in the table: by the solver's number of the choice
    seconds: float  # of the compute, for one instance of the Einsum
    power: float  # W that leak
    shape: RowShape
    options: MapperOptions
    places: Mapping[str, int]  # number of each component's name

    @property
    def template(self) -> Template:
        return self.outline.template

    def candidates(self) -> Candidates | None:
        """All rows that fit, dominated ones of one chain left out."""
        chains = self._chains()
        if chains is None or not len(chains.states):
            return None
        fused = self.template.fused_cut
        labels = self.solver.labels(self.outline, fused)
        bottom = np.ascontiguousarray(chains.states[:, fused])
        if not (labels.offsets[bottom + 1] > labels.offsets[bottom]).any():
            return None
        costs, layout = self.solver.costs, self.solver.costs.layout
        addend = np.zeros((len(chains.states), layout.width))
        for at, cut in enumerate(self.outline.cuts[:fused]):
            entries = costs.entries(cut)
            for row, column in entries.tolist():
                addend[:, column] += costs.bank[row][chains.states[:, at]]
        metrics, instances = self.options.metrics, self.template.einsum.n_instances
        wanted = (
            instances if metrics & (Metric.ENERGY | Metric.ENERGY_DELAY_PRODUCT) else 0.0,
            instances if metrics & (Metric.LATENCY | Metric.ENERGY_DELAY_PRODUCT) else 0.0,
        )
        chain, label, values = template_rows(
            (labels.offsets, labels.values),
            (bottom, addend, self._open(chains)),
            costs.limits(),
            len(layout.forms),
            (self.seconds, self.power, *wanted),
            self._tracked(),
        )
        _round_up(values[:, 2:], self.options.resource_usage_tolerance)
        self.solver.evaluated += int((labels.offsets[bottom + 1] - labels.offsets[bottom]).sum())
        return Candidates(self, chains, labels, chain, label, values)

    def expand(self, found: Candidates, first_job: int) -> tuple[Rows, list[Job]]:
        """The rows, written out, and their jobs, numbered from ``first_job``."""
        chains, chain = found.chains, found.chain
        choices, inner = found.labels.trace(found.label)
        used, job = np.unique(choices, return_inverse=True)
        jobs = [Job(self.template, self.table.choice(self.template, int(k))) for k in self.choices[used]]
        states = np.full((len(chain), self.shape.cuts), -1, np.int64)
        fused = self.template.fused_cut
        for cut in range(fused):
            states[:, cut] = self.solver.iterations(choices, chains.states[chain, cut])
        for cut, at in enumerate(inner, fused):
            states[:, cut] = at
        codes, blocks = self.loops(chains)
        depth, memory = self.depth_and_memory(chains, chain)
        job = first_job + job.reshape(-1)
        return Rows(codes[chain], blocks[chain], depth, memory, found.values, job, states), jobs

    def _key(self) -> Hashable:
        """What the chains depend on."""
        template, last = self.template, self.template.fused_cut
        inner = frozenset(v for block in template.blocks[last:] for v in block)
        spatial = tuple((s.variable, s.block, n) for s, n in zip(self.nest.loops, self.nest.trips, strict=True))
        return (template.blocks[:last], inner, tuple(s for s in spatial if s[1] < last))

    def _chains(self) -> Chains | None:
        lattice, memo = self.solver.costs.lattice, self.solver.chains
        key = self._key()
        if key not in memo:
            memo[key] = fused_chains(lattice, self.template, self.nest, self.options)
        return memo[key]

    def loops(self, chains: Chains) -> tuple[Ints, Ints]:
        """(codes, blocks) of each chain's loops; blocks are numbered so that only which loops share one matters."""
        lattice, memo = self.solver.costs.lattice, self.solver.loops
        key = self._key()
        if key not in memo:
            codes, blocks = loop_table(chains, lattice, self.template, self.nest, self.shape.depth)
            memo[key] = codes, _renumbered(blocks)
        return memo[key]

    def depth_and_memory(self, chains: Chains, chain: Ints) -> tuple[Ints, Ints]:
        """Of the given chains: loops above the backing reservation of each shared tensor, and its component."""
        backing = self._backing()
        depth = np.zeros((len(chain), len(backing)), np.int64)
        memory = np.zeros((len(chain), len(backing)), np.int64)
        for k, site in enumerate(backing):
            depth[:, k] = self.levels(chains, site)[chain]
            memory[:, k] = self.places[self.template.components[site.index].name]
        return depth, memory

    def _tracked(self) -> tuple[Ints, Floats]:
        """(column of a label or -1, share that one bit is) of each tracked memory."""
        columns, shares = [], []
        for name in self.shape.memories:
            index = self._index(name)
            place = self.solver.costs.layout.memory(index) if index is not None else None
            columns.append(-1 if place is None else place)
            size = self.template.components[index].size if index is not None else 1.0
            shares.append(1 / (size or 1.0))  # one of size 0 holds nothing
        return np.array(columns, np.int64), np.array(shares)

    def _index(self, memory: str) -> int | None:
        return next((i for i, c in enumerate(self.template.components) if c.name == memory), None)

    def levels(self, chains: Chains, site: Site) -> Ints:
        """Per chain, the loops above a reservation that run more than once; persistent: -1."""
        if site.persistent:
            return np.full(len(chains.states), -1)
        spatial = sum(loop.index <= site.index for loop in self.nest.loops)
        return chains.loops_above(site.reservation) + spatial

    def _deepest(self, chains: Chains) -> Ints:
        deepest = np.zeros(len(chains.states), np.int64)
        for site in self._backing():
            deepest = np.maximum(deepest, self.levels(chains, site))
        return deepest

    def _backing(self) -> list[Site]:
        """The backing site of each shared tensor, in the order of ``shape.shared``."""
        sites = {s.tensor: s for s in self.template.sites if s.backing}
        return [sites[name] for name in self.shape.shared]

    def _open(self, chains: Chains) -> Floats:
        """Per chain and tracked memory, the shares that private reservations at levels below each depth take.

        Levels at or below the fused depth never show.
        """
        template, costs, levels = self.template, self.solver.costs, self.shape.open
        result = np.zeros((len(chains.states), len(self.shape.memories) * levels))
        deepest: Ints | None = None
        for m, name in enumerate(self.shape.memories):
            index = self._index(name)
            if index is None or costs.layout.memory(index) is None:
                continue
            for site in template.sites:
                private = not (site.backing and site.tensor in template.einsum.shared)
                outlives = site.reservation < template.fused_cut or site.persistent
                if site.index != index or not private or not outlives:
                    continue
                deepest = self._deepest(chains) if deepest is None else deepest
                level = self.levels(chains, site)
                bits = costs.bits(Reserved(site.tensor, site.index, site.persistent))
                share = bits[chains.states[:, site.reservation]] / (template.components[index].size or 1.0)
                for depth in range(levels):
                    counted = (level < depth) & (level < deepest) | (level < 0)
                    result[:, m * levels + depth] += np.where(counted, share, 0.0)
        return result


def places(templates: Sequence[Template]) -> tuple[Component, ...]:
    """All components of all paths, each name once: two paths may have different memories at one position."""
    found: dict[str, Component] = {}
    for template in templates:
        for component in template.components:
            found.setdefault(component.name, component)
    return tuple(found.values())


def pruned(parts: Sequence[Candidates]) -> tuple[list[Candidates], list[Ints]]:
    """(the Pareto-optimal rows of each part, the number of each one's compatibility among all parts).

    Exact: rows of equal compatibility join with the same rows of other Einsums, whatever their template.
    """
    groups = _compatibilities(parts)
    keep = pareto_mask(np.concatenate(groups), np.concatenate([p.values for p in parts]))
    starts = np.cumsum([0, *map(len, parts)])
    masks = [keep[a:b] for a, b in pairwise(starts)]
    kept = [part.take(mask) for part, mask in zip(parts, masks, strict=True)]
    return kept, [group[mask] for group, mask in zip(groups, masks, strict=True)]


def _compatibilities(parts: Sequence[Candidates]) -> list[Ints]:
    """Per part and row, the number of its compatibility: loops, and depth and memory of each shared tensor.

    Templates share tables of loops, and rows chains, so most of the work is done once for many rows.
    """
    loops = [p.maker.loops(p.chains) for p in parts]
    tables = {id(codes): (codes, blocks) for codes, blocks in loops}
    used = {key: np.zeros(len(codes), np.bool_) for key, (codes, _) in tables.items()}
    for part, (codes, _) in zip(parts, loops, strict=True):
        used[id(codes)][part.chain] = True
    numbers = _numbered([np.concatenate([c[used[key]], b[used[key]]], axis=1) for key, (c, b) in tables.items()])
    numbered, start = {}, 0
    for key, mask in used.items():
        numbered[key] = start + np.cumsum(mask) - 1
        start += int(mask.sum())
    keys, rows = [], []
    for part, (codes, _) in zip(parts, loops, strict=True):
        first = np.concatenate([[True], part.chain[1:] != part.chain[:-1]])
        chain = part.chain[first]
        own = numbers[numbered[id(codes)][chain]]
        keys.append(np.concatenate([own[:, None], *part.maker.depth_and_memory(part.chains, chain)], axis=1))
        rows.append(np.cumsum(first) - 1)
    groups = _numbered(keys)
    starts = np.cumsum([0, *map(len, keys)])
    return [groups[start + row] for start, row in zip(starts, rows, strict=False)]


def _round_up(shares: Floats, tolerance: float) -> None:
    """Shares of memories in steps of ``tolerance``, so that more rows are alike; what fits still fits.

    See ``ffcore.join.guarantee`` for what this can cost.
    """
    if tolerance > 0:
        rounded = np.ceil(shares / tolerance) * tolerance
        shares[:] = np.where(shares <= 1, np.clip(rounded, shares, 1), shares)


def prune(rows: Rows) -> tuple[Rows, Ints]:
    """Pareto-optimal rows per compatibility, and the offsets of the groups of equal compatibility.

    Blocks are numbered anew, so that only which loops share one matters.
    """
    if not len(rows):
        return rows, np.zeros(1, np.int64)
    rows = attrs.evolve(rows, blocks=_renumbered(rows.blocks))
    group = _numbered([np.concatenate([rows.loops, rows.blocks, rows.depth, rows.memory], axis=1)])
    return grouped(rows.take(np.flatnonzero(keep := pareto_mask(group, rows.values))), group[keep])


def grouped(rows: Rows, group: Ints) -> tuple[Rows, Ints]:
    """Rows in ascending order of their group's number, and the offsets of the groups."""
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    return rows.take(order), np.concatenate([[0], np.cumsum(counts[counts > 0])]).astype(np.int64)


def _numbered(tables: Sequence[Ints]) -> Ints:
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


def _renumbered(blocks: Ints) -> Ints:
    """Block numbers 0, 1, ... in order of first use; -2 stays."""
    result = np.full(blocks.shape, -2, np.int64)
    number = np.zeros(len(blocks), np.int64)
    for k in range(blocks.shape[1]):
        if k:
            number = number + (blocks[:, k] != blocks[:, k - 1])
        result[:, k] = np.where(blocks[:, k] == -2, -2, number)
    return result
