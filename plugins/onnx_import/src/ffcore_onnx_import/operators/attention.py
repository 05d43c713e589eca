"""The attention operator of ONNX (opset 23): two products and a softmax, with grouped queries."""

from __future__ import annotations

from ffcore_onnx_import.build import Label, Operand
from ffcore_onnx_import.graph import Node
from ffcore_onnx_import.lowering import Lowering, Rule
from ffcore_onnx_import.views import View, reshaped, transposed


def attention(state: Lowering, node: Node) -> None:
    """``S[b, g, m, n] = Q[b, g, m, k] * K[b, h, n, k]``, softmax, ``O[b, g, m, v] = S * V``."""
    if any(node.input(i) for i in (4, 5)):
        raise state.graph.wrong("attention with past keys is not mapped; export the cache as Concat", node)
    query, key, value = (_heads(state, node, i) for i in range(3))
    (b, heads, m, k), (_, groups, n, _), v = query.shape, key.shape, value.shape[3]
    if heads % groups:
        raise state.graph.wrong(f"{heads} query heads do not share {groups} key heads", node)
    batch, g, h = Label("b", "B", b), Label("h", "H", groups), Label("g", "H", heads // groups)
    rows, columns = Label("m", "M", m), Label("n", "N", n)
    inner, outer = Label("k", "K", k), Label("v", "N", v)
    head = (g, h)
    score, soft = f"{node.output}_scores", f"{node.output}_softmax"
    scored = [(batch,), head, (rows,), (columns,)]
    operands = [
        Operand(query, ((batch,), head, (rows,), (inner,))),
        Operand(key, ((batch,), (g,), (columns,), (inner,))),
    ]
    bits = state.graph.bits.get(node.output, 32)
    scores = state.einsum(node, operands, scored, weight=1, macs=True, name=score, bits=bits)
    made = [Operand(scores, tuple(scored))]
    if node.input(3):
        mask = state.view(node.inputs[3], node)
        made.append(Operand(mask, tuple(scored[4 - len(mask.axes) :])))
    softmax = state.einsum(node, made, scored, name=soft, counted=False, bits=bits)
    operands = [
        Operand(softmax, tuple(scored)),
        Operand(value, ((batch,), (g,), (columns,), (outer,))),
    ]
    if len(state.shape(node.output, node)) == 4:
        state.einsum(node, operands, [(batch,), head, (rows,), (outer,)], weight=1, macs=True, counted=False)
    else:
        state.einsum(node, operands, [(batch,), (rows,), (*head, outer)], weight=1, macs=True, counted=False)


def _heads(state: Lowering, node: Node, position: int) -> View:
    """An operand as [batch, heads, tokens, values]."""
    view = state.view(node.inputs[position], node)
    if len(view.axes) == 4:
        return view
    count = int(node.get("q_num_heads" if position == 0 else "kv_num_heads", 0))
    b, tokens, width = view.shape
    if count < 1 or width % count:
        raise state.graph.wrong(f"{width} values do not make {count} heads", node)
    apart = reshaped(view, (b, tokens, count, width // count), ("B", "M", "H", "N"))
    if apart is None:
        shape = (b, tokens, count, width // count)
        apart = state.copy(node, view, f"{node.output}_copy{len(state.einsums)}", shape)
    return transposed(apart, (0, 2, 1, 3))


RULES: dict[str, Rule] = {"Attention": attention}
