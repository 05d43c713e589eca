"""The TPU-like architecture in the native dialect, for given parameters.

Root to compute: main memory, one global buffer, then in each core a local buffer that feeds a scalar
unit and a systolic array of multiply-accumulate units with one register each.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import yaml

from ffcore_tpu_arch.parameters import CONSTRAINED, UNCONSTRAINED, TpuParameters, read_parameters


def tpu_v4i_like(**parameters: object) -> str:
    """The architecture as native YAML text; ``parameters`` are the fields of :class:`TpuParameters`.

    Raises ``SpecError`` for an unknown parameter and for a value that makes no sense.
    """
    return arch_yaml(read_parameters(UNCONSTRAINED, parameters))


def tpu_v4i_like_constrained(**parameters: object) -> str:
    """Like :func:`tpu_v4i_like`, with the constrained Z dimension, an unlimited global buffer
    bandwidth and copies that pass through the scalar unit by default."""
    return arch_yaml(read_parameters(CONSTRAINED, parameters))


def arch_yaml(parameters: TpuParameters) -> str:
    """The architecture as native YAML text."""
    nodes = [
        _main_memory(parameters),
        _global_buffer(parameters),
        _local_buffer(parameters),
        _scalar_unit(parameters),
        _processing_elements(parameters),
        _register(parameters),
        _mac(parameters),
    ]
    return yaml.dump({"arch": {"nodes": nodes}}, Dumper=_Dumper, sort_keys=False, width=120)


@attrs.frozen
class _Node:
    """An arch node: the YAML tag and the fields under it."""

    tag: str
    fields: dict[str, Any]


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_node(dumper: yaml.SafeDumper, node: _Node) -> yaml.MappingNode:
    return dumper.represent_mapping(f"!{node.tag}", node.fields)


_Dumper.add_representer(_Node, _represent_node)


def _number(value: float) -> int | float:
    """Whole numbers as such: 1073741824, not 1073741824.0."""
    return int(value) if abs(value) < 2**53 and float(value).is_integer() else value


def _access(read: float, write: float, read_bandwidth: float, write_bandwidth: float) -> list[dict[str, Any]]:
    return [
        {"name": "read", "energy": _number(read), "throughput": _number(read_bandwidth)},
        {"name": "write", "energy": _number(write), "throughput": _number(write_bandwidth)},
    ]


def _main_memory(p: TpuParameters) -> _Node:
    bandwidth = p.main_memory_bandwidth
    return _Node(
        "Memory",
        {
            "name": "MainMemory",
            "size": _number(p.main_memory_size),
            "leak_power": 0,
            "area": 0,
            "actions": _access(p.main_memory_read_energy, p.main_memory_write_energy, bandwidth, bandwidth),
            "tensors": {"keep": "~Intermediates", "may_keep": "All"},
        },
    )


def _global_buffer(p: TpuParameters) -> _Node:
    read, write = p.global_buffer_read_bandwidth, p.global_buffer_write_bandwidth
    fields: dict[str, Any] = {
        "name": "GlobalBuffer",
        "size": _number(p.global_buffer_size),
        "leak_power": 0,
        "area": 0,
        "actions": _access(p.global_buffer_read_energy, p.global_buffer_write_energy, read, write),
        "tensors": {"keep": "~MainMemory.tensors", "may_keep": "All"},
    }
    if not math.isinf(read) or not math.isinf(write):
        # Separate ports: the slower of reading and writing counts, not their sum.
        fields["total_latency"] = "max(a.n_calls / a.throughput for a in actions)"
    return _Node("Memory", fields)


def _local_buffer(p: TpuParameters) -> _Node:
    across_cores = {"name": "Z", "fanout": p.cores, "may_reuse": "Nothing", "min_usage": 1}
    if p.constrain_z:
        across_cores["reuse"] = "weight"
    return _Node(
        "Memory",
        {
            "name": "LocalBuffer",
            "spatial": [across_cores],
            "size": _number(p.local_buffer_size),
            "leak_power": 0,
            "area": 0,
            "actions": _access(p.local_buffer_read_energy, p.local_buffer_write_energy, float("inf"), float("inf")),
            "tensors": {"keep": "input | output"},
        },
    )


def _scalar_unit(p: TpuParameters) -> _Node:
    fields: dict[str, Any] = {
        "name": "ScalarUnit",
        "leak_power": 0,
        "area": 0,
        "actions": [
            {"name": "compute", "energy": _number(p.scalar_energy), "throughput": _number(p.clock * p.scalar_lanes)}
        ],
        "enabled": "len(All) == 2",
    }
    if p.computes_copies:
        fields["computes_copies"] = True
    return _Node("Compute", fields)


def _processing_elements(p: TpuParameters) -> _Node:
    return _Node(
        "Container",
        {
            "name": "ProcessingElement",
            "spatial": [
                {"name": "reuse_input", "fanout": p.array_cols, "reuse": "input", "min_usage": 1},
                {"name": "reuse_output", "fanout": p.array_rows, "reuse": "output", "min_usage": 1},
            ],
        },
    )


def _register(p: TpuParameters) -> _Node:
    return _Node(
        "Memory",
        {
            "name": "Register",
            # One value; the scalar unit's Einsums have no weight.
            "size": "weight.bits_per_value if weight else 0",
            "leak_power": 0,
            "area": 0,
            "actions": _access(p.register_energy, p.register_energy, float("inf"), float("inf")),
            "tensors": {"keep": "weight"},
        },
    )


def _mac(p: TpuParameters) -> _Node:
    return _Node(
        "Compute",
        {
            "name": "MAC",
            "leak_power": 0,
            "area": 0,
            "actions": [{"name": "compute", "energy": _number(p.mac_energy), "throughput": _number(p.clock)}],
            "enabled": "len(All) == 3",
        },
    )
