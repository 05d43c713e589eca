"""What the diagnosis lifts of a problem and what ``ff explain`` lifts of its spec are the same limits."""

from __future__ import annotations

from pathlib import Path

from ffcore import Spec
from ffcore.diagnose.constraints import constraints
from ffcore_explain.limits import limits, limits_of

ARCH = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All, may_keep: All}
    actions: [{name: read, energy: 1, latency: 0}, {name: write, energy: 1, latency: 0}]
  - !Memory
    name: Buffer
    size: 4096
    tensors:
      keep: T0
      may_keep: T0 | W0
      no_refetch_from_above: T0
      no_resend_to_below: T0
      tensor_order_options: [[T0, W0]]
      tile_shape: [{expression: m, operator: <=, value: 4}]
    actions: [{name: read, energy: 1, latency: 0}, {name: write, energy: 1, latency: 0}]
  - !Container
    name: Array
    spatial:
    - {name: x, fanout: 4, reuse: T0, min_usage: 0.5, usage_scale: 2,
       loop_bounds: [{expression: m, operator: <=, value: 2}]}
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, latency: 1}]
workload:
  rank_sizes: {M: 8, K: 8, N: 8}
  bits_per_value: {All: 8}
  persistent_tensors: W0
  einsums:
  - einsum: "T1[m, n] = T0[m, k] * W0[k, n]"
mapper:
  ffm:
    max_fused_loops: 1
    max_fused_loops_per_rank_variable: 1
    max_loops_per_spatial_dimension: 1
    max_pmapping_templates_per_einsum: 100
"""


def test_each_limit_is_in_both_lists(tmp_path: Path) -> None:
    """A new constraint that one of them forgets makes this fail, once it stands in the file above."""
    path = tmp_path / "everything.yaml"
    path.write_text(ARCH)
    spec = Spec.from_yaml(path)
    diagnosed = [c.path for tier in constraints(spec.problem()) for c in tier]
    meant = {p: {limit.path for limit in limits_of(spec, p)} for p in diagnosed}
    assert [p for p, found in meant.items() if not found] == []
    sizes = {limit.path for limit in limits(spec) if limit.memory}  # the diagnosis tries these by themselves
    assert set().union(*meant.values()) == {limit.path for limit in limits(spec)} - sizes
    assert len(meant) >= 17
