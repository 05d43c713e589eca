"""Which parts do the mapping, and the knobs of the search."""

# ruff: noqa: RUF009 - spec_field makes attrs fields, whose defaults are not shared
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ffcore.errors import ErrorCollector, SpecError, suggest
from ffcore.plugin.known import DEFAULT_JOINER
from ffcore.spec.fields import Data, Expression, One, SpecNode, Text, Value, forget_position, spec_field, spec_fields
from ffcore.spec.ignored import without_ignored
from ffcore.spec.problem import INFINITY, Metric
from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar, YamlSeq

_METRIC_NAMES = {
    "energy": Metric.ENERGY,
    "latency": Metric.LATENCY,
    "resource_usage": Metric.RESOURCE_USAGE,
    "energy_delay_product": Metric.ENERGY_DELAY_PRODUCT,
    "edp": Metric.ENERGY_DELAY_PRODUCT,
    "actions": Metric.ACTIONS,
}


_NUMBERED = (
    "latency",
    "energy",
    "dynamic_energy",
    "leak_energy",
    "resource_usage",
    "actions",
    "detailed_memory_usage",
    "energy_delay_product",
)
"""Bits of metrics that files of AccelForge write as a number, from the lowest."""


def as_metrics(value: object) -> Metric:
    """Metrics from ``"energy,latency"``, ``"energy|latency"``, a list of names, or a Metric.

    Raises SpecError for an unknown name.
    """
    if isinstance(value, Metric):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << len(_NUMBERED):
        value = [name for bit, name in enumerate(_NUMBERED) if value >> bit & 1]
    if isinstance(value, str):
        value = value.replace("|", ",").split(",")
    if not isinstance(value, list | tuple | set | frozenset):
        raise SpecError.one(f"expected metrics such as 'energy,latency', got {value!r}")
    result = Metric(0)
    for item in value:
        if isinstance(item, Metric):
            result |= item
            continue
        name = str(item).strip().lower().removeprefix("metrics.")
        if name not in _METRIC_NAMES:
            known = ", ".join(_METRIC_NAMES)
            raise SpecError.one(
                f"unknown metric {str(item).strip()!r}; there are {known}", None, suggest(name, _METRIC_NAMES)
            )
        result |= _METRIC_NAMES[name]
    return result


