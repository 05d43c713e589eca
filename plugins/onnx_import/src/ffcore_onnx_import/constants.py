"""Constants: which values depend on no input, and the values of the small ones (shapes, axes, starts of slices).

Weights are constants too, of which only the shape is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ffcore_onnx_import.graph import Node, Shape

SMALL = 4096
"""Values of constants with more elements are not kept."""

Values = NDArray[Any]


@attrs.define
class Constants:
    """Names of all constants, and the values of those that are small and in the file."""

    names: set[str]
    values: dict[str, Values]

    @classmethod
    def of(cls, model: ModelProto) -> Constants:
        """Initialisers of a model."""
        made = cls(set(), {})
        for tensor in model.graph.initializer:
            made.names.add(tensor.name)
            made.take(tensor.name, tensor)
        made.names.update(s.values.name for s in model.graph.sparse_initializer)
        return made

    def take(self, name: str, tensor: TensorProto) -> None:
        """Keep the values of a small tensor whose data is in the file."""
        if tensor.data_location == TensorProto.EXTERNAL or math.prod(tensor.dims) > SMALL:
            return
        try:
            value = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError):
            return  # its data was stripped: known by its shape alone
        if value.size == math.prod(tensor.dims):
            self.values[name] = value


def known_values(nodes: Iterable[Node], shapes: Mapping[str, Shape], constants: Constants, opset: int) -> None:
    """Add what follows from constants and shapes, in order of the nodes."""
    for node in nodes:
        if node.op == "Constant" and not node.domain:
            constants.names.add(node.output)
            _take_constant(node, constants)
            continue
        if node.op in ("Shape", "Size") and node.inputs and node.inputs[0] in shapes:
            constants.names.add(node.output)
            constants.values[node.output] = _shape_value(node, shapes[node.inputs[0]])
            continue
        if node.domain or not all(not i or i in constants.names for i in node.inputs):
            continue
        if node.op in RANDOM or not node.inputs:
            continue
        constants.names.update(o for o in node.outputs if o)
        _evaluate(node, constants.values, opset)


RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")


def _take_constant(node: Node, constants: Constants) -> None:
    value = node.get("value")
    if isinstance(value, TensorProto):
        constants.take(node.output, value)
        return
    for name, kind in (("value_int", np.int64), ("value_ints", np.int64), ("value_float", np.float32),
                       ("value_floats", np.float32)):  # fmt: skip
        if node.get(name) is not None:
            constants.values[node.output] = np.array(node.get(name), dtype=kind)


def _shape_value(node: Node, shape: Shape) -> Values:
    if node.op == "Size":
        return np.array(math.prod(shape), dtype=np.int64)
    return np.array(shape[slice(node.get("start", 0), node.get("end"))], dtype=np.int64)


_FOLDED = (
    "Abs Add And Cast CastLike Ceil Concat Div Equal Floor Gather GatherND Greater GreaterOrEqual Identity Less "
    "LessOrEqual Max Min Mod Mul Neg Not Or Pow ReduceMax ReduceMin ReduceProd ReduceSum Reshape Round ScatterND Sign "
    "Slice Split Sqrt Squeeze Sub Transpose Trilu Unsqueeze Where Xor"
)
FOLDED = frozenset(_FOLDED.split())
"""Operators whose values are computed where all inputs are small: their outputs are no larger than inputs together."""


def _evaluate(node: Node, values: dict[str, Values], opset: int) -> None:
    """The value of a node all of whose inputs are known, if it is small."""
    inputs = [values[i] for i in node.inputs if i in values]
    if len(inputs) < sum(bool(i) for i in node.inputs) or all(o in values for o in node.outputs):
        return
    if node.op in _GROWING:
        if _GROWING[node.op](inputs) > SMALL:
            return
    elif node.op not in FOLDED or _broadcast_size(inputs) > SMALL:
        return
    found = _run(node, values, opset)
    for name, value in zip(node.outputs, found, strict=False):
        array = np.asarray(value)
        if name and array.size <= SMALL and array.dtype.kind in "iufb":
            values[name] = array


def _broadcast_size(inputs: list[Values]) -> int:
    """An upper bound of the elements that elementwise broadcasting or joining makes."""
    axes = max(i.ndim for i in inputs)
    if sum(i.size for i in inputs) > SMALL or axes > 8:
        return SMALL + 1
    sizes = [max((i.shape[i.ndim - 1 - a] for i in inputs if i.ndim > a), default=1) for a in range(axes)]
    return max(math.prod(sizes), sum(i.size for i in inputs))


def _range_size(inputs: list[Values]) -> float:
    start, limit, delta = (float(i) for i in inputs)
    return (limit - start) / delta if delta else math.inf


def _product(array: Values) -> int:
    return math.prod(max(int(v), 1) for v in array.ravel())


_GROWING: Mapping[str, Any] = {
    "ConstantOfShape": lambda i: _product(i[0]),
    "Expand": lambda i: i[0].size * _product(i[1]),
    "Range": _range_size,
    "Tile": lambda i: i[0].size * _product(i[1]),
}
"""How many elements an operator makes whose output may be larger than its inputs."""


def _run(node: Node, values: Mapping[str, Values], opset: int) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    made = helper.make_node(node.op, list(node.inputs), list(node.outputs), **dict(node.attributes))
    feeds = {i: values[i] for i in node.inputs if i}
    try:
        with np.errstate(all="ignore"):
            return list(ReferenceEvaluator(made, opsets={"": opset}).run(None, feeds))
    except Exception:  # malformed operands: the value stays unknown, and what needs it says so
        return []
