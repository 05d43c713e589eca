"""Rows: the pmappings of one template under one spatial choice, as arrays.

A row is a label at the fused cut together with a chain of fused tile sizes above it. Its columns
are energy, latency and, for each tracked memory, the Einsum's own peak and the bits of private
reservations above each depth of the fused nest (``open``), all that a join can ask for.
"""

from __future__ import annotations

from collections.abc import Hashable

import attrs
import numpy as np

from ffcore.explore.chains import Chains, fused_chains, loop_table
from ffcore.explore.costs import leak_power
from ffcore.explore.kernels import Floats, Ints, pareto_groups
from ffcore.explore.outline import Outline, Reserved
from ffcore.explore.spatial import SpatialChoice
from ffcore.explore.suffix import FIT, Labels, SuffixSolver
from ffcore.spec.problem import MapperOptions, Metric
from ffcore.templates import Site, Template


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
    memory: Ints  # (n, shared) component index of each shared tensor's backing holder
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


@attrs.frozen(eq=False)
class JobSolver:
    """Makes the rows of one template under one spatial choice."""

    solver: SuffixSolver
    outline: Outline
    choice: SpatialChoice  # of the solver's lattice: none above merged spatial loops
    sample: SpatialChoice  # one of the choices that the rows stand for
    shape: RowShape
    options: MapperOptions

    @property
    def template(self) -> Template:
        return self.outline.template

    def rows(self, jobs: Ints) -> Rows:
        """All rows, dominated ones of one chain left out; ``jobs``: number of each spatial choice's job."""
        template = self.template
        chains = self._chains()
        if chains is None or not len(chains.states):
            return Rows.empty(self.shape)
        labels = self.solver.labels(self.outline, template.fused_cut)
        chain, label = _pairs(chains.states[:, -1], labels)
        values, columns = self._values(chains, chain, labels, label)
        fits = self._fits(columns)
        order = np.flatnonzero(fits)
        starts = np.searchsorted(chain[order], np.arange(len(chains.states) + 1))
        kept = order[pareto_groups(starts, values[order])]
        self.solver.evaluated += len(chain)
        return self._expand(jobs, chains, chain[kept], labels, label[kept], values[kept])

    def _key(self) -> Hashable:
        """What the chains depend on."""
        template, last = self.template, self.template.fused_cut
        inner = frozenset(v for block in template.blocks[last:] for v in block)
        spatial = tuple((s.variable, s.block, n) for s, n in zip(self.choice.loops, self.choice.trips, strict=True))
        return (template.blocks[:last], inner, tuple(s for s in spatial if s[1] < last))

    def _chains(self) -> Chains | None:
        lattice, memo = self.solver.costs.lattice, self.solver.chains
        key = self._key()
        if key not in memo:
            memo[key] = fused_chains(lattice, self.template, self.choice, self.options)
        return memo[key]

    def _loops(self, chains: Chains) -> tuple[Ints, Ints]:
        lattice, memo = self.solver.costs.lattice, self.solver.loops
        key = self._key()
        if key not in memo:
            memo[key] = loop_table(chains, lattice, self.template, self.choice, self.shape.depth)
        return memo[key]

    def _values(self, chains: Chains, chain: Ints, labels: Labels, label: Ints) -> tuple[Floats, Floats]:
        """(row columns, label columns with everything above the fused cut added)."""
        template, costs = self.template, self.solver.costs
        layout = costs.layout
        columns = labels.values[label].copy()
        for at, cut in enumerate(self.outline.cuts[: template.fused_cut]):
            states = chains.states[:, at]
            for edge in cut.edges:
                for column, cost in costs.edge(edge).items():
                    columns[:, column] += cost[states][chain]
            for limited in cut.limits:
                columns[:, 0] += costs.mask(limited)[states][chain]
            for reserved in cut.reservations:
                place = layout.memory(reserved.index)
                if place is not None:
                    columns[:, place] += costs.bits(reserved)[states][chain]
        values = np.zeros((len(chain), self.shape.width))
        self._objectives(columns, values)
        for m, name in enumerate(self.shape.memories):
            index = next((i for i, c in enumerate(template.components) if c.name == name), None)
            place = layout.memory(index) if index is not None else None
            if index is not None and place is not None:
                size = template.components[index].size or 1.0  # one of size 0 holds nothing
                values[:, self.shape.own(m)] = columns[:, place] / size
                self._open(chains, chain, index, m, values)
        return values, columns

    def _objectives(self, columns: Floats, values: Floats) -> None:
        template, layout = self.template, self.solver.costs.layout
        einsum = template.einsum
        inner = self.solver.inner[0] if self.solver.inner else self.solver
        _, compute = inner.costs.constant(self.outline)
        latency = np.full(len(columns), compute)
        for k in range(len(layout.forms)):
            latency = np.maximum(latency, columns[:, layout.form(k)])
        energy = columns[:, 0]
        power = leak_power(einsum, template.components, self.sample)
        if power:
            energy = energy + power * latency
        metrics = self.options.metrics
        if metrics & (Metric.ENERGY | Metric.ENERGY_DELAY_PRODUCT):
            values[:, 0] = energy * einsum.n_instances
        if metrics & (Metric.LATENCY | Metric.ENERGY_DELAY_PRODUCT):
            values[:, 1] = latency * einsum.n_instances

    def levels(self, chains: Chains, site: Site) -> Ints:
        """Per chain, the loops above a reservation that run more than once; persistent: -1."""
        if site.persistent:
            return np.full(len(chains.states), -1)
        spatial = sum(loop.index <= site.index for loop in self.choice.loops)
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

    def _open(self, chains: Chains, chain: Ints, index: int, m: int, values: Floats) -> None:
        """Private reservations by level, cumulated; levels at or below the fused depth never show."""
        template, costs = self.template, self.solver.costs
        deepest = self._deepest(chains)
        for site in template.sites:
            private = not (site.backing and site.tensor in template.einsum.shared)
            if site.index != index or not private or not (site.reservation < template.fused_cut or site.persistent):
                continue
            level = self.levels(chains, site)
            reserved = Reserved(site.tensor, site.index, site.persistent)
            share = costs.bits(reserved)[chains.states[:, site.reservation]] / (template.components[index].size or 1.0)
            for depth in range(self.shape.depth + 1):
                counted = (level < depth) & (level < deepest) | (level < 0)
                values[:, self.shape.opened(m, depth)] += np.where(counted, share, 0.0)[chain]

    def _fits(self, columns: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        layout, components = self.solver.costs.layout, self.template.components
        ok = np.isfinite(columns[:, 0])
        for index in layout.memories:
            column = layout.memory(index)
            assert column is not None
            ok &= columns[:, column] <= components[index].size * FIT
        return ok

    def _states(self, chains: Chains, chain: Ints, labels: Labels, label: Ints) -> tuple[Ints, Ints]:
        """(spatial choice number, states along the nest) of each row, states as those of ``whole``."""
        solver = self.solver
        outer = chains.states[chain]
        inner = labels.paths(label)
        choices = labels.choices(label)
        path = np.concatenate([outer[:, :-1], inner], axis=1)
        states = np.full((len(chain), self.shape.cuts), -1, np.int64)
        if not solver.inner:
            states[:, : path.shape[1]] = solver.maps()[1][path]
            return choices, states
        merged = self.outline.merge + 1  # cuts above
        for number, own in enumerate(solver.inner):
            rows = np.flatnonzero(choices == number)
            if len(rows):
                _, iterations, back = own.maps()
                part = path[rows]
                states[rows, :merged] = back[part[:, :merged]]
                # The first state behind the merge stands for the same cut in the merged lattice.
                states[rows, merged : path.shape[1] - 1] = iterations[part[:, merged + 1 :]]
        return choices, states

    def _expand(self, jobs: Ints, chains: Chains, chain: Ints, labels: Labels, label: Ints, values: Floats) -> Rows:
        """The rows of the given chains and labels."""
        n = len(chain)
        choices, states = self._states(chains, chain, labels, label)
        backing = self._backing()
        depth = np.stack([self.levels(chains, s)[chain] for s in backing], axis=1) if backing else np.zeros((n, 0))
        memory = np.tile(np.array([s.index for s in backing], np.int64), (n, 1))
        codes, blocks = self._loops(chains)
        return Rows(
            codes[chain],
            blocks[chain],
            depth.astype(np.int64),
            memory,
            values,
            jobs[choices],
            states,
        )


def _pairs(bottom: Ints, labels: Labels) -> tuple[Ints, Ints]:
    """Every (chain, label) such that the label stands at the chain's last state."""
    counts = labels.offsets[bottom + 1] - labels.offsets[bottom]
    chain = np.repeat(np.arange(len(bottom)), counts)
    before = np.cumsum(counts) - counts
    label = np.arange(len(chain)) - np.repeat(before - labels.offsets[bottom], counts)
    return chain, label


def prune(rows: Rows) -> tuple[Rows, Ints]:
    """Pareto-optimal rows per compatibility, and the offsets of the groups of equal compatibility.

    Blocks are numbered anew, so that only which loops share one matters.
    """
    if not len(rows):
        return rows, np.zeros(1, np.int64)
    rows = attrs.evolve(rows, blocks=_renumbered(rows.blocks))
    keys = np.concatenate([rows.loops, rows.blocks, rows.depth, rows.memory], axis=1)
    if keys.shape[1] == 0:
        keys = np.zeros((len(rows), 1), np.int64)
    order = np.lexsort(keys.T[::-1])
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], (keys[1:] != keys[:-1]).any(axis=1)]))
    offsets = np.concatenate([starts, [len(rows)]]).astype(np.int64)
    keep = pareto_groups(offsets, rows.values[order])
    counts = np.add.reduceat(keep.astype(np.int64), starts)
    return rows.take(order[keep]), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _renumbered(blocks: Ints) -> Ints:
    """Block numbers 0, 1, ... in order of first use; -2 stays."""
    result = np.full(blocks.shape, -2, np.int64)
    number = np.zeros(len(blocks), np.int64)
    for k in range(blocks.shape[1]):
        if k:
            number = number + (blocks[:, k] != blocks[:, k - 1])
        result[:, k] = np.where(blocks[:, k] == -2, -2, number)
    return result
