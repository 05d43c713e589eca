"""Small specs whose numbers are known by hand."""

from __future__ import annotations

from pathlib import Path

import ffcore as ff

MAIN = """
  - !Memory
    name: Main
    size: inf
    leak_power: 0
    area: 0
    tensors: {keep: %s, may_keep: %s}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
"""
BUFFER = """
  - !Memory
    name: Buffer
    size: %s
    leak_power: 0
    area: 0
    tensors: {keep: %s, may_keep: %s}
    actions: [{name: read, energy: %s, throughput: %s}, {name: write, energy: %s, throughput: %s}]
"""
MAC = """
  - !Compute
    name: MAC
    leak_power: 0
    area: 0
    actions: [{name: compute, energy: 1, throughput: 1}]
"""


def one_matmul(size: object) -> ff.Spec:
    """T[m, n] = A[m, k] W[k, n] with 4, 2, 2; all in Main, A and W in a Buffer of ``size`` bits too."""
    nodes = MAIN % ("All", "Nothing") + BUFFER % (size, "A | W", "Nothing", 0, "inf", 0, "inf") + MAC
    workload = """
workload:
  rank_sizes: {M: 4, K: 2, N: 2}
  bits_per_value: {All: 8}
  einsums: ["T[m, n] = A[m, k] * W[k, n]"]
"""
    return ff.Spec.from_string(f"arch:\n  nodes:\n{nodes}{workload}")


def chain(size: object = 8 * 24, n_einsums: int = 3, m: int = 8, kn: int = 4, bandwidth: object = "inf") -> ff.Spec:
    """Matmuls in a chain; Main holds what is no intermediate, and all may be in a Buffer of ``size`` bits.

    With a ``bandwidth`` (bits/s) the Buffer saves energy and costs time.
    """
    nodes = (
        MAIN % ("~Intermediates", "All") + BUFFER % (size, "~Main.tensors", "All", 0.1, bandwidth, 0.1, bandwidth) + MAC
    )
    spec = ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=n_einsums, M=m, KN=kn)
    spec.arch = ff.Spec.from_string(f"arch:\n  nodes:\n{nodes}").arch
    return spec


def with_mapping(folder: Path, yaml: str, *files: str, **jinja: object) -> ff.Spec:
    """A spec of files and of a mapping given as text."""
    path = folder / "mapping.yaml"
    path.write_text(yaml)
    return ff.Spec.from_yaml(*files, path, jinja_parse_data=jinja)
