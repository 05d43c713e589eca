"""What an edge books where, and how spatial loops further out change it.

Totals over all instances and all time depend on tile sizes alone; a spatial loop further out changes three things:
accesses that are multicast or reduced over it are shared (divide), first reads of an output that skip recur in each of
its instances (multiply), and what counts for one instance of a component is divided by the instances in use. A column
of a label takes the last as its own scale. The first two hold for some of what is booked there only, so that what they
will change stays in a column of its own, *pending*, until the last such loop has been passed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import attrs
import numpy as np

from ffcore.model.law import (
    Access,
    accesses,
    compute_seconds,
    latency_forms,
    leakage,
    price_of,
    rates,
    saves_traffic,
    seconds_in,
)
from ffcore.model.network import factor, furthest, hops, laid_out
from ffcore.numbers import imperfect_tiles
from ffcore.pmappings.arrays import Ints
from ffcore.spec.problem import MAX_HOPS, Component, EinsumProblem, Tensor
from ffcore.tolerances import FITS

LoopName = tuple[int, int, str]  # component index, dimension, rank variable
Factors = tuple[tuple[str, float], ...]  # per rank variable, what an extent is multiplied by
Signature = tuple[tuple[LoopName, int], ...]  # loops further out, and the power (see `factor`) that multiplies
_NOWHERE = -1  # component and dimension of a slack's name
Column = tuple[int, Signature]  # a column of the layout, or pending ones with it as target
Way = tuple[Column, float]  # s that a column has, whatever the tile sizes


def slack_of(variable: str) -> LoopName:
    """The slack of a variable's outermost loop (see ``lattice.py``), named like a loop: it multiplies like one."""
    return _NOWHERE, _NOWHERE, variable


def is_slack(name: LoopName) -> bool:
    """Is it no loop, but the slack of one?"""
    return name[0] == _NOWHERE


class EdgeShape(NamedTuple):
    """Traffic of a tensor from the holder in component ``parent`` to the one in ``child``, through ``tolls``."""

    tensor: str
    parent: int
    child: int
    tolls: tuple[int, ...]


@attrs.frozen
class Unit:
    """What a law of a plugin prices: an access, and whether its energy (J) or its actions count."""

    component: int
    action: str
    energy: bool


@attrs.frozen
class Booking:
    """``rate`` per value that an edge moves (``skipped``: per first read that is skipped) goes to a column.

    With a ``unit``: ``rate`` times what the law says of each value.
    """

    column: Column
    tensor: str
    factors: Factors
    skipped: bool
    unit: Unit | None
    rate: float


@attrs.frozen(eq=False)
class Columns:
    """What the columns of a label are: energy, latency forms, compute time, bits of limited memories, leakage.

    ``forms``: (component index, seconds per action). ``power``: per column, W that leak and the dimensions whose use
    multiplies them. ``tiles``: per rank variable with imperfect factors, those of its outermost loop. ``numbered``:
    what `Ranges` knows of columns, whatever the states.
    """

    einsum: EinsumProblem
    components: tuple[Component, ...]
    forms: tuple[tuple[int, Mapping[str, float]], ...]
    memories: tuple[int, ...]
    compute: float  # seconds of the compute on one instance; 0: needs no column
    power: tuple[tuple[float, frozenset[tuple[int, int]]], ...]
    constant_power: float  # W that leak whatever is used
    tiles: Mapping[str, tuple[int, ...]]
    numbered: dict[Hashable, tuple[Ints, Ints, tuple[Signature, ...]]] = attrs.field(factory=dict, init=False)

    @property
    def width(self) -> int:
        return 2 + len(self.forms) + len(self.memories) + len(self.power)

    @property
    def compute_column(self) -> int:
        return 1

    def laid_out(self, names: Iterable[LoopName]) -> list[LoopName]:
        """Loops as networks see them; slacks are left out."""
        return laid_out((name for name in names if not is_slack(name)), list(self.einsum.bounds))

    def form(self, k: int) -> int:
        return 2 + k

    def memory(self, index: int) -> int | None:
        return 2 + len(self.forms) + self.memories.index(index) if index in self.memories else None

    @property
    def first_power(self) -> int:
        return 2 + len(self.forms) + len(self.memories)

    def plain(self) -> tuple[Column, ...]:
        """The columns that every label has."""
        return tuple((c, ()) for c in range(self.width))

    def power_of(self, column: Column, loop: LoopName) -> int:
        """The power of a loop's trips that multiplies a column when the loop is passed."""
        target, signature = column
        return self._own_power(target, loop) + next((e for name, e in signature if name == loop), 0)

    def _own_power(self, target: int, loop: LoopName) -> int:
        index, dimension, _ = loop
        if is_slack(loop):  # time counts steps
            timed = self.compute_column <= target < 2 + len(self.forms)
            return int(timed and not self.einsum.is_copy)
        if target == self.compute_column:
            return 0 if self.einsum.is_copy else -1
        if 2 <= target < 2 + len(self.forms):
            return -1 if index <= self.forms[target - 2][0] else 0
        if target >= self.first_power:
            return int((index, dimension) in self.power[target - self.first_power][1])
        return 0

    def passed(self, column: Column, loops: Iterable[LoopName]) -> Column:
        """What a column is once ``loops`` have been passed."""
        target, signature = column
        gone = set(loops)
        return target, tuple((name, e) for name, e in signature if name not in gone)

    def ordered(self, found: Iterable[Column]) -> tuple[Column, ...]:
        """The plain columns and the pending ones among ``found``, each plain one before those that are added to it."""
        return tuple(sorted({*self.plain(), *found}))

    def limits(self, columns: Sequence[Column]) -> list[float]:
        """The most that each column may come to: no tile that is ruled out, no memory that overflows."""
        most = {self.memory(i): self.components[i].size * FITS for i in self.memories}
        # A tile that tile_shape rules out costs infinite energy.
        return [1.7e308 if c == (0, ()) else most.get(c[0], float("inf")) for c in columns]


