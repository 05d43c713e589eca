"""Line plots with logarithmic axes, written as plain SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 680, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 50
# The colour-blind can tell these apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999", "#8c564b")

Points = Sequence[tuple[float, float]]


def loglog(title: str, x_label: str, y_label: str, lines: Mapping[str, Points]) -> str:
    """An SVG of ``lines`` (name -> points). Points with a coordinate that is not above 0 are left out.

    Raises ``ValueError`` if no point is left.
    """
    shown = {name: sorted(p for p in points if min(p) > 0) for name, points in lines.items()}
    flat = [p for points in shown.values() for p in points]
    if not flat:
        raise ValueError("nothing to plot: no point has both coordinates above 0")
    x_low, x_high = _range([x for x, _ in flat])
    y_low, y_high = _range([y for _, y in flat])

    def at(x: float, y: float) -> tuple[float, float]:
        right = (math.log10(x) - x_low) / (x_high - x_low)
        up = (math.log10(y) - y_low) / (y_high - y_low)
        return LEFT + right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    body = [_text(WIDTH / 2 - 40, 22, title, size=15), _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label)]
    body.append(_text(16, HEIGHT / 2, y_label, turn=True))
    for tick in _ticks(x_low, x_high, [x for x, _ in flat]):
        x, _ = at(tick, 10**y_low)
        body += [_line(x, TOP, x, HEIGHT - BOTTOM), _text(x, HEIGHT - BOTTOM + 16, f"{tick:g}")]
    for tick in _ticks(y_low, y_high, []):
        _, y = at(10**x_low, tick)
        body += [_line(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 6, y + 4, f"{tick:g}", anchor="end")]
    for number, (name, points) in enumerate(shown.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [at(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = TOP + 10 + 18 * number
        body.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="12" height="12" fill="{colour}"/>')
        body.append(_text(WIDTH - RIGHT + 32, y + 2, name, anchor="start"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.05 * (high - low), 0.1)
    return low - margin, high + margin


def _ticks(low: float, high: float, own: Sequence[float]) -> list[float]:
    """The points' own values where they are few, else 1, 2, 5 of each decade."""
    if own and len(set(own)) <= 8:
        return sorted(set(own))
    decades = range(math.floor(low), math.ceil(high) + 1)
    return [t for d in decades for t in (10.0**d, 2 * 10.0**d, 5 * 10.0**d) if low <= math.log10(t) <= high]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle", turn: bool = False) -> str:
    turned = f' transform="rotate(-90 {x:.0f} {y:.0f})"' if turn else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{turned}>{escape(text)}</text>'
