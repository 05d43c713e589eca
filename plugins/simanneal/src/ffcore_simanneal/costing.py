"""What a template under one spatial choice costs, as products of trip counts (semantics, section 3, rearranged).

A child holder asks its parent for its tile, again and again: what passes between them depends on the trip counts of the
loops above the child only. So each pair of holders adds, to the energy and to the busy time of some components, a
constant times the trips above the child of rank variables that the tensor does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from ffcore.explore.spatial import SpatialChoice
from ffcore.spec.problem import Component, ComponentKind, EinsumProblem, Tensor
from ffcore.templates import SpatialLoop, Template
from ffcore.templates.types import TollSite


@attrs.frozen
class Tile:
    """Values of a tensor's tile as a function of the trips above it: a quotient, or a product of sums."""

    total: int  # values if nothing is looped over above
    variables: tuple[int, ...]  # divide by the trips above of each of these
    ranks: tuple[tuple[tuple[int, int, int], ...], ...] = ()  # not simple: (variable, extent, coefficient) of each rank

    def values(self, above: Sequence[int]) -> int:
        if not self.ranks:
            below = 1
            for v in self.variables:
                below *= above[v]
            return self.total // below
        result = 1
        for rank in self.ranks:
            extent = 1
            for v, whole, coefficient in rank:
                extent += coefficient * (whole // above[v] - 1)
            result *= extent
        return result


@attrs.frozen
class Traffic:
    """One tensor between two of its holders (or the compute).

    Column c gets ``gross`` x tile x trips above the child, minus ``skipped`` x tile x trips above of ``relevant``.
    """

    tile: Tile | None  # None: a simple one, which is in the rates already
    above: tuple[int, ...]  # variables whose trips above multiply the gross part
    relevant: tuple[int, ...]  # the same for the skipped part
    gross: tuple[tuple[int, float], ...]  # (column, rate)
    skipped: tuple[tuple[int, float], ...]


@attrs.frozen
class Columns:
    """Column 0 is energy (J); each further one the busy time (s) of a component by one of its forms."""

    forms: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, components: Sequence[Component]) -> Columns:
        compute = len(components) - 1
        return cls(tuple((i, k) for i, c in enumerate(components) if i != compute for k in range(len(c.latency))))


