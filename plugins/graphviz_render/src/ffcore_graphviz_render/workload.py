"""The workload picture: Einsums and tensors, with an arrow for everything that is read or written."""

from __future__ import annotations

import graphviz

from ffcore.plugin import Dimension, EinsumView, TensorView, WorkloadView, format_quantity, tensor_colours
from ffcore_graphviz_render import labels
from ffcore_graphviz_render.labels import cell, row, table, text
from ffcore_graphviz_render.style import COMPUTE, LINE, new_graph


def workload_graph(view: WorkloadView) -> graphviz.Digraph:
    """Data flows from top to bottom; tensors have the colours that the mapping picture gives them."""
    graph = new_graph("workload", rankdir="TB", nodesep="0.25", ranksep="0.25")
    colours = tensor_colours(t.name for t in view.tensors)
    # Nodes go by number: a name may hold anything, also what Graphviz reads as a port.
    node_of = {t.name: f"t{i}" for i, t in enumerate(view.tensors)}
    for tensor in view.tensors:
        graph.node(node_of[tensor.name], _tensor(tensor, colours[tensor.name]))
    for i, einsum in enumerate(view.einsums):
        graph.node(f"e{i}", _einsum(einsum))
        for access in einsum.reads:
            graph.edge(node_of[access.tensor], f"e{i}", color=LINE)
        for access in einsum.writes:
            graph.edge(f"e{i}", node_of[access.tensor], color=COMPUTE)
    return graph


def _tensor(tensor: TensorView, colour: str) -> str:
    parts = [text(tensor.name + (" (persistent)" if tensor.persistent else ""), bold=True)]
    parts.append(text("  ·  ".join(fact for fact in (tensor.extents, tensor.size) if fact), size=9))
    return labels.label(table([row([cell(labels.lines(parts), bgcolor=colour, cellpadding=4, style="rounded")])]))


def _einsum(einsum: EinsumView) -> str:
    parts = [text(einsum.name, bold=True, colour="white", size=13)]
    parts.append(text(einsum.formula, size=9, colour="#e2e8f0"))
    if einsum.operations is not None and not einsum.is_copy:
        count = format_quantity(einsum.operations, Dimension.COUNT)
        parts.append(text(f"{count} operations", size=9, colour="#cbd5e1"))
    return labels.label(table([row([cell(labels.lines(parts), bgcolor=COMPUTE, cellpadding=4)])]))
