"""Wide mappings in panels: where to go on in a new line, as text does."""

from __future__ import annotations

from collections.abc import Sequence

from ffcore_graphviz_render.arrange import Arrangement, Span
from ffcore_graphviz_render.style import GAP

WIDEST = 1160.0
"""What a panel's columns may take, in px, so that the whole of it is read on a screen of 1280."""


def cut(plan: Arrangement, widths: Sequence[float]) -> list[Span]:
    """First and last column of each panel: as few as will do, about equally wide, cut where least is shared."""
    spans: list[Span] = []
    start = 0
    while start < len(widths):
        last = _end(plan, widths, start)
        spans.append((start, last))
        start = last + 1
    return spans


def _end(plan: Arrangement, widths: Sequence[float], start: int) -> int:
    """The last column of the panel that begins at ``start``."""
    rest = sum(width + GAP for width in widths[start:])
    if rest <= WIDEST:
        return len(widths) - 1
    fair = rest / (rest // WIDEST + 1)
    best: tuple[tuple[bool, int, int, float], int] | None = None
    used = 0.0
    for column in range(start, len(widths)):
        used += widths[column] + GAP
        if used > WIDEST and column > start:
            break
        frames = sum(f.span[0] <= column < f.span[1] for f in plan.frames)
        tiles = sum(c.stays and c.span[0] <= column < c.span[1] for c in plan.chips)
        cost = (used < 0.67 * fair, frames, tiles, abs(fair - used))
        if best is None or cost < best[0]:
            best = (cost, column)
    assert best is not None  # the first column always gets in
    return best[1]
