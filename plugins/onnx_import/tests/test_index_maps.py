"""Views and index maps against onnx's own interpreter: sums of products come out the same, number by number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from onnx.helper import make_node as node

from ffcore_onnx_import.lowering import Lowering

Made = Callable[..., Path]
Agrees = Callable[..., Lowering]


@pytest.mark.parametrize(
    ("attributes", "weight", "image"),
    [
        ({}, (4, 3, 3, 2), (2, 3, 6, 5)),
        ({"strides": [2, 3]}, (4, 3, 3, 2), (1, 3, 7, 8)),
        ({"dilations": [2, 1]}, (4, 3, 2, 2), (1, 3, 5, 4)),
        ({"strides": [2, 2]}, (4, 3, 1, 1), (1, 3, 6, 4)),
        ({"group": 3}, (3, 1, 2, 2), (1, 3, 4, 4)),
        ({"group": 3}, (6, 1, 2, 2), (1, 3, 4, 4)),
        ({"group": 2}, (6, 2, 2, 2), (2, 4, 3, 3)),
        ({"strides": [2]}, (4, 3, 3), (2, 3, 9)),
        ({}, (2, 2, 2, 1, 2), (1, 2, 3, 2, 4)),
        ({}, (4, 3, 3, 3), (1, 3, 3, 3)),
    ],
)
def test_convolutions(
    made: Made, agrees: Agrees, attributes: dict[str, object], weight: tuple[int, ...], image: tuple[int, ...]
) -> None:
    path = made([node("Conv", ["x", "w"], ["y"], **attributes)], {"x": image}, ["y"], {"w": weight})
    (einsum,) = agrees(path).einsums
    assert einsum.macs


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 4), (4, 5)),
        ((2, 3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 5)),
        ((1, 3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (3, 4, 2)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
    ],
)
def test_products_of_matrices(made: Made, agrees: Agrees, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    agrees(made([node("MatMul", ["x", "w"], ["y"])], {"x": left}, ["y"], {"w": right}))
    agrees(made([node("MatMul", ["x", "z"], ["y"])], {"x": left, "z": right}, ["y"]))


@pytest.mark.parametrize(("trans_a", "trans_b"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_gemm(made: Made, agrees: Agrees, trans_a: int, trans_b: int) -> None:
    gemm = node("Gemm", ["x", "w"], ["y"], transA=trans_a, transB=trans_b)
    agrees(made([gemm], {"x": (4, 3) if trans_a else (3, 4)}, ["y"], {"w": (5, 4) if trans_b else (4, 5)}))


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(3, 4), (4, 2)]),
        ("bhmk,bhnk->bhmn", [(2, 2, 3, 4), (2, 2, 2, 4)]),
        ("...k,kn->...n", [(2, 3, 4), (4, 2)]),
        ("ij,kj", [(3, 4), (2, 4)]),
        ("abc->ca", [(2, 3, 4)]),
    ],
)
def test_einsum(made: Made, agrees: Agrees, equation: str, shapes: list[tuple[int, ...]]) -> None:
    names = ["x", "z"][: len(shapes)]
    agrees(made([node("Einsum", names, ["y"], equation=equation)], dict(zip(names, shapes, strict=True)), ["y"]))


def test_heads_are_split_and_joined_without_a_copy(made: Made, agrees: Agrees) -> None:
    """Tokens 3, heads 2 of 4 values: reshape, transpose, two products, transpose back, flatten, project."""
    nodes = [
        node("MatMul", ["x", "wq"], ["q"]),
        node("Reshape", ["q", "split"], ["q4"]),
        node("Transpose", ["q4"], ["qh"], perm=[0, 2, 1, 3]),
        node("Reshape", ["x", "split"], ["k4"]),
        node("Transpose", ["k4"], ["kh"], perm=[0, 2, 3, 1]),
        node("MatMul", ["qh", "kh"], ["s"]),
        node("Reshape", ["x", "split"], ["v4"]),
        node("Transpose", ["v4"], ["vh"], perm=[0, 2, 1, 3]),
        node("MatMul", ["s", "vh"], ["o"]),
        node("Transpose", ["o"], ["ot"], perm=[0, 2, 1, 3]),
        node("Reshape", ["ot", "join"], ["flat"]),
        node("MatMul", ["flat", "wo"], ["y"]),
    ]
    weights = {"wq": (8, 8), "wo": (8, 5), "split": [2, 3, 2, 4], "join": [2, 3, 8]}
    state = agrees(made(nodes, {"x": (2, 3, 8)}, ["y"], weights))
    assert [e.copy for e in state.einsums] == [False] * 4


def test_slices_splits_and_constant_gathers_are_views(made: Made, agrees: Agrees) -> None:
    nodes = [
        node("Slice", ["x", "starts", "ends", "axes", "steps"], ["a"]),
        node("Split", ["a", "parts"], ["b", "c"], axis=0),
        node("Gather", ["c", "last"], ["d"], axis=0),
        node("Unsqueeze", ["d", "first"], ["e"]),
        node("MatMul", ["b", "w"], ["y"]),
        node("MatMul", ["e", "w"], ["z"]),
    ]
    weights = {"starts": [1], "ends": [6], "axes": [1], "steps": [2], "parts": [1, 2], "last": -1, "first": [0]}
    state = agrees(made(nodes, {"x": (3, 7)}, ["y", "z"], {**weights, "w": (3, 2)}))
    assert [e.op for e in state.einsums] == ["MatMul", "MatMul"]


def test_a_tensor_read_twice_with_other_indices_is_not_copied(made: Made, agrees: Agrees) -> None:
    nodes = [node("Transpose", ["x"], ["t"]), node("MatMul", ["x", "t"], ["y"])]
    state = agrees(made(nodes, {"x": (3, 4)}, ["y"]))
    assert [e.copy for e in state.einsums] == [False]
    assert [a.tensor for a in state.einsums[0].inputs] == ["x", "x"]
    nodes = [node("Mul", ["x", "x"], ["y"])]
    assert [e.copy for e in agrees_square(made, nodes)] == [False]


def agrees_square(made: Made, nodes: list[object]) -> list[object]:
    from ffcore_onnx_import.lowering import lower
    from ffcore_onnx_import.options import Parameters
    from ffcore_onnx_import.reader import read_graph

    given = Parameters({})
    return list(lower(read_graph(made(nodes, {"x": (3, 4)}, ["y"]), given), given.options()).einsums)


def test_broadcast_views(made: Made, agrees: Agrees) -> None:
    """Grouped queries: 2 key heads become 4 by Unsqueeze, Expand, Reshape."""
    nodes = [
        node("Unsqueeze", ["k", "two"], ["k5"]),
        node("Expand", ["k5", "more"], ["ke"]),
        node("Reshape", ["ke", "heads"], ["kh"]),
        node("MatMul", ["q", "kh"], ["y"]),
    ]
    weights = {"two": [2], "more": [1, 2, 2, 3, 4], "heads": [1, 4, 3, 4]}
    state = agrees(made(nodes, {"q": (1, 4, 2, 3), "k": (1, 2, 3, 4)}, ["y"], weights))
    assert len(state.einsums) == 1


def test_pixel_shuffle_and_channel_shuffle_are_views(made: Made, agrees: Agrees) -> None:
    nodes = [
        node("DepthToSpace", ["x"], ["a"], blocksize=2, mode="CRD"),
        node("SpaceToDepth", ["a"], ["b"], blocksize=2),
        node("Reshape", ["b", "apart"], ["c"]),
        node("Transpose", ["c"], ["d"], perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["d", "together"], ["e"]),
        node("Conv", ["e", "w"], ["y"], group=2),
    ]
    weights = {"apart": [1, 2, 4, 2, 2], "together": [1, 8, 2, 2], "w": (4, 4, 1, 1)}
    state = agrees(made(nodes, {"x": (1, 8, 2, 2)}, ["y"], weights))
    assert len(state.einsums) == 1


def test_reductions_and_broadcast_products(made: Made, agrees: Agrees) -> None:
    nodes = [
        node("ReduceSum", ["x", "axes"], ["s"], keepdims=1),
        node("Mul", ["x", "s"], ["m"]),
        node("Mul", ["m", "w"], ["p"]),
        node("ReduceSum", ["p"], ["y"], keepdims=0),
    ]
    agrees(made(nodes, {"x": (2, 3, 4)}, ["y"], {"axes": [1], "w": (3, 1)}))


def test_nearest_resize_is_a_view(made: Made, agrees: Agrees) -> None:
    nodes = [
        node("Resize", ["x", "", "", "sizes"], ["a"], mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        node("Mul", ["a", "z"], ["y"]),
    ]  # fmt: skip
    agrees(made(nodes, {"x": (1, 2, 3, 2), "z": (1, 2, 6, 4)}, ["y"], {"sizes": [1, 2, 6, 4]}))


def test_what_is_not_affine_is_copied(made: Made, lowered: Callable[..., Lowering]) -> None:
    nodes = [node("Reshape", ["x", "shape"], ["a"]), node("MatMul", ["a", "w"], ["y"])]
    state = lowered(made(nodes, {"x": (6, 4)}, ["y"], {"shape": [8, 3], "w": (3, 2)}))
    assert [e.copy for e in state.einsums] == [True, False]
    assert state.fate["copied"] == 1
