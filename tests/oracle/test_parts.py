"""Persistent tensors that Einsums share, in a memory with a fanout of its own: each instance holds a part."""

from __future__ import annotations

import random

import pytest

import ffcore as ff
from ffcore.errors import FFError
from ffcore.spec.problem import Problem
from tests.examples import first_few
from tests.oracle.compare import fast, reference, same

SPEC = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    tensors: {{keep: ~Intermediates, may_keep: All}}
    actions: [{{name: read, energy: 10, throughput: inf}}, {{name: write, energy: 10, throughput: inf}}]
  - !Memory
    name: Buffer
    size: {size}
    tensors: {{keep: {keep}, may_keep: All}}
    spatial: [{{name: U, fanout: {fanout}, may_reuse: {reuse}{bounds}}}]
    actions: [{{name: read, energy: 1, throughput: inf}}, {{name: write, energy: 1, throughput: inf}}]
  - !Compute
    name: MAC
    actions: [{{name: compute, energy: 1, throughput: 1}}]
workload:
  rank_sizes: {{A: {a}, B: {b}, C: {c}, D: {b}}}
  bits_per_value: {{All: 1}}
  persistent_tensors: X
  einsums: {einsums}
"""
CHAINS = (
    ["X[A: a, B: c] = T[A: a, B: c]", "Y[A: a, B: b] = X[A: a, B: b]"],
    ["Y[C: c, B: b] = T[C: c, A: a] * X[A: a, B: b]", "Z[C: c, D: b] = Y[C: c, B: a] * X[A: a, B: b]"],
    ["Y[A: a] = X[A: a, B: b]", "Z[B: b] = X[A: a, B: b] * Y[A: a]"],
)


def parts_problem(seed: int) -> Problem:
    rng = random.Random(seed)
    chain = rng.randrange(len(CHAINS))
    a, c = rng.choice([2, 3, 4]), rng.choice([2, 4])
    text = SPEC.format(
        a=a,
        b=a if chain == 1 else rng.choice([2, 4]),
        c=c,
        size=rng.choice([4, 8, 12, 20, 100]),
        keep=rng.choice(["~Main", "X"]),
        fanout=rng.choice([2, 4]),
        reuse=rng.choice(["Nothing", "All"]),
        bounds="",
        einsums=CHAINS[chain],
    )
    return ff.Spec.from_string(text).problem()


def agree(seed: int) -> bool:
    problem = parts_problem(seed)
    return same(fast(problem), reference(problem))


@pytest.mark.parametrize("seed", first_few(range(12), 6))
def test_parts_take_what_one_instance_holds(seed: int) -> None:
    """Seven of these were mapped to twice the energy while an instance was thought to hold all of X."""
    assert agree(WORTH[seed])


WORTH = (29, 32, 35, 40, 42, 44, 50, 55, 58, 69, 74, 80)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_parts_in_many_problems(seed: int) -> None:
    assert agree(seed)


@pytest.mark.parametrize("size", [10, 14])
def test_users_that_cut_a_tensor_into_more_parts_or_fewer(size: int) -> None:
    """Only the first Einsum may run across the fanout; the others hold all of X, and so does it where they share."""
    einsums = [
        "Y[A: a] = X[A: a, B: b] * T[A: a, B: b]",
        "Z[B: b] = X[A: a, B: b] * Y[A: a]",
        "W[A: a] = X[A: a, B: b] * Z[B: b]",
    ]
    text = SPEC.format(
        a=3, b=3, c=1, size=size, keep="Nothing", fanout=2, reuse="All, reuse: T", bounds="", einsums=einsums
    )
    problem = ff.Spec.from_string(text.replace("keep: ~Intermediates", "keep: ~(Intermediates | X)")).problem()
    assert same(fast(problem), reference(problem))


def test_parts_that_cannot_match_are_no_mapping() -> None:
    """One Einsum must cut X by rows alone, the other by rows and columns."""
    bounds = ", loop_bounds: [{expression: b, operator: ==, value: 2}, {expression: c, operator: ==, value: 1}]"
    text = SPEC.format(
        a=2, b=2, c=2, size=8000, keep="~Main", fanout=4, reuse="Nothing", bounds=bounds, einsums=CHAINS[0]
    )
    problem = ff.Spec.from_string(text.replace("~Intermediates, may_keep: All", "~Intermediates")).problem()
    assert reference(problem) == []
    with pytest.raises(FFError, match=r"it is not known whether a mapping exists: .*instances hold parts"):
        fast(problem)
