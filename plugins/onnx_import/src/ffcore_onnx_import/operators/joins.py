"""Operators that gather elements from several places: Concat, Gather, and copies of what nobody knows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

from ffcore_onnx_import.build import Label, Labels, Operand, Window, plain
from ffcore_onnx_import.graph import Node
from ffcore_onnx_import.lowering import COPIED, VIEW, Lowering, Rule
from ffcore_onnx_import.views import View, reshaped, sliced


def labels_of(roles: Sequence[str], shape: Sequence[int]) -> list[Label]:
    """A label for each axis, named after its rank."""
    return [Label(r.lower(), r, s) for r, s in zip(roles, shape, strict=True)]


def concat(state: Lowering, node: Node) -> None:
    """One operation for each element of the output.

    An Einsum has one iteration space, so each part is indexed by those digits of the joined axis that cover it. Where a
    part's size is no product of digits it is read as if it were a little larger (`Lowering.extra_reads`).
    """
    shape = state.shape(node.output, node)
    axis = int(node.get("axis", 0)) % len(shape)
    names = [i for i in node.inputs if i]
    if len(names) == 1:
        state.alias(node, state.view(names[0], node))
        return
    first = next(i for i in names if not state.is_constant(i))
    roles = state.view(first, node).roles
    parts = [state.view(name, node, roles) for name in names]
    while state.options.pairwise_joins and len(parts) > 2:
        name = f"{node.output}_part{len(names) - len(parts) + 1}"
        parts[:2] = [_joined(state, node, parts[:2], axis, name)]
    _joined(state, node, parts, axis)


def _joined(state: Lowering, node: Node, parts: Sequence[View], axis: int, name: str = "") -> View:
    """The Einsum that joins these parts, called ``name`` if it is not the node's own."""
    total = sum(part.shape[axis] for part in parts)
    shape = [total if i == axis else size for i, size in enumerate(parts[0].shape)]
    roles = parts[0].roles
    labels = labels_of(roles, shape)
    digits = _digits([part.shape[axis] for part in parts], total, roles[axis])
    operands = []
    for part in parts:
        size = part.shape[axis]
        covering, covered = _covering(digits, size)
        state.extra_reads += (covered - size) * math.prod(shape) // total
        axes: list[Labels | Window] = [(label,) for label in labels]
        axes[axis] = covering
        operands.append(Operand(part, tuple(axes)))
    output: list[Labels] = [(label,) for label in labels]
    output[axis] = digits
    note = "joins its inputs: no compute of the network, but each value moves"
    return state.einsum(node, operands, output, note=note, name=name, counted=not name)


def _digits(sizes: Sequence[int], total: int, role: str) -> Labels:
    """Digits of the joined axis, so that products of the inner ones cover each part as closely as possible."""
    marks = {1, total}
    for size in sorted(sizes, reverse=True):
        marks.add(next(d for d in _divisors(total) if d >= size and all(d % m == 0 or m % d == 0 for m in marks)))
    ordered = sorted(marks)
    count = len(ordered) - 1
    ends = [""] if count == 1 else ["o", "i"] if count == 2 else [chr(97 + i) for i in range(count)]
    inner_first = [
        Label(role.lower() + end, role, high // low)
        for low, high, end in zip(ordered, ordered[1:], reversed(ends), strict=False)
    ]
    return tuple(reversed(inner_first))


@cache
def _divisors(number: int) -> list[int]:
    found = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return sorted({*found, *(number // d for d in found)})


def _covering(digits: Labels, size: int) -> tuple[Labels | Window, int]:
    """The innermost digits that cover ``size`` elements, and how many they cover."""
    if size == 1:
        return (), 1
    taken: list[Label] = []
    weight = 1
    terms = []
    for label in reversed(digits):
        taken.append(label)
        terms.append((label, weight))
        weight *= label.size
        if weight >= size:
            break
    return tuple(reversed(taken)) if weight == size else Window(tuple(reversed(terms))), weight


def gather(state: Lowering, node: Node) -> None:
    """At constant positions a view; by computed ones a lookup that reads a row for each index."""
    axis = int(node.get("axis", 0))
    name, where = node.inputs[0], node.inputs[1]
    shape, table = state.shape(node.output, node), state.shape(name, node)
    axis %= len(table)
    if where in state.graph.values and not state.is_constant(name) and _constant_gather(state, node, axis):
        return
    picked = state.shape(where, node)
    roles = state.roles(len(shape))
    labels = labels_of(roles, shape)
    rows = labels[axis : axis + len(picked)]
    around = [*labels[:axis], None, *labels[axis + len(picked) :]]
    axes: list[Labels | Window] = [(label,) if label is not None else _row(rows) for label in around]
    own = [label.rank if label is not None else "V" for label in around]
    operands = [Operand(state.view(name, node, own), tuple(axes))]
    if not state.is_constant(where) and math.prod(picked) > 1:
        operands.insert(0, plain(state.view(where, node, [r.rank for r in rows]), rows))
    weight = len(operands) - 1 if state.is_constant(name) else None
    note = "a lookup: reads a row of the table for each index"
    state.einsum(node, operands, [(label,) for label in labels], weight=weight, note=note)


def _row(rows: Sequence[Label]) -> Window:
    """Row number = number of the index: which rows are read is data, how many is not."""
    terms: list[tuple[Label, int]] = []
    weight = 1
    for label in reversed(rows):
        terms.append((label, weight))
        weight *= label.size
    return Window(tuple(reversed(terms)))


def _constant_gather(state: Lowering, node: Node, axis: int) -> bool:
    """Positions that are one number, or follow each other evenly, are a slice."""
    view = state.view(node.inputs[0], node)
    size = view.shape[axis]
    values = state.graph.values[node.inputs[1]]
    positions = [int(p) + size if p < 0 else int(p) for p in values.ravel()]
    steps = {b - a for a, b in itertools.pairwise(positions)}
    if not positions or len(steps) > 1 or not all(0 <= p < size for p in positions):
        return False
    made = sliced(view, axis, positions[0], len(positions), steps.pop() if steps else 1)
    if made is None:
        return False
    shape = state.shape(node.output, node)
    if values.ndim != 1:
        made = reshaped(made, shape, state.roles(len(shape)))
    if made is None:
        return False
    state.views[node.output] = made
    state.fate[VIEW] += 1
    return True


def copied(state: Lowering, node: Node) -> None:
    """An unknown operator as a copy of the first thing that it reads, into the shape that it writes."""
    source = next((i for i in node.inputs if i and not state.is_constant(i)), None)
    if source is None:
        raise state.graph.wrong("an unknown operator that reads no input of the network cannot be a copy", node)
    view = state.view(source, node)
    for name in node.outputs:
        if name:
            shape = state.shape(name, node)
            state.views[name] = state.copy(node, view, name, None if shape == view.shape else shape)
    state.unknown[node.op] += 1
    state.fate[COPIED] += 1


RULES: dict[str, Rule] = {"Concat": concat, "Gather": gather}
