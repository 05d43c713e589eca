"""``sweep.html``: the plots and the table of a sweep in one file that needs no network."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence, Set
from itertools import islice
from typing import TypeGuard

from ffcore.plugin import Metric, Objectives
from ffcore_sweep.axes import Axis, in_si, short_names, show_value
from ffcore_sweep.columns import SHORT, row
from ffcore_sweep.folder import Folder
from ffcore_sweep.plots import Cell, Dot, bars, heat_map, scatter
from ffcore_sweep.result import FOUND, Sweep, SweepPoint

DEFAULT_FRONT = (SHORT["energy"], SHORT["latency"])
_MOST_ROWS = 1000  # of the table, points on the front first
_MOST_BARS = 40
_MOST_CELLS = 10_000
_MOST_DOTS = 5000  # points off the front

_REPORTS = (
    "Points lead to their reports where there are any, else to their mappings. Reports are written by: "
    "ff sweep --resume DIR --reports all, where DIR is the folder of this page"
)

_STYLE = """
body{font-family:sans-serif;margin:2em;max-width:72em;color:#222}
table{border-collapse:collapse;font-size:14px}
th,td{padding:3px 9px;text-align:right;white-space:nowrap;border-bottom:1px solid #ddd}
td.why{text-align:left;color:#777}
tr.front td{background:#fff3e6}
svg{max-width:100%;height:auto}
"""


def page(folder: Folder, sweep: Sweep, kept: Set[tuple[int, int]], lines: str) -> str:
    """The whole page. ``kept``: the rows on the front, ``lines``: the plot over one axis."""
    metrics = folder.specs[0].mapper.ffm.metrics
    found = sum(point.status == FOUND for point in sweep)
    columns = folder.front or DEFAULT_FRONT
    said = f"{len(sweep):,} of {folder.n_points:,} points, {found:,} with a mapping; front of {', '.join(columns)}: "
    parts = [f"<p>{html.escape(said)}{len(kept):,} mappings</p>", lines]
    parts += [plot for plot in (_heat(sweep, metrics), *_scatters(folder, sweep, kept, columns)) if plot]
    parts += [_bars(sweep, kept), _table(folder, sweep, kept)]
    head = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Sweep</title><style>{_STYLE}</style></head>'
    )
    return "\n".join([head, "<body><h1>Sweep</h1>", *filter(None, parts), "</body></html>", ""])


def _score(point: SweepPoint, metrics: Metric) -> float | None:
    if point.energy is None or point.latency is None:
        return None
    return Objectives.of(metrics).score(point.energy, point.latency)


def label_of(point: SweepPoint, axes: Sequence[Axis]) -> str:
    """What tells a point from others."""
    short = short_names(axes)
    return ", ".join(f"{short[path]} {show_value(path, value)}" for path, value in point.values.items())


def _heat(sweep: Sweep, metrics: Metric) -> str:
    """Over the two axes of the most values, the best over all others."""
    axes = sorted((a for a in sweep.axes if len(a.values) > 1), key=lambda a: -len(a.values))[:2]
    if len(axes) < 2 or axes[0].group == axes[1].group != "":
        return ""
    if len(axes[0].values) * len(axes[1].values) > _MOST_CELLS:
        return ""
    short = short_names(sweep.axes)
    labels = [[show_value(a.path, in_si(value)) for value in a.values] for a in axes]
    keys = [[repr(in_si(value)) for value in a.values] for a in axes]
    best: dict[tuple[int, int], float | None] = {}
    for point in sweep:
        across, up = (keys[i].index(repr(point.values[a.path])) for i, a in enumerate(axes))
        score, known = _score(point, metrics), best.get((across, up))
        best[across, up] = score if known is None else known if score is None else min(known, score)
    objectives = Objectives.of(metrics)
    cells = [
        Cell(x, y, value, f"{labels[0][x]}, {labels[1][y]}: " + ("none" if value is None else f"{value:.6g}"))
        for (x, y), value in sorted(best.items())
    ]
    title = f"{objectives.name} ({objectives.unit}) of the best mapping; dark is less"
    return heat_map(title, labels[0], labels[1], (short[axes[0].path], short[axes[1].path]), cells)


def _scatters(folder: Folder, sweep: Sweep, kept: Set[tuple[int, int]], columns: Sequence[str]) -> list[str]:
    """The first column of the front against each of the others."""
    names = list(columns)
    if not kept:
        return []
    if len(names) == 1:
        names.append(SHORT["latency"] if names[0] != SHORT["latency"] else SHORT["energy"])
    plots = []
    front = {place for place, _ in kept}
    every = max(1, len(sweep) // _MOST_DOTS)
    for other in names[1:]:
        dots = []
        for place in range(len(sweep)):
            if place % every and place not in front:
                continue
            point = sweep[place]
            said = label_of(point, sweep.axes)
            link = folder.link(point)
            for mapping in range(point.n_mappings):
                cells = row(point, mapping)
                x, y = cells.get(names[0]), cells.get(other)
                if _finite(x) and _finite(y):  # no place on an axis is infinite
                    own = link if mapping == point.best else ""
                    dots.append(Dot(float(x), float(y), (place, mapping) in kept, f"{said}: {x:.6g}, {y:.6g}", own))
        plots.append(scatter(f"front of {', '.join(columns)}", dots, (names[0], other), joined=len(names) == 2))
    return plots


def _finite(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _bars(sweep: Sweep, kept: Set[tuple[int, int]]) -> str:
    """Energy by Einsum of the best mappings, those of points on the front where there are many."""
    front = {place for place, _ in kept}
    some: Iterable[int] = range(len(sweep)) if len(sweep) <= _MOST_BARS else sorted(front)
    points = [p for p in (sweep[place] for place in islice(some, _MOST_BARS)) if p.details]
    if not points:
        return ""
    parts = [{einsum: energy for einsum, (energy, _) in p.details[p.best].einsums.items()} for p in points]
    return bars("energy of the best mapping of each point, by Einsum", parts, [str(p.number) for p in points], "J")


def _table(folder: Folder, sweep: Sweep, kept: Set[tuple[int, int]]) -> str:
    front = {place for place, _ in kept}
    order = sorted(range(len(sweep)), key=lambda place: place not in front)[:_MOST_ROWS]
    short = short_names(sweep.axes)
    heads = ["point", *(short[a.path] for a in sweep.axes), "energy, J", "latency, s", "EDP, J·s", "area, m²", ""]
    lines = ["<table>", f"<tr>{''.join(f'<th>{html.escape(head)}</th>' for head in heads)}</tr>"]
    for place in sorted(order):
        point = sweep.points[place]
        number = str(point.number)
        if point.numbers:
            number = f'<a href="{html.escape(folder.link(point))}">{number}</a>'
        area = None if point.design is None else point.design.area
        numbers = ["" if x is None else f"{x:.6g}" for x in (point.energy, point.latency, point.edp, area)]
        values = [html.escape(show_value(path, value)) for path, value in point.values.items()]
        why = "" if point.numbers else html.escape(f"{point.status}: {point.short_reason}")
        cells = "".join(f"<td>{cell}</td>" for cell in (number, *values, *numbers))
        kind = ' class="front"' if place in front else ""
        lines.append(f'<tr{kind}>{cells}<td class="why">{why}</td></tr>')
    if len(sweep) > _MOST_ROWS:
        lines.append(f'<tr><td class="why" colspan="{len(heads)}">and {len(sweep) - _MOST_ROWS:,} more</td></tr>')
    return "\n".join([*lines, "</table>", f"<p>{_REPORTS}</p>"])