@attrs.define(eq=False)
class Coster:
    """Prepares costs under one spatial choice; templates of the same components and Tolls can share it."""

    einsum: EinsumProblem
    components: tuple[Component, ...]
    tolls: tuple[TollSite, ...]
    choice: SpatialChoice
    columns: Columns = attrs.field(init=False)
    variables: tuple[str, ...] = attrs.field(init=False)
    iterations: tuple[int, ...] = attrs.field(init=False)  # per variable, temporal iterations in all
    _tiles: dict[tuple[str, int], Tile] = attrs.field(init=False, factory=dict)
    _edges: dict[tuple[str, int, int], Traffic] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.columns = Columns.of(self.components)
        self.variables = tuple(self.einsum.bounds)
        total = self.choice.total()
        self.iterations = tuple(b // total.get(v, 1) for v, b in self.einsum.bounds.items())

    def tile(self, tensor: Tensor, index: int) -> Tile:
        """The tensor's tile in component ``index``, spatial loops further in included."""
        if (tensor.name, index) not in self._tiles:
            self._tiles[tensor.name, index] = self._tile(tensor, index)
        return self._tiles[tensor.name, index]

    def _tile(self, tensor: Tensor, index: int) -> Tile:
        below = self.choice.below(index)
        whole = {v: n * below.get(v, 1) for v, n in zip(self.variables, self.iterations, strict=True)}
        number = {v: i for i, v in enumerate(self.variables)}
        total = tensor.tile_values(whole)
        if all(len(rank.terms) == 1 and rank.terms[0][1] == 1 for rank in tensor.ranks):
            return Tile(total, tuple(number[rank.terms[0][0]] for rank in tensor.ranks))
        ranks = tuple(tuple((number[v], whole[v], c) for v, c in rank.terms) for rank in tensor.ranks)
        return Tile(total, (), ranks)

    def traffic(self, template: Template) -> Iterator[tuple[int, Traffic]]:
        """All that moves between holders of a template, with the child's cut; nothing for copies."""
        if self.einsum.is_copy:
            return
        compute = len(self.components) - 1
        for tensor in self.einsum.tensors:
            sites = [s for s in template.sites if s.tensor == tensor.name]
            children = [*((s.index, s.cut) for s in sites[1:]), (compute, len(template.blocks))]
            for parent, (child, cut) in zip(sites, children, strict=True):
                key = (tensor.name, parent.index, child)
                if key not in self._edges:
                    self._edges[key] = self._edge(tensor, parent.index, child)
                yield cut, self._edges[key]

    def _edge(self, tensor: Tensor, parent: int, child: int) -> Traffic:
        gross: dict[int, float] = {}
        skipped: dict[int, float] = {}
        for index, action, amount, less in self._books(tensor, parent, child):
            for column, rate in self._rates(index, action, tensor):
                gross[column] = gross.get(column, 0.0) + rate * amount
                skipped[column] = skipped.get(column, 0.0) + rate * less
        instances = self.choice.upto(child)
        tile = self.tile(tensor, child)
        everything = tuple(range(len(self.variables)))
        relevant = tuple(i for i, v in enumerate(self.variables) if v in tensor.fully_relevant)
        scale = float(instances)
        if not tile.ranks and len(set(tile.variables)) == len(tile.variables):
            # tile x trips above of its own variables is the same wherever it stands
            scale *= tile.total
            return Traffic(
                None,
                tuple(i for i in everything if i not in tile.variables),
                (),
                tuple((c, scale * rate) for c, rate in gross.items() if rate),
                tuple((c, scale * rate) for c, rate in skipped.items() if rate),
            )
        return Traffic(
            tile,
            everything,
            relevant,
            tuple((c, scale * rate) for c, rate in gross.items() if rate),
            tuple((c, scale * rate) for c, rate in skipped.items() if rate),
        )

    def _rates(self, index: int, action: str, tensor: Tensor) -> Iterator[tuple[int, float]]:
        """(column, amount per value that all instances move) of one action."""
        component = self.components[index]
        record = component.action(action)
        if record is None:
            return
        calls = 1 / record.values_per_action[tensor.name]
        if record.energy:
            yield 0, record.energy * calls
        instances = self.choice.upto(index)
        for k, (i, form) in enumerate(self.columns.forms):
            if i == index:
                seconds = component.latency[form].get(action, 0.0)
                if seconds:
                    yield 1 + k, seconds * calls / instances

    def _books(self, tensor: Tensor, parent: int, child: int) -> Iterator[tuple[int, str, float, float]]:
        """(component, action, gross, skipped) per value moved; multicast divides what the upper end does."""
        components = self.components
        up = 1.0 if tensor.output else 0.0
        skips = 1.0 if tensor.output and components[child].skip_initial_output_write else 0.0

        def saves(loop: SpatialLoop) -> bool:
            dimension = components[loop.index].spatial[loop.dimension]
            return loop.variable not in tensor.variables and tensor.name in dimension.may_reuse

        shared = self.choice.multicast(parent, child, saves)
        serves = skips if components[parent].skip_initial_output_write else 0.0
        yield parent, "read", 1 / shared, serves / shared
        if up:
            yield parent, "write", up / shared, 0.0
        if child < len(components) - 1:
            yield child, "write", 1.0, skips
            if up:
                yield child, "read", up, 0.0
        for toll in self.tolls:
            index = toll.index
            if toll.tensor != tensor.name or not parent < index < child:
                continue
            if components[index].kind is not ComponentKind.TOLL:
                continue
            merged = self.choice.multicast(index, child, saves)
            down = 1.0 if components[index].charges_down else 0.0
            passing = (up if components[index].charges_up else 0.0) + down
            yield index, "read", passing / merged, down * skips / merged

    def constant(self, template: Template) -> tuple[list[float], float]:
        """(columns, seconds of the compute) that do not depend on tile sizes."""
        columns = [0.0] * (1 + len(self.columns.forms))
        components = self.components
        compute = components[-1]
        if self.einsum.is_copy:
            calls, each = self._copy(template, columns)
        else:
            calls = 1.0
            for bound in self.einsum.bounds.values():
                calls *= bound
            each = calls / self.choice.upto(len(components) - 1)
        record = compute.action("compute")
        if record is not None:
            columns[0] += record.energy * calls
        return columns, max((form.get("compute", 0.0) * each for form in compute.latency), default=0.0)

    def _copy(self, template: Template, columns: list[float]) -> tuple[float, float]:
        """A copy reads its source once and writes its destination once, booked under the source tensor."""
        source = next(t for t in self.einsum.tensors if not t.output)
        where: Mapping[str, int] = {s.tensor: s.index for s in template.sites if s.backing}
        values = source.tile_values(self.einsum.bounds)
        for target in (t for t in self.einsum.tensors if t.output):
            if where[target.name] == where[source.name]:
                continue
            for index, action in ((where[source.name], "read"), (where[target.name], "write")):
                for column, rate in self._rates(index, action, source):
                    columns[column] += rate * values
        if not self.components[-1].computes_copies:
            return 0.0, 0.0
        fanout = 1
        for component in self.components:
            fanout *= component.fanout
        return float(values), values / fanout

    def leak_power(self) -> float:
        """W that leak while the Einsum runs: a gateable dimension used to the share u leaks u."""
        used: dict[tuple[str, str], int] = {}
        for loop, n in zip(self.choice.loops, self.choice.trips, strict=True):
            component = self.components[loop.index]
            key = (component.name, component.spatial[loop.dimension].name)
            used[key] = used.get(key, 1) * n
        total = 0.0
        for leak in self.einsum.leaks:
            share = 1.0
            for component_name, dimension, fanout in leak.gates:
                share *= used.get((component_name, dimension), 1) / fanout
            total += leak.power * share
        return total
