"""Showing a sweep: a table, CSV, JSON, and a plot."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from textwrap import indent
from typing import Any

from ffcore.plugin import (
    Dimension,
    Metric,
    Objectives,
    as_json,
    csv_cell,
    format_quantity,
    replacing,
)
from ffcore_sweep.axes import Axis, Value, in_si, short_names, show_value
from ffcore_sweep.columns import all_rows, front
from ffcore_sweep.folder import PLAN, Folder
from ffcore_sweep.folder import write as write_file
from ffcore_sweep.lines import Curve, Scale, line_plot
from ffcore_sweep.page import DEFAULT_FRONT, page
from ffcore_sweep.parquet import write_parquet
from ffcore_sweep.result import FOUND, Sweep, SweepPoint

CSV, PLOT, PAGE = "sweep.csv", "sweep.svg", "sweep.html"
PARETO_CSV, PARETO = "pareto.csv", "pareto.parquet"
_HEADS = ("energy", "latency", "EDP (J·s)", "mappings", "")
_MOST_ROWS = 2000  # that are printed
_MOST_CURVES = 40


def write(folder: Folder, sweep: Sweep, *, finished: bool) -> None:
    """The tables, the plot and the page, row by row. Raises OSError for what cannot be written."""
    kept = kept_of(folder, sweep)
    write_parts(folder.path / PLAN, _json_parts(folder, sweep, finished))
    write_parts(folder.path / CSV, as_csv(sweep))
    metrics = folder.specs[0].mapper.ffm.metrics
    lines = as_svg(sweep, metrics)
    write_file(folder.path / PLOT, lines)
    write_parts(folder.path / PARETO_CSV, pareto_csv(sweep, kept))
    write_parquet(folder.path / PARETO, lambda: _pareto_rows(sweep, kept))
    write_file(folder.path / PAGE, page(folder, sweep, kept, lines))


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """Write a text part by part, at once or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        for part in parts:
            file.write(part.encode())


def kept_of(folder: Folder, sweep: Sweep) -> set[tuple[int, int]]:
    """The rows on the front that the folder asks for, by default that of energy and latency; see `columns.front`."""
    return front(sweep.points, folder.front or DEFAULT_FRONT)


def shown(folder: Folder, sweep: Sweep, format: str) -> Iterator[str]:
    """The points as ``text``, ``json`` or ``csv``, part by part."""
    if format == "json":
        yield from _json_parts(folder, sweep, True, head={})
    elif format == "csv":
        yield from as_csv(sweep)
    else:
        kept = kept_of(folder, sweep) if folder.front else None
        yield f"{as_text(sweep, kept)}\n\nplot: {folder.path / PLOT}\n"


def _json_parts(folder: Folder, sweep: Sweep, finished: bool, head: Mapping[str, Any] | None = None) -> Iterator[str]:
    """`as_json` of the plan (or another ``head``) and the points."""
    whole = as_json({**(folder.plan if head is None else head), "finished": finished, "points": []})
    before, after = whole.rsplit("[]", 1)
    if not len(sweep):
        yield whole
        return
    yield f"{before}["
    for place, point in enumerate(sweep):
        yield "\n" if place == 0 else ",\n"
        yield indent(as_json(folder.point_data(point)).rstrip("\n"), "    ")
    yield f"\n  ]{after}"


def as_csv(sweep: Sweep) -> Iterator[str]:
    """A line for each point: values by path, SI numbers."""
    return _csv(lambda: ({"point": point.number, **point.row()} for point in sweep))


def pareto_csv(sweep: Sweep, kept: Set[tuple[int, int]]) -> Iterator[str]:
    """A line for each mapping of each point, SI numbers, and whether it is on the front."""
    return _csv(lambda: _pareto_rows(sweep, kept))


