"""The architecture picture: its nodes from the root down to the computes, with their facts."""

from __future__ import annotations

from collections.abc import Sequence

import graphviz

from ffcore.plugin import NodeView
from ffcore_graphviz_render import labels
from ffcore_graphviz_render.labels import cell, row, table, text
from ffcore_graphviz_render.style import COMPUTE, HOLDER, LINE, LOOP, SPATIAL, SPATIAL_INK, TOLL, new_graph

_FILL = {"Memory": HOLDER, "Toll": TOLL, "Compute": COMPUTE}
_LONGEST_FACT = 60
_LONG_HEADLINE = 18


def arch_graph(roots: Sequence[NodeView]) -> graphviz.Digraph:
    """One box for each node; spatial dimensions stand in green above the node that they repeat."""
    graph = new_graph("arch", rankdir="TB", nodesep="0.3", ranksep="0.3")
    pending = [(root, "") for root in reversed(roots)]
    count = 0
    while pending:
        view, parent = pending.pop()
        name = f"n{count}"
        count += 1
        graph.node(name, _node(view))
        if parent:
            graph.edge(parent, name, color=LINE, arrowhead="none", penwidth="2")
        pending.extend((child, name) for child in reversed(view.children))
    return graph


def _node(view: NodeView) -> str:
    compute = view.kind == "Compute"
    ink, faint = ("white", "#cbd5e1") if compute else (labels.INK, labels.FAINT)
    border = {"border": 1, "color": LINE}
    fanout = [text(f"{dimension} ∥", bold=True, size=11, colour=SPATIAL_INK) for dimension in view.fanout]
    rows = [row([cell(dimension, bgcolor=SPATIAL, cellpadding=3, **border)]) for dimension in fanout]
    title = [text(view.name or view.kind, bold=True, size=13, colour=ink)]
    if view.name:
        title.append(text(view.kind, size=9, colour=faint))
    parts = [labels.join(title)]
    if view.headline:
        # What depends on the Einsum is an expression, which needs no large letters.
        size = 12 if len(view.headline) <= _LONG_HEADLINE else 9
        parts.append(text(labels.clean(view.headline, _LONGEST_FACT), size=size, colour=ink))
    if view.count:
        parts.append(text(view.count, bold=True, size=9, colour=ink if compute else SPATIAL_INK))
    parts += [text(labels.clean(fact, _LONGEST_FACT), size=9, colour=ink) for fact in view.facts]
    rows.append(row([cell(labels.lines(parts), bgcolor=_FILL.get(view.kind, LOOP), cellpadding=5, **border)]))
    return labels.label(table(rows))
