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


@cache
def texts(what: str) -> dict[str, str]:
    """The packaged files as they are, by name; ``what``: arches or workloads."""
    return {name: path.read_text() for name, path in sorted(library_files(what).items())}


@cache
def trees(what: str) -> dict[str, Tree]:
    """The packaged files with small parameters, as trees."""
    files = library_files(what)
    return {n: of_node(load_text(text, n, dict(SMALL), [files[n].parent])) for n, text in texts(what).items()}


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
    if einsums is not None and einsums.items and len(einsums.items) > 4:
        start = rng.randrange(len(einsums.items) - 3)
        einsums.items = einsums.items[start : start + rng.randint(1, 4)]
    sizes = entry(tree, "workload", "rank_sizes")
    for size in (sizes.items if sizes is not None else None) or ():
        if size.text.isdecimal():
            size.text = str(min(int(size.text), 4))
