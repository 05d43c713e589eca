"""Each prune of the explorer, on and off: the same Pareto-optimal pmappings, and the kernels by brute force."""

from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffcore.explore import explorer as explorer_module
from ffcore.explore import outline as outline_module
from ffcore.explore import suffix as suffix_module
from ffcore.explore.explorer import explore
from ffcore.explore.kernels import pareto_groups, union_prime
from ffcore.explore.lattice import Lattice
from ffcore.explore.numbers import divisors, prime_factors
from ffcore.explore.spatial import SpatialChoice
from ffcore.spec import Spec
from ffcore.spec.problem import Problem

ARCH = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    actions: [{name: read, energy: 10, throughput: 16}, {name: write, energy: 10, throughput: 16}]
    tensors: {keep: ~Intermediates, may_keep: All}
  - !Memory
    name: Buffer
    size: 256
    actions: [{name: read, energy: 2, throughput: 64}, {name: write, energy: 3, throughput: inf}]
    tensors: {keep: ~Main.tensors, may_keep: All}
  - !Memory
    name: Local
    spatial: [{name: Z, fanout: 2, may_reuse: All}]
    size: 96
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
    tensors: {keep: Outputs}
  - !Container
    name: Array
    spatial: [{name: X, fanout: 4, may_reuse: All, min_usage: MIN}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""
CHAIN = """
workload:
  rank_sizes: {M: 4, A: 6, B: 4, C: 2}
  bits_per_value: {All: 8}
  einsums: ["T1[m,b] = T0[m,a] * W0[a,b]", "T2[m,c] = T1[m,b] * W1[b,c]"]
"""
CONVOLUTION = """
workload:
  rank_sizes: {I: 6, O: 4, C: 2}
  bits_per_value: {All: 8}
  einsums:
  - name: Conv
    tensor_accesses:
    - {name: In, projection: {I: p + r, C: c}}
    - {name: W, projection: {R: r, C: c}}
    - {name: Out, projection: {O: p}, output: True}
    iteration_space_shape: [0 <= r < 3]
"""


def problem(min_usage: float = 0, workload: str = CHAIN) -> Problem:
    return Spec.from_string(ARCH.replace("MIN", str(min_usage)) + workload).problem()


def fronts(found: Problem) -> list[set[tuple[object, ...]]]:
    """Per Einsum, the (compatibility, values) of all rows, rounded against the order of additions."""
    result = []
    for e in explore(found):
        rows = e.rows
        keys = np.concatenate([rows.loops, rows.blocks, rows.depth, rows.memory], axis=1)
        values = [tuple(float(f"{x:.10g}") for x in v) for v in rows.values.tolist()]
        result.append(set(zip(map(tuple, keys.tolist()), values, strict=True)))
    return result


@pytest.mark.parametrize("workload", [CHAIN, CONVOLUTION], ids=["chain", "convolution"])
@pytest.mark.parametrize("min_usage", [0, 1])
def test_merging_spatial_choices_changes_nothing(
    min_usage: float, workload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fronts(problem(min_usage, workload))
    assert all(expected)
    monkeypatch.setattr(outline_module, "_merge", lambda template: -1)
    assert fronts(problem(min_usage, workload)) == expected


@pytest.mark.parametrize("workload", [CHAIN, CONVOLUTION], ids=["chain", "convolution"])
def test_keeping_states_that_no_prefix_can_use_changes_nothing(workload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fronts(problem(0, workload))
    outline = outline_module.Outliner.outline

    def open_outline(self: outline_module.Outliner, template: object) -> outline_module.Outline:
        found = outline(self, template)  # type: ignore[arg-type]
        return attrs.evolve(found, closed=tuple(frozenset() for _ in found.closed))

    monkeypatch.setattr(outline_module.Outliner, "outline", open_outline)
    assert fronts(problem(0, workload)) == expected


def test_sharing_parts_between_templates_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fronts(problem())

    class Forgetful(dict):  # type: ignore[type-arg]
        def get(self, key: object, default: object = None) -> object:
            return default

    make = suffix_module.SuffixSolver.__init__

    def init(self: suffix_module.SuffixSolver, *args: object, **kwargs: object) -> None:
        make(self, *args, **kwargs)  # type: ignore[arg-type]
        self._memo = Forgetful()

    monkeypatch.setattr(suffix_module.SuffixSolver, "__init__", init)
    assert fronts(problem()) == expected


def test_equal_einsums_are_explored_once_and_get_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Spec.from_yaml("simple", "matmuls", N_EINSUMS=5, M=8, KN=8)
    found = spec.problem()
    explored: list[str] = []
    run = explorer_module.explore_einsum

    def counted(einsum: object, *rest: object) -> object:
        explored.append(einsum.name)  # type: ignore[attr-defined]
        return run(einsum, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(explorer_module, "explore_einsum", counted)
    once = fronts(found)
    assert explored == ["Matmul0", "Matmul1", "Matmul4"]  # the first and last have a tensor that is not shared
    numbers = itertools.count()
    monkeypatch.setattr("ffcore.explore.equal.signature", lambda *_: next(numbers))
    assert fronts(found) == once


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=14))
def test_union_keeps_the_front_of_all_divisors(labels: list[tuple[int, ...]]) -> None:
    """States are the divisors of 12; a label may move to every multiple of its state."""
    values = divisors(12)
    rows = sorted(labels)
    data = np.array([r[1:] for r in rows], np.float64).reshape(-1, 3)
    fronts_before = pareto_groups(np.searchsorted([r[0] for r in rows], np.arange(7)), data)
    rows = [r for r, keep in zip(rows, fronts_before, strict=True) if keep]
    data = np.array([r[1:] for r in rows], np.float64).reshape(-1, 3)
    offsets = np.searchsorted([r[0] for r in rows], np.arange(7)).astype(np.int64)
    origin = np.arange(len(rows))
    lattice = Lattice.build(_einsum(12), SpatialChoice((), ()))
    assert lattice.values == (values,)
    for smaller in lattice.smaller(0):
        offsets, data, origin, _ = union_prime(offsets, data, origin, 1, smaller)
    for state, value in enumerate(values):
        reachable = {r[1:] for r in rows if value % values[r[0]] == 0}
        best = {
            a
            for a in reachable
            if not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in reachable)
        }
        got = {tuple(int(x) for x in row) for row in data[offsets[state] : offsets[state + 1]].tolist()}
        assert got == best
        for row in range(offsets[state], offsets[state + 1]):
            assert tuple(int(x) for x in data[row]) == rows[int(origin[row])][1:]


def _einsum(bound: int) -> object:
    spec = Spec.from_string(
        "arch:\n  nodes:\n  - !Memory {name: M, size: inf, actions: [{name: read, energy: 1, throughput: inf}, "
        "{name: write, energy: 1, throughput: inf}]}\n  - !Compute {name: C, actions: "
        "[{name: compute, energy: 1, throughput: 1}]}\n"
        f"workload:\n  rank_sizes: {{M: {bound}}}\n  bits_per_value: {{All: 8}}\n  einsums: ['B[m] = A[m]']\n"
    )
    return spec.problem().einsums[0]


@given(st.integers(1, 5000))
def test_divisors_and_prime_factors(n: int) -> None:
    assert divisors(n) == tuple(d for d in range(1, n + 1) if n % d == 0)
    primes = prime_factors(n)
    assert all(n % p == 0 and all(p % q for q in range(2, int(p**0.5) + 1)) for p in primes)
    for p in primes:
        while n % p == 0:
            n //= p
    assert n == 1
