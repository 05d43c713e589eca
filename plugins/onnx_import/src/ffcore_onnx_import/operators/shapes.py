"""Operators that move nothing: what they write is a view of what they read, or a copy where that is not affine."""

from __future__ import annotations

import math

from ffcore_onnx_import.build import Operand, Window, plain
from ffcore_onnx_import.graph import Node
from ffcore_onnx_import.lowering import COPIED, VIEW, Lowering, Rule
from ffcore_onnx_import.operators.convolution import SPATIAL, input_roles
from ffcore_onnx_import.operators.joins import labels_of
from ffcore_onnx_import.views import Atom, View, expanded, reshaped, sliced, transposed


def reshape(state: Lowering, node: Node) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: the output's shape says it all."""
    state.reshape(node, node.inputs[0], state.shape(node.output, node))


def transpose(state: Lowering, node: Node) -> None:
    """The axes in another order."""
    view = state.view(node.inputs[0], node)
    order = [int(a) for a in node.get("perm") or reversed(range(len(view.axes)))]
    if sorted(order) != list(range(len(view.axes))):
        raise state.graph.wrong(f"perm {order[:8]} is no order of {len(view.axes)} axes", node)
    state.alias(node, transposed(view, order))


def expand(state: Lowering, node: Node) -> None:
    """Broadcast to a larger shape."""
    view, shape = state.view(node.inputs[0], node), state.shape(node.output, node)
    state.alias(node, expanded(view, shape, state.roles(len(shape))))


def tile(state: Lowering, node: Node) -> None:
    """Repeated along axes: the repetition is a digit that the tensor is not indexed by."""
    view, shape = state.view(node.inputs[0], node), state.shape(node.output, node)
    axes = [
        (Atom(size // old), *axis) if size > old else axis
        for axis, size, old in zip(view.axes, shape, view.shape, strict=True)
    ]
    state.alias(node, View(view.tensor, view.ranks, tuple(axes), view.roles))


def slices(state: Lowering, node: Node) -> None:
    """Part of some axes."""
    view, shape = state.view(node.inputs[0], node), state.shape(node.output, node)
    whole = state.graph.whole_numbers
    if node.get("starts") is not None:  # opsets before 10
        starts, axes, steps = list(node.get("starts")), node.get("axes"), None
    else:
        starts = whole(node.inputs[1], node, "starts")
        axes = whole(node.input(3), node, "axes") if node.input(3) else None
        steps = whole(node.input(4), node, "steps") if node.input(4) else None
    made: View | None = view
    for i, axis in enumerate(axes if axes is not None else range(len(starts))):
        size, step = view.shape[axis], steps[i] if steps is not None else 1
        start = min(max(starts[i] + size if starts[i] < 0 else starts[i], 0), size)
        made = sliced(made, axis % len(shape), start, shape[axis], step) if made is not None else None
    _view_or_copy(state, node, view, made, 0)
    state.fate[VIEW if made is not None else COPIED] += 1


def split(state: Lowering, node: Node) -> None:
    """An axis in parts."""
    view, axis, start = state.view(node.inputs[0], node), int(node.get("axis", 0)), 0
    copied = False
    for output, name in enumerate(node.outputs):
        size = state.shape(name, node)[axis]
        made = sliced(view, axis % len(view.axes), start, size, 1)
        _view_or_copy(state, node, view, made, output)
        copied, start = copied or made is None, start + size
    state.fate[COPIED if copied else VIEW] += 1


def _view_or_copy(state: Lowering, node: Node, view: View, made: View | None, output: int) -> None:
    """The view; where there is none, a copy of the whole whose part it is."""
    name = node.outputs[output]
    if made is not None:
        state.views[name] = made
        return
    state.views[name] = state.copy(node, view, name, state.shape(name, node))


def pad(state: Lowering, node: Node) -> None:
    """Padding that only windows see is theirs; else a copy into something larger."""
    view, shape = state.view(node.inputs[0], node), state.shape(node.output, node)
    readers = state.readers(node.output)
    windows = all(n.op in ("Conv", "MaxPool", "AveragePool") and n.inputs[0] == node.output for n in readers)
    if windows and readers and node.output not in state.graph.outputs and view.shape[:2] == shape[:2]:
        state.alias(node, view)
        return
    labels = labels_of(view.roles, shape)
    axes = [
        (label,) if label.size == size else Window(((label, 1),))
        for label, size in zip(labels, view.shape, strict=True)
    ]
    state.einsum(node, [Operand(view, tuple(axes))], [(label,) for label in labels], counted=False)
    state.einsums[-1].copy = True
    state.fate[COPIED] += 1


def resize(state: Lowering, node: Node) -> None:
    """By whole factors: nearest repeats each element (a view), other modes compute each element of the output."""
    view, shape = state.view(node.inputs[0], node), state.shape(node.output, node)
    if any(new % old for new, old in zip(shape, view.shape, strict=True)):
        raise state.graph.wrong(f"it resizes {list(view.shape)} to {list(shape)}; only whole factors are mapped", node)
    axes = [
        (*axis, Atom(new // old)) if new > old else axis
        for axis, new, old in zip(view.axes, shape, view.shape, strict=True)
    ]
    roles = input_roles(len(shape)) if len(shape) - 2 in SPATIAL else state.roles(len(shape))
    larger = View(view.tensor, view.ranks, tuple(axes), roles)
    if node.get("mode", "nearest") == "nearest":
        state.alias(node, larger)
        return
    labels = labels_of(roles, shape)
    state.einsum(node, [plain(larger, labels)], [(label,) for label in labels])


def blocks(state: Lowering, node: Node) -> None:
    """DepthToSpace and SpaceToDepth: digits of the channels become digits of rows and columns, or the reverse."""
    view, shape = state.view(node.inputs[0], node), state.shape(node.output, node)
    size = int(node.get("blocksize", 1))
    n, c, h, w = view.shape
    if node.op == "DepthToSpace":
        channels = c // size**2
        depth_first = node.get("mode", "DCR") == "DCR"
        inner = (n, size, size, channels, h, w) if depth_first else (n, channels, size, size, h, w)
        order = (0, 3, 4, 1, 5, 2) if depth_first else (0, 1, 4, 2, 5, 3)
    else:
        inner, order = (n, c, h // size, size, w // size, size), (0, 3, 5, 1, 2, 4)
    apart = reshaped(view, inner, state.roles(6)) if math.prod(inner) == math.prod(view.shape) else None
    made = reshaped(transposed(apart, order), shape, input_roles(4)) if apart is not None else None
    _view_or_copy(state, node, view, made, 0)
    state.fate[VIEW if made is not None else COPIED] += 1


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    "Transpose": transpose,
    "Expand": expand,
    "Tile": tile,
    "Slice": slices,
    "Split": split,
    "Pad": pad,
    **dict.fromkeys(("Resize", "Upsample"), resize),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), blocks),
}
