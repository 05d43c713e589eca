"""Rows: the pmappings of templates that are the same down to the fused cut, as arrays.

A row is a label at the fused cut together with a chain of fused tile sizes above it. Its columns
are energy, latency and, for each tracked memory, the Einsum's own peak and the bits of private
reservations above each depth of the fused nest (``open``), all that a join can ask for.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise

import attrs
import numpy as np

from ffcore.explore.search.beat import Root
from ffcore.explore.search.bookings import Column, LoopName, slack_of
from ffcore.explore.search.boxes import Boxes
from ffcore.explore.search.chains import Chains, Entry, fused_chains, loop_table
from ffcore.explore.search.judging import Backing
from ffcore.explore.search.kernels import template_rows
from ffcore.explore.search.labels import Labeller, Node
from ffcore.explore.search.outline import Outline
from ffcore.explore.search.spatial import spatial_choice
from ffcore.model.network import factor
from ffcore.objectives import Objectives
from ffcore.pmappings.arrays import Bools, Floats, Ints
from ffcore.pmappings.loops import loop_sizes
from ffcore.pmappings.pareto import pareto_mask
from ffcore.pmappings.rows import Rows, RowShape, TemplateChoice, numbered, renumbered, round_up
from ffcore.spec.problem import MapperOptions
from ffcore.templates import Site, Template


@attrs.frozen(eq=False)
class Candidates:
    """Rows of one group of templates that may turn out Pareto-optimal: labels under chains, not yet written out."""

    maker: RowMaker
    chains: Chains
    chain: Ints  # ascending
    label: Ints
    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Ints | Bools) -> Candidates:
        return attrs.evolve(self, chain=self.chain[rows], label=self.label[rows], values=self.values[rows])


@attrs.define(eq=False)
class Known:
    """Chains and their loops, which groups of templates have in common."""

    chains: dict[Hashable, Chains | None] = attrs.Factory(dict)
    loops: dict[Hashable, tuple[Ints, Ints]] = attrs.Factory(dict)


@attrs.frozen(eq=False)
class RowMaker:
    """Makes the rows of outlines that are the same down to the fused cut; ``node``: their labels there."""

    labeller: Labeller
    outlines: tuple[Outline, ...]
    node: Node
    shape: RowShape
    options: MapperOptions
    places: Mapping[str, int]  # number of each component's name
    known: Known

    @property
    def outline(self) -> Outline:
        """One of them: they differ only in what no row shows."""
        return self.outlines[0]

    @property
    def template(self) -> Template:
        return self.outline.template

    def candidates(self) -> Candidates | None:
        """All rows that fit, dominated ones of one chain left out."""
        chains = self._chains()
        if chains is None:
            return None
        labels = self.labeller.labels(self.node)
        bottom = np.ascontiguousarray(chains.states[:, self.outline.fused])
        first, last = labels.lists.ends(bottom)
        if not (last > first).any():
            return None
        columns = self.labeller.columns
        addend, scale, target = self._outer(chains, labels.columns)
        objectives, instances = Objectives.of(self.options.metrics), self.template.einsum.n_instances
        wanted = (instances if objectives.energy else 0.0, instances if objectives.latency else 0.0)
        chain, label, values = template_rows(
            labels.values,
            ((first, last), addend, scale, target, self._open(chains)),
            np.array(columns.limits(columns.plain())),
            self._latencies(),
            (float(columns.first_power), columns.constant_power, *wanted),
            self._tracked(),
            self.shape,
        )
        round_up(values[:, self.shape.shares], self.options.resource_usage_tolerance)
        self.labeller.pulse(int((last - first).sum()))
        return Candidates(self, chains, chain, label, values)

    def of(self, labeller: Labeller) -> RowMaker:
        """The same with other labels."""
        node = labeller.node(self.outlines, self.outline.fused)
        assert node is not None  # as there is one already
        return attrs.evolve(self, labeller=labeller, node=node)

    @property
    def backing(self) -> Backing:
        """The memories that back shared tensors."""
        return tuple(self.template.components[site.index].name for site in self._backing())

    def root(self, boxes: Boxes, extra: float = 0.0) -> Root:
        """The node, and the least that chains add to the labels of each box of states, with so much energy more."""
        columns, chains = self.labeller.columns, self._chains()
        above = np.full((1 + len(columns.forms), boxes.n), np.inf)
        if chains is not None:
            addend, _, _ = self._outer(chains, ())
            bottom = boxes.of_states(chains.states[:, self.outline.fused])
            for row, column in enumerate((0, *(columns.form(k) for k in range(len(columns.forms))))):
                np.minimum.at(above[row], bottom, addend[:, column] + (0.0 if row else extra))
        dimensions = (
            *self.outline.space_above,
            *(d for own in self.outline.spatial[: self.outline.fused] for d in own),
        )
        most = [columns.components[d.index].spatial[d.dimension].most for d in dimensions]
        return Root(self.node, above, 1 / math.prod(max(1.0, n) for n in most))

    def _outer(self, chains: Chains, inner: Sequence[Column]) -> tuple[Floats, Floats, Ints]:
        """What the cuts and loops above the fused cut do to the columns of a label.

        Per chain what is added to each plain column, what each of the label's is multiplied by, and the plain column
        that this then goes to. Without spatial loops nothing is multiplied: no rows.
        """
        columns, field, outline = self.labeller.columns, self.labeller.field, self.outline
        count = len(chains.states)
        spatial = [(k, e) for k, e in enumerate(chains.entries) if e.place is not None]
        slacks = self._slacks(chains)
        scale = np.ones((count if spatial or slacks else 0, len(inner)))
        added: dict[Column, Floats] = {}
        now = list(inner)
        for block in range(outline.fused - 1, -2, -1):
            names = self.labeller.lattice.variables
            passing = [(slack_of(names[e.axis]), own) for e, own in slacks if e.block == block]
            for k, e in spatial:
                if e.block == block and e.place is not None:
                    passing.append(((*e.place, names[e.axis]), chains.trips[:, k].astype(np.float64)))
            loops = [name for name, _ in passing]
            for name, trips in passing:
                for c, column in enumerate(now):
                    if power := columns.power_of(column, name):
                        scale[:, c] *= factor(trips, power)
                for column in added:
                    if power := columns.power_of(column, name):
                        added[column] = added[column] * factor(trips, power)
            now = [columns.passed(column, loops) for column in now]
            passed: dict[Column, Floats] = {}
            for column, values in added.items():
                after = columns.passed(column, loops)
                passed[after] = passed[after] + values if after in passed else values
            added = passed
            if block >= 0:
                states = chains.states[:, block]
                for row, column in field.every.entries(outline.cuts[block]):
                    values = field.every.bank[row][states]
                    added[column] = added[column] + values if column in added else values
        addend = np.zeros((count, columns.width))
        for (target, _), values in added.items():
            addend[:, target] += values
        return addend, scale, np.array([target for target, _ in now], np.int64)

    def _slacks(self, chains: Chains) -> list[tuple[Entry, Floats]]:
        """The outermost loops of variables with imperfect factors, and per chain what each costs beyond a fraction."""
        lattice, found = self.labeller.lattice, []
        for v, block in self.outline.ends:
            if block < self.outline.fused:
                axis = lattice.variables.index(v)
                k = next(
                    k for k, e in enumerate(chains.entries) if e.axis == axis
                )  # the first one of each is outermost
                whole = chains.trips[:, k] * chains.tiles[:, k]
                found.append((chains.entries[k], whole / lattice.einsum.bounds[v]))
        return found

    def expand(self, found: Candidates, first_job: int) -> tuple[Rows, list[TemplateChoice]]:
        """The rows, written out, and their jobs, numbered from ``first_job``."""
        chains, chain = found.chains, found.chain
        trace = self.labeller.trace(self.node, self.outlines, found.label, self.shape.cuts)
        states = trace.states
        fused = self.outline.fused
        states[:, :fused] = chains.states[chain, :fused]
        trips = dict(trace.trips)
        for k, e in enumerate(chains.entries):
            if e.place is not None:
                trips[*e.place, self.labeller.lattice.variables[e.axis]] = chains.trips[chain, k]
        names = list(trips)
        table = np.stack([trace.outline, *trips.values()], axis=1)
        different, job = np.unique(table, axis=0, return_inverse=True)
        jobs, job = [], job.reshape(-1)
        for outline, *own in different.tolist():
            template = trace.outlines[outline].template
            ran = dict(zip(names, own, strict=True))
            all_trips = [ran.get((s.index, s.dimension, s.variable), 1) for s in template.spatial]
            jobs.append(TemplateChoice(template, spatial_choice(template.spatial, all_trips)))
        for outline in np.unique(trace.outline).tolist():
            mine = np.flatnonzero(trace.outline == outline)
            own_trips = {loop: n[mine] for loop, n in trips.items()}
            states[mine] = self._iterations(states[mine], trace.outlines[outline].template, own_trips)
        codes, blocks = self.loops(chains)
        depth, memory = self.depth_and_memory(chains, chain)
        return Rows(codes[chain], blocks[chain], depth, memory, found.values, first_job + job, states), jobs

    def _iterations(self, states: Ints, template: Template, trips: Mapping[LoopName, Ints]) -> Ints:
        """Extents at each cut without the spatial loops further in: iterations of the temporal loops alone.

        Of variables with imperfect factors whole extents: a loop to the bound does not multiply what is below it.
        """
        lattice = self.labeller.lattice
        result = np.where(states < 0, -1, 0)
        stride = 1
        for axis, v in enumerate(lattice.variables):
            values = np.asarray(loop_sizes(lattice.einsum, v))
            inside = np.ones(len(states), np.int64)
            loops = [s for s in template.spatial if s.variable == v]
            for cut in range(len(template.blocks), -1, -1):
                for loop in loops:
                    name = loop.index, loop.dimension, loop.variable
                    if loop.block == cut and name in trips and v not in lattice.einsum.imperfect:
                        inside = inside * trips[name]
                own = np.searchsorted(values, lattice.extents(states[:, cut], axis) // inside)
                result[:, cut] += own * stride
            stride *= len(values)
        return result

    def _key(self) -> Hashable:
        """What the chains depend on."""
        template, last = self.template, self.outline.fused
        inner = frozenset(v for block in template.blocks[last:] for v in block)
        inner |= {s.variable for s in template.spatial if s.block >= last}
        ends = tuple((v, block) for v, block in self.outline.ends if block < last)
        above = self.outline.space_above, self.outline.spatial[:last], ends
        blocks = tuple(frozenset(block) for block in template.blocks[:last])
        return blocks, inner, above, tuple(d.fanout for c in self.template.components for d in c.spatial)

    def _chains(self) -> Chains | None:
        key = self._key()
        if key not in self.known.chains:
            self.known.chains[key] = fused_chains(self.labeller.lattice, self.outline, self.options)
        return self.known.chains[key]

    def loops(self, chains: Chains) -> tuple[Ints, Ints]:
        """(codes, blocks) of each chain's loops; blocks are numbered so that only which loops share one matters."""
        memo = self.known.loops
        key = self._key()
        if key not in memo:
            codes, blocks = loop_table(chains, self.labeller.lattice, self.template.fuses, self.shape.depth)
            memo[key] = codes, renumbered(blocks)
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
            place = self.labeller.columns.memory(index) if index is not None else None
            columns.append(-1 if place is None else place)
            size = self.template.components[index].size if index is not None else 1.0
            shares.append(1 / (size or 1.0))  # one of size 0 holds nothing
        return np.array(columns, np.int64), np.array(shares)

    def _latencies(self) -> tuple[Ints, Ints]:
        """The columns of a label of which the largest is the latency, and those that stay apart (-1: takes no time)."""
        columns = self.labeller.columns
        names = []
        for i, form in columns.forms:
            component = columns.components[i]
            names.append((component.name, next((k for k, own in enumerate(component.latency) if own is form), -1)))
        apart = [columns.form(names.index(name)) if name in names else -1 for name in self.shape.apart]
        together = [c for c in range(1, 2 + len(names)) if c not in apart]
        return np.array(together, np.int64), np.array(apart, np.int64)

    def _index(self, memory: str) -> int | None:
        return next((i for i, c in enumerate(self.template.components) if c.name == memory), None)

    def levels(self, chains: Chains, site: Site) -> Ints:
        """Per chain, the loops above a reservation that run more than once; persistent: -1."""
        if site.persistent:
            return np.full(len(chains.states), -1)
        return chains.loops_above(site.reservation, site.index)

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
        template, field, levels = self.template, self.labeller.field, self.shape.open
        result = np.zeros((len(chains.states), len(self.shape.memories), levels))
        deepest: Ints | None = None
        for m, name in enumerate(self.shape.memories):
            index = self._index(name)
            if index is None or field.columns.memory(index) is None:
                continue
            for site in template.sites:
                private = not (site.backing and site.tensor in template.einsum.shared)
                outlives = site.reservation < template.fused_cut or site.persistent
                if site.index != index or not private or not outlives:
                    continue
                deepest = self._deepest(chains) if deepest is None else deepest
                level = self.levels(chains, site)
                at = self.outline.cuts[site.reservation].reservations
                bits = field.every.bits(next(r for r in at if (r.tensor, r.index) == (site.tensor, site.index)))
                share = bits[chains.states[:, site.reservation]] / (template.components[index].size or 1.0)
                for depth in range(levels):
                    counted = (level < depth) & (level < deepest) | (level < 0)
                    result[:, m, depth] += np.where(counted, share, 0.0)
        return result


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
    numbers = numbered([np.concatenate([c[used[key]], b[used[key]]], axis=1) for key, (c, b) in tables.items()])
    placed, start = {}, 0
    for key, mask in used.items():
        placed[key] = start + np.cumsum(mask) - 1
        start += int(mask.sum())
    keys, rows = [], []
    for part, (codes, _) in zip(parts, loops, strict=True):
        first = np.concatenate([[True], part.chain[1:] != part.chain[:-1]])
        chain = part.chain[first]
        own = numbers[placed[id(codes)][chain]]
        keys.append(np.concatenate([own[:, None], *part.maker.depth_and_memory(part.chains, chain)], axis=1))
        rows.append(np.cumsum(first) - 1)
    groups = numbered(keys)
    starts = np.cumsum([0, *map(len, keys)])
    return [groups[start + row] for start, row in zip(starts, rows, strict=False)]
