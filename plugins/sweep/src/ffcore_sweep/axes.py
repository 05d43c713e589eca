"""What a sweep varies: paths of fields, Jinja parameters or whole files, each with its values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from ffcore.plugin import Dimension, ErrorCollector, SpecError, format_quantity, in_any_unit
from ffcore_sweep.ranges import expanded

PARAMETER = "set."
"""What a path begins with that means a Jinja parameter of the files: ``set.N_TOKENS``."""

FILES = ("arch", "workload")
"""Paths that mean whole files."""

Value = object
_OPENING, _CLOSING = "([{", ")]}"
_WORDS: Mapping[str, Value] = {"true": True, "false": False, "null": None}


@attrs.frozen
class Axis:
    """One thing that is varied: a path and its values in order, as `Spec.set` takes them (``16 MiB``).

    Axes of one ``group`` go together: the first value of each makes a point, the second, and so on.
    """

    path: str
    values: tuple[Value, ...]
    group: str = ""

    @property
    def parameter(self) -> str | None:
        """The name of what the spec is read with: of a Jinja parameter, or ``arch`` or ``workload`` for a file."""
        if self.path in FILES:
            return self.path
        return self.path.removeprefix(PARAMETER) if self.path.startswith(PARAMETER) else None


def parse_axes(text: str) -> tuple[Axis, ...]:
    """``PATH=VALUE,VALUE,...`` with units and ranges, several that go together between semicolons. Raises SpecError.

    Commas and semicolons in brackets and quotes do not divide.
    """
    parts = split_values(text, ";")
    group = text if len(parts) > 1 else ""
    return tuple(attrs.evolve(parse_axis(part), group=group) for part in parts)


def parse_axis(text: str) -> Axis:
    """``PATH=VALUE,VALUE,...`` with units; commas in brackets and quotes do not divide. Raises SpecError."""
    path, equals, values = text.partition("=")
    path = path.strip()
    if not equals or not path:
        raise SpecError.one(f"--vary {text}: expected PATH=VALUE,VALUE,...")
    return Axis(path, tuple(parse_value(value) for part in split_values(values) for value in expanded(part)))


Vary = Mapping[str | tuple[str, ...], Iterable[Any]] | Sequence[Axis]
"""Values by path; several paths that go together have a list of values each, one tuple for each point."""


def axes_of(vary: Vary) -> tuple[Axis, ...]:
    """The axes of a sweep; texts are read as on the command line (``16 MiB``). Raises one SpecError."""
    given = vary if isinstance(vary, Sequence) else [axis for item in vary.items() for axis in _axes(*item)]
    errors = ErrorCollector()
    if not given:
        errors.add("nothing is varied: name a field and its values, such as arch.nodes.GlobalBuffer.size=16MiB,32MiB")
    seen: set[str] = set()
    for axis in given:
        if not axis.values or any(value == "" for value in axis.values):
            errors.add(f"{axis.path} is to be varied, but a value is missing")
        if any(map(_too_large, axis.values)):
            errors.add(f"{axis.path}: a value is larger than any number that can be computed with")
            continue
        for k, value in enumerate(axis.values):
            if not axis.group and any(_same(value, other) for other in axis.values[:k]):
                errors.add(f"{axis.path}: the value {show_value(axis.path, value)} is given twice")
        if axis.path in seen or not axis.path.removeprefix(PARAMETER):
            errors.add(f"{axis.path} is varied twice" if axis.path in seen else "set. lacks the name of a parameter")
        seen.add(axis.path)
    _check_together(given, errors)
    errors.raise_if_any()
    return tuple(given)


def _check_together(axes: Sequence[Axis], errors: ErrorCollector) -> None:
    """Those that go together have equally many values; a file and a parameter are not called alike."""
    for group in dict.fromkeys(a.group for a in axes if a.group):
        counts = {a.path: len(a.values) for a in axes if a.group == group}
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{path} has {count}" for path, count in counts.items())
            errors.add(f"what varies together needs equally many values: {said}")
    names = [a.parameter for a in axes if a.parameter is not None]
    for name in FILES:
        if names.count(name) > 1:
            errors.add(f"{name} and {PARAMETER}{name} cannot both be varied: call the parameter something else")


def _axes(path: str | tuple[str, ...], values: Iterable[Any]) -> Iterator[Axis]:
    if isinstance(path, str):
        yield _axis(path, values)
        return
    rows = [tuple(row) for row in values]
    if any(len(row) != len(path) for row in rows):
        raise SpecError.one(f"{', '.join(path)}: expected one value of each in every point")
    for number, one in enumerate(path):
        yield attrs.evolve(_axis(one, [row[number] for row in rows]), group=";".join(path))


def _axis(path: str, values: Iterable[Value]) -> Axis:
    if isinstance(values, str):
        raise SpecError.one(f"{path}: expected a list of values, got the text {values!r}")
    as_given = path in FILES
    return Axis(path, tuple(parse_value(v) if isinstance(v, str) and not as_given else v for v in values))


def _same(a: Value, b: Value) -> bool:
    return in_si(a) == in_si(b) and isinstance(a, bool) == isinstance(b, bool)


def _too_large(value: Value) -> bool:
    try:
        return isinstance(value, int) and math.isinf(value)
    except OverflowError:
        return True


def split_values(text: str, between: str = ",") -> list[str]:
    """The parts between commas that stand in no bracket and no quotes."""
    parts, depth, quote = [""], 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in _OPENING or c in _CLOSING:
            depth += 1 if c in _OPENING else -1
            if depth < 0:
                raise SpecError.one(f"{text}: a bracket is not opened")
        elif c == between and not depth:
            parts.append("")
            continue
        parts[-1] += c
    if depth or quote:
        raise SpecError.one(f"{text}: {'a bracket' if depth else 'a quotation mark'} is not closed")
    return [part.strip() for part in parts]


def parse_value(text: str) -> Value:
    """A number, ``inf``, true, false, null, or else the text as it is, a quantity (``16 MiB``) too.

    Raises SpecError for a number with a unit that does not exist.
    """
    text = text.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    in_any_unit(text)
    return text


def in_si(value: Value) -> Value:
    """A quantity as its number (bit, J, s, ...); all else as it is."""
    return in_any_unit(value)


def show_value(path: str, value: Value) -> str:
    """A value for people: as it was given, or with a unit where the path says what it measures."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return next((word for word, meant in _WORDS.items() if value is meant), str(value))
    if math.isinf(value):
        return "inf"
    dimension = dimension_of(path)
    return f"{value:.10g}" if dimension is None else format_quantity(float(value), dimension)


_DIMENSIONS = {
    "size": Dimension.SIZE,
    "energy": Dimension.ENERGY,
    "leak_power": Dimension.POWER,
    "area": Dimension.AREA,
    "latency": Dimension.TIME,
}


def dimension_of(path: str) -> Dimension | None:
    """What the field at the end of a path measures, where numbers of it need a unit to be read."""
    return None if path.startswith(PARAMETER) else _DIMENSIONS.get(path.rsplit(".", 1)[-1])


def short_names(axes: Sequence[Axis]) -> dict[str, str]:
    """The shortest endings of the paths that tell them apart, two parts at least where there are as many."""
    paths = [a.path.split(".") for a in axes]
    names = {}
    for own in paths:
        rest = [p for p in paths if p is not own]
        parts = next(
            (n for n in range(min(2, len(own)), len(own)) if not any(p[-n:] == own[-n:] for p in rest)), len(own)
        )
        kept = own[-parts:]
        names[".".join(own)] = ".".join(kept[1:] if kept[0] in ("set", "ffm", "mapper") and len(kept) > 1 else kept)
    return names