def columns_of(
    einsum: EinsumProblem, components: tuple[Component, ...], with_latency: bool, tracked: Iterable[str]
) -> Columns:
    """The columns for a path: forms where latency or leakage counts, memories that can overflow or are tracked."""
    known = set(tracked)
    memories = [
        i
        for i, c in enumerate(components)
        if c.holding is not None and (c.size < einsum.most_bits(c) or c.name in known)
    ]
    leaks = leakage(einsum, components)
    constant = sum(leak.power for leak in leaks if not leak.gates)
    seconds = compute_seconds(einsum, components) if with_latency else 0.0
    forms = tuple(latency_forms(components)) if with_latency else ()
    power = tuple((leak.power, leak.gates) for leak in leaks if leak.gates and leak.power)
    return Columns(einsum, components, forms, tuple(memories), seconds, power, constant, tiles_of(einsum, components))


def tiles_of(einsum: EinsumProblem, components: Sequence[Component]) -> Mapping[str, tuple[int, ...]]:
    """Per rank variable with imperfect factors on a path, the tiles that its outermost loop may have."""
    fanouts = frozenset(d.fanout for c in components for d in c.spatial)
    tiles = {v: imperfect_tiles(bound, fanouts) for v, bound in einsum.bounds.items() if v in einsum.imperfect}
    return {v: own for v, own in tiles.items() if any(einsum.bounds[v] % t for t in own)}


def factors_of(index: int, inside: Iterable[tuple[LoopName, int]], around: Iterable[tuple[LoopName, int]]) -> Factors:
    """Loops out of order: those ``inside`` of a holder in ``index`` that count as outside, and the other way round."""
    found: dict[str, float] = {}
    for (own, _, v), n in inside:
        if own <= index and n > 1:
            found[v] = found.get(v, 1.0) / n
    for (own, _, v), n in around:
        if own > index and n > 1:
            found[v] = found.get(v, 1.0) * n
    return tuple(sorted(found.items()))


