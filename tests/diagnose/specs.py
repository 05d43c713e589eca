"""Small specs that have no mapping, each for one reason; the parameters are the fields that give it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ffcore.spec import Spec
from ffcore.spec.problem import Problem

ACTIONS = """
    actions:
    - {name: read, energy: 1, throughput: inf}
    - {name: write, energy: 1, throughput: inf}"""

ANY = "keep: ~Intermediates, may_keep: All"
REST = "keep: ~MainMemory.tensors, may_keep: All"


def memory(name: str, size: str | float, tensors: str) -> str:
    return f"  - !Memory\n    name: {name}\n    size: {size}\n    tensors: {{{tensors}}}{ACTIONS}\n"


def array(fields: str, fanout: int = 4) -> str:
    """A container with one spatial dimension X."""
    return f"  - !Container\n    name: Array\n    spatial:\n    - {{name: X, fanout: {fanout}, {fields}}}\n"


def arch(*nodes: str) -> str:
    compute = "  - !Compute\n    name: MAC\n    actions:\n    - {name: compute, energy: 1, throughput: 1}\n"
    return "arch:\n  nodes:\n" + "".join(nodes) + compute


def buffered(size: str | float, *inner: str, main: str = ANY, buffer: str = REST) -> str:
    """MainMemory and a GlobalBuffer of ``size`` bits above what else there is."""
    return arch(memory("MainMemory", "inf", main), memory("GlobalBuffer", size, buffer), *inner)


def matmuls(n: int, m: int = 4, width: int = 2, extra: str = "") -> str:
    """A chain of ``n`` matmuls of m x width x width, 8 bits a value: T0 x W0 = T1, T1 x W1 = T2, ..."""
    sizes = ", ".join(f"N{i}: {width}" for i in range(n + 1))
    einsums = "".join(
        f"  - name: Matmul{i}\n    tensor_accesses:\n    - {{name: T{i}, projection: [m, n{i}]}}\n"
        f"    - {{name: W{i}, projection: [n{i}, n{i + 1}]}}\n"
        f"    - {{name: T{i + 1}, projection: [m, n{i + 1}], output: True}}\n"
        f"    renames: {{weight: W{i}, input: T{i}, output: T{i + 1}}}\n"
        for i in range(n)
    )
    head = f"workload:\n  rank_sizes: {{M: {m}, {sizes}}}\n  bits_per_value: {{All: 8}}\n{extra}"
    return f"{head}  einsums:\n{einsums}"


BRANCHES = """
workload:
  rank_sizes: {M: 4, N: 2}
  bits_per_value: {All: 8}
  einsums:
  - {name: MakeA, tensor_accesses: [{name: X, projection: [m, n]}, {name: A, projection: [m, n], output: True}]}
  - {name: MakeB, tensor_accesses: [{name: Y, projection: [m, n]}, {name: B, projection: [m, n], output: True}]}
  - {name: MakeC, tensor_accesses: [{name: B, projection: [m, n]}, {name: C, projection: [m, n], output: True}]}
  - name: Add
    tensor_accesses:
    - {name: A, projection: [m, n]}
    - {name: C, projection: [m, n]}
    - {name: D, projection: [m, n], output: True}
"""
"""A has to wait while B becomes C: 64 bits each, whole if nothing is fused."""


def spec(arch_text: str, workload: str, mapper: str = "") -> Spec:
    fields = f"metrics: [energy, latency]{', ' + mapper if mapper else ''}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(f"{arch_text}\n{workload}\nmapper: {{{fields}}}\n")
        return Spec.from_yaml(file)


def problem(arch_text: str, workload: str, mapper: str = "") -> Problem:
    return spec(arch_text, workload, mapper).problem()
