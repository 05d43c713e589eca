"""Plots of a sweep as plain SVG: a heat map over two axes, points with their front, bars by Einsum."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence

import attrs

from ffcore.plugin import COLOURS, document, even_ticks, log_ticks, stroke, text, turned

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 760, 440, 100, 40, 72, 28
_CELL_LEAST = 4.0  # px


@attrs.frozen
class Cell:
    """A cell of a heat map: its place across and up, and its number (None: there is none)."""

    across: int
    up: int
    value: float | None
    label: str = ""


def heat_map(
    title: str, across: Sequence[str], up: Sequence[str], names: tuple[str, str], cells: Sequence[Cell]
) -> str:
    """A cell for each pair of values, dark where the number is least; ``names``: of the axes."""
    numbers = [c.value for c in cells if c.value is not None and c.value > 0]
    low, high = (math.log(min(numbers)), math.log(max(numbers))) if numbers else (0.0, 0.0)
    width = max(_CELL_LEAST, (WIDTH - LEFT - RIGHT) / len(across))
    height = max(_CELL_LEAST, (HEIGHT - TOP - BOTTOM) / len(up))
    bottom, right = TOP + height * len(up), LEFT + width * len(across)
    body = [text(LEFT, 22, title, anchor="start", size=14)]
    for cell in cells:
        x, y = LEFT + width * cell.across, bottom - height * (cell.up + 1)
        if cell.value is None:
            fill = "#fff"
        else:
            share = (math.log(cell.value) - low) / (high - low) if cell.value > 0 and high > low else 0.0
            fill = _shade(share)
        body.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" stroke="#ddd">'
            f"<title>{_escaped(cell.label)}</title></rect>"
        )
        if cell.value is None:
            body.append(text(x + width / 2, y + height / 2 + 4, "×"))
    body += _labels(across, lambda i: (LEFT + width * (i + 0.5), bottom + 18.0), width, "middle", 6.6)
    body += _labels(up, lambda i: (LEFT - 8.0, bottom - height * (i + 0.5) + 4), height, "end", 14.0, wide=False)
    body += [text((LEFT + right) / 2, bottom + 44, names[0]), turned((TOP + bottom) / 2, names[1])]
    return document(right + RIGHT, bottom + BOTTOM, body)


def _shade(share: float) -> str:
    """From dark blue (0) over green to light yellow (1), which the colour-blind can tell apart."""
    stops = ((8, 48, 107), (33, 145, 140), (253, 231, 137))
    place = max(0.0, min(1.0, share)) * (len(stops) - 1)
    first = min(int(place), len(stops) - 2)
    part = place - first
    rgb = [round(a + (b - a) * part) for a, b in zip(stops[first], stops[first + 1], strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _labels(
    words: Sequence[str],
    at: Callable[[int], tuple[float, float]],
    room: float,
    anchor: str,
    letter: float,
    wide: bool = True,
) -> list[str]:
    """Labels, as many as have room."""
    needed = letter * max(map(len, words)) + 6 if wide else letter
    every = max(1, math.ceil(needed / room))
    return [text(*at(i), word, anchor=anchor) for i, word in enumerate(words) if i % every == 0]


@attrs.frozen
class Dot:
    """A point of a scatter plot; ``kept``: of the front."""

    x: float
    y: float
    kept: bool
    label: str = ""
    link: str = ""


def scatter(title: str, dots: Sequence[Dot], names: tuple[str, str], *, joined: bool = True, most: int = 2000) -> str:
    """Points in two numbers, those of the front in colour, ``joined`` by a line; at most ``most`` of the others."""
    front = sorted((d for d in dots if d.kept), key=lambda d: (d.x, d.y))
    others = [d for d in dots if not d.kept]
    shown = others[:: max(1, math.ceil(len(others) / most))]
    axes = [_Range.of([getattr(d, name) for d in (*front, *shown)]) for name in ("x", "y")]
    body = [text(LEFT, 22, title, anchor="start", size=14)]
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def place(dot: Dot) -> tuple[float, float]:
        return LEFT + axes[0].share(dot.x) * (right - LEFT), bottom - axes[1].share(dot.y) * (bottom - TOP)

    for tick in axes[0].ticks():
        x = LEFT + axes[0].share(tick) * (right - LEFT)
        body += [stroke(x, TOP, x, bottom), text(x, bottom + 18, f"{tick:.4g}")]
    for tick in axes[1].ticks():
        y = bottom - axes[1].share(tick) * (bottom - TOP)
        body += [stroke(LEFT, y, right, y), text(LEFT - 8, y + 4, f"{tick:.4g}", anchor="end")]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, front if joined else ()))
    body.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[1]}" stroke-width="1.5"/>')
    for dot in (*shown, *front):
        x, y = place(dot)
        colour, radius = (COLOURS[1], 4.5) if dot.kept else (COLOURS[0], 3.0)
        said = f"<title>{_escaped(dot.label)}</title>"
        mark = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}">{said}</circle>'
        body.append(f'<a href="{_escaped(dot.link)}">{mark}</a>' if dot.link else mark)
    body += [text((LEFT + right) / 2, HEIGHT - 14, names[0]), turned((TOP + bottom) / 2, names[1])]
    if len(shown) < len(others):
        body.append(text(right, 22, f"{len(shown):,} of {len(others):,} points off the front", anchor="end"))
    return document(WIDTH, HEIGHT, body)


@attrs.frozen
class _Range:
    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> _Range:
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        log = low > 0 and high / low > 3
        a, b = (math.log10(low), math.log10(high)) if log else (low, high)
        margin = 0.06 * (b - a) or abs(b) * 0.1 or 1.0
        return cls(a - margin, b + margin, log)

    def share(self, value: float) -> float:
        return ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        return log_ticks(self.low, self.high) if self.log else even_ticks(self.low, self.high)


def bars(title: str, parts: Sequence[Mapping[str, float]], labels: Sequence[str], unit: str) -> str:
    """A bar for each point, of one piece for each Einsum in their order; ``labels``: of the points."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    top = max((math.fsum(part.values()) for part in parts), default=0.0) or 1.0
    legend = names[:24]
    height = max(HEIGHT, TOP + BOTTOM + 20 * len(legend))
    bottom, room = height - BOTTOM, (WIDTH - LEFT - RIGHT) / max(1, len(parts))
    body = [text(LEFT, 22, title, anchor="start", size=14), turned((TOP + bottom) / 2, unit)]
    for tick in even_ticks(0.0, top):
        y = bottom - tick / top * (bottom - TOP)
        body += [stroke(LEFT, y, WIDTH - RIGHT, y), text(LEFT - 8, y + 4, f"{tick:.4g}", anchor="end")]
    for number, part in enumerate(parts):
        y = float(bottom)
        for name, value in part.items():
            tall = value / top * (bottom - TOP)
            y -= tall
            fill = _colour(names.index(name))
            body.append(
                f'<rect x="{LEFT + room * (number + 0.1):.1f}" y="{y:.1f}" width="{0.8 * room:.1f}" '
                f'height="{tall:.1f}" fill="{fill}"><title>{_escaped(f"{labels[number]}: {name} {value:.6g} {unit}")}'
                "</title></rect>"
            )
    body += _labels(labels, lambda i: (LEFT + room * (i + 0.5), bottom + 18.0), room, "middle", 6.6)
    for number, name in enumerate(legend):
        y = TOP + 12 + 20 * number
        body.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{y - 10}" width="12" height="12" fill="{_colour(number)}"/>')
        body.append(text(WIDTH - RIGHT + 34, y, name, anchor="start"))
    if len(names) > len(legend):
        body.append(
            text(
                WIDTH - RIGHT + 16, TOP + 12 + 20 * len(legend), f"and {len(names) - len(legend)} more", anchor="start"
            )
        )
    return document(WIDTH + 60 + 6.6 * max(map(len, legend), default=0), height, body)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _escaped(words: str) -> str:
    return html.escape(words, quote=True)
