"""Einsums that see different extents of a tensor that they share, in a buffer that is full to the last bit."""

from __future__ import annotations

import pytest

import ffcore as ff
from tests.oracle.compare import fast, reference

SPEC = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    tensors: {keep: ~Intermediates, may_keep: Nothing}
    actions: [{name: read, energy: 100, throughput: inf}, {name: write, energy: 100, throughput: inf}]
  - !Memory
    name: Buffer
    size: 6
    tensors: {keep: ~Main, may_keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
workload:
  iteration_space_shape: {x: 5, m: 3, j: 1}
  bits_per_value: {All: 1}
  einsums: ["X[M: x] = T[M: x]", "Y[M: m] = X[M: m] * W[K: j]", "Z[M: m] = Y[M: m]"]
"""


@pytest.mark.xfail(
    strict=True,
    reason="the joiner ffm counts X at its largest, 5 bits, also while an Einsum runs that sees 3 (CHANGELOG, Known)",
)
def test_a_tensor_takes_what_the_running_einsum_sees_of_it() -> None:
    problem = ff.Spec.from_string(SPEC).problem()
    assert min(fast(problem)) == pytest.approx(min(reference(problem)), rel=1e-12)
