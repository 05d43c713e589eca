"""Colours and settings that all pictures share."""

from __future__ import annotations

import graphviz

from ffcore_graphviz_render import labels

FONT = "Helvetica"

HOLDER = "#e8edf2"
TOLL = "#f7ecd9"
LOOP = "#ffffff"
SPATIAL = "#d5f0da"
SPATIAL_INK = "#146c3a"
COMPUTE = "#334155"
LINE = "#b6c2cf"


def new_graph(name: str, **attributes: str) -> graphviz.Digraph:
    """An empty graph whose nodes are nothing but their labels."""
    graph = graphviz.Digraph(name)
    graph.attr("graph", fontname=FONT, margin="0.1", bgcolor="white", **attributes)
    graph.attr("node", shape="plain", fontname=FONT, fontsize="12", fontcolor=labels.INK)
    return graph
