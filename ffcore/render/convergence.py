"""The convergence plot: steps over logarithmic axes, as plain SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

import attrs

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 140, 40, 50
# The colour-blind can tell these apart.
COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_LEAST = 1e-3


@attrs.frozen
class Line:
    """One search: (seconds or evaluations, best score so far), ascending, the last one its end.

    ``dashed``: of an exact mapper, which has one point to mark and no way to it.
    """

    name: str
    colour: int
    points: tuple[tuple[float, float], ...]
    dashed: bool


@attrs.frozen
class _Axes:
    """Logarithms of the ends of both axes."""

    left: float
    right: float
    low: float
    high: float

    def x(self, seconds: float) -> float:
        share = (math.log10(max(seconds, _LEAST)) - self.left) / (self.right - self.left)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, score: float) -> float:
        share = (math.log10(max(score, 1e-300)) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def convergence(title: str, lines: Sequence[Line], across: str = "seconds of wall time") -> str:
    """An SVG of best scores so far over what they took; several searches of one name share its colour."""
    points = [p for line in lines for p in line.points]
    if not points:
        points = [(1.0, 1.0)]
    axes = _axes(points)
    body = [_text(LEFT, 22, title, anchor="start", size=14)]
    body.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, across))
    for seconds in _ticks(axes.left, axes.right):
        x = axes.x(seconds)
        body += [_stroke(x, TOP, x, HEIGHT - BOTTOM), _text(x, HEIGHT - BOTTOM + 18, f"{seconds:g}")]
    for score in _ticks(axes.low, axes.high):
        y = axes.y(score)
        body += [_stroke(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 8, y + 4, f"{score:g}", anchor="end")]
    named: dict[str, str] = {}
    for line in lines:
        colour = COLOURS[line.colour % len(COLOURS)]
        named.setdefault(line.name, colour)
        dash = ' stroke-dasharray="6 4"' if line.dashed else ""
        body.append(f'<polyline points="{_steps(axes, line)}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        if line.dashed and line.points:
            x, y = axes.x(line.points[0][0]), axes.y(line.points[0][1])
            body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
    for number, (name, colour) in enumerate(named.items()):
        y = TOP + 12 + 20 * number
        body.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        body.append(_text(WIDTH - RIGHT + 34, y, name, anchor="start"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


def _axes(points: Sequence[tuple[float, float]]) -> _Axes:
    seconds = [math.log10(max(x, _LEAST)) for x, _ in points]
    scores = [math.log10(max(y, 1e-300)) for _, y in points]
    across, up = max(seconds) - min(seconds) or 1.0, max(scores) - min(scores) or 0.1
    return _Axes(
        min(seconds) - 0.05 * across, max(seconds) + 0.05 * across, min(scores) - 0.05 * up, max(scores) + 0.05 * up
    )


def _steps(axes: _Axes, line: Line) -> str:
    corners: list[tuple[float, float]] = []
    for seconds, score in line.points:
        if corners:
            corners.append((axes.x(seconds), corners[-1][1]))
        corners.append((axes.x(seconds), axes.y(score)))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between the ends: decades; 1, 2, 5 of each; or, over less than a decade, even steps."""
    if high - low > 4:
        decades = range(math.ceil(low), math.floor(high) + 1)
        every = max(1, len(decades) // 8)
        return [10.0**d for d in decades if d % every == 0]
    if high - low > 1:
        decades = range(math.floor(low), math.ceil(high) + 1)
        return [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= math.log10(m * 10.0**d) <= high]
    first, last = 10.0**low, 10.0**high
    rough = (last - first) / 6
    unit = 10.0 ** math.floor(math.log10(rough))
    step = unit * next(m for m in (1, 2, 5, 10) if m * unit >= rough)
    return [float(f"{k * step:.10g}") for k in range(math.ceil(first / step), math.floor(last / step) + 1)]


def _stroke(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'
