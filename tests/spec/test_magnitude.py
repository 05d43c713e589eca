"""Numbers whose products no float holds are refused, before anything is added up."""

from __future__ import annotations

import math

import pytest

import ffcore as ff
from ffcore.errors import SpecError

SPEC = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    leak_power: {leak}
    actions: [{{name: read, energy: {energy}, {rate}}}, {{name: write, energy: 1, throughput: 1}}]
  - !Compute
    name: MAC
    actions: [{{name: compute, energy: 1, throughput: 1}}]
workload:
  rank_sizes: {{M: {bound}, K: 4}}
  n_instances: {instances}
  bits_per_value: {{All: 8}}
  einsums: ["Y[m] = A[m, k]"]
"""
PLAIN = {"leak": 0, "energy": 1, "rate": "throughput: 1", "bound": 4, "instances": 1}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"energy": 1e100, "bound": 2**50, "instances": 1e100, "leak": 1e90, "rate": "latency: 1e80"}, "the energy of"),
        (
            {"rate": "latency: 1e100", "bound": 2**53, "instances": 1e99, "energy": 1e100},
            "energy times time of Einsum Y",
        ),
        ({"rate": "throughput: 1, bits_per_action: 1e-100", "instances": 1e100}, "energy times time"),
        ({"rate": "latency: inf"}, "actions per second must be positive, got 0"),
        ({"rate": "throughput: 1e-99, throughput_scale: 1e-99"}, "between 1e-100 and 1e\\+100 in size, got 1e-198"),
    ],
)
def test_what_no_float_holds_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        ff.Spec.from_string(SPEC.format(**PLAIN | fields)).problem()


def test_a_tensor_of_too_many_ranks_is_refused() -> None:
    text = SPEC.format(**PLAIN | {"bound": 2**50}).replace("Y[m] =", f"Y[{', '.join(f'R{i}: m' for i in range(24))}] =")
    with pytest.raises(SpecError, match="the size of tensor Y of Einsum Y comes to 1e362 bits, more than numbers can"):
        ff.Spec.from_string(text).problem()


@pytest.mark.parametrize("fields", [{"energy": 1e60, "rate": "latency: 1e60", "bound": 2**53, "leak": 1e30}, {}])
def test_large_numbers_are_only_large(fields: dict[str, object]) -> None:
    found = ff.map_workload_to_arch(ff.Spec.from_string(SPEC.format(**PLAIN | fields)), n_jobs=1)
    assert math.isfinite(found.energy() * found.latency())
