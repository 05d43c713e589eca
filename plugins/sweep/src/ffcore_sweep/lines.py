"""A plot of curves over the values of a parameter, as plain SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import attrs

from ffcore.plugin import COLOURS, document, even_ticks, log_ticks, stroke, text, turned

WIDTH, HEIGHT = 760, 440
LEFT, TOP, BOTTOM = 84, 40, 72
_RIGHT, _LEGEND_STEP, _LETTER = 28, 20, 6.6  # px; width of a letter of 12 px
DASHES = ("", "7 4", "2 3", "9 3 2 3")  # where there are more curves than colours
_MOST_CURVES = len(COLOURS) * len(DASHES)


@attrs.frozen
class Scale:
    """The axis across: its name, and the place (None: no number) and label of each value."""

    name: str
    values: tuple[tuple[float | None, str], ...]


@attrs.frozen
class Curve:
    """Points (index of the value across, height); None: there is nothing to draw there."""

    name: str
    points: tuple[tuple[int, float | None], ...]


def line_plot(title: str, across: Scale, up: str, curves: Sequence[Curve]) -> str:
    """The SVG. Axes are logarithmic where values span more than a factor of 8 across, or 3 upwards.

    Values that are no numbers stand side by side in order, infinity beyond the largest number. A point without a
    height is a cross at the bottom. At most 28 curves are drawn; the legend counts the others.
    """
    left_out = curves[_MOST_CURVES:]
    curves = curves[:_MOST_CURVES]
    legend = _legend(curves, len(left_out))
    width = WIDTH + (44 + _LETTER * max(len(name) for _, name in legend) if legend else 0)
    height = max(HEIGHT, TOP + BOTTOM + _LEGEND_STEP * len(legend))
    area = _Area(LEFT, WIDTH - _RIGHT, TOP, height - BOTTOM)
    xs = [area.left + share * (area.right - area.left) for share in _shares([place for place, _ in across.values])]
    heights = _Heights.of([y for c in curves for _, y in c.points if y is not None])
    body = [text(LEFT, 22, title, anchor="start", size=14)]
    body += _grid(area, across, xs, heights, up, height)
    for number, curve in enumerate(curves):
        body += _curve(area, xs, heights, curve, number)
    for number, (mark, name) in enumerate(legend):
        x, y = WIDTH - _RIGHT + 18, TOP + 12 + _LEGEND_STEP * number
        body += [f'<g transform="translate({x} {y - 4})">{mark}</g>', text(x + 30, y, name, anchor="start")]
    return document(width, height, body)


@attrs.frozen
class _Area:
    left: float
    right: float
    top: float
    bottom: float


@attrs.frozen
class _Heights:
    """From heights to shares of the area, from the bottom."""

    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> _Heights:
        if not values:
            return cls(0.0, 1.0, False)
        low, high = min(values), max(values)
        log = low > 0 and high / low > 3
        a, b = (math.log10(low), math.log10(high)) if log else (low, high)
        margin = 0.08 * (b - a) or abs(b) * 0.1 or 1.0
        return cls(a - margin, b + margin, log)

    def share(self, value: float) -> float:
        return ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        return log_ticks(self.low, self.high) if self.log else even_ticks(self.low, self.high)


def _shares(places: Sequence[float | None]) -> list[float]:
    """Where values stand across, from 0 to 1, with a margin on both sides."""
    numbers = [p for p in places if p is not None]
    finite = sorted({p for p in numbers if math.isfinite(p)})
    if len(numbers) < len(places) or len(finite) < 2:
        ranks = [float(i) for i in range(len(places))]
    else:
        log = finite[0] > 0 and finite[-1] / finite[0] > 8
        at = {p: math.log10(p) if log else p for p in finite}
        beyond = (at[finite[-1]] - at[finite[0]]) / (len(finite) - 1)
        at[math.inf], at[-math.inf] = at[finite[-1]] + beyond, at[finite[0]] - beyond
        ranks = [at[p] for p in numbers]
    low, high = min(ranks), max(ranks)
    return [0.04 + 0.92 * ((r - low) / (high - low) if high > low else 0.5) for r in ranks]


def _grid(area: _Area, across: Scale, xs: Sequence[float], heights: _Heights, up: str, height: float) -> list[str]:
    body = [text((area.left + area.right) / 2, height - 14, across.name)]
    middle = (area.top + area.bottom) / 2
    body.append(turned(middle, up))
    ends = [-math.inf, -math.inf]  # of the last label in each of two rows
    for x, label in sorted(zip(xs, (label for _, label in across.values), strict=True)):
        body.append(stroke(x, area.top, x, area.bottom))
        half = _LETTER * len(label) / 2
        row = next((r for r, end in enumerate(ends) if x - half > end), None)
        if row is not None:  # labels that would overlap are left out
            body.append(text(x, area.bottom + 18 + 15 * row, label))
            ends[row] = x + half + 6
    for tick in heights.ticks():
        y = area.bottom - heights.share(tick) * (area.bottom - area.top)
        body += [stroke(area.left, y, area.right, y), text(area.left - 8, y + 4, f"{tick:.6g}", anchor="end")]
    return body


def _curve(area: _Area, xs: Sequence[float], heights: _Heights, curve: Curve, number: int) -> list[str]:
    colour, dash = _style(number)
    tall = area.bottom - area.top
    places = [(xs[i], None if y is None else area.bottom - heights.share(y) * tall) for i, y in curve.points]
    places.sort(key=lambda p: p[0])
    body = []
    for (x1, y1), (x2, y2) in pairwise(places):
        if y1 is not None and y2 is not None:
            ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
            body.append(f'<line {ends} stroke="{colour}" stroke-width="2"{dash}/>')
    for x, y in places:
        if y is None:
            body.append(_cross(x, area.bottom - 8, colour))
        else:
            body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
    return body


def _legend(curves: Sequence[Curve], left_out: int) -> list[tuple[str, str]]:
    """(mark, name) of each curve that has a name, of crosses, and of how many curves were left out."""
    entries = []
    for number, curve in enumerate(curves):
        if curve.name:
            colour, dash = _style(number)
            mark = f'<line x1="0" y1="0" x2="22" y2="0" stroke="{colour}" stroke-width="2"{dash}/>'
            entries.append((mark, curve.name))
    if left_out:
        entries.append(("", f"and {left_out} more"))
    if any(y is None for curve in curves for _, y in curve.points):
        entries.append((_cross(11, 0, "#555"), "no mapping"))
    return entries


def _style(number: int) -> tuple[str, str]:
    dash = DASHES[number // len(COLOURS) % len(DASHES)]
    return COLOURS[number % len(COLOURS)], f' stroke-dasharray="{dash}"' if dash else ""


def _cross(x: float, y: float, colour: str) -> str:
    strokes = f"M{x - 4:.1f} {y - 4:.1f}l8 8m-8 0l8 -8"
    return f'<path d="{strokes}" stroke="{colour}" stroke-width="2"/>'
