"""The rules of all operators: what each becomes."""

from __future__ import annotations

from ffcore.plugin import suggest
from ffcore_onnx_import.graph import Node
from ffcore_onnx_import.lowering import Lowering, Rule
from ffcore_onnx_import.operators import (
    attention,
    convolution,
    elementwise,
    joins,
    normalisation,
    products,
    reductions,
    shapes,
)

CONTRIB = "com.microsoft"
"""The domain of the operators that ONNX Runtime's optimiser makes."""

RULES: dict[str, Rule] = {
    **attention.RULES,
    **convolution.RULES,
    **elementwise.RULES,
    **joins.RULES,
    **normalisation.RULES,
    **products.RULES,
    **reductions.RULES,
    **shapes.RULES,
}


def rule_of(state: Lowering, node: Node) -> Rule:
    """The rule for a node. Raises SpecError for an operator without one, unless those become copies."""
    if node.domain in ("", CONTRIB) and node.op in RULES:
        return RULES[node.op]
    if state.options.onnx_unknown == "copy":
        return joins.copied
    where = f" of domain {node.domain!r}" if node.domain else ""
    message = (
        f"operator {node.op}{where} is not known; --set onnx_unknown=copy maps it as a copy of what it reads, or "
        "export the network without it"
    )
    raise state.graph.wrong(message, node, suggest(node.op, RULES))
