"""Small networks made with onnx.helper, and an interpreter of imported Einsums in plain Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ffcore_onnx_import.lowering import Lowering, lower
from ffcore_onnx_import.options import Parameters
from ffcore_onnx_import.reader import read_graph
from ffcore_onnx_import.views import View

Array = NDArray[np.float64]
Shapes = Mapping[str, Sequence[Any]]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """``made(nodes, inputs, outputs, weights)``: an ONNX file. Weights are shapes, or lists of whole numbers."""

    def make(
        nodes: Sequence[onnx.NodeProto],
        inputs: Shapes,
        outputs: Sequence[str],
        weights: Mapping[str, Any] | None = None,
        opset: int = 18,
        domains: Sequence[str] = (),
        integers: Sequence[str] = (),
    ) -> Path:
        kinds = {n: TensorProto.INT64 if n in integers else TensorProto.FLOAT for n in inputs}
        graph = helper.make_graph(
            list(nodes),
            "net",
            [helper.make_tensor_value_info(n, kinds[n], list(s)) for n, s in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
            [_weight(n, w) for n, w in (weights or {}).items()],
        )
        imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
        path = tmp_path / "net.onnx"
        path.write_bytes(helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString())
        return path

    return make


def _weight(name: str, weight: Any) -> onnx.TensorProto:
    if isinstance(weight, tuple):  # a shape
        values = np.random.default_rng(len(name)).integers(-3, 4, weight)
        return onnx.numpy_helper.from_array(values.astype(np.float32), name)
    return onnx.numpy_helper.from_array(np.array(weight, dtype=np.int64), name)


@pytest.fixture
def lowered() -> Callable[..., Lowering]:
    """``lowered(path, **parameters)``: the network's Einsums and views."""

    def make(path: Path, **parameters: object) -> Lowering:
        given = Parameters(parameters)
        return lower(read_graph(path, given), given.options())

    return make


@pytest.fixture
def agrees(lowered: Callable[..., Lowering]) -> Callable[..., Lowering]:
    """Check that sums of products over the imported Einsums are what onnx's own interpreter computes."""

    def check(path: Path, **parameters: object) -> Lowering:
        from onnx.reference import ReferenceEvaluator

        state = lowered(path, **parameters)
        rng = np.random.default_rng(7)
        given = {i: rng.integers(-3, 4, state.graph.shapes[i]).astype(np.float32) for i in state.graph.inputs}
        model = onnx.load(path)
        expected = ReferenceEvaluator(model).run(None, given)
        known = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer} | given
        stored = _run(state, {n: np.asarray(a, dtype=np.float64) for n, a in known.items()})
        for name, wanted in zip(state.graph.outputs, expected, strict=True):
            found = _value(state.views[name], stored)
            assert found.shape == np.asarray(wanted).shape
            np.testing.assert_array_equal(found, wanted)
        return state

    return check


def _run(state: Lowering, known: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors of all Einsums: sums of products over the iteration space."""
    stored = {n: a.reshape(_squeezed(a.shape)) for n, a in known.items()}
    for einsum in state.einsums:
        sizes = state.tensors[einsum.output.tensor].sizes
        result = np.zeros(sizes)
        variables = einsum.variables
        for point in itertools.product(*(range(v.size) for v in variables)):
            at = dict(zip(variables, point, strict=True))
            value = 1.0
            for access in einsum.inputs:
                place = tuple(i.constant + sum(c * at[v] for v, c in i.terms) for i in access.index)
                value *= stored[access.tensor][place]
            result[tuple(i.constant + sum(c * at[v] for v, c in i.terms) for i in einsum.output.index)] += value
        stored[einsum.output.tensor] = result
    return stored


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(s for s in shape if s > 1) or (1,)


def _value(view: View, stored: Mapping[str, Array]) -> Array:
    """A value, element by element, from the tensor that it is a view of."""
    result = np.zeros(view.shape)
    for place in itertools.product(*(range(s) for s in view.shape)):
        at = {}
        for axis, number in zip(view.axes, place, strict=True):
            for atom in reversed(axis):
                number, at[atom] = divmod(number, atom.size)
        index = tuple(r.constant + sum(c * at[a] for a, c in r.terms) for r in view.ranks)
        tensor = stored[view.tensor]
        result[place] = tensor[index if math.prod(tensor.shape) > 1 else (0,)]
    return result
