"""The key below a mapping picture: only what the picture holds."""

from __future__ import annotations

from collections.abc import Callable

from ffcore.plugin import MappingView
from ffcore_graphviz_render import labels
from ffcore_graphviz_render.arrange import Arrangement
from ffcore_graphviz_render.labels import FAINT, INK
from ffcore_graphviz_render.scene import Box, Run, Scene
from ffcore_graphviz_render.style import EDGE, FRAME, FRAME_FILL, LINE, LOOP, MARGIN, SMALL, SPATIAL, faded

_SWATCH, _ROW = 22.0, 17.0
_TILE = "#cbd5e1"


def draw_legend(scene: Scene, view: MappingView, plan: Arrangement, y: float) -> float:
    """Explain the marks that are used, from ``y`` down, as wide as the picture is; returns where it ends."""
    x = MARGIN
    width = max(scene.width, 480.0)
    for draw, words in _entries(view, plan):
        run = Run(labels.clean(words, 60), SMALL, colour=FAINT)
        needed = _SWATCH + 6 + run.width + 16
        if x > MARGIN and x + needed > width:
            x, y = MARGIN, y + _ROW
        for box in draw(x, y):
            scene.box(box)
        scene.text(x + _SWATCH + 6, y + 6, run.width, [run])
        scene.width = max(scene.width, x + needed)
        x += needed
    return y + _ROW


def _entries(view: MappingView, plan: Arrangement) -> list[tuple[Callable[[float, float], list[Box]], str]]:
    loops = [loop for run in plan.loops for loop in run.loops]
    root = view.levels[0].name if view.levels else ""
    entries: list[tuple[Callable[[float, float], list[Box]], str]] = []
    if plan.chips:
        entries.append((_chip, "tile of a tensor, over the Einsums that use it"))
    if any(c.stays for c in plan.chips):
        entries.append((_stays, f"stays here: never in {root}"))
    if any(c.used != (c.span,) for c in plan.chips):
        entries.append((_alive, "held while others run"))
    if any(not run.shared for run in plan.loops):
        entries.append((_loop, "for m ×4 tile 8: runs 4 times, each time over 8 of m"))
    if any(loop.spatial for loop in loops):
        entries.append((_spatial, "∥ across instances: used of available"))
    if plan.frames:
        entries.append((_frame, "loop that all Einsums in the frame share"))
    return entries


def _chip(x: float, y: float) -> list[Box]:
    return [Box(x, y, _SWATCH, 12, "", _TILE, EDGE, 0.8, 5)]


def _stays(x: float, y: float) -> list[Box]:
    return [Box(x, y, _SWATCH, 12, "", _TILE, INK, 1.6, 5)]


def _alive(x: float, y: float) -> list[Box]:
    return [Box(x, y + 2, _SWATCH, 8, "", faded(_TILE))]


def _loop(x: float, y: float) -> list[Box]:
    return [Box(x, y, _SWATCH, 12, "", LOOP, LINE, 1, 2)]


def _spatial(x: float, y: float) -> list[Box]:
    return [Box(x, y, _SWATCH, 12, "", SPATIAL, LINE, 1, 2)]


def _frame(x: float, y: float) -> list[Box]:
    return [Box(x, y, _SWATCH, 12, "", "none", FRAME, 1.6, 3), Box(x, y, _SWATCH, 4, "", FRAME_FILL, FRAME, 1.6, 2)]
