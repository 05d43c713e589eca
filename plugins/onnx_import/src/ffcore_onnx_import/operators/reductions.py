"""Sums, maxima and means over axes; global pooling."""

from __future__ import annotations

from ffcore_onnx_import.build import Label, Operand, plain
from ffcore_onnx_import.graph import Node
from ffcore_onnx_import.lowering import EINSUM, Lowering, Rule


def reduce(state: Lowering, node: Node) -> None:
    """``O[n, c] = I[n, c, h, w]``."""
    view = state.view(node.inputs[0], node)
    n_axes = len(view.axes)
    gone = {a % n_axes for a in _axes(state, node, n_axes) if -n_axes <= a < n_axes}
    if not gone or all(view.shape[a] == 1 for a in gone):
        state.reshape(node, node.inputs[0], state.shape(node.output, node))
        return
    labels = [Label(r.lower(), r, s) for r, s in zip(view.roles, view.shape, strict=True)]
    keep = bool(node.get("keepdims", 1)) or node.op.startswith("Global")
    output = [
        Label(label.role, label.rank, 1) if i in gone else label
        for i, label in enumerate(labels)
        if keep or i not in gone
    ]
    state.einsum(node, [plain(view, labels)], [(label,) for label in output])


def _axes(state: Lowering, node: Node, n_axes: int) -> list[int]:
    if node.op.startswith("Global"):
        return list(range(2, n_axes))
    if node.op.startswith("Arg"):
        return [int(node.get("axis", 0))]
    if node.get("axes") is not None:
        return [int(a) for a in node.get("axes")]
    if node.input(1):
        return state.graph.whole_numbers(node.input(1), node, "axes")
    return [] if node.get("noop_with_empty_axes") else list(range(n_axes))


def top_k(state: Lowering, node: Node) -> None:
    """Reads all, writes the first few: a reduction in two steps of an axis, where k divides it."""
    view, shape = state.view(node.inputs[0], node), state.shape(node.output, node)
    axis = int(node.get("axis", -1)) % len(shape)
    if view.shape[axis] % shape[axis]:
        raise state.graph.wrong(f"it takes {shape[axis]} of {view.shape[axis]}; k must divide them to be mapped", node)
    labels = [Label(r.lower(), r, s) for r, s in zip(view.roles, shape, strict=True)]
    left = Label("t", "T", view.shape[axis] // shape[axis])
    axes = [(left, label) if i == axis else (label,) for i, label in enumerate(labels)]
    for output in node.outputs:
        if output:
            state.einsum(node, [Operand(view, tuple(axes))], [(label,) for label in labels], name=output)
    state.fate[EINSUM] -= sum(bool(o) for o in node.outputs) - 1


_NAMES = (
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare ArgMax ArgMin GlobalAveragePool GlobalMaxPool GlobalLpPool"
)
NAMES = tuple(_NAMES.split())

RULES: dict[str, Rule] = {**dict.fromkeys(NAMES, reduce), "TopK": top_k}
