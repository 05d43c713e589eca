"""Many points in little memory: numbers in arrays, all else once."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any, overload

from ffcore_sweep.axes import Value
from ffcore_sweep.columns import Detail
from ffcore_sweep.result import SweepPoint

_Names = tuple[tuple[str, ...], tuple[str, ...]]  # memories, Einsums


class Packed(Sequence[SweepPoint]):
    """Points by number, without their mappings; each is made again when it is asked for."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}  # by number
        self._heads: list[tuple[Any, ...]] = []  # paths, values, status, best, reasons, design, names of details
        self._numbers = array("d")
        self._starts = array("q", [0])  # of each point's numbers
        self._order: list[int] = []  # places, by number of the point
        self._known: dict[Hashable, Any] = {}
        self._last: SweepPoint | None = None  # that was made: rows of one point are asked for one after the other

    def add(self, point: SweepPoint) -> None:
        """Keep a point; in the place of an older one of that number."""
        names = tuple(self._once(_names(detail)) for detail in point.details)
        for energy, latency in point.numbers:
            self._numbers.extend((energy, latency))
        for detail in point.details:
            self._numbers.extend((detail.leakage, detail.utilisation))
            for pairs in (detail.peaks, detail.einsums):
                self._numbers.extend(x for pair in pairs.values() for x in pair)
        head = (
            self._once(tuple(point.values)),
            tuple(self._value(value) for value in point.values.values()),
            point.status,
            (len(point.numbers), point.best),
            self._once((point.reason, point.short_reason)),
            None if point.design is None else self._once(point.design),
            self._once(names),
        )
        self._starts.append(len(self._numbers))
        self._places[point.number] = len(self._heads)
        self._heads.append(head)
        self._order, self._last = [], None

    def _once(self, value: Any) -> Any:
        return self._known.setdefault(value, value)

    def _value(self, value: Value) -> Value:
        try:
            known: Value = self._known.setdefault((type(value), value), value)  # True and 1 are equal
        except TypeError:  # a list
            return value
        return known

    @property
    def numbers(self) -> Collection[int]:
        """Those of the points that are there."""
        return self._places.keys()

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> SweepPoint: ...
    @overload
    def __getitem__(self, place: slice) -> list[SweepPoint]: ...
    def __getitem__(self, place: int | slice) -> SweepPoint | list[SweepPoint]:
        """The points in order of their numbers."""
        if not self._order:
            self._order = sorted(self._places)
        if isinstance(place, slice):
            return [self._of(number) for number in self._order[place]]
        return self._of(self._order[place])

    def __iter__(self) -> Iterator[SweepPoint]:
        return (self[place] for place in range(len(self)))

    def _of(self, number: int) -> SweepPoint:
        if self._last is not None and self._last.number == number:
            return self._last
        place = self._places[number]
        paths, values, status, (count, best), (reason, short), design, names = self._heads[place]
        found = iter(self._numbers[self._starts[place] : self._starts[place + 1]])
        numbers = tuple((next(found), next(found)) for _ in range(count))
        details = tuple(_detail(own, found) for own in names)
        own_values = dict(zip(paths, values, strict=True))
        self._last = SweepPoint(
            number, own_values, status, numbers, best, reason, short, design=design, details=details
        )
        return self._last


def _names(detail: Detail) -> _Names:
    return tuple(detail.peaks), tuple(detail.einsums)


def _detail(names: _Names, found: Iterator[float]) -> Detail:
    leakage, utilisation = next(found), next(found)

    def pairs(of: tuple[str, ...]) -> Mapping[str, tuple[float, float]]:
        return {name: (next(found), next(found)) for name in of}

    return Detail(leakage, utilisation, pairs(names[0]), pairs(names[1]))
