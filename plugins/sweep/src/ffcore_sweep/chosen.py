"""Which combinations of the values of all axes are points: all, those that a condition allows, or a sample."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import attrs
import numpy as np

from ffcore.plugin import UNITS, ErrorCollector, SpecError, evaluate, names_in, suggest
from ffcore_sweep.axes import Axis, Value, in_si, short_names

_NAME = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_DRAWS = 100  # of samples, until as many points as asked for are there


def _texts(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


@attrs.frozen
class Choice:
    """``where``: conditions on the values that are varied; ``sample``: how many of the points, drawn by ``seed``."""

    where: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    sample: int | None = None
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        for name, least, value in (("sample", 1, self.sample), ("seed", 0, self.seed)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise SpecError.one(f"{name} must be a whole number of at least {least}, not {value!r}")


ALL = Choice()


class Grid(Sequence[dict[str, Value]]):
    """All combinations of values by path, the first axis slowest; axes that go together count as one."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = tuple(axes)
        groups: dict[object, list[Axis]] = {}
        for number, axis in enumerate(axes):
            groups.setdefault(axis.group or number, []).append(axis)
        self.groups = list(groups.values())
        self.sizes = [len(group[0].values) for group in self.groups]

    def __len__(self) -> int:
        return math.prod(self.sizes)

    @overload
    def __getitem__(self, number: int) -> dict[str, Value]: ...
    @overload
    def __getitem__(self, number: slice) -> list[dict[str, Value]]: ...
    def __getitem__(self, number: int | slice) -> dict[str, Value] | list[dict[str, Value]]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        places = []
        for size in reversed(self.sizes):
            number, place = divmod(number, size)
            places.append(place)
        return self.at(places[::-1])

    def at(self, places: Sequence[int]) -> dict[str, Value]:
        """The combination with these values of each group, by their numbers."""
        values = {a.path: a.values[p] for group, p in zip(self.groups, places, strict=True) for a in group}
        return {axis.path: values[axis.path] for axis in self.axes}


def chosen(axes: Sequence[Axis], choice: Choice = ALL) -> Sequence[dict[str, Value]]:
    """The values of each point, by path. Raises SpecError for conditions that make no sense, or that allow nothing."""
    grid = Grid(axes)
    if choice == ALL:
        return grid
    conditions = [Condition(text, axes) for text in choice.where]

    def allowed(values: Mapping[str, Value]) -> bool:
        return all(condition.holds(values) for condition in conditions)

    if choice.sample is None or (choice.sample >= len(grid) and not conditions):
        found = [values for values in grid if allowed(values)]
    else:
        wanted = {}
        for places in _drawn(grid.sizes, choice.sample, choice.seed):
            if places not in wanted and allowed(values := grid.at(places)):
                wanted[places] = values
            if len(wanted) == choice.sample:
                break
        found = [wanted[places] for places in sorted(wanted)]
    if not found:
        raise SpecError.one(f"no point is left where {' and '.join(choice.where)}")
    return found


def _drawn(sizes: Sequence[int], count: int, seed: int) -> Iterator[tuple[int, ...]]:
    """Places in a grid: Latin hypercubes, in each of which every axis is covered as evenly as ``count`` points can."""
    random = np.random.default_rng(seed)
    for _ in range(_DRAWS):
        columns = [(random.permutation(count) + random.random(count)) / count for _ in sizes]
        for point in zip(*columns, strict=True):
            yield tuple(min(size - 1, int(share * size)) for share, size in zip(point, sizes, strict=True))


class Condition:
    """An expression over what is varied, each named by the end of its path: ``SRAM.size <= 8 * clusters * MiB``.

    Sizes are in bits and all else in SI units; units stand for their numbers of them. Raises SpecError for names that
    nothing has.
    """

    def __init__(self, text: str, axes: Sequence[Axis], others: Sequence[str] = ()) -> None:
        """``others``: names that stand for something else, given to `holds`."""
        self.text = text
        self._others = frozenset(others)
        self._axes: dict[str, str] = {}  # name in the expression -> path
        errors = ErrorCollector()

        def named(match: re.Match[str]) -> str:
            word = match[0]
            with errors.catch():
                word = self._named(word, axes)
            return word

        self._expression = _NAME.sub(named, _QUANTITY.sub(_in_si, text))
        errors.raise_if_any()

    def _named(self, name: str, axes: Sequence[Axis]) -> str:
        if name[0] in "'\"" or name in self._others:
            return name
        meant = [a.path for a in axes if a.path == name or a.path.endswith(f".{name}")]
        if len(meant) > 1:
            raise SpecError.one(f"{self.text}: {name} may be {' or '.join(meant)}: write more of the path")
        if not meant:
            if "." in name:
                known = [*short_names(axes).values()]
                raise SpecError.one(f"{self.text}: nothing that is varied is called {name}", None, suggest(name, known))
            return name
        symbol = f"axis_{[a.path for a in axes].index(meant[0])}"
        self._axes[symbol] = meant[0]
        return symbol

    @property
    def names(self) -> frozenset[str]:
        """Which of the other names it speaks of."""
        return self._others & names_in(self._expression)

    def holds(self, values: Mapping[str, Value], others: Mapping[str, object] | None = None) -> bool:
        """Is it true of these values? Raises SpecError where it cannot be told."""
        symbols = {symbol: in_si(values[path]) for symbol, path in self._axes.items()} | dict(others or {})
        try:
            answer = evaluate(self._expression, {**_UNITS, **symbols})
        except SpecError as error:
            raise SpecError(
                [attrs.evolve(p, message=f"where {self.text}: {p.message}") for p in error.problems]
            ) from None
        if not isinstance(answer, bool):
            raise SpecError.one(f"where {self.text}: it is {answer!r}, and must be true or false")
        return bool(answer)


_SYMBOLS = "|".join(re.escape(symbol) for symbol in sorted(UNITS, key=len, reverse=True) if symbol)
_QUANTITY = re.compile(rf"(?<![\w.])(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*({_SYMBOLS})(?![\w^])")


def _in_si(quantity: re.Match[str]) -> str:
    """``40 mm^2`` as a number of m²."""
    return f"({float(quantity[1]) * UNITS[quantity[2]].factor!r})"


_UNITS = {symbol: unit.factor for symbol, unit in UNITS.items() if symbol.isidentifier()}
