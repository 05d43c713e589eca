"""Showing a sweep: a table, CSV, JSON, and a plot."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import islice
from pathlib import Path
from typing import Any

from ffcore.plugin import (
    Curve,
    Dimension,
    Metric,
    Objectives,
    Scale,
    as_json,
    csv_cell,
    format_quantity,
    line_plot,
    write_atomically,
)
from ffcore_sweep.axes import Axis, Value, in_si, short_names, show_value
from ffcore_sweep.columns import all_rows, front
from ffcore_sweep.folder import PLAN, Folder
from ffcore_sweep.folder import write as write_file
from ffcore_sweep.page import DEFAULT_FRONT, page
from ffcore_sweep.result import FOUND, Sweep, SweepPoint

CSV, PLOT, PAGE = "sweep.csv", "sweep.svg", "sweep.html"
PARETO_CSV, PARETO = "pareto.csv", "pareto.parquet"
_HEADS = ("energy", "latency", "EDP (J·s)", "mappings", "")
_MOST_ROWS = 2000  # that are printed
_BATCH = 10_000  # rows of the parquet file that are in memory at once


def write(folder: Folder, sweep: Sweep, *, finished: bool) -> None:
    """The tables, the plot and the page. Raises OSError for what cannot be written."""
    kept = kept_of(folder, sweep)
    write_file(folder.path / PLAN, as_json({**folder.plan, **_data(folder, sweep, finished)}))
    write_file(folder.path / CSV, as_csv(sweep))
    metrics = folder.specs[0].mapper.ffm.metrics
    write_file(folder.path / PLOT, as_svg(sweep, metrics))
    write_file(folder.path / PARETO_CSV, pareto_csv(sweep, kept))
    write_parquet(folder.path / PARETO, sweep, kept)
    write_file(folder.path / PAGE, page(folder, sweep, kept, as_svg(sweep, metrics)))


def kept_of(folder: Folder, sweep: Sweep) -> set[tuple[int, int]]:
    """The rows on the front that the folder asks for, by default that of energy and latency; see `columns.front`."""
    return front(sweep.points, folder.front or DEFAULT_FRONT)


def shown(folder: Folder, sweep: Sweep, format: str) -> str:
    """The points as ``text``, ``json`` or ``csv``."""
    if format == "json":
        return as_json(_data(folder, sweep, True)).rstrip("\n")
    if format == "csv":
        return as_csv(sweep).rstrip("\n")
    kept = kept_of(folder, sweep) if folder.front else None
    return f"{as_text(sweep, kept)}\n\nplot: {folder.path / PLOT}"


def _data(folder: Folder, sweep: Sweep, finished: bool) -> dict[str, Any]:
    return {"finished": finished, "points": [folder.point_data(point) for point in sweep]}


def as_csv(sweep: Sweep) -> str:
    """A line for each point: values by path, SI numbers."""
    return _csv([{"point": point.number, **point.row()} for point in sweep])


def pareto_csv(sweep: Sweep, kept: Set[tuple[int, int]]) -> str:
    """A line for each mapping of each point, SI numbers, and whether it is on the front."""
    return _csv(list(_pareto_rows(sweep, kept)))


def _pareto_rows(sweep: Sweep, kept: Set[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    for place, mapping, cells in all_rows(sweep.points):
        number = mapping if sweep.points[place].numbers else None
        yield {"point": sweep.points[place].number, "mapping": number, "front": (place, mapping) in kept, **cells}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = io.StringIO()
    table = csv.DictWriter(lines, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({k: csv_cell(v) if isinstance(v, str) else v for k, v in row.items()})
    return lines.getvalue()


def write_parquet(path: Path, sweep: Sweep, kept: Set[tuple[int, int]]) -> None:
    """The rows of `pareto_csv` as parquet, batch by batch. Values that are not all numbers are texts."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds: dict[str, set[type]] = {}
    for row in _pareto_rows(sweep, kept):
        for name, value in row.items():
            kinds.setdefault(name, set()).update(() if value is None else (type(value),))
    types = {name: _arrow_type(found) for name, found in kinds.items()}
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in types.items()])
    buffer = io.BytesIO()
    rows = _pareto_rows(sweep, kept)
    with parquet.ParquetWriter(buffer, schema) as writer:
        while batch := list(islice(rows, _BATCH)):
            cells = [{n: _arrow_value(row.get(n), kind) for n, kind in types.items()} for row in batch]
            writer.write_table(pa.Table.from_pylist(cells, schema))
    write_atomically(path, buffer.getvalue())


def _arrow_type(kinds: Set[type]) -> str:
    if kinds == {bool}:
        return "bool_"
    if kinds == {int}:
        return "int64"
    return "float64" if kinds <= {int, float} else "string"


def _arrow_value(value: object, kind: str) -> object:
    if value is None or kind in ("bool_", "int64"):
        return value
    return float(value) if kind == "float64" else str(value)  # type: ignore[arg-type]


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
    for point in sweep:
        label = ", ".join(f"{short[a.path]} {show_value(a.path, point.values[a.path])}" for a in others)
        value = _number(point, number) if point.status == FOUND else None
        curves.setdefault(label, []).append((places.index(repr(point.values[across.path])), value))
    drawn = [Curve(label, tuple(sorted(points, key=lambda p: p[0]))) for label, points in curves.items()]
    return line_plot(f"{name} of the best mapping", scale, f"{name} ({unit})", drawn)


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
