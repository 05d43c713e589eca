"""Products of matrices and tensors: MatMul, Gemm, Einsum."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ffcore_onnx_import.build import Label, Operand, plain
from ffcore_onnx_import.graph import Node, Shape
from ffcore_onnx_import.lowering import Lowering, Rule
from ffcore_onnx_import.operators.convolution import add_bias
from ffcore_onnx_import.views import View, transposed

_SCALARS = -1
"""Only single numbers may become part of a product of two activations."""


def batch_roles(n_axes: int) -> list[str]:
    """Names of leading axes: b, then h (heads), others between."""
    names = {0: [], 1: ["b"], 2: ["b", "h"], 3: ["b", "g", "h"]}
    return names[n_axes] if n_axes in names else [f"b{chr(97 + i)}" for i in range(n_axes)]


def matmul(state: Lowering, node: Node) -> None:
    """``O[b, m, n] = A[b, m, k] * B[b, k, n]``, leading axes broadcast."""
    first, second = (0, 3) if node.op == "QLinearMatMul" else (0, 1)
    left, right = _matrix(state, node, node.inputs[first]), _matrix(state, node, node.inputs[second])
    if node.get("transA"):
        left = _flipped(left)
    if node.get("transB"):
        right = _flipped(right)
    shape = state.shape(node.output, node)
    has_rows, has_columns = len(left.axes) > 1, len(right.axes) > 1
    n_batch = max(len(left.axes), len(right.axes), 2) - 2
    depth = left.shape[-1]
    if right.shape[-2 if has_columns else -1] != depth or len(shape) != n_batch + has_rows + has_columns:
        raise state.graph.wrong(f"{list(left.shape)} times {list(right.shape)} is no product of matrices", node)
    batch = [Label(v, v.upper(), s) for v, s in zip(batch_roles(n_batch), shape, strict=False)]
    k = Label("k", "K", depth)
    rows = [Label("m", "M", left.shape[-2])] if has_rows else []
    columns = [Label("n", "N", right.shape[-1])] if has_columns else []
    a = plain(left, [*batch[n_batch - len(left.axes[:-2]) :], *rows, k])
    b = plain(right, [*batch[n_batch - len(right.axes[:-2]) :], k, *columns])
    _product(state, node, [a, b], [*batch, *rows, *columns], [node.inputs[first], node.inputs[second]], bool(columns))


def _product(
    state: Lowering, node: Node, operands: list[Operand], output: Sequence[Label], names: Sequence[str], columns: bool
) -> None:
    weights = [i for i, name in enumerate(names) if state.is_constant(name)]
    channel = len(output) - 1 if weights == [len(names) - 1] and columns else _SCALARS
    weight = weights[0] if weights else len(operands) - 1
    state.einsum(node, operands, [(label,) for label in output], weight=weight, macs=True, channel=channel)


def _matrix(state: Lowering, node: Node, value: str) -> View:
    if not state.is_constant(value):
        return state.view(value, node)
    n_axes = len(state.shape(value, node))
    roles = [*(r.upper() for r in batch_roles(max(n_axes - 2, 0))), "K", "N"]
    return state.view(value, node, roles if n_axes > 1 else ["K"])


def _flipped(view: View) -> View:
    """The last two axes exchanged; a weight keeps the names of its ranks."""
    return transposed(view, [*range(len(view.axes) - 2), len(view.axes) - 1, len(view.axes) - 2])


def gemm(state: Lowering, node: Node) -> None:
    """``O[m, n] = A[m, k] * B[k, n]``, with a bias that becomes part of it if it is a constant."""
    left, right = state.view(node.inputs[0], node, ("M", "K")), _gemm_weight(state, node)
    if node.get("transA"):
        left = _flipped(left)
    if node.get("transB"):
        right = _flipped(right)
    if len(left.axes) != 2 or len(right.axes) != 2 or left.shape[1] != right.shape[0]:
        raise state.graph.wrong(f"{list(left.shape)} times {list(right.shape)} is no product of matrices", node)
    m, n, k = Label("m", "M", left.shape[0]), Label("n", "N", right.shape[1]), Label("k", "K", left.shape[1])
    operands = [plain(left, [m, k]), plain(right, [k, n])]
    names = [*node.inputs[:2]]
    bias = node.input(2)
    if bias and not state.is_constant(bias):
        added = state.view(bias, node)
        operands.append(plain(added, [m, n][2 - len(added.axes) :]))
        state.einsum(node, operands, [(m,), (n,)], weight=1, macs=True, channel=_SCALARS)
        return
    _product(state, node, operands, [m, n], names, True)
    if bias:
        add_bias(state, node, 2, math.prod(state.shape(bias, node)))


def _gemm_weight(state: Lowering, node: Node) -> View:
    roles = ("N", "K") if node.get("transB") else ("K", "N")
    return state.view(node.inputs[1], node, roles if state.is_constant(node.inputs[1]) else None)


def einsum(state: Lowering, node: Node) -> None:
    """Any Einsum: the letters of its equation are the rank variables."""
    shapes = [state.shape(i, node) for i in node.inputs]
    inputs, output = _letters(state, node, shapes)
    sizes: dict[str, int] = {}
    for letters, shape in zip(inputs, shapes, strict=True):
        for letter, size in zip(letters, shape, strict=True):
            known = sizes.get(letter, 1)
            if 1 not in (known, size) and known != size:
                raise state.graph.wrong(f"index {letter!r} has the sizes {known} and {size}", node)
            sizes[letter] = max(known, size)
    labels = {letter: Label(letter.lower(), letter.upper(), size) for letter, size in sizes.items()}
    operands = [
        plain(state.view(name, node, [i.upper() for i in letters]), [labels[i] for i in letters])
        for name, letters in zip(node.inputs, inputs, strict=True)
    ]
    weights = [i for i, name in enumerate(node.inputs) if state.is_constant(name)]
    weight = weights[0] if weights else len(operands) - 1 if len(operands) > 1 else None
    out = [(labels[letter],) for letter in output]
    state.einsum(node, operands, out, weight=weight, macs=len(operands) > 1, channel=_SCALARS)


def _letters(state: Lowering, node: Node, shapes: Sequence[Shape]) -> tuple[list[list[str]], list[str]]:
    """The indices of each input and of the output; an ellipsis stands for letters of its own."""
    equation = str(node.get("equation", "")).replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise state.graph.wrong(f"equation {equation!r} has {len(terms)} terms for {len(shapes)} inputs", node)
    used = {c for c in equation if c.isalpha()}
    spare = [c for c in "zyxwvutsrq" if c not in used and c.upper() not in used]
    inputs: list[list[str]] = []
    longest = 0
    for term, shape in zip(terms, shapes, strict=True):
        missing = len(shape) - len(term.replace("...", ""))
        dots = list(reversed(spare[:missing])) if "..." in term else []
        before, _, after = term.partition("...")
        letters = [*before, *dots, *after]
        if len(letters) != len(shape) or not all(c.isalpha() for c in letters) or len({*letters}) < len(letters):
            raise state.graph.wrong(f"term {term!r} of equation {equation!r} does not fit shape {list(shape)}", node)
        longest = max(longest, len(dots))
        inputs.append(letters)
    dots = list(reversed(spare[:longest]))
    if arrow:
        before, _, after = right.partition("...")
        output = [*before, *(dots if "..." in right else []), *after]
    else:
        once = [c for c in sorted(used) if left.count(c) == 1]
        output = [*dots, *once]
    if not {*output} <= {c for letters in inputs for c in letters} or len({*output}) < len(output):
        raise state.graph.wrong(f"the output of equation {equation!r} has indices that no input has", node)
    return inputs, output


RULES: dict[str, Rule] = {
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul"), matmul),
    "Gemm": gemm,
    "Einsum": einsum,
}