@attrs.frozen
class Booker:
    """Makes the bookings of edges on one path."""

    columns: Columns

    def bookings(
        self,
        edge: EdgeShape,
        outside: tuple[LoopName, ...],
        inside: tuple[tuple[LoopName, int], ...],
        around: tuple[tuple[LoopName, int], ...],
    ) -> tuple[Booking, ...]:
        """The bookings of an edge with the loops ``outside`` of its child.

        ``inside`` and ``around``: of the loops whose trips are known, those inside and outside of the child.
        """
        columns = self.columns
        tensor = columns.einsum.tensor[edge.tensor]
        factors = factors_of(edge.child, inside, around)
        found: dict[tuple[Column, bool, Unit | None], float] = {}
        for access in accesses(columns.components, tensor, edge.parent, edge.child, edge.tolls):
            for skipped, amount in ((False, access.gross), (True, -access.skipped)):
                if not amount:
                    continue
                powers = {name: self._power(edge, access, tensor, name, skipped) for name in outside}
                signature = tuple(sorted((name, e) for name, e in powers.items() if e))
                for name, n in inside:
                    amount *= float(n) ** self._power(edge, access, tensor, name, skipped)
                for target, rate, unit in self.rates(access.component, access.action, tensor):
                    for name, n in inside:
                        rate *= float(n) ** columns.power_of((target, ()), name)
                    slack = self._slack(target, tensor, outside, skipped)
                    key = ((target, tuple(sorted((*signature, *slack)))), skipped, unit)
                    found[key] = found.get(key, 0.0) + rate * amount
        self._hops(edge, tensor, outside, inside, found)
        return tuple(
            Booking(column, edge.tensor, factors, skipped, unit, rate)
            for (column, skipped, unit), rate in found.items()
            if rate
        )

    def _hops(
        self,
        edge: EdgeShape,
        tensor: Tensor,
        outside: tuple[LoopName, ...],
        inside: tuple[tuple[LoopName, int], ...],
        found: dict[tuple[Column, bool, Unit | None], float],
    ) -> None:
        """Add what passes networks to ``found``."""
        columns, known = self.columns, dict(inside)
        loops = columns.laid_out((*outside, *known))
        for hop in hops(columns.components, tensor, edge.parent, edge.child, loops):
            for target, rate, unit in self.rates(hop.network, hop.action, tensor):
                powers = dict(hop.powers)
                rate *= hop.amount
                for name, n in inside:
                    rate *= float(
                        factor(np.array(float(n)), powers.pop(name, 0) + columns.power_of((target, ()), name))
                    )
                slack = self._slack(target, tensor, outside, skipped=False)
                key = ((target, tuple(sorted((*powers.items(), *slack)))), False, unit)
                found[key] = found.get(key, 0.0) + rate

    def ways(self, outside: Sequence[LoopName]) -> tuple[Way, ...]:
        """What the ways to the furthest instances of networks take, however much is moved; no time for copies."""
        columns = self.columns
        timed = [(k, index, form[MAX_HOPS]) for k, (index, form) in enumerate(columns.forms) if form.get(MAX_HOPS)]
        if columns.einsum.is_copy or not timed:
            return ()
        loops, found = columns.laid_out(outside), []
        for k, index, seconds in timed:
            # Time counts whole steps, in one instance of the network: what loops do to that is made up for.
            undone = {name: -columns.power_of((columns.form(k), ()), name) for name in outside}
            for own in furthest(columns.components, index, loops):
                powers = dict(own)
                for name, power in undone.items():
                    powers[name] = powers.get(name, 0) + power
                signature = tuple(sorted((name, power) for name, power in powers.items() if power))
                found.append(((columns.form(k), signature), seconds))
        return tuple(found)

    def _power(self, edge: EdgeShape, access: Access, tensor: Tensor, name: LoopName, skipped: bool) -> int:
        index, d, variable = name
        if is_slack(name):
            return 0  # see `_slack`
        if self.columns.einsum.bounds[variable] == 1 or index > edge.child:
            return 0
        dimension = self.columns.components[index].spatial[d]
        shared = index > access.component and saves_traffic(dimension, tensor, variable)
        return int(skipped and variable not in tensor.variables) - int(shared)

    def _slack(self, target: int, tensor: Tensor, outside: Sequence[LoopName], skipped: bool) -> Signature:
        """Powers of slacks further out, beside those that a column takes anyway.

        Energy counts the fraction bound / tile for variables that the tensor sees, and whole steps for others; time
        counts whole steps. A variable that the tensor does not see makes no first reads, so none that are skipped.
        """
        timed = target >= 2
        found = {}
        for name in outside:
            if is_slack(name):
                seen = name[2] in tensor.variables
                power = int(timed or not seen) if seen or not skipped else 0
                found[name] = power - int(timed)
        return tuple((name, power) for name, power in found.items() if power)

    def rates(self, index: int, action: str, tensor: Tensor) -> Iterator[tuple[int, float, Unit | None]]:
        """(column, amount per value moved by all instances) of one action on one tensor.

        With a unit, times what the law says of a value.
        """
        component = self.columns.components[index]
        each = rates(component, action, tensor)
        if each is None:
            return
        own = price_of(self.columns.einsum, component, action, tensor) is not None
        # What a link carries takes time only.
        energy, calls = (float(component.action(action) is not None), 1.0) if own else each
        if energy:
            yield 0, energy, Unit(index, action, True) if own else None
        for k, seconds in seconds_in(self.columns.forms, index, action):
            yield self.columns.form(k), seconds * calls, Unit(index, action, False) if own else None
