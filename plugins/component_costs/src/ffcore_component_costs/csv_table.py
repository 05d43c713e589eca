"""Cost tables as CSV: one row for each action of a component.

The columns are ``component``, ``action``, ``energy``, ``throughput``, ``area`` and ``leakage``; only the first must be
there. A unit stands in the column's head, ``energy (pJ)``, or in the cell, ``8 pJ``; without one, numbers are in SI
units. Area and leakage belong to the component: its rows may repeat them, or leave them empty.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import attrs

from ffcore.plugin import Dimension, Position, SpecError, parse_quantity, suggest
from ffcore_component_costs.facts import AREA, ENERGY, LEAK_POWER, THROUGHPUT, Fact, checked

_QUANTITIES = {
    "energy": (ENERGY, Dimension.ENERGY),
    "throughput": (THROUGHPUT, Dimension.RATE),
    "area": (AREA, Dimension.AREA),
    "leakage": (LEAK_POWER, Dimension.POWER),
    "leak_power": (LEAK_POWER, Dimension.POWER),
}
_COLUMNS = ("component", "action", *_QUANTITIES)
_HEAD = re.compile(r"\s*([^(\[]*?)\s*(?:[(\[]\s*([^)\]]*?)\s*[)\]])?\s*")


@attrs.frozen
class _Column:
    name: str
    unit: str


def read_csv(text: str, file: str) -> Iterator[Fact]:
    """All facts of a CSV text; lines that start with ``#`` are comments. Raises SpecError with file and line."""
    columns: list[_Column] | None = None
    seen: dict[tuple[str, str], Fact] = {}  # what rows of one component may repeat
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            place = Position(file, reader.line_num)
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            if columns is None:
                columns = _columns(cells, place)
                continue
            yield from _row(columns, cells, place, seen)
    except csv.Error as error:
        raise SpecError.one(f"not a CSV table ({error})", Position(file, reader.line_num)) from None
    if columns is None:
        raise SpecError.one(
            "the table is empty: expected a first line such as component,action,energy (pJ)", Position(file, 1)
        )


def _columns(cells: list[str], place: Position) -> list[_Column]:
    columns: list[_Column] = []
    for cell in cells:
        match = _HEAD.fullmatch(cell)
        name = (match[1] if match else cell).lower().replace(" ", "_")
        if name not in _COLUMNS:
            raise SpecError.one(
                f"unknown column {cell.strip()!r}; there are {', '.join(_COLUMNS)}", place, suggest(name, _COLUMNS)
            )
        if name in [c.name for c in columns]:
            raise SpecError.one(f"the column {name!r} stands twice", place)
        columns.append(_Column(name, (match[2] if match else "") or ""))
        if columns[-1].unit:  # said once, not for each row
            _number("1", columns[-1], place)
    if "component" not in [c.name for c in columns]:
        raise SpecError.one("the table has no column 'component'", place)
    return columns


def _row(
    columns: list[_Column], cells: list[str], place: Position, seen: dict[tuple[str, str], Fact]
) -> Iterator[Fact]:
    if len(cells) != len(columns):
        raise SpecError.one(f"the row has {len(cells)} cells, the first line {len(columns)}", place)
    row = {column.name: cell.strip() for column, cell in zip(columns, cells, strict=True)}
    component, action = row["component"], row.get("action", "")
    if not component:
        raise SpecError.one("the row names no component", place)
    for column in columns:
        if column.name not in _QUANTITIES or not row[column.name]:
            continue
        quantity = _QUANTITIES[column.name][0]
        value = checked(_number(row[column.name], column, place), quantity, place)
        of_action = quantity in (ENERGY, THROUGHPUT)
        if of_action and not action:
            raise SpecError.one(f"{column.name} is given, but the row names no action", place)
        fact = Fact(component, quantity, action if of_action else "", value, place)
        if not of_action:
            first = seen.setdefault((component, quantity), fact)
            if first is not fact:
                if first.value != value:
                    raise SpecError.one(f"{column.name} of {component} is another at {first.place}", place)
                continue
        yield fact


def _number(cell: str, column: _Column, place: Position) -> float:
    """The number in SI units; its own unit wins over the column's."""
    dimension = _QUANTITIES[column.name][1] if column.name in _QUANTITIES else None
    if dimension is None:
        raise SpecError.one(f"the column {column.name!r} has no unit, got {column.unit!r}", place)
    bare = re.fullmatch(r"[+-]?[\d._]+(?:[eE][+-]?\d+)?", cell)
    unit = "" if column.unit == "1/s" else column.unit
    try:
        return parse_quantity(f"{cell} {unit}" if bare and unit else cell, dimension)
    except SpecError as error:
        problems = [attrs.evolve(p, message=f"{column.name}: {p.message}", position=place) for p in error.problems]
        raise SpecError(problems) from None
