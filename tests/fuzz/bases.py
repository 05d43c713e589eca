"""What mutants are made of: the packaged specs, and results of a small problem."""

from __future__ import annotations

import random
from functools import cache

from ffcore.spec.library import library_files
from ffcore.spec.source import load_text
from tests.fuzz.trees import Tree, of_node

SMALL = {"N_EINSUMS": 2, "M": 4, "KN": 4, "BATCH_SIZE": 1, "N_TOKENS": 4, "N_LAYERS": 1}

ARCH = """
arch:
  nodes:
  - !Memory
    name: MainMemory
    size: inf
    tensors: {keep: ~Intermediates, may_keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Memory
    name: Buffer
    size: 200
    tensors: {keep: ~MainMemory.tensors, may_keep: All}
    actions: [{name: read, energy: 0.1, throughput: inf}, {name: write, energy: 0.1, throughput: inf}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""

WORKLOAD = """
workload:
  rank_sizes: {M: 4, N0: 2, N1: 2, N2: 2}
  bits_per_value: {All: 8}
  einsums:
  - "T1[m, n1] = T0[m, n0] * W0[n0, n1]"
  - "T2[m, n2] = T1[m, n1] * W1[n1, n2]"
"""
"""Two levels and two small products: a search takes some milliseconds."""

_MEMORIES = """
arch:
  nodes:
  - !Memory
    name: MainMemory
    size: inf
    leak_power: 0.5
    tensors: {keep: ~Intermediates, may_keep: All}
    actions: [{name: read, energy: 1, throughput: 4, bits_per_action: 8}, {name: write, energy: 1, latency: 0.5}]
  - !Memory
    name: Buffer
    size: 200
    tensors:
      keep: ~MainMemory.tensors
      may_keep: input
      tile_shape: [{expression: m, operator: "<=", value: 4}]
      tensor_order_options: [[input, weight | output], [weight, input | output]]
    actions: [{name: read, energy: 0.1, throughput: inf}, {name: write, energy: 0.1, throughput: inf}]
"""
NETWORKED = (
    _MEMORIES
    + """
  - !Network
    name: NoC
    topology: mesh
    total_latency: max(max_hops * 2, max_link_traffic / 3)
    actions: [{name: hop, energy: 0.2, latency: 1, throughput: 8, values_per_action: {output: 2, Other: 1}}]
  - !Container
    name: Array
    spatial:
    - {name: X, fanout: 4, may_reuse: input, min_usage: 0.5, power_gateable: true}
  - !Network {name: Switch, topology: all_to_all, bits_per_value: 4, actions: [{name: hop, energy: 0.1}]}
  - !Compute
    name: MAC
    spatial: [{name: Z, fanout: 2, loop_bounds: [{expression: ~m, operator: "product<=", value: 1}]}]
    actions: [{name: compute, energy: 1, throughput: 1}]
"""
)
TWICE = """
workload:
  rank_sizes: {M: 2, N: 2, K: 2, L: 2}
  bits_per_value: {All: 8}
  einsums:
  - {einsum: "G[m, n] = X[m, k] * X[n, k]", renames: {input: X, weight: Nothing, output: G}}
  - {einsum: "Z[m, l] = G[m, n] * V[n, l]", renames: {input: G, weight: V, output: Z}}
"""
ODD = """
workload:
  rank_sizes: {M: 5, N: 3, K: 2}
  bits_per_value: {All: 8}
  einsums:
  - {einsum: "Z[m, n] = A[m, k] * B[k, n]", renames: {input: A, weight: B, output: Z}}
mapper: {explore_imperfect_temporal_loops: auto, explore_imperfect_spatial_loops: [m]}
"""
WINDOW = """
workload:
  rank_sizes: {C: 1, M: 2}
  iteration_space_shape: {p: 0 <= p < 4, r: 0 <= r < 2}
  bits_per_value: {All: 8}
  persistent_tensors: weight
  einsums:
  - name: Conv
    renames: {input: I, weight: F, output: O}
    tensor_accesses:
    - {name: I, projection: {W: 2 * p + r, C: c}}
    - {name: F, projection: [r, c, m]}
    - {name: O, projection: [p, m], output: true}
  - {name: Copy, is_copy_operation: true, n_instances: 2, renames: {input: O, weight: Nothing, output: Q},
     tensor_accesses: [{name: O, projection: [p, m]}, {name: Q, projection: [p, m], output: true}]}
"""
PAIRS = ((ARCH, WORKLOAD), (ARCH, TWICE), *((NETWORKED, workload) for workload in (TWICE, ODD, WINDOW)))
"""Small problems: architecture and workload."""


@cache
def texts(what: str) -> dict[str, str]:
    """The packaged files as they are, by name; ``what``: arches or workloads."""
    return {name: path.read_text() for name, path in sorted(library_files(what).items())}


@cache
def trees(what: str) -> dict[str, Tree]:
    """The packaged files with small parameters, as trees."""
    files = library_files(what)
    return {n: of_node(load_text(text, n, dict(SMALL), [files[n].parent])) for n, text in texts(what).items()}


@cache
def pairs() -> tuple[tuple[Tree, Tree], ...]:
    """The small problems as trees."""
    return tuple((of_node(load_text(arch)), of_node(load_text(workload))) for arch, workload in PAIRS)


def entry(tree: Tree, *path: str) -> Tree | None:
    """What stands under some keys."""
    for key in path:
        if tree.keys is None or tree.items is None or key not in tree.keys:
            return None
        tree = tree.items[tree.keys.index(key)]
    return tree


def cut(tree: Tree, rng: random.Random) -> None:
    """A few Einsums of a workload that follow one another, with small ranks."""
    einsums = entry(tree, "workload", "einsums")
    if einsums is not None and einsums.items and len(einsums.items) > 2:
        start = rng.randrange(len(einsums.items) - 1)
        einsums.items = einsums.items[start : start + rng.choice([1, 1, 2])]
    sizes = entry(tree, "workload", "rank_sizes")
    for size in (sizes.items if sizes is not None else None) or ():
        if size.text.isdecimal():
            size.text = str(min(int(size.text), 4))
