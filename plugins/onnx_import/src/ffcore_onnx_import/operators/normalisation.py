"""Normalisation and softmax: one operation for each element, as the field counts them."""

from __future__ import annotations

import math

from ffcore_onnx_import.build import Label, plain
from ffcore_onnx_import.graph import Node
from ffcore_onnx_import.lowering import EINSUM, Lowering, Rule
from ffcore_onnx_import.operators.elementwise import emit


def batch_normalisation(state: Lowering, node: Node) -> None:
    """Part of the convolution before it, if nothing else reads that; else a scale for each channel."""
    value, scale = node.inputs[0], node.inputs[1]
    view = state.view(value, node)
    channels = view.shape[1] if len(view.axes) > 1 else 1
    writer = state.writer(value)
    if state.channel(value) == 1 and writer is not None:
        state.fold(node, value, 0 if writer.scales else 2 * channels)
        return
    labels = [Label(r.lower(), r, s) for r, s in zip(view.roles, view.shape, strict=True)]
    operands = [plain(view, labels), plain(state.view(scale, node, ("C",)), labels[1:2])]
    state.einsum(node, operands, [(label,) for label in labels], weight=1, channel=1)
    state.einsums[-1].scales, state.einsums[-1].affine = True, channels


def normalised(state: Lowering, node: Node) -> None:
    """Softmax, LayerNormalization and their like: reads and writes each element, with a scale if there is one."""
    skips = node.op.startswith("Skip")
    inputs = [node.inputs[0], *([node.inputs[1]] if skips else [])]
    parameters = [i for i in node.inputs[len(inputs) :] if i and state.is_constant(i)]
    sizes = [math.prod(state.shape(i, node)) for i in parameters]
    scale = [i for i, size in zip(parameters, sizes, strict=True) if size > 1][:1]
    if node.op in _PER_CHANNEL:
        _per_channel(state, node, scale)
    else:
        emit(state, node, [*inputs, *scale], state.shape(node.output, node))
    state.einsums[-1].affine = sum(sizes) - sum(math.prod(state.shape(i, node)) for i in scale)
    if len(node.outputs) > 3 and node.outputs[3]:  # the sum, which the skip connection goes on with
        emit(state, node, inputs, state.shape(node.output, node), node.outputs[3])
        state.fate[EINSUM] -= 1


_PER_CHANNEL = ("InstanceNormalization", "GroupNormalization")


def _per_channel(state: Lowering, node: Node, scale: list[str]) -> None:
    """The scale runs along axis 1."""
    view = state.view(node.inputs[0], node)
    labels = [Label(r.lower(), r, s) for r, s in zip(view.roles, view.shape, strict=True)]
    operands = [plain(view, labels)]
    if scale and state.shape(scale[0], node) == view.shape[1:2]:
        operands.append(plain(state.view(scale[0], node, ("C",)), labels[1:2]))
    weight = 1 if len(operands) > 1 else None
    state.einsum(node, operands, [(label,) for label in labels], weight=weight)


_NAMES = (
    "Softmax LogSoftmax Hardmax LayerNormalization RMSNormalization SimplifiedLayerNormalization "
    "SkipLayerNormalization SkipSimplifiedLayerNormalization InstanceNormalization GroupNormalization LRN "
    "LpNormalization MeanVarianceNormalization CumSum"
)
NAMES = tuple(_NAMES.split())

RULES: dict[str, Rule] = {"BatchNormalization": batch_normalisation, **dict.fromkeys(NAMES, normalised)}
