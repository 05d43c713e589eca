"""What all our plots are drawn with: a document of SVG, its ticks, lines and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

# px: of a plot, and beside it
HEIGHT = 440
LEFT, TOP, BOTTOM = 84, 40, 72
# The colour-blind can tell these apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def document(width: float, height: float, body: Sequence[str]) -> str:
    """A whole SVG on white ground."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between powers of ten: decades; 1, 2, 5 of each; or, over less than a decade, even steps."""
    if high - low < 0.7:
        return [t for t in even_ticks(10**low, 10**high) if t > 0]
    steps = (1, 2, 5) if high - low < 3 else (1,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    every = max(1, len(decades) // 8)
    found = [m * 10.0**d for d in decades if d % every == 0 for m in steps]
    return [t for t in found if low <= math.log10(t) <= high]


def even_ticks(low: float, high: float) -> list[float]:
    """About six round numbers between two."""
    rough = (high - low) / 6
    unit = 10.0 ** math.floor(math.log10(rough))
    step = unit * next(m for m in (1, 2, 5, 10) if m * unit >= rough * (1 - 1e-9))
    return [float(f"{k * step:.10g}") for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def stroke(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line of the grid."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def text(x: float, y: float, words: str, *, size: int = 12, anchor: str = "middle") -> str:
    """Words, escaped."""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'


def turned(y: float, words: str) -> str:
    """Words from bottom to top, at the left edge."""
    return f'<g transform="rotate(-90 18 {y:.0f})">{text(18, y, words)}</g>'
