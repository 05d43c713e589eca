"""What a template under one spatial choice costs, as products of trip counts (semantics, section 3, rearranged).

A child holder asks its parent for its tile, again and again: what passes between them depends on the trip counts of the
loops above the child only. So each pair of holders adds, to the energy and to the busy time of some components, a
constant times the trips above the child of rank variables that the tensor does not have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import attrs
import numpy as np

from ffcore.plugin import (
    HOP,
    MAX_HOPS,
    Component,
    EinsumProblem,
    LoopPlace,
    Price,
    SpatialChoice,
    SpatialLoop,
    Template,
    Tensor,
    TollSite,
    accesses,
    compute_seconds,
    computes,
    copied,
    factor,
    furthest,
    hops,
    laid_out,
    latency_forms,
    leakage,
    price_of,
    rank_values,
    rates,
    saves_traffic,
    seconds_in,
)


@attrs.frozen
class Tile:
    """Values of a tensor's tile as a function of the trips above it: a quotient, or a product over ranks."""

    total: int  # values if nothing is looped over above
    variables: tuple[int, ...]  # divide by the trips above of each of these
    ranks: tuple[tuple[tuple[int, int], ...], ...] = ()  # not simple: (variable, coefficient) of each rank
    whole: tuple[int, ...] = ()  # and the extent of each variable if nothing is looped over above

    def values(self, above: Sequence[int]) -> int:
        if not self.ranks:
            below = 1
            for v in self.variables:
                below *= above[v]
            return self.total // below
        result = 1
        for rank in self.ranks:
            result *= rank_values(rank, {v: self.whole[v] // above[v] for v, _ in rank})
        return result


@attrs.frozen
class Traffic:
    """One tensor between two of its holders (or the compute).

    Column c gets ``gross`` x tile x trips above the child, minus ``skipped``.
    """

    tile: Tile | None  # None: a simple one, which is in the rates already
    above: tuple[int, ...]  # variables whose trips above multiply the gross part
    gross: tuple[tuple[int, float], ...]  # (column, rate)
    skipped: tuple[tuple[int, float], ...]  # (column, amount)
    priced: tuple[Priced, ...] = ()
    instances: int = 1  # that the child's tile goes to
    first: float = 0.0  # first visits, in all


@attrs.frozen(eq=False)
class Priced:
    """An access whose cost per value a law of a plugin sets, by tile and transfers.

    Column 0 gets its J; of its actions each column of ``calls`` gets that many seconds each.
    """

    price: Price
    gross: float  # per value moved
    skipped: float  # per first read
    calls: tuple[tuple[int, float], ...]
    energy: bool = True  # what the busiest link carries takes time only

    def add(self, columns: list[float], tile: float, transfers: float, amount: float, less: float) -> None:
        """Book ``amount`` values moved, ``less`` first reads."""
        joules, calls = self.price(np.array([tile]), np.array([transfers]))
        net = (self.gross * amount - self.skipped * less) / tile
        if self.energy:
            columns[0] += net * float(joules[0])
        for column, seconds in self.calls:
            columns[column] += net * float(calls[0]) * seconds


@attrs.frozen
class Columns:
    """Column 0 is energy (J); each further one the busy time (s) of a component by one of its forms."""

    forms: tuple[tuple[int, Mapping[str, float]], ...]

    @classmethod
    def of(cls, components: Sequence[Component]) -> Columns:
        return cls(tuple(latency_forms(components)))


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
    _tiles: dict[tuple[str, bool, int], Tile] = attrs.field(init=False, factory=dict)
    _edges: dict[tuple[str, int, int], Traffic] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.columns = Columns.of(self.components)
        self.variables = tuple(self.einsum.bounds)
        total = self.choice.total()
        self.iterations = tuple(b // total.get(v, 1) for v, b in self.einsum.bounds.items())

    def tile(self, tensor: Tensor, index: int) -> Tile:
        """The tensor's tile in component ``index``, spatial loops further in included."""
        key = (tensor.name, tensor.union is None, index)  # what backs several accesses has none, they have
        if key not in self._tiles:
            self._tiles[key] = self._tile(tensor, index)
        return self._tiles[key]

    def _tile(self, tensor: Tensor, index: int) -> Tile:
        below = self.choice.below(index)
        whole = {v: n * below.get(v, 1) for v, n in zip(self.variables, self.iterations, strict=True)}
        number = {v: i for i, v in enumerate(self.variables)}
        total = tensor.tile_values(whole)
        ranks = [rank for rank in tensor.ranks if rank.terms]
        if all(len(rank.terms) == 1 for rank in ranks):
            return Tile(total, tuple(number[rank.terms[0][0]] for rank in ranks))
        terms = tuple(tuple((number[v], c) for v, c in rank.terms) for rank in ranks)
        return Tile(total, (), terms, tuple(whole.values()))

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
        priced: list[Priced] = []
        instances = self.choice.upto(child)
        for access in accesses(self.components, tensor, parent, child, self._between(tensor)):
            shared = self.choice.multicast(access.component, child, lambda loop: self._saves(tensor, loop))
            amount, less = access.gross / shared, access.skipped / shared
            price = price_of(self.einsum, self.components[access.component], access.action, tensor)
            found = list(self._rates(access.component, access.action, tensor))
            if price is not None:
                calls = tuple((c, seconds) for c, _, seconds in found if c)
                priced.append(Priced(price, amount, less, calls))
                continue
            for column, rate, _ in found:
                gross[column] = gross.get(column, 0.0) + rate * amount
                skipped[column] = skipped.get(column, 0.0) + rate * less
        for hop in hops(self.components, tensor, parent, child, self._loops):
            passed = hop.amount * self._factors(hop.powers)
            price = price_of(self.einsum, self.components[hop.network], hop.action, tensor)
            found = list(self._rates(hop.network, hop.action, tensor))
            if price is not None:
                calls = tuple((c, seconds) for c, _, seconds in found if c)
                priced.append(Priced(price, passed, 0.0, calls, energy=hop.action == HOP))
                continue
            for column, rate, _ in found:
                gross[column] = gross.get(column, 0.0) + rate * passed
        tile = self.tile(tensor, child)
        simple = not tile.ranks and len(set(tile.variables)) == len(tile.variables) and not priced
        everything = range(len(self.variables))
        # tile x trips above of its own variables is the same wherever it stands
        scale = float(instances * (tile.total if simple else 1))
        first = self._first_visits(tensor, child)
        return Traffic(
            None if simple else tile,
            tuple(i for i in everything if not simple or i not in tile.variables),
            tuple((c, scale * rate) for c, rate in gross.items() if rate),
            tuple((c, first * rate) for c, rate in skipped.items() if rate),
            tuple(priced),
            instances,
            first,
        )

    def _first_visits(self, tensor: Tensor, child: int) -> float:
        """Each value has one, and one in each instance of spatial loops outside that the tensor does not see."""
        values = float(tensor.tile_values(self.einsum.bounds))
        for loop, n in zip(self.choice.loops, self.choice.trips, strict=True):
            if loop.index <= child and loop.variable not in tensor.variables:
                values *= n
        return values

    @cached_property
    def _trips(self) -> Mapping[LoopPlace, int]:
        return {
            (s.index, s.dimension, s.variable): n for s, n in zip(self.choice.loops, self.choice.trips, strict=True)
        }

    @cached_property
    def _loops(self) -> list[LoopPlace]:
        """The spatial loops that run more than once, as networks see them."""
        return laid_out(self._trips, self.variables)

    def _factors(self, powers: Iterable[tuple[LoopPlace, int]]) -> float:
        return math.prod(float(factor(np.array(float(self._trips[loop])), power)) for loop, power in powers)

    def _between(self, tensor: Tensor) -> list[int]:
        return [toll.index for toll in self.tolls if toll.tensor == tensor.name]

    def _saves(self, tensor: Tensor, loop: SpatialLoop) -> bool:
        return saves_traffic(self.components[loop.index].spatial[loop.dimension], tensor, loop.variable)

    def _rates(self, index: int, action: str, tensor: Tensor) -> Iterator[tuple[int, float, float]]:
        """(column, amount per value that all instances move, amount per action) of one action."""
        component = self.components[index]
        each = rates(component, action, tensor)
        if each is None:
            return
        energy, calls = each
        if energy:
            yield 0, energy, 0.0
        instances = self.choice.upto(index)
        for k, seconds in seconds_in(self.columns.forms, index, action):
            yield 1 + k, seconds * calls / instances, seconds / instances

    def constant(self, template: Template) -> tuple[list[float], float]:
        """(columns, seconds of the compute) that do not depend on tile sizes."""
        columns = [0.0] * (1 + len(self.columns.forms))
        components = self.components
        seconds = compute_seconds(self.einsum, components)
        if self.einsum.is_copy:
            self._copy(template, columns)
        else:
            seconds /= self.choice.upto(len(components) - 1)
            for k, (index, form) in enumerate(self.columns.forms):
                far = sum(self._factors(powers) for powers in furthest(components, index, self._loops))
                columns[1 + k] += form.get(MAX_HOPS, 0.0) * far
        record = components[-1].action("compute")
        if record is not None:
            columns[0] += record.energy * computes(self.einsum, components)
        return columns, seconds

    def _copy(self, template: Template, columns: list[float]) -> None:
        where: Mapping[str, int] = {s.tensor: s.index for s in template.sites if s.backing}
        for index, action, tensor, values in copied(self.einsum, where):
            price = price_of(self.einsum, self.components[index], action, tensor)
            found = list(self._rates(index, action, tensor))
            if price is None:
                for column, rate, _ in found:
                    columns[column] += rate * values
                continue
            calls = tuple((c, seconds) for c, _, seconds in found if c)
            Priced(price, 1.0, 0.0, calls).add(columns, values, 1.0, values, 0.0)

    def leak_power(self) -> float:
        """W that leak while the Einsum runs."""
        used: dict[tuple[int, int], int] = {}
        for loop, n in zip(self.choice.loops, self.choice.trips, strict=True):
            place = loop.index, loop.dimension
            used[place] = used.get(place, 1) * n
        return sum(
            leak.power * math.prod(used.get(place, 1) for place in leak.gates)
            for leak in leakage(self.einsum, self.components)
        )
