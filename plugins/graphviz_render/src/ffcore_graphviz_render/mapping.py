"""The mapping picture: a column for each Einsum, a row for each memory level, a frame around what shared loops repeat.

Time runs from left to right and nesting from top to bottom. A tile is a chip in its tensor's colour, as wide as the
Einsums that use it; paler where it only waits. `arrange` says where things go, this module how they look.
"""

from __future__ import annotations

from collections.abc import Sequence

from ffcore.plugin import MappingView
from ffcore_graphviz_render.arrange import arrange
from ffcore_graphviz_render.legend import draw_legend
from ffcore_graphviz_render.panel import Look, Panel
from ffcore_graphviz_render.panels import cut
from ffcore_graphviz_render.scene import Run, Scene
from ffcore_graphviz_render.style import MARGIN

_TITLE = 13.0


def mapping_scene(view: MappingView) -> Scene:
    """The picture of a mapping. Loops that run once are left out; wide mappings go on in a further panel below."""
    plan = arrange(view)
    look = Look.of(view, plan)
    scene = Scene(_about(view, [c.compute.einsum for c in plan.columns if c.compute is not None]))
    y = MARGIN
    if view.numbers is not None:
        title = Run(view.numbers.title, _TITLE, bold=True)
        scene.width = 2 * MARGIN + title.width
        scene.text(MARGIN, y + 9, title.width, [title])
        y += 26
    for span in cut(plan, look.widths):
        panel = Panel(scene, view, plan, look, span)
        y = panel.draw(y) + 14
        scene.width = max(scene.width, panel.right + MARGIN)
    scene.height = draw_legend(scene, view, plan, y) + MARGIN
    return scene


def _about(view: MappingView, einsums: Sequence[str]) -> str:
    """The picture in a sentence, for those who cannot see it."""
    numbers = f": {view.numbers.title}" if view.numbers is not None else ""
    return f"Mapping of {', '.join(einsums) or 'nothing'}{numbers}"
