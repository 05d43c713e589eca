"""Trips of spatial loops that are chosen before anything is solved: all of them, each of its own loop."""

from __future__ import annotations

import math
from itertools import product

import ffcore as ff
from ffcore.explore.search.paths import _Chooser
from ffcore.explore.search.spatial import SpatialMenu
from ffcore.numbers import divisors
from ffcore.templates import einsum_choices, einsum_templates

TEXT = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: 1}, {name: write, energy: 1, throughput: 1}]
  - !Container
    name: Array
    spatial: [{name: X, fanout: 12}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
workload:
  rank_sizes: {M: 12, K: 2, N: 8}
  bits_per_value: {All: 8}
  einsums: ['C[m, n] = A[m, k] * W[k, n]']
"""


def test_a_variable_of_many_divisors_may_come_first() -> None:
    problem = ff.Spec.from_string(TEXT).problem()
    einsum, options = problem.einsums[0], problem.options
    template = einsum_templates(einsum, options, einsum_choices(einsum))[0]
    chooser = _Chooser(options, SpatialMenu(options), lambda made: None)
    found = [
        {loop.variable: n for loop, n in zip(loops, trips, strict=True)}
        for loops, trips in chooser._trips(template, 1, 0)
    ]
    every = [dict(zip("mkn", n, strict=True)) for n in product(divisors(12), divisors(2), divisors(8))]
    expected = [trips for trips in every if math.prod(trips.values()) <= 12]
    assert sorted(map(sorted_items, found)) == sorted(map(sorted_items, expected))


def sorted_items(trips: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(trips.items())
