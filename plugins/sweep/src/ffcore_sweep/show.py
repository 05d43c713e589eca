"""Showing a sweep: a table, CSV, JSON, and a plot."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from ffcore.plugin import Curve, Dimension, Metric, Objectives, Scale, as_json, csv_cell, format_quantity, line_plot
from ffcore_sweep.axes import Axis, Value, in_si, short_names, show_value
from ffcore_sweep.folder import PLAN, Folder
from ffcore_sweep.folder import write as write_file
from ffcore_sweep.result import FOUND, Sweep, SweepPoint

CSV, PLOT = "sweep.csv", "sweep.svg"
_HEADS = ("energy", "latency", "EDP (J·s)", "mappings", "")


def write(folder: Folder, sweep: Sweep, *, finished: bool) -> None:
    """``sweep.json``, ``sweep.csv`` and ``sweep.svg``. Raises OSError for what cannot be written."""
    write_file(folder.path / PLAN, as_json({**folder.plan, **_data(folder, sweep, finished)}))
    write_file(folder.path / CSV, as_csv(sweep))
    write_file(folder.path / PLOT, as_svg(sweep, folder.specs[0].mapper.ffm.metrics))


def shown(folder: Folder, sweep: Sweep, format: str) -> str:
    """The points as ``text``, ``json`` or ``csv``."""
    if format == "json":
        return as_json(_data(folder, sweep, True)).rstrip("\n")
    return as_csv(sweep).rstrip("\n") if format == "csv" else f"{as_text(sweep)}\n\nplot: {folder.path / PLOT}"


def _data(folder: Folder, sweep: Sweep, finished: bool) -> dict[str, Any]:
    return {"finished": finished, "points": [folder.point_data(point) for point in sweep]}


def as_csv(sweep: Sweep) -> str:
    """A line for each point: values by path, SI numbers."""
    lines = io.StringIO()
    names = [axis.path for axis in sweep.axes]
    columns = ["point", *names, "status", "energy_J", "latency_s", "edp_Js", "mappings", "reason"]
    table = csv.DictWriter(lines, columns, lineterminator="\n")
    table.writeheader()
    for point in sweep:
        row = {"point": point.number, **point.row()}
        table.writerow({k: csv_cell(v) if isinstance(v, str) else v for k, v in row.items()})
    return lines.getvalue()


def as_text(sweep: Sweep) -> str:
    """The table, in units for people."""
    short = short_names(sweep.axes)
    rows = [[*(short[axis.path] for axis in sweep.axes), *_HEADS]]
    rows += [[*(show_value(k, v) for k, v in p.values.items()), *_cells(p)] for p in sweep]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)


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
    others = [axis for axis in sweep.axes if axis is not across]
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
