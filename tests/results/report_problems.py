"""Mapped workloads for tests of reports."""

from __future__ import annotations

from functools import cache

import ffcore as ff
from ffcore.results import Mappings
from tests.api.specs import MAC, MAIN, chain

COPY = """
workload:
  rank_sizes: {M: 4, N: 4, K: 2}
  bits_per_value: {All: 8}
  einsums:
  - {einsum: "I[m, k] = I_in[m, k]", is_copy_operation: True}
  - "T1[m, n] = I[m, k] * W0[k, n]"
  - "T2[m, n] = T1[m, n]"
"""


@cache
def front() -> Mappings:
    """Three matmuls in a chain, with several Pareto-optimal mappings."""
    return ff.map_workload_to_arch(chain(bandwidth=8), n_jobs=1)


@cache
def with_copy() -> Mappings:
    """A copy, a matmul and an elementwise Einsum."""
    spec = chain(size=512)
    spec.workload = ff.Spec.from_string(COPY).workload
    return ff.map_workload_to_arch(spec, n_jobs=1)


def one_memory(throughput: object = 2, spatial: str = "", memory_fanout: str = "") -> ff.Spec:
    """T[m, n] = A[m, k] W[k, n] with 4, 2, 2 and 8 bits, all in one memory that moves ``throughput`` bits/s."""
    main = (MAIN % ("All", "Nothing")).replace("throughput: inf", f"throughput: {throughput}")
    main = main.replace("size: inf", f"size: inf\n    {memory_fanout}")
    workload = """
workload:
  rank_sizes: {M: 4, K: 2, N: 2}
  bits_per_value: {All: 8}
  einsums: ["T[m, n] = A[m, k] * W[k, n]"]
"""
    return ff.Spec.from_string(f"arch:\n  nodes:\n{main}{spatial}{MAC}{workload}")
