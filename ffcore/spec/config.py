"""Settings that concern neither architecture nor workload."""

# ruff: noqa: RUF009 - spec_field makes attrs fields, whose defaults are not shared
from __future__ import annotations

import attrs

from ffcore.errors import ErrorCollector
from ffcore.spec.fields import Data, Expression, SpecNode, Value, forget_position, spec_field
from ffcore.spec.mapper import as_metrics
from ffcore.spec.problem import Metric
from ffcore.spec.source.nodes import Node, YamlMap, YamlSeq

_CODE = {
    "expression_custom_functions": "write what they compute as an expression (variables) or a Jinja macro",
    "component_models": (
        "an installed plugin may bring a cost model (ff new-plugin NAME cost-model), which mapper.cost_model names"
    ),
}
"""Fields of AccelForge that name Python code, and what to do instead."""


@attrs.define(kw_only=True, on_setattr=forget_position)
class Config(SpecNode):
    """How a spec is read."""

    use_installed_component_models: Expression = spec_field(
        Value(), default=True, doc="whether cost models may price components"
    )

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Refuse what would run code that a file names; empty lists of it are nothing."""
        if not isinstance(node, YamlMap):
            return node
        entries = dict(node.entries)
        for name, remedy in _CODE.items():
            if name not in entries:
                continue
            key, value = entries.pop(name)
            if not (isinstance(value, YamlSeq) and not value.items):
                place = key.position.with_field(f"{path}.{name}" if path else name)
                errors.add(f"a file cannot bring code that runs, so {name} must be empty: {remedy}", place)
        return attrs.evolve(node, entries=entries)


@attrs.define(kw_only=True, on_setattr=forget_position)
class ModelOptions(SpecNode):
    """What is reported of a mapping that is evaluated."""

    metrics: Metric = spec_field(
        Data(), default=Metric.ENERGY | Metric.LATENCY, converter=as_metrics, doc="metrics that are reported"
    )
