"""A template under one spatial choice, prepared so that tile choices are evaluated in microseconds.

Every number equals what `ffcore.model` says of the nest (`Plan.nest`); tests hold it to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import attrs

from ffcore.plugin import (
    Holder,
    MapperOptions,
    Nest,
    NestNode,
    Site,
    Spatial,
    SpatialChoice,
    Template,
    Temporal,
    TileShape,
)
from ffcore_simanneal.costing import Coster, Tile, Traffic
from ffcore_simanneal.parts import FusedLoop, Key, KeyTable, Part

Entry: TypeAlias = tuple[int, int, int]
"""A loop that runs more than once: (variable number, trips, number of the spatial loop or -1)."""

Blocks: TypeAlias = tuple[tuple[Entry, ...], ...]
"""The loops of a nest in order: first those above all temporal blocks, then block by block."""


@attrs.frozen(eq=False)
class Gene:
    """One unpruned pmapping: a plan and its loops."""

    plan: Plan
    blocks: Blocks

    def nest(self) -> Nest:
        return self.plan.nest(self.blocks)


@attrs.frozen
class _Room:
    """What a holder takes of its memory."""

    cut: int  # of the reservation
    place: int  # number of the limited memory, or -1
    tile: Tile
    per_value: float  # share of the memory's size
    spatial: int  # spatial loops above
    persistent: bool
    shared: int  # position among the Einsum's shared tensors if it is that one's backing holder, else -1


@attrs.frozen
class _Shape:
    """A holder whose tile is limited: (variable, extent without loops above) of each limited variable."""

    cut: int
    extents: tuple[tuple[int, int], ...]
    limit: TileShape


@attrs.frozen(eq=False)
class _Backing:
    """The backing holder of a shared tensor."""

    site: Site
    memory: str
    ranks: tuple[tuple[str, ...], ...]  # per variable
    moved: frozenset[int]  # spatial loops that stand further in but count as above
    keys: dict[tuple[tuple[int, int, int, bool], ...], Key]  # made so far


@attrs.define(eq=False)
class Plan:
    """Evaluates the tile choices and loop orders of one template under one spatial choice."""

    template: Template
    choice: SpatialChoice
    coster: Coster  # of the template's components and the choice
    options: MapperOptions
    memories: tuple[str, ...]  # limited ones of the problem
    table: KeyTable
    number: int  # of the choice, among those of its template
    variables: tuple[str, ...] = attrs.field(init=False)
    bounds: tuple[int, ...] = attrs.field(init=False)
    iterations: tuple[int, ...] = attrs.field(init=False)
    fused_cut: int = attrs.field(init=False)
    slots: tuple[tuple[int, ...], ...] = attrs.field(init=False)  # per variable, temporal blocks that may loop over it
    _traffic: tuple[tuple[int, Traffic], ...] = attrs.field(init=False)
    _start: list[float] = attrs.field(init=False)
    _compute: float = attrs.field(init=False)
    _power: float = attrs.field(init=False)
    _rooms: tuple[_Room, ...] = attrs.field(init=False)
    _shapes: tuple[_Shape, ...] = attrs.field(init=False)
    _backing: tuple[_Backing, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        template, einsum = self.template, self.template.einsum
        coster = self.coster
        self.fused_cut = template.fused_cut
        self.variables, self.iterations = coster.variables, coster.iterations
        self.bounds = tuple(einsum.bounds.values())
        self.slots = tuple(tuple(b for b, block in enumerate(template.blocks) if v in block) for v in self.variables)
        self._traffic = tuple((cut, t) for cut, t in coster.traffic(template) if t.gross or t.priced)
        self._start, self._compute = coster.constant(template)
        self._power = coster.leak_power()
        shared = [t.name for t in einsum.tensors if t.name in einsum.shared]
        self._rooms = tuple(self._room(coster, site, shared) for site in template.sites)
        self._shapes = tuple(shape for site in template.sites for shape in self._limits(site))
        backing = {s.tensor: s for s in template.sites if s.backing}
        self._backing = tuple(self._backed(backing[name]) for name in shared)

    # -- evaluation -------------------------------------------------------------------------------

    def part(self, blocks: Blocks) -> Part | None:
        """The pmapping with these loops; None if it breaks a limit on fused loops or a ``tile_shape``."""
        if not self.within_fused_limits(blocks):
            return None
        trips = [1] * len(self.variables)
        above, running, count = [trips], [0], 0
        for entries in blocks[1:]:
            if entries:
                trips = trips.copy()
                for v, n, spatial in entries:
                    if spatial < 0:
                        trips[v] *= n
                        count += 1
            above.append(trips)
            running.append(count)
        for shape in self._shapes:
            if not self._obeys(shape, above[shape.cut]):
                return None
        energy, latency = self._costs(above)
        keys = self._keys(blocks)
        depth = max([key.depth for key in keys], default=0)
        own = [0.0] * len(self.memories)
        private = [[0.0] * (depth + 1) for _ in self.memories]
        shares, places = [0.0] * len(keys), [-1] * len(keys)
        for room in self._rooms:
            place, position = room.place, room.shared
            if place < 0:
                continue
            share = room.tile.values(above[room.cut]) * room.per_value
            own[place] += share
            if position >= 0:
                shares[position], places[position] = share, place
                continue
            level = -1 if room.persistent else running[room.cut] + room.spatial
            for d in range(level + 1, depth + 1):
                private[place][d] += share
        return Part(
            energy,
            latency,
            tuple(own),
            tuple([(m, tuple(p)) for m, p in enumerate(private) if p[-1] > 0]),
            keys,
            tuple(shares),
            tuple(places),
            Gene(self, blocks),
        )

    def within_fused_limits(self, blocks: Blocks) -> bool:
        """Are no more loops fused than the options allow?"""
        template, options = self.template, self.options
        if not template.fuses:
            return True
        count = 0
        per_variable = [0] * len(self.variables)
        for entries in blocks[: self.fused_cut + 1]:
            for v, _, _ in entries:
                count += 1
                per_variable[v] += 1
        return count <= options.max_fused_loops and max(per_variable) <= options.max_fused_loops_per_rank_variable

    def _obeys(self, shape: _Shape, above: Sequence[int]) -> bool:
        return shape.limit.allows(whole // above[v] for v, whole in shape.extents)

    def _costs(self, above: Sequence[Sequence[int]]) -> tuple[float, float]:
        columns = self._start.copy()
        for cut, traffic in self._traffic:
            trips = above[cut]
            amount: float = 1
            for v in traffic.above:
                amount *= trips[v]
            if traffic.tile is not None:
                transfers, values = amount, traffic.tile.values(trips)
                amount *= values
                for access in traffic.priced:
                    n = traffic.instances
                    access.add(columns, values, n * transfers, n * amount, traffic.first)
            for column, rate in traffic.gross:
                columns[column] += rate * amount
            for column, rate in traffic.skipped:
                columns[column] -= rate
        latency = max(self._compute, *columns[1:]) if len(columns) > 1 else self._compute
        instances = self.template.einsum.n_instances
        return (columns[0] + self._power * latency) * instances, latency * instances

    def _keys(self, blocks: Blocks) -> tuple[Key, ...]:
        keys = []
        for backing in self._backing:
            left = list(self.bounds)
            loops: list[tuple[int, int, int, bool]] = []
            for entries in blocks[: backing.site.cut + 1]:
                for v, n, spatial in entries:
                    left[v] //= n
                    loops.append((v, n, left[v], spatial >= 0))
            if backing.moved:
                for entries in blocks[backing.site.cut + 1 :]:
                    for v, n, spatial in entries:
                        if spatial in backing.moved:
                            left[v] //= n
                            loops.append((v, n, left[v], True))
            name = tuple(loops)
            key = backing.keys.get(name)
            if key is None:
                seen: tuple[FusedLoop, ...] = tuple((backing.ranks[v], n, tile, s) for v, n, tile, s in loops)
                key = backing.keys[name] = self.table.key(backing.memory, backing.site.persistent, seen)
            keys.append(key)
        return tuple(keys)

    # -- preparation ------------------------------------------------------------------------------

    def _room(self, coster: Coster, site: Site, shared: Sequence[str]) -> _Room:
        component = self.template.components[site.index]
        tensor = self.template.einsum.kept(site.tensor, site.backing)
        bits = self.template.einsum.bits(tensor, component, persistent=site.persistent)
        per_value = bits / component.size if component.size else (float("inf") if bits else 0.0)
        place = self.memories.index(component.name) if component.name in self.memories else -1
        spatial = sum(loop.index <= site.index for loop in self.choice.loops)
        position = shared.index(site.tensor) if site.backing and site.tensor in shared else -1
        tile = coster.tile(tensor, site.index)
        return _Room(site.reservation, place, tile, per_value, spatial, site.persistent, position)

    def _limits(self, site: Site) -> list[_Shape]:
        holding = self.template.components[site.index].holding
        tensor = self.template.einsum.tensor[site.tensor]
        below = self.choice.below(site.index)
        result = []
        for limit in holding.tile_shape if holding is not None else ():
            extents = tuple(
                (i, self.iterations[i] * below.get(v, 1))
                for i, v in enumerate(self.variables)
                if v in limit.variables and v in tensor.variables
            )
            result.append(_Shape(site.cut, extents, limit))
        return result

    def _backed(self, site: Site) -> _Backing:
        tensor = self.template.einsum.tensor[site.tensor]
        ranks = tuple(tensor.ranks_of(v) for v in self.variables)
        moved = frozenset(
            k for k, loop in enumerate(self.choice.loops) if loop.block >= site.cut and loop.index <= site.index
        )
        return _Backing(site, self.template.components[site.index].name, ranks, moved, {})

    # -- the nest ---------------------------------------------------------------------------------

    def nest(self, blocks: Blocks) -> Nest:
        """The nest with these loops; those that run once are left out."""
        template = self.template
        left = list(self.bounds)
        nodes: list[NestNode] = []
        for cut, entries in enumerate(blocks):
            if cut:
                nodes.extend(self._holders(cut - 1))
            waiting = sorted(
                (t for t in template.tolls if self._toll_block(t.tensor, t.index) == cut - 1), key=lambda t: t.index
            )
            for v, n, spatial in entries:
                left[v] //= n
                if spatial < 0:
                    nodes.append(Temporal(self.variables[v], left[v]))
                    continue
                loop = self.choice.loops[spatial]
                component = template.components[loop.index]
                while waiting and loop.index > waiting[0].index:
                    toll = waiting.pop(0)
                    nodes.append(Holder(toll.tensor, template.components[toll.index].name))
                dimension = component.spatial[loop.dimension].name
                nodes.append(Spatial(self.variables[v], left[v], component.name, dimension))
            nodes.extend(Holder(t.tensor, template.components[t.index].name) for t in waiting)
        nodes.extend(self._holders(len(template.blocks)))
        return Nest(template.einsum.name, template.components[-1].name, tuple(nodes))

    def _holders(self, cut: int) -> list[Holder]:
        sites = self.template.sites
        return [Holder(s.tensor, self.template.components[s.index].name) for s in sites if s.cut == cut]

    def _toll_block(self, tensor: str, index: int) -> int:
        """The block at whose end a Toll stands: below its tensor's outer holder's loops and its own fanout."""
        template = self.template
        parent = max((s for s in template.sites if s.tensor == tensor and s.index < index), key=lambda s: s.cut)
        following = min((s.cut for s in template.sites if s.cut > parent.cut), default=len(template.blocks))
        own = max((s.block for s in template.spatial if s.index == index), default=-1)
        return max(following - 1, own)
