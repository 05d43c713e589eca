"""Problems and optima that the tests of the baselines share."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

import ffcore as ff
from ffcore.errors import NoValidMappingError
from ffcore.model.law import Law
from ffcore.spec.problem import Problem
from ffcore_simanneal.joint import score_of
from ffcore_simanneal.mapspace import Mapspace, TemplateExplorer
from tests.oracle.compare import joined, seeded

TWO_MATMULS = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    actions: [{name: read, energy: 10, throughput: 4}, {name: write, energy: 10, throughput: 4}]
    tensors: {keep: ~Intermediates, may_keep: All}
  - !Memory
    name: Buffer
    size: 96
    actions: [{name: read, energy: 1, throughput: 5}, {name: write, energy: 1, throughput: 5}]
    tensors: {keep: ~Main.tensors, may_keep: All}
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
workload:
  rank_sizes: {M: 4, A: 6, B: 4, C: 2}
  bits_per_value: {All: 8}
  einsums: ["T1[m,b] = T0[m,a] * W0[a,b]", "T2[m,c] = T1[m,b] * W1[b,c]"]
"""


def two_matmuls() -> ff.Spec:
    return ff.Spec.from_string(TWO_MATMULS)


@attrs.frozen
class Case:
    """A random small problem whose optimum the exact mapper knows."""

    seed: int
    problem: Problem
    mapspace: Mapspace
    optimum: float


def cases(first: int, count: int, law: Law | None = None) -> Iterator[Case]:
    """The first ``count`` problems from number ``first`` on that have a valid mapping; ``law``: what they cost."""
    found, seed = 0, first
    while found < count:
        problem = seeded(seed)
        if problem is not None and law is not None:
            problem = attrs.evolve(problem, einsums=tuple(attrs.evolve(e, law=law) for e in problem.einsums))
        mappings = [] if problem is None else joined(problem)
        if problem is not None and mappings:
            scores = [score_of(problem.options.metrics, m.energy, m.latency) for m in mappings]
            found += 1
            yield Case(seed, problem, TemplateExplorer().explore(problem), min(scores))
        seed += 1


def mapspaces(first: int, last: int) -> Iterator[tuple[int, Problem, Mapspace]]:
    """Every random small problem that has templates, valid or not."""
    for seed in range(first, last):
        problem = seeded(seed)
        if problem is None:
            continue
        try:
            yield seed, problem, TemplateExplorer().explore(problem)
        except NoValidMappingError:
            continue
