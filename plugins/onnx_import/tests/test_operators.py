"""What becomes of each sort of operator: Einsum, view, part of another, copy; and its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from onnx.helper import make_node as node

import ffcore as ff
from ffcore_onnx_import.convert import read_network
from ffcore_onnx_import.lowering import Lowering

Made = Callable[..., Path]
Lowered = Callable[..., Lowering]


def ops(state: Lowering) -> list[str]:
    return [e.op for e in state.einsums]


def test_batch_normalisation_bias_and_relu_join_their_convolution(made: Made, lowered: Lowered) -> None:
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c", "s", "t", "m", "v"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("Add", ["r", "x"], ["y"]),
    ]
    weights: Mapping[str, Any] = {"w": (3, 3, 3, 3), **dict.fromkeys("bstmv", (3,))}
    path = made(nodes, {"x": (1, 3, 8, 8)}, ["y"], weights)
    state = lowered(path)
    assert ops(state) == ["Conv", "Relu", "Add"]
    assert state.einsums[0].folded == ["bias", "BatchNormalization"]
    assert state.einsums[0].points == 3 * 3 * 9 * 64
    folded = lowered(path, fold_elementwise=True)
    assert ops(folded) == ["Conv", "Add"]
    assert read_network(path).summary.parameters == 81 + 6


def test_batch_normalisation_that_shares_its_input_stays(made: Made, lowered: Lowered) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("BatchNormalization", ["c", "s", "t", "m", "v"], ["n"]),
        node("Add", ["n", "c"], ["y"]),
    ]
    weights: Mapping[str, Any] = {"w": (3, 3, 1, 1), **dict.fromkeys("stmv", (3,))}
    assert ops(lowered(made(nodes, {"x": (1, 3, 4, 4)}, ["y"], weights))) == ["Conv", "BatchNormalization", "Add"]


def test_relu_between_keeps_a_scale_apart(made: Made, lowered: Lowered) -> None:
    """relu(c) * s is no scale of c."""
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["r"]), node("Mul", ["r", "s"], ["y"])]
    path = made(nodes, {"x": (1, 3, 4, 4)}, ["y"], {"w": (3, 3, 1, 1), "s": (1, 3, 1, 1)})
    assert ops(lowered(path)) == ["Conv", "Relu", "Mul"]
    assert ops(lowered(path, fold_elementwise=True)) == ["Conv"]


@pytest.mark.parametrize(
    ("attributes", "rows", "padding"),
    [
        ({"pads": [1, 1, 1, 1]}, 8, 2),
        ({"pads": [0, 2, 1, 2]}, 7, 1),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 4, 1),
        ({"auto_pad": "VALID"}, 6, 0),
        ({"dilations": [2, 2]}, 4, 0),
    ],
)
def test_padding_is_said_of_the_input(
    made: Made, attributes: dict[str, Any], rows: int, padding: int, recwarn: pytest.WarningsRecorder
) -> None:
    path = made([node("Conv", ["x", "w"], ["y"], **attributes)], {"x": (1, 2, 8, 8)}, ["y"], {"w": (4, 2, 3, 3)})
    text = read_network(path).text
    assert (f"padding: {{H8: {padding}" in text or f"padding: {{H: {padding}" in text) == (padding > 0)
    spec = ff.Spec.from_yaml("tpu_v4i_like", path)
    assert spec.problem().einsums[0].bounds[next(v for v in spec.problem().einsums[0].bounds if v[0] == "p")] == rows
    assert not recwarn.list  # nothing reaches beyond its rank without saying so


def test_transposed_convolution(made: Made, lowered: Lowered) -> None:
    path = made([node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])], {"x": (1, 3, 4, 4)},
                ["y"], {"w": (3, 5, 4, 4)})  # fmt: skip
    (einsum,) = lowered(path).einsums
    assert einsum.points == 3 * 5 * 4 * 4 * 16  # each input meets each tap once
    refused = made([node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])], {"x": (1, 3, 4, 4)}, ["y"],
                   {"w": (3, 5, 3, 3)})  # fmt: skip
    with pytest.raises(ff.SpecError, match=r"stride .* divides kernel"):
        lowered(refused)


@pytest.mark.parametrize(
    ("made_of", "points"),
    [
        (node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2]), 4 * 3 * 3 * 9),
        (node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2]), 4 * 4 * 4 * 4),
        (node("GlobalAveragePool", ["x"], ["y"]), 4 * 64),
        (node("ReduceMean", ["x"], ["y"], keepdims=0), 4 * 64),
        (node("Softmax", ["x"], ["y"]), 4 * 64),
        (node("LRN", ["x"], ["y"], size=3), 4 * 64),
        (node("Relu", ["x"], ["y"]), 4 * 64),
        (node("TopK", ["x", "k"], ["y", "i"]), 4 * 64),
        (node("ArgMax", ["x"], ["y"], axis=1), 4 * 64),
    ],
)
def test_one_operation_for_each_element_that_is_read(made: Made, lowered: Lowered, made_of: Any, points: int) -> None:
    state = lowered(made([made_of], {"x": (1, 4, 8, 8)}, ["y"], {"k": [2]}))
    assert state.einsums[0].points == points


def test_a_lookup_reads_a_row_for_each_index(made: Made) -> None:
    path = made(
        [node("Gather", ["table", "ids"], ["y"])], {"ids": (1, 6)}, ["y"], {"table": (100, 4)}, integers=["ids"]
    )
    network = read_network(path)
    assert network.summary.parameters == 400
    spec = ff.Spec.from_yaml("tpu_v4i_like", path)
    (einsum,) = spec.problem().einsums
    (table,) = [t for t in einsum.tensors if t.name == "table"]
    assert table.tile_values(einsum.bounds) == 24
    assert {t.name: t.bits_per_value for t in einsum.tensors} == {"ids": 64, "table": 32, "y": 32}


def test_joins_cover_their_parts_by_digits(made: Made) -> None:
    nodes = [node("Concat", ["x", "z"], ["y"], axis=1)]
    exact = read_network(made(nodes, {"x": (1, 4, 6, 5), "z": (1, 12, 6, 5)}, ["y"]))
    assert exact.summary.extra_reads == 4 * 30  # 12 of 16 channels are covered by 16; 4 by 4
    assert exact.summary.fate == {"Einsums": 1}
    spec = ff.Spec.from_yaml("tpu_v4i_like", made(nodes, {"x": (1, 8, 6, 5), "z": (1, 8, 6, 5)}, ["y"]))
    (einsum,) = spec.problem().einsums
    assert {t.name: t.tile_values(einsum.bounds) for t in einsum.tensors} == {"x": 240, "z": 240, "y": 480}


def test_joins_two_by_two(made: Made, lowered: Lowered) -> None:
    path = made(
        [node("Concat", ["x", "x2", "z"], ["y"], axis=1)], {"x": (1, 4, 5), "x2": (1, 4, 5), "z": (1, 8, 5)}, ["y"]
    )
    assert [len(e.inputs) for e in lowered(path).einsums] == [3]
    pairs = lowered(path, pairwise_joins=True)
    assert [e.points for e in pairs.einsums] == [8 * 5, 16 * 5]
    assert pairs.extra_reads == 0
    assert pairs.fate["Einsums"] == 1


def test_unknown_operators_are_errors_or_copies(made: Made, lowered: Lowered) -> None:
    nodes = [node("Frobnicate", ["x"], ["a"], domain="mine", name="odd"), node("Relu", ["a"], ["y"])]
    path = made(nodes, {"x": (2, 3)}, ["y"], domains=["mine"])
    with pytest.raises(
        ff.SpecError, match=r"net.onnx:1: node 'odd' \(Frobnicate\): operator Frobnicate of domain 'mine'"
    ):
        lowered(path)
    nodes = [node("Det", ["x"], ["a"]), node("Relu", ["a"], ["y"])]
    path = made(nodes, {"x": (2, 3, 3)}, ["y"])
    with pytest.raises(ff.SpecError, match="onnx_unknown=copy"):
        lowered(path)
    state = lowered(path, onnx_unknown="copy")
    assert [(e.op, e.copy) for e in state.einsums] == [("Det", True), ("Relu", False)]
    assert state.unknown == {"Det": 1}


def test_functions_written_out_become_one_node(made: Made, lowered: Lowered) -> None:
    gelu = [
        node("MatMul", ["x", "w"], ["p"]),
        node("Div", ["p", "root"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["a"]),
        node("Mul", ["p", "a"], ["m"]),
        node("Mul", ["m", "half"], ["g"]),
    ]
    norm = [
        node("ReduceMean", ["g"], ["mean"], axes=[-1]),
        node("Sub", ["g", "mean"], ["s"]),
        node("Pow", ["s", "two"], ["q"]),
        node("ReduceMean", ["q"], ["var"], axes=[-1]),
        node("Add", ["var", "one"], ["eps"]),
        node("Sqrt", ["eps"], ["sd"]),
        node("Div", ["s", "sd"], ["n"]),
        node("Mul", ["n", "gamma"], ["ng"]),
        node("Add", ["ng", "beta"], ["y"]),
    ]
    weights: Mapping[str, Any] = {"w": (4, 8), "root": (1,), "one": (1,), "half": (1,), "two": (1,), "gamma": (8,),
                                  "beta": (8,)}  # fmt: skip
    path = made([*gelu, *norm], {"x": (3, 4)}, ["y"], weights, opset=13)
    state = lowered(path)
    assert ops(state) == ["MatMul", "Gelu", "LayerNormalization"]
    assert sum(state.fate.values()) == 15
    assert read_network(path).summary.parameters == 32 + 16
    assert ops(lowered(path, fold_elementwise=True)) == ["MatMul", "LayerNormalization"]


def test_a_value_that_others_read_too_is_not_merged(made: Made, lowered: Lowered) -> None:
    nodes = [
        node("Sigmoid", ["x"], ["s"]),
        node("Mul", ["x", "s"], ["y"]),
        node("Relu", ["s"], ["z"]),
    ]
    assert ops(lowered(made(nodes, {"x": (3, 4)}, ["y", "z"]))) == ["Sigmoid", "Mul", "Relu"]
    assert ops(lowered(made(nodes[:2], {"x": (3, 4)}, ["y"]))) == ["Swish"]


def test_attention_with_grouped_queries(made: Made, lowered: Lowered) -> None:
    attention = node("Attention", ["q", "k", "v"], ["y"], q_num_heads=4, kv_num_heads=2)
    path = made([attention], {"q": (1, 6, 32), "k": (1, 5, 16), "v": (1, 5, 16)}, ["y"], opset=23)
    state = lowered(path)
    assert [(e.points, e.macs) for e in state.einsums] == [
        (4 * 6 * 5 * 8, True),
        (4 * 6 * 5, False),
        (4 * 6 * 5 * 8, True),
    ]
    assert len(ff.Spec.from_yaml("tpu_v4i_like", path).problem().einsums) == 3


def test_persistent_weights_and_widths(made: Made) -> None:
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "z"], ["y"])]
    path = made(nodes, {"x": (3, 4), "z": (4, 2)}, ["y"], {"w": (4, 4)})
    spec = ff.Spec.from_yaml("tpu_v4i_like", path, persistent_weights=True, bits_per_value=8)
    first, second = spec.problem().einsums
    assert {t.name for e in (first, second) for t in e.tensors if t.persistent} == {"w"}  # z is an input, no weight
    assert {t.bits_per_value for t in first.tensors} == {8}
