"""Convolutions and pooling: windows that move over 1 to 3 axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ffcore_onnx_import.build import Label, Labels, Operand, Window
from ffcore_onnx_import.graph import Node
from ffcore_onnx_import.lowering import Lowering, Rule
from ffcore_onnx_import.options import MAX_DIMENSION
from ffcore_onnx_import.views import View

SPATIAL = {1: "W", 2: "HW", 3: "DHW"}
_OUTPUT = {1: "q", 2: "pq", 3: "opq"}
_KERNEL = {1: "s", 2: "rs", 3: "trs"}


def input_roles(n_axes: int) -> tuple[str, ...]:
    """Ranks of an image: batch, channels, and the axes that windows move over."""
    return ("N", "C", *SPATIAL[n_axes - 2])


def conv(state: Lowering, node: Node) -> None:
    """``O[n, m, p, q] = I[n, c, 2*p + r, 2*q + s] * W[m, c, r, s]``, in groups if there are any."""
    data, kernel = _positions(node)
    sizes, output = state.shape(node.inputs[kernel], node), state.shape(node.output, node)
    axes = _n_spatial(state, node, len(sizes))
    image = state.view(node.inputs[data], node, input_roles(len(sizes)))
    groups = int(node.get("group", 1))
    _check_channels(state, node, image.shape[1], sizes, groups)
    filters = state.view(node.inputs[kernel], node, ("M", "C", *_KERNEL[axes].upper()))
    inner, outer, weights = _channels(image.shape[1], output[1], groups)
    batch = Label("n", "N", output[0])
    rows = [Label(v, r, s) for v, r, s in zip(_OUTPUT[axes], SPATIAL[axes], output[2:], strict=True)]
    taps = [Label(v, v.upper(), s) for v, s in zip(_KERNEL[axes], sizes[2:], strict=True)]
    strides, dilations = _steps(state, node, "strides", axes), _steps(state, node, "dilations", axes)
    windows = [window(image, 2 + i, rows[i], taps[i], strides[i], dilations[i]) for i in range(axes)]
    operands = [
        Operand(image, ((batch,), inner, *windows)),
        Operand(filters, (*weights, *((tap,) for tap in taps))),
    ]
    state.einsum(node, operands, [(batch,), outer, *((row,) for row in rows)], weight=1, macs=True, channel=1)
    add_bias(state, node, 8 if node.op == "QLinearConv" else 2, math.prod(outer[i].size for i in range(len(outer))))


def _positions(node: Node) -> tuple[int, int]:
    return (0, 3) if node.op == "QLinearConv" else (0, 1)


def add_bias(state: Lowering, node: Node, position: int, size: int) -> None:
    """Note that the node's bias became part of its Einsum."""
    if node.op != "ConvInteger" and node.input(position):
        state.einsums[-1].folded.append("bias")
        state.einsums[-1].affine = size


def _n_spatial(state: Lowering, node: Node, n_axes: int) -> int:
    if n_axes - 2 not in SPATIAL:
        raise state.graph.wrong(f"it moves over {n_axes - 2} axes; 1 to 3 can be mapped", node)
    return n_axes - 2


def _check_channels(state: Lowering, node: Node, channels: int, kernel: Sequence[int], groups: int) -> None:
    if groups < 1 or channels != kernel[1] * groups or kernel[0] % groups:
        message = f"{channels} channels in {groups} groups do not fit filters of shape {list(kernel)}"
        raise state.graph.wrong(message, node)


def _steps(state: Lowering, node: Node, attribute: str, axes: int) -> list[int]:
    found = node.get(attribute) or [1] * axes
    if len(found) != axes or not all(1 <= int(s) <= MAX_DIMENSION for s in found):
        raise state.graph.wrong(f"{attribute} are {list(found)[:8]}; {axes} whole numbers from 1 were expected", node)
    return [int(s) for s in found]


