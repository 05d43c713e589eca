"""The model against a count of every single value that moves, between two memories and a compute.

The count knows nothing of relevance, tiles or formulas: it runs the loops, and keeps sets of indices.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import pytest

import ffcore as ff
from ffcore.mapping.nest import Holder, Nest, Temporal
from ffcore.model.evaluate import evaluate_nest
from ffcore.spec.problem import EinsumProblem

ARCH = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Memory
    name: Buffer
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""

# Bounds of rank variables, and the index of each tensor; the last one is the output.
CASES = {
    "matmul": "m 4, k 6, n 3: A m, k; B k, n; C m, n",
    "convolution": "p 4, r 3, c 2, m 2: I c, p + r; F c, m, r; O m, p",
    "strided": "p 4, r 3, m 2: I 2 p + r; F m, r; O m, p",
    "strided further than the kernel": "p 4, r 2, m 2: I 3 p + r; F m, r; O m, p",
    "pointwise with a stride": "p 6, m 2: I 2 p; F m; O m, p",
    "dilated": "p 6, r 4: I p + 2 r; F r; O p",
    "strided and dilated": "p 4, r 4: I 2 p + 4 r; F r; O p",
    "depthwise": "c 3, p 4, r 2: I c, p + r; F c, r; O c, p",
    "grouped, flattened": "g 2, c 2, k 3, p 2, r 2: I 2 g + c, p + r; F 3 g + k, c, r; O 3 g + k, p",
    "heads with room between": "h 3, f 2, m 4: X m, 3 h + f; W 3 h + f; Y m",
    "scatter": "i 4, r 3: I i; F r; O 2 i + r",
    "scatter with gaps": "i 4, r 2, k 2: I i, k; F r, k; O 3 i + r",
}

Ranks = list[dict[str, int]]  # of each rank, the coefficients of rank variables


def case(name: str) -> tuple[dict[str, int], list[tuple[str, Ranks]]]:
    """(bounds, tensors with their ranks)."""
    head, _, body = CASES[name].partition(":")
    bounds = {v: int(n) for v, n in (item.split() for item in head.split(","))}
    tensors = []
    for item in body.split(";"):
        tensor, _, index = item.strip().partition(" ")
        tensors.append((tensor, [_terms(rank) for rank in index.split(",")]))
    return bounds, tensors


def _terms(rank: str) -> dict[str, int]:
    pairs = [term.split() for term in rank.split("+")]
    return {pair[-1]: int(pair[0]) if len(pair) > 1 else 1 for pair in pairs}


def problem_of(name: str) -> EinsumProblem:
    bounds, tensors = case(name)
    text = ["workload:", f"  iteration_space_shape: {dict(bounds)}", "  bits_per_value: {All: 1}", "  einsums:"]
    text += ["  - name: E", "    tensor_accesses:"]
    for number, (tensor, ranks) in enumerate(tensors):
        index = {f"{tensor}{i}": " + ".join(f"{c} * {v}" for v, c in r.items()) for i, r in enumerate(ranks)}
        text.append(f"    - {{name: {tensor}, projection: {index}, output: {number == len(tensors) - 1}}}")
    return ff.Spec.from_string(ARCH + "\n".join(text) + "\n").problem().einsums[0]


def random_nest(name: str, source: random.Random) -> tuple[list[tuple[str, int]], dict[str, int]]:
    """(variable, tile) of each loop, outermost first; per tensor the number of loops above its holder in Buffer."""
    bounds, tensors = case(name)
    loops: list[tuple[str, int]] = []
    left = dict(bounds)
    while any(n > 1 for n in left.values()):
        variable = source.choice([v for v, n in left.items() if n > 1])
        tiles = [t for t in range(1, left[variable]) if left[variable] % t == 0]
        left[variable] = source.choice(tiles)
        loops.append((variable, left[variable]))
    return loops, {tensor: source.randrange(len(loops) + 1) for tensor, _ in tensors}


def runs(
    bounds: Mapping[str, int], loops: Sequence[tuple[str, int]]
) -> Iterator[tuple[tuple[int, ...], dict[str, int]]]:
    """All iterations in order: the number of each loop's iteration, and the value of each rank variable."""
    sizes, steps = dict(bounds), []
    for variable, tile in loops:
        steps.append(range(sizes[variable] // tile))
        sizes[variable] = tile
    for numbers in product(*steps):
        point = dict.fromkeys(bounds, 0)
        for (variable, tile), n in zip(loops, numbers, strict=True):
            point[variable] += n * tile
        yield numbers, point


def counted(name: str, loops: Sequence[tuple[str, int]], depths: Mapping[str, int]) -> Counter[tuple[str, str, str]]:
    """Values that each memory reads and writes of each tensor."""
    bounds, tensors = case(name)
    count: Counter[tuple[str, str, str]] = Counter()
    for number, (tensor, ranks) in enumerate(tensors):
        output = number == len(tensors) - 1
        tiles: dict[
            tuple[int, ...], list[tuple[int, ...]]
        ] = {}  # per stay in Buffer, the values used one after another
        for numbers, point in runs(bounds, loops):
            value = tuple(sum(c * point[v] for v, c in rank.items()) for rank in ranks)
            tiles.setdefault(numbers[: depths[tensor]], []).append(value)
        written: set[tuple[int, ...]] = set()
        for used in tiles.values():
            known = len(set(used) & written) if output else len(set(used))
            count["DRAM", tensor, "read"] += known
            count["Buffer", tensor, "write"] += known
            for value in used:
                count["Buffer", tensor, "read"] += not output or value in written
                if output:
                    count["Buffer", tensor, "write"] += 1
                    written.add(value)
            if output:
                count["Buffer", tensor, "read"] += len(set(used))
                count["DRAM", tensor, "write"] += len(set(used))
    return +count


@pytest.mark.parametrize("name", CASES)
def test_every_value_that_moves_is_counted(name: str) -> None:
    einsum, source = problem_of(name), random.Random(name)
    for _ in range(40):
        loops, depths = random_nest(name, source)
        nodes: list[Holder | Temporal] = [Holder(t.name, "DRAM") for t in einsum.tensors]
        for place in range(len(loops) + 1):
            nodes += [Holder(t, "Buffer") for t, depth in depths.items() if depth == place]
            nodes += [Temporal(*loop) for loop in loops[place : place + 1]]
        actions = evaluate_nest(einsum, Nest("E", "MAC", tuple(nodes))).actions
        found = {(k.component, k.tensor, k.action): n.total for k, n in actions.items() if k.tensor and n.total}
        assert found == counted(name, loops, depths), (loops, depths)