def _as_options(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return dict(value)
    raise SpecError.one(f"expected options by name such as {{seed: 3}}, got {value!r}")


def _names_as_text(value: Any) -> Any:
    """Names of rank variables as one text, ``[m, k]``; anything else as it is."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return f"[{', '.join(sorted(map(str, value)))}]" if isinstance(value, set | frozenset) else value


def _list_as_text(node: Node, errors: ErrorCollector, path: str) -> Node:
    if not isinstance(node, YamlSeq):
        return node
    words = [item.text if isinstance(item, YamlScalar) else "?" for item in node.items]
    text = _names_as_text(words)
    return YamlScalar(value=text, text=text, tag=None, position=node.position)


def metric_names(metrics: Metric) -> list[str]:
    """Names of the metrics, as :func:`as_metrics` reads them."""
    return [m.name.lower() for m in Metric if m in metrics and m.name]


STEERS_ANOTHER_SEARCH = (
    "explore_loop_orders",
    "max_loops",
    "max_loops_minus_ranks",
    "memory_limit_per_process",
    "out_of_order_hierarchy_explore_removing_spatials_for_more_temporals",
)
"""Knobs of AccelForge's search that ours does not need."""


@attrs.define(kw_only=True, on_setattr=forget_position)
class FFM(SpecNode):
    """Knobs that change the mapspace, the objective or the effort."""

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Leave out knobs that only steer another tool's search."""
        return without_ignored(node, STEERS_ANOTHER_SEARCH, "that steers the search of AccelForge alone", path)

    metrics: Metric = spec_field(
        Data(), default=Metric.ENERGY | Metric.LATENCY, converter=as_metrics, doc="objectives; all are kept to the end"
    )
    info_metrics: Metric = spec_field(
        Data(), default=Metric(0), converter=as_metrics, doc="no effect: all are reported"
    )
    max_fused_loops: Expression = spec_field(Value(), default=INFINITY, doc="loops above the last backing holder")
    max_fused_loops_per_rank_variable: Expression = spec_field(
        Value(), default=1, doc="the same, for one rank variable"
    )
    max_loops_per_spatial_dimension: Expression = spec_field(Value(), default=INFINITY, doc="loops in one dimension")
    explore_imperfect_temporal_loops: Expression = spec_field(
        Value(),
        default=False,
        normalise=_list_as_text,
        converter=_names_as_text,
        doc="tiles that don't divide, where a rank variable's outermost loop is temporal: True, auto or variables",
    )
    explore_imperfect_spatial_loops: Expression = spec_field(
        Value(),
        default=False,
        normalise=_list_as_text,
        converter=_names_as_text,
        doc="the same, where it is spatial",
    )
    tiling_coarseness: Expression = spec_field(Value(), default=1, doc="no effect: every tile size is explored")
    force_memory_hierarchy_order: Expression = spec_field(
        Value(), default=True, doc="holders follow the memories' order"
    )
    objective_tolerance: Expression = spec_field(
        Value(), default=0, doc="relative loss of objectives accepted, 0: exact; results say what they guarantee"
    )
    resource_usage_tolerance: Expression = spec_field(
        Value(), default=0, doc="shares of memories are rounded up to its multiples, 0: exact; the same"
    )
    prioritize_reuse_of_unfused_tensors: Expression = spec_field(
        Value(), default=False, doc="no effect: every order of loops is explored"
    )
    max_pmapping_templates_per_einsum: Expression = spec_field(Value(), default=INFINITY, doc="stop after as many")
    time_limit: Expression = spec_field(
        Value(), default=INFINITY, unit="s", doc="of the search, which then returns the best mapping so far"
    )
    time_limit_per_pmapping_template: Expression = spec_field(
        Value(), default=INFINITY, unit="s", doc="no effect: time_limit bounds the search"
    )
    memory_limit: Expression = spec_field(
        Value(), default=INFINITY, unit="byte", doc="of all its processes; inf: 80 % of what is available"
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class Mapper(SpecNode):
    """Which installed parts are used, by name, and their knobs."""

    explorer: str = spec_field(
        Text(), default="default", doc="makes the pmappings of each Einsum; default: as the joiner needs"
    )
    joiner: str = spec_field(Text(), default=DEFAULT_JOINER, doc="joins them to mappings of the workload")
    joiner_options: dict[str, Any] = spec_field(
        Data(), factory=dict, converter=_as_options, doc="of the joiner, such as {seed: 3}"
    )
    model: str = spec_field(Text(), default="default", doc="evaluates mappings")
    cost_model: str | None = spec_field(Text(), doc="prices components that name a component_class")
    cost_model_options: dict[str, Any] = spec_field(
        Data(), factory=dict, converter=_as_options, doc="of the cost model, such as {files: costs.csv}"
    )
    executor: str | None = spec_field(Text(), doc="runs parallel work")
    executor_options: dict[str, Any] = spec_field(
        Data(), factory=dict, converter=_as_options, doc="of the executor, such as {scheduler: tcp://host:8786}"
    )
    ffm: FFM = spec_field(One(FFM), factory=FFM, doc="knobs of the search")

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Move knobs that stand directly under ``mapper:`` to ``ffm:``."""
        if not isinstance(node, YamlMap):
            return node
        knobs = {k: v for k, v in node.entries.items() if k in spec_fields(FFM) or k in STEERS_ANOTHER_SEARCH}
        if not knobs:
            return node
        entries = {k: v for k, v in node.entries.items() if k not in knobs}
        group = entries.get("ffm", (None, None))[1]
        old = group.entries if isinstance(group, YamlMap) else {}
        for name in old.keys() & knobs.keys():
            key = knobs[name][0]
            errors.add(f"{name!r} is given both in mapper and in mapper.ffm", key.position.with_field(f"{path}.{name}"))
        key = YamlScalar(value="ffm", text="ffm", tag=None, position=node.position)
        entries["ffm"] = (key, YamlMap(entries={**old, **knobs}, tag=None, position=node.position))
        return attrs.evolve(node, entries=entries)


def _knob(name: str) -> property:
    def get(mapper: Mapper) -> Any:
        return getattr(mapper.ffm, name)

    def put(mapper: Mapper, value: Any) -> None:
        setattr(mapper.ffm, name, value)

    return property(get, put, doc=f"``ffm.{name}``, as files may write it")


for _name in spec_fields(FFM):
    setattr(Mapper, _name, _knob(_name))
