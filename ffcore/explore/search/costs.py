"""Costs: what each cut of a template adds, as arrays over lattice states.

Every objective and every occupancy is a sum over cuts of a function of the state at that cut
(section 3 of the semantics rearranged): a child holder's traffic depends on the tile sizes where
the child stands, a reservation on those where it stands.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import cast

import attrs
import numpy as np

from ffcore.explore.search.bookings import Booker, Column, Columns, Factors, LoopName, Unit
from ffcore.explore.search.outline import Cut, Limited, Reserved
from ffcore.explore.search.points import Points
from ffcore.explore.search.ranges import Ranges
from ffcore.model.law import computes, copied, price_of
from ffcore.pmappings.arrays import Floats
from ffcore.spec.problem import EinsumProblem, Tensor

Entry = tuple[int, Column]  # row of the bank, column of a label


@attrs.define(eq=False)
class Costs:
    """Cost arrays of one Einsum on one path; each is computed once.

    They are rows of ``bank``, one value per point (in a box of states: the least).
    """

    points: Points
    columns: Columns
    ranges: Ranges = attrs.field(init=False)
    bank: Floats = attrs.field(init=False)
    _filled: int = 0
    _rows: dict[Hashable, int] = attrs.Factory(dict)
    _cuts: dict[Cut, tuple[Entry, ...]] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.bank = np.empty((16, self.points.n))
        self.ranges = Ranges(self.points, self.columns)

    @property
    def einsum(self) -> EinsumProblem:
        return self.points.lattice.einsum

    def entries(self, cut: Cut) -> tuple[Entry, ...]:
        """What a cut adds: pairs (row of ``bank``, column of a label)."""
        if cut not in self._cuts:
            found: dict[Column, list[tuple[int, Hashable]]] = {}
            for booking in cut.bookings:
                kind = (booking.tensor, booking.factors, booking.skipped, booking.unit)
                found.setdefault(booking.column, []).append((booking.rate, kind))  # type: ignore[arg-type]
            entries = [(self._sum(tuple(terms)), column) for column, terms in found.items()]
            entries += [(self._stored(limited), (0, ())) for limited in cut.limits]
            for reserved in cut.reservations:
                place = self.columns.memory(reserved.index)
                if place is not None:
                    entries.append((self._stored(reserved), (place, ())))
            self._cuts[cut] = tuple(entries)
        return self._cuts[cut]

    def bits(self, reserved: Reserved) -> Floats:
        """Bits (per instance) that a holder occupies, per state at its reservation's cut."""
        found: Floats = self.bank[self._stored(reserved)]
        return found

    def constant(self, cut: Cut) -> dict[Column, float]:
        """What does not depend on tile sizes, by label column: of the compute, of a copy, of what leaks."""
        columns, einsum = self.columns, self.einsum
        label = np.zeros(columns.width)
        label[columns.compute_column] = columns.compute
        for k, (power, _) in enumerate(columns.power):
            label[columns.first_power + k] = power
        record = columns.components[-1].action("compute")
        if record is not None:
            label[0] += record.energy * computes(einsum, columns.components)
        found: dict[Column, float] = {(target, ()): value for target, value in enumerate(label.tolist())}
        for column, seconds in cut.ways:
            found[column] = found.get(column, 0.0) + seconds
        if einsum.is_copy:
            self._copy(cut.backed, found)
        return found

    def _copy(self, backed: Sequence[tuple[str, int, tuple[LoopName, ...]]], found: dict[Column, float]) -> None:
        """A copy reads its source once and writes its destination once, booked under the source tensor."""
        booker = Booker(self.columns)
        slacks = {index: outside for _, index, outside in backed}
        for index, action, tensor, values in copied(self.einsum, {t: i for t, i, _ in backed}):
            for target, rate, unit in booker.rates(index, action, tensor):
                each = 1.0 if unit is None else float(self._price(unit, tensor, np.array([values]), np.ones(1))[0])
                # Time counts whole steps of the loops above the holder.
                column = target, tuple((name, 1) for name in slacks[index]) if target else ()
                found[column] = found.get(column, 0.0) + rate * values * each

    def _sum(self, terms: tuple[tuple[float, Hashable], ...]) -> int:
        if terms not in self._rows:
            total = np.zeros(self.points.n)
            for rate, kind in terms:
                total += rate * self._traffic(kind)
            self._rows[terms] = self._store(total)
        return self._rows[terms]

    def _traffic(self, kind: Hashable) -> Floats:
        if kind not in self._rows:
            name, factors, skipped, unit = cast("tuple[str, Factors, bool, Unit | None]", kind)
            tensor = self.einsum.tensor[name]
            moved = self.points.traffic(tensor, dict(factors), skipped)
            if unit is not None:
                tile = self.points.tile(tensor, dict(factors))
                transfers = self.points.traffic(tensor, dict(factors)) / tile
                moved = moved * self._price(unit, tensor, tile, transfers)
            self._rows[kind] = self._store(moved)
        found: Floats = self.bank[self._rows[kind]]
        return found

    def _price(self, unit: Unit, tensor: Tensor, tile: Floats, transfers: Floats) -> Floats:
        """J or actions per value by the problem's own law."""
        price = price_of(self.einsum, self.columns.components[unit.component], unit.action, tensor)
        assert price is not None
        energy, calls = price(tile, transfers)
        return (energy if unit.energy else calls) / tile

    def _stored(self, shape: Reserved | Limited) -> int:
        if shape not in self._rows:
            self._rows[shape] = self._store(self._bits(shape) if isinstance(shape, Reserved) else self._mask(shape))
        return self._rows[shape]

    def _store(self, values: Floats) -> int:
        if self._filled == len(self.bank):
            self.bank = np.concatenate([self.bank, np.empty_like(self.bank)])
        self.bank[self._filled] = values
        self._filled += 1
        return self._filled - 1

    def _bits(self, reserved: Reserved) -> Floats:
        einsum = self.einsum
        tensor = einsum.kept(reserved.tensor, reserved.backing)
        values = self.points.tile(tensor, dict(reserved.factors))
        found: Floats = einsum.bits(tensor, self.columns.components[reserved.index], values, reserved.persistent)
        return found

    def _mask(self, limited: Limited) -> Floats:
        """0 where a holder's tile obeys its memory's ``tile_shape``, infinity elsewhere; in boxes of states 0."""
        result = np.zeros(self.points.n)
        if not self.points.exact or not self.points.n:
            return result
        tensor = self.einsum.tensor[limited.tensor]
        tile = self.points.sizes(tensor, dict(limited.factors))
        for limit in limited.shapes:
            sizes = np.array([np.round(tile[v], 6) for v in limit.variables if v in tensor.variables])
            different, where = np.unique(sizes.reshape(-1, self.points.n), axis=1, return_inverse=True)
            allowed = np.array([limit.allows(size) for size in different.T.tolist()], np.bool_)
            result[~allowed[where.reshape(-1)]] = np.inf
        return result
