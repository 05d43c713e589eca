"""Settings that concern neither architecture nor workload."""

# ruff: noqa: RUF009 - spec_field makes attrs fields, whose defaults are not shared
from __future__ import annotations

import attrs

from ffcore.spec.fields import Data, Expression, SpecNode, Value, forget_position, spec_field
from ffcore.spec.mapper import as_metrics
from ffcore.spec.problem import Metric


@attrs.define(kw_only=True, on_setattr=forget_position)
class Config(SpecNode):
    """How a spec is read."""

    use_installed_component_models: Expression = spec_field(
        Value(), default=True, doc="whether cost models may price components"
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class ModelOptions(SpecNode):
    """What is reported of a mapping that is evaluated."""

    metrics: Metric = spec_field(
        Data(), default=Metric.ENERGY | Metric.LATENCY, converter=as_metrics, doc="metrics that are reported"
    )
