"""Operators on each element, with broadcasting; and those that change nothing that a mapping sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ffcore_onnx_import.build import Label, plain
from ffcore_onnx_import.graph import Node, Shape
from ffcore_onnx_import.lowering import ATTACHED, FOLDED, Lowering, Rule

AFFINE = ("Add", "Sub", "Mul", "Div")
"""With a constant, these can become part of the product before them."""

_NAMES = (
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BiasGelu BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil "
    "Celu Clip Cos Cosh DequantizeLinear Div DynamicQuantizeLinear Elu Equal Erf Exp FastGelu Floor Gelu Greater "
    "GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not "
    "Or PRelu Pow QuantizeLinear QuickGelu Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign "
    "Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor Trilu Elementwise"
)
NAMES = tuple(_NAMES.split())

SAME = ("Cast", "CastLike", "Dropout", "Identity")
"""These move nothing and compute nothing."""


def elementwise(state: Lowering, node: Node) -> None:
    """One operation for each element of the output, unless it becomes part of the Einsum before it."""
    shape = state.shape(node.output, node)
    given = [i for i in dict.fromkeys(node.inputs) if i]
    moving = [i for i in given if not state.is_constant(i)]
    constants = [i for i in given if state.is_constant(i) and math.prod(state.shape(i, node)) > 1]
    if len(moving) == 1 and _joins_producer(state, node, moving[0], constants, shape):
        return
    names = [i for i in moving if math.prod(state.shape(i, node)) > 1] or moving[:1]
    emit(state, node, [*names, *constants], shape)


def emit(state: Lowering, node: Node, names: Sequence[str], shape: Shape, output: str = "") -> None:
    """The Einsum of an elementwise node that reads ``names``, broadcast to ``shape``."""
    main = next((i for i in names if not state.is_constant(i) and state.shape(i, node) == shape), None)
    roles = state.view(main, node).roles if main is not None else state.roles(len(shape))
    labels = [Label(r.lower(), r, s) for r, s in zip(roles, shape, strict=True)]
    operands = []
    for name in names:
        n_axes = len(state.shape(name, node))
        view = state.view(name, node, roles[len(shape) - n_axes :])
        operands.append(plain(view, labels[len(shape) - n_axes :]))
    weights = [i for i, name in enumerate(names) if state.is_constant(name)]
    weight = weights[0] if weights else None
    channel = None
    if node.merged:  # written out node by node: so are its scale and shift, which may still become part of it
        channel = len(shape) - 1 if node.op.endswith("Normalization") else -1
    state.einsum(node, operands, [(label,) for label in labels], weight=weight, name=output, channel=channel)


def _joins_producer(state: Lowering, node: Node, value: str, constants: Sequence[str], shape: Shape) -> bool:
    """Fold an affine node, or attach any, into the Einsum that makes ``value``; False: it stays an Einsum."""
    if state.shape(value, node) != shape or (len(node.outputs) > 1 and any(node.outputs[1:])):
        return False
    state.view(value, node)
    writer, channel = state.writer(value), state.channel(value)
    if writer is None:
        return False
    sizes = [math.prod(state.shape(c, node)) for c in constants]
    if node.op in AFFINE and channel is not None and not (node.op == "Div" and state.is_constant(node.inputs[0])):
        axes = {_only_axis(state.shape(c, node), len(shape)) for c in constants}
        if axes <= {channel}:
            added = max(sizes, default=0)
            state.fold(node, value, 0 if writer.scales else added * (2 if writer.affine and added else 1))
            return True
    if state.options.fold_elementwise and state.is_private(value) and not writer.copy:
        state.fold(node, value, writer.affine + sum(sizes), ATTACHED)
        return True
    return False


def _only_axis(shape: Shape, n_axes: int) -> int | None:
    """The axis (of ``n_axes``, broadcast) along which a constant varies; None if along more than one."""
    longer = [i + n_axes - len(shape) for i, size in enumerate(shape) if size > 1]
    return longer[0] if len(longer) == 1 else None


def same(state: Lowering, node: Node) -> None:
    """The output is the input."""
    state.alias(node, state.view(node.inputs[0], node), FOLDED)


RULES: dict[str, Rule] = {**dict.fromkeys(NAMES, elementwise), **dict.fromkeys(SAME, same)}
