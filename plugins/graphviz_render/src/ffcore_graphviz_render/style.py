"""Colours and settings that all pictures share."""

from __future__ import annotations

import graphviz

from ffcore_graphviz_render import labels

FONT = "Arial"  # Graphviz knows it or one of the same widths on most machines
FONTS = "Arial, Helvetica, 'Liberation Sans', sans-serif"  # for browsers

HOLDER = "#e8edf2"
TOLL = "#f7ecd9"
LOOP = "#ffffff"
SPATIAL = "#d5f0da"
SPATIAL_INK = "#146c3a"
COMPUTE = "#334155"
LINE = "#b6c2cf"

# The mapping picture alone.
LEVELS = ("#dbe2ea", "#e5eaf0", "#eef2f6", "#f5f7fa")  # memories from the outermost in
FRAME, FRAME_FILL, FRAME_INK = "#7c3aed", "#ede9fe", "#5b21b6"
EDGE = "#94a3b8"
STEM = "#d5dde6"
FAINT_ON_DARK = "#cbd5e1"
METER, METER_FULL, ALARM = "#bfdbfe", "#fde68a", "#f87171"
MAIN, SMALL = 10.5, 9.0  # sizes of text, in px
MARGIN, GAP, NEST = 10.0, 8.0, 6.0  # around the picture; between columns; between nested frames


def faded(colour: str) -> str:
    """A paler shade of ``#rrggbb``."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part * 0.5 + 255 * 0.5):02x}" for part in parts)


def new_graph(name: str, **attributes: str) -> graphviz.Digraph:
    """An empty graph whose nodes are nothing but their labels."""
    graph = graphviz.Digraph(name)
    graph.attr("graph", fontname=FONT, margin="0.1", bgcolor="white", **attributes)
    graph.attr("node", shape="plain", fontname=FONT, fontsize="12", fontcolor=labels.INK)
    return graph