def _channels(inputs: int, outputs: int, groups: int) -> tuple[Labels, Labels, tuple[Labels, Labels]]:
    """Labels of the channels of the input, of the output, and of the two channel axes of the filters."""
    if groups == 1:
        c, m = Label("c", "C", inputs), Label("m", "C", outputs)
        return (c,), (m,), ((m,), (c,))
    if groups == inputs == outputs:
        c = Label("c", "C", inputs)
        return (c,), (c,), ((c,), ())
    g, c, m = Label("g", "C", groups), Label("c", "C", inputs // groups), Label("m", "C", outputs // groups)
    return (g, c), (g, m), ((g, m), (c,))


def window(image: View, axis: int, row: Label, tap: Label, stride: int, dilation: int) -> Labels | Window:
    """The index of an axis that a window moves over; padding shows as what it reaches beyond the axis."""
    if tap.size == 1 and stride == 1 and row.size == image.shape[axis]:
        return (row,)
    taps = ((tap, dilation),) if tap.size > 1 else ()
    return Window(((row, stride), *taps))


def conv_transpose(state: Lowering, node: Node) -> None:
    """Each output is a sum over the taps that reach it: ``O[2*p + o] = I[p + j] * W[2*j + o]``, for stride 2.

    Exact where the stride divides kernel and output; others are refused.
    """
    sizes, output = state.shape(node.inputs[1], node), state.shape(node.output, node)
    axes = _n_spatial(state, node, len(sizes))
    strides, dilations = _steps(state, node, "strides", axes), _steps(state, node, "dilations", axes)
    divides = all(k % s == 0 and o % s == 0 for k, s, o in zip(sizes[2:], strides, output[2:], strict=True))
    if int(node.get("group", 1)) != 1 or any(d > 1 for d in dilations) or not divides:
        message = (
            f"a transposed convolution is mapped where its stride ({strides}) divides kernel ({list(sizes[2:])}) and "
            f"output ({list(output[2:])}), without groups or dilation; export it as Resize and Conv"
        )
        raise state.graph.wrong(message, node)
    image = state.view(node.inputs[0], node, input_roles(len(sizes)))
    filters = state.view(node.inputs[1], node, ("C", "M", *_KERNEL[axes].upper()))
    n, c, m = Label("n", "N", output[0]), Label("c", "C", sizes[0]), Label("m", "C", sizes[1])
    windows: list[Labels | Window] = []
    taps: list[Labels] = []
    rows: list[Labels] = []
    for i in range(axes):
        row = Label(_OUTPUT[axes][i], SPATIAL[axes][i], output[2 + i] // strides[i])
        phase = Label(_OUTPUT[axes][i] + "o", "X", strides[i])
        tap = Label(_KERNEL[axes][i], "X", sizes[2 + i] // strides[i])
        windows.append(window(image, 2 + i, row, tap, 1, 1))
        taps.append((tap, phase))
        rows.append((row, phase))
    operands = [Operand(image, ((n,), (c,), *windows)), Operand(filters, ((c,), (m,), *taps))]
    state.einsum(node, operands, [(n,), (m,), *rows], weight=1, macs=True, channel=1)
    add_bias(state, node, 2, sizes[1])


def pool(state: Lowering, node: Node) -> None:
    """``O[n, c, p, q] = I[n, c, 2*p + r, 2*q + s]``, the maximum or the mean of each window."""
    output = state.shape(node.output, node)
    axes = _n_spatial(state, node, len(output))
    kernel = _steps(state, node, "kernel_shape", axes)
    strides, dilations = _steps(state, node, "strides", axes), _steps(state, node, "dilations", axes)
    image = state.view(node.inputs[0], node, input_roles(len(output)))
    batch, channels = Label("n", "N", output[0]), Label("c", "C", output[1])
    rows = [Label(v, r, s) for v, r, s in zip(_OUTPUT[axes], SPATIAL[axes], output[2:], strict=True)]
    taps = [Label(v, v.upper(), s) for v, s in zip(_KERNEL[axes], kernel, strict=True)]
    windows = [window(image, 2 + i, rows[i], taps[i], strides[i], dilations[i]) for i in range(axes)]
    operand = Operand(image, ((batch,), (channels,), *windows))
    state.einsum(node, [operand], [(batch,), (channels,), *((row,) for row in rows)])


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv", "ConvInteger", "QLinearConv"), conv),
    "ConvTranspose": conv_transpose,
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), pool),
}
