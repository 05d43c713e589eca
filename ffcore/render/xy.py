"""Lines or steps over logarithmic axes, as plain SVG: how searches come on, how a job grows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from ffcore.render.svg import BOTTOM, COLOURS, HEIGHT, LEFT, TOP, document, log_ticks, stroke, text, turned

WIDTH, RIGHT = 720, 140
_LEAST_X, _LEAST_Y = 1e-3, 1e-300


@attrs.frozen
class Line:
    """Points (across, up), ascending; lines of one name share a ``colour``.

    ``dashed``: of an exact mapper, which has one point to mark and no way to it.
    """

    name: str
    colour: int
    points: tuple[tuple[float, float], ...]
    dashed: bool = False


@attrs.frozen
class _Axes:
    """Logarithms of the ends of both axes."""

    left: float
    right: float
    low: float
    high: float

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]]) -> _Axes:
        xs = [math.log10(max(x, _LEAST_X)) for x, _ in points]
        ys = [math.log10(max(y, _LEAST_Y)) for _, y in points]
        across, up = max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 0.1
        return cls(min(xs) - 0.05 * across, max(xs) + 0.05 * across, min(ys) - 0.05 * up, max(ys) + 0.05 * up)

    def x(self, value: float) -> float:
        share = (math.log10(max(value, _LEAST_X)) - self.left) / (self.right - self.left)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (math.log10(max(value, _LEAST_Y)) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def xy_plot(title: str, lines: Sequence[Line], across: str, up: str = "", *, steps: bool = False) -> str:
    """The SVG. With ``steps`` a line stays at each height until its next point; else every point has a mark."""
    points = [p for line in lines for p in line.points] or [(1.0, 1.0)]
    axes = _Axes.around(points)
    body = [text(LEFT, 22, title, anchor="start", size=14)]
    body += [text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 44, across), turned((TOP + HEIGHT - BOTTOM) / 2, up)]
    for tick in log_ticks(axes.left, axes.right):
        x = axes.x(tick)
        body += [stroke(x, TOP, x, HEIGHT - BOTTOM), text(x, HEIGHT - BOTTOM + 18, f"{tick:g}")]
    for tick in log_ticks(axes.low, axes.high):
        y = axes.y(tick)
        body += [stroke(LEFT, y, WIDTH - RIGHT, y), text(LEFT - 8, y + 4, f"{tick:g}", anchor="end")]
    named: dict[str, str] = {}
    for line in lines:
        colour = COLOURS[line.colour % len(COLOURS)]
        named.setdefault(line.name, colour)
        body += _drawn(axes, line, colour, steps)
    for number, (name, colour) in enumerate(named.items()):
        y = TOP + 12 + 20 * number
        body.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        body.append(text(WIDTH - RIGHT + 34, y, name, anchor="start"))
    return document(WIDTH, HEIGHT, body)


def _drawn(axes: _Axes, line: Line, colour: str, steps: bool) -> list[str]:
    corners: list[tuple[float, float]] = []
    for across, up in line.points:
        if corners and steps:
            corners.append((axes.x(across), corners[-1][1]))
        corners.append((axes.x(across), axes.y(up)))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    drawn = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>']
    marked = line.points[:1] if line.dashed else () if steps else line.points
    return drawn + [f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="4" fill="{colour}"/>' for x, y in marked]
