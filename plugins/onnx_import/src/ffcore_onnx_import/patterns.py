"""Functions that exporters write out node by node: Gelu, Swish, softmax and normalisations become one node again.

A region is a set of elementwise nodes and reductions that depends on a single value, of whose inner values nobody
outside reads any. Only regions in which paths from that value meet again are merged: `x * sigmoid(x)`, not a chain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs

from ffcore_onnx_import.graph import Graph, Node

_OPERATORS = (
    "Abs Add Cast Clip Div Erf Exp HardSigmoid Log Max Min Mul Neg Pow Reciprocal Relu Sigmoid Softplus Sqrt Sub Sum "
    "Tanh"
)
_ELEMENTWISE = frozenset(_OPERATORS.split())
_REDUCES = frozenset(["ReduceMax", "ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL2"])
_NORMALISES = frozenset(["Div", "Exp", "Reciprocal", "Sqrt", "Sub"])
"""A region with reductions has one of these, else it is no normalisation."""
_LARGEST = 16
"""Nodes of a region at most."""


@attrs.frozen
class _Region:
    nodes: frozenset[int]
    source: str


def merged(graph: Graph) -> Graph:
    """The graph with each region as one node."""
    makers = {o: i for i, node in enumerate(graph.nodes) for o in node.outputs if o}
    readers: dict[str, set[int]] = {}
    for i, node in enumerate(graph.nodes):
        for name in node.inputs:
            readers.setdefault(name, set()).add(i)
    gone: set[int] = set()
    replaced: dict[int, Node] = {}
    for last in reversed(range(len(graph.nodes))):
        region = None if last in gone else _region(graph, last, makers, readers)
        if region is not None and not region.nodes & gone:
            gone |= region.nodes - {last}
            ops = [graph.nodes[i].op for i in sorted(region.nodes)]
            node = graph.nodes[last]
            replaced[last] = Node(_name(ops), node.name, (region.source,), node.outputs, {}, merged=tuple(ops))
    nodes = tuple(replaced.get(i, node) for i, node in enumerate(graph.nodes) if i not in gone)
    return attrs.evolve(graph, nodes=nodes)


def _region(graph: Graph, last: int, makers: Mapping[str, int], readers: Mapping[str, set[int]]) -> _Region | None:
    """The region that ends in a node: the smallest; with reductions as long as a larger one has more of them."""
    node = graph.nodes[last]
    if not _allowed(graph, node) or node.op in _REDUCES or len(_moving(graph, node)) < 2:
        return None
    nodes, frontier, found, reductions = {last}, set(_moving(graph, node)), None, -1
    shape = graph.shapes.get(node.output)
    while len(nodes) <= _LARGEST:
        if len(frontier) == 1 and graph.shapes.get(next(iter(frontier))) == shape:
            there = sum(graph.nodes[i].op in _REDUCES for i in nodes)
            normalises = not there or any(graph.nodes[i].op in _NORMALISES for i in nodes)
            if there > reductions and normalises:
                found, reductions = _Region(frozenset(nodes), next(iter(frontier))), there
            if not there:
                return found
        latest = max(frontier, key=lambda value: makers.get(value, -1))
        maker = makers.get(latest)
        if maker is None or not _allowed(graph, graph.nodes[maker]) or latest in graph.outputs:
            return found
        if not readers.get(latest, set()) <= nodes:
            return found
        nodes.add(maker)
        frontier = (frontier - {latest}) | set(_moving(graph, graph.nodes[maker]))
    return found


def _moving(graph: Graph, node: Node) -> list[str]:
    return [i for i in dict.fromkeys(node.inputs) if i and i not in graph.constants]


def _allowed(graph: Graph, node: Node) -> bool:
    """May it be inside of a region: an operator of the list, all its constants single numbers (axes apart)?"""
    if node.domain or len(node.outputs) != 1:
        return False
    if node.op in _REDUCES:
        return bool(node.get("keepdims", 1))
    constants = [i for i in node.inputs if i in graph.constants]
    return node.op in _ELEMENTWISE and all(math.prod(graph.shapes.get(c, (2,))) == 1 for c in constants)


def _name(ops: Sequence[str]) -> str:
    """What the function is called, as far as its operators tell."""
    there = set(ops)
    if there & _REDUCES:
        if "Exp" in there:
            return "Softmax"
        return "LayerNormalization" if "Sub" in there else "RMSNormalization"
    for op, name in (("Erf", "Gelu"), ("Tanh", "Gelu"), ("Sigmoid", "Swish"), ("HardSigmoid", "HardSwish")):
        if op in there:
            return name
    return "Elementwise"