def _pareto_rows(sweep: Sweep, kept: Set[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    for place, mapping, cells in all_rows(sweep.points):
        number = mapping if sweep.points[place].numbers else None
        yield {"point": sweep.points[place].number, "mapping": number, "front": (place, mapping) in kept, **cells}


def _csv(rows: Callable[[], Iterator[Mapping[str, Any]]]) -> Iterator[str]:
    """The lines of a table; ``rows`` are gone over twice, as each may have columns of its own."""
    names: dict[str, None] = {}
    for row in rows():
        names |= dict.fromkeys(row)
    lines = io.StringIO()
    table = csv.DictWriter(lines, list(names), lineterminator="\n")
    table.writeheader()
    for row in rows():
        yield lines.getvalue()
        lines.seek(0)
        lines.truncate()
        table.writerow({k: csv_cell(v) if isinstance(v, str) else v for k, v in row.items()})
    yield lines.getvalue()


def as_text(sweep: Sweep, kept: Set[tuple[int, int]] | None = None) -> str:
    """The table, in units for people; with the rows on a front, points that have one get a star."""
    short = short_names(sweep.axes)
    stars = {place for place, _ in kept or ()}
    mark = kept is not None
    areas = len({p.design.area for p in sweep if p.design is not None}) > 1
    rows = [[*(["front"] if mark else []), *(short[a.path] for a in sweep.axes), *(["area"] if areas else []), *_HEADS]]
    for place, p in enumerate(sweep.points[:_MOST_ROWS]):
        star = [["", "*"][place in stars]] if mark else []
        values = [show_value(k, v) for k, v in p.values.items()]
        rows.append([*star, *values, *([_area(p)] if areas else []), *_cells(p)])
    if len(sweep) > _MOST_ROWS:
        rows.append([*[""] * (len(rows[0]) - 1), f"… {len(sweep):,} points in all"])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)


def _area(point: SweepPoint) -> str:
    area = None if point.design is None else point.design.area
    return "-" if area is None else format_quantity(area, Dimension.AREA)


def _cells(point: SweepPoint) -> list[str]:
    if point.energy is None or point.latency is None:
        return ["-", "-", "-", "-", f"{point.status}: {point.short_reason}"]
    energy = format_quantity(point.energy, Dimension.ENERGY, 6)
    latency = format_quantity(point.latency, Dimension.TIME, 6)
    return [energy, latency, f"{point.edp:.6g}", str(point.n_mappings), ""]


# ---- the plot


def as_svg(sweep: Sweep, metrics: Metric) -> str:
    """The metric that is optimised over the values of one axis, a curve for each combination of the others'."""
    across = _across(sweep.axes)
    others = [axis for axis in sweep.axes if axis is not across and (not axis.group or axis.group != across.group)]
    short = short_names(sweep.axes)
    name, unit, number = _score(metrics)
    scale = Scale(short[across.path], tuple((_place(v), show_value(across.path, in_si(v))) for v in across.values))
    places = [repr(in_si(value)) for value in across.values]  # True and 1 are equal
    curves: dict[str, list[tuple[int, float | None]]] = {}
    every = max(1, math.ceil(math.prod(len(a.values) for a in _one_of_each(others)) / _MOST_CURVES))
    seen: dict[str, int] = {}
    for point in sweep:
        label = ", ".join(f"{short[a.path]} {show_value(a.path, point.values[a.path])}" for a in others)
        if seen.setdefault(label, len(seen)) % every:
            continue
        value = _number(point, number) if point.status == FOUND else None
        curves.setdefault(label, []).append((places.index(repr(point.values[across.path])), value))
    drawn = [Curve(label, tuple(sorted(points, key=lambda p: p[0]))) for label, points in curves.items()]
    some = "" if every == 1 else f" ({len(curves)} of {len(seen):,} curves)"
    return line_plot(f"{name} of the best mapping{some}", scale, f"{name} ({unit})", drawn)


def _one_of_each(axes: Sequence[Axis]) -> Iterator[Axis]:
    """Of axes that go together, one."""
    seen: set[str] = set()
    for axis in axes:
        if not axis.group or axis.group not in seen:
            yield axis
        seen.add(axis.group)


def _number(point: SweepPoint, name: str) -> float:
    value = getattr(point, name)
    assert isinstance(value, float)
    return value


def _across(axes: Sequence[Axis]) -> Axis:
    """The axis of numbers with the most values, else the one with the most."""
    return max(axes, key=lambda a: (all(_place(v) is not None for v in a.values), len(a.values)))


def _place(value: Value) -> float | None:
    """Where a value stands on an axis; None for one that is no number."""
    number = in_si(value)
    if isinstance(number, bool) or not isinstance(number, int | float) or math.isnan(number):
        return None
    return float(number)


def _score(metrics: Metric) -> tuple[str, str, str]:
    """(name, unit, attribute of a point) of what is optimised."""
    objectives = Objectives.of(metrics)
    return objectives.name, objectives.unit, "edp" if objectives.product else objectives.name
