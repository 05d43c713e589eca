"""Below the columns: each Einsum's share of energy and time, and how full memories are while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ffcore.plugin import FANOUT, CostView, MappingView
from ffcore_graphviz_render.labels import FAINT, INK
from ffcore_graphviz_render.scene import Box, Run, Scene
from ffcore_graphviz_render.style import ALARM, EDGE, MARGIN, METER, METER_FULL, SMALL

_ROW, _BAR = 15.0, 11.0


def draw_meters(scene: Scene, view: MappingView, columns: Sequence[tuple[float, float, str]], y: float) -> float:
    """A row of bars for each number; ``columns``: left end, width and Einsum. Returns where the last row ends."""
    numbers = view.numbers
    assert numbers is not None
    rows: list[tuple[str, Callable[[CostView], float], Callable[[CostView], str], str]] = [
        ("energy", lambda c: c.energy_share, lambda c: "", METER),
        ("latency", lambda c: c.latency_share, lambda c: c.bottleneck, METER),
    ]
    for level in view.levels:
        if level.bounded and level.name in numbers.fullest:
            rows.append((f"{level.name} full", _fullness(level.name), lambda c: "", METER_FULL))
    gutter = columns[0][0] - MARGIN if columns else 0.0
    for title, share, note, colour in rows:
        scene.text(MARGIN + 5, y + _ROW / 2, gutter - 8, [Run(title, SMALL, colour=FAINT)])
        for x, width, einsum in columns:
            cost = numbers.costs.get(einsum)
            if cost is None:
                continue
            value = share(cost)
            about = f"{einsum}: {title} {value:.1%}"
            scene.box(Box(x, y + 2, width, _BAR, "meter", "#ffffff", EDGE, 0.6, about=about))
            if value > 0:
                fill = ALARM if value > FANOUT else colour
                scene.box(Box(x, y + 2, width * min(1.0, value), _BAR, "meter-bar", fill, about=about))
            runs = [Run(_percent(value), SMALL, colour=INK), Run(f"  {note(cost)}", SMALL, colour=FAINT)]
            scene.text(x + 4, y + _ROW / 2, width - 6, runs if note(cost) else runs[:1])
        y += _ROW
    return y


def _fullness(memory: str) -> Callable[[CostView], float]:
    return lambda cost: cost.fullness.get(memory, 0.0)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share:.1%}" if share >= 0.001 else "<0.1%"
