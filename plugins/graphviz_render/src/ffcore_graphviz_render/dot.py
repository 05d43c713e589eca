"""A scene as DOT, for PNG: every box and text is a node whose place is given, so that Graphviz only paints."""

from __future__ import annotations

import graphviz

from ffcore_graphviz_render import labels
from ffcore_graphviz_render.scene import Box, Scene, Text
from ffcore_graphviz_render.style import FONT

_POINTS = 0.75  # of a pixel
_SHARP = 192  # dots per inch: twice as many as on a plain screen
_ROUNDED = 20  # px: Graphviz rounds the corners of higher boxes too much
_MOST = 12_000  # dots along a side; a bitmap beyond that is of no use to anybody


def scene_dot(scene: Scene) -> graphviz.Digraph:
    """The drawing as a graph without edges, for ``dot`` (the layout ``nop2`` takes places as they are)."""
    longest = max(scene.width, scene.height, 1.0)
    dpi = max(24, min(_SHARP, int(96 * _MOST / longest)))
    graph = graphviz.Digraph("mapping")
    graph.attr("graph", layout="nop2", pad="0", margin="0", bgcolor="white", dpi=str(dpi))
    graph.attr("node", shape="box", label="", fixedsize="true", margin="0", fontname=FONT, fontcolor=labels.INK)
    # As large as the whole drawing: Graphviz shows what nodes cover.
    items = [Box(0, 0, scene.width, scene.height, fill="#ffffff"), *scene.items]
    for i, item in enumerate(items):
        if isinstance(item, Box):
            graph.node(f"n{i}", **_place(item.x, item.y, item.width, item.height, scene), **_box(item))
        elif item.runs:
            # Graphviz sets larger letters too high.
            lower = 0.8 * (max(run.size for run in item.runs) - 9)
            place = _place(item.x, item.y - 10 + lower, item.width, 20, scene)
            graph.node(f"n{i}", _label(item), shape="plaintext", **place)
    return graph


def _place(x: float, y: float, width: float, height: float, scene: Scene) -> dict[str, str]:
    centre_x, centre_y = (x + width / 2) * _POINTS, (scene.height - y - height / 2) * _POINTS
    return {
        "pos": f"{centre_x:.2f},{centre_y:.2f}",
        "width": f"{width * _POINTS / 72:.4f}",
        "height": f"{height * _POINTS / 72:.4f}",
    }


def _box(box: Box) -> dict[str, str]:
    styles = [name for name, wanted in (("filled", box.fill != "none"), ("dashed", box.dashed)) if wanted]
    if box.radius and box.height <= _ROUNDED:
        styles.append("rounded")
    attributes = {"style": ",".join(styles), "color": box.stroke if box.stroke != "none" else "transparent"}
    if box.fill != "none":
        attributes["fillcolor"] = box.fill
    if box.stroke != "none":
        attributes["penwidth"] = f"{box.thick * _POINTS:.2f}"
    else:
        attributes["penwidth"] = "0"
    return {name: value for name, value in attributes.items() if value}


def _label(text: Text) -> str:
    parts = []
    for run in text.runs:
        size = f"{run.size * _POINTS:.3g}"
        parts.append(labels.text(run.text, bold=run.bold, size=size, colour=run.colour, longest=400))
    width = f"{text.width * _POINTS:.0f}"
    content = labels.cell(labels.join(parts, ""), align=text.align.upper(), width=width)
    return labels.label(labels.table([labels.row([content])]))
