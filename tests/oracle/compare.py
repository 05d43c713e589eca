"""The fast path and the exhaustive mapper on one problem, and whether they agree."""

from __future__ import annotations

import random
import re
from collections.abc import Container, Iterable, Sequence
from concurrent.futures import Executor
from functools import lru_cache
from typing import Any

import attrs
import pytest

from ffcore.errors import NoValidMappingError, SpecError
from ffcore.explore.default import DefaultExplorer
from ffcore.pmappings.set import JoinedMapping
from ffcore.spec.problem import INFINITY, Metric, Problem
from ffcore_exhaustive.mapper import exhaustive_map
from ffcore_ffm_joiner.join import FFMJoiner
from tests.oracle_problems import OracleProblem, random_problem

TOLERANCE = 1e-12  # relative; both sides add the same terms in another order

Point = tuple[float, ...]  # the objectives that were asked for, smaller is better


def batches(seeds: Iterable[int], quick: int, long: Container[int], size: int = 10) -> list[Any]:
    """Seeds in batches, as parameters of a test; marked slow, but for those below ``quick`` that do not take long.

    Of most problems the exhaustive mapper makes short work, on some it takes a hundred times as long: without these
    `make test` looks at more problems, and `make test-all` at all of them.
    """
    kept, rest = list[int](), list[int]()
    for seed in seeds:
        (kept if seed < quick and seed not in long else rest).append(seed)
    found = []
    for group, marks in ((kept, []), (rest, [pytest.mark.slow])):
        parts = [tuple(group[i : i + size]) for i in range(0, len(group), size)]
        found += [pytest.param(part, id=f"{part[0]}-{part[-1]}", marks=marks) for part in parts]
    return found


def joined(problem: Problem, executor: Executor | None = None) -> list[JoinedMapping]:
    """The mappings that the fast path finds; none if there is no valid one."""
    try:
        pmappings = DefaultExplorer().explore(problem, executor=executor)
        return list(FFMJoiner().join(problem, pmappings, executor=executor))
    except NoValidMappingError:
        return []


def fast(problem: Problem, executor: Executor | None = None) -> list[Point]:
    """The fast path's Pareto set, in the problem's metrics, ascending."""
    return sorted(objectives(problem, m.energy, m.latency) for m in joined(problem, executor))


def reference(problem: Problem) -> list[Point]:
    """The exhaustive mapper's Pareto set, in the problem's metrics, ascending."""
    try:
        return sorted(objectives(problem, s.energy, s.latency) for s in exhaustive_map(problem, dominance=True))
    except NoValidMappingError:
        return []


def objectives(problem: Problem, energy: float, latency: float) -> Point:
    metrics = problem.options.metrics
    values = {Metric.ENERGY: energy, Metric.LATENCY: latency, Metric.ENERGY_DELAY_PRODUCT: energy * latency}
    return tuple(value for metric, value in values.items() if metric in metrics)


def same(ours: Sequence[Point], expected: Sequence[Point], tolerance: float = TOLERANCE) -> bool:
    """Are these two Pareto sets the same, but for rounding?

    Rounding may also part two equal objectives, so that a point that another one betters in the rest
    is in one set and not in the other: a point has its equal if one of the others matches or betters it.
    """
    return unmatched(ours, expected, tolerance) == unmatched(expected, ours, tolerance) == []


def unmatched(points: Sequence[Point], among: Sequence[Point], tolerance: float = TOLERANCE) -> list[Point]:
    """The points that none of the others matches or betters."""

    def covers(q: Point, p: Point) -> bool:
        return all(b <= a * (1 + tolerance) for a, b in zip(p, q, strict=True))

    return [p for p in points if not any(covers(q, p) for q in among)]


def dominated(points: Sequence[Point]) -> list[Point]:
    """The points that another one equals or betters everywhere: a Pareto set has none."""
    return [
        p
        for i, p in enumerate(points)
        if any(i != k and all(b <= a for a, b in zip(p, q, strict=True)) for k, q in enumerate(points))
    ]


@lru_cache(maxsize=256)
def seeded(seed: int) -> Problem | None:
    """A random problem under random fusion limits; every fifth asks for one objective only.

    None if it is refused at once because no memory may keep some tensor.
    """
    source = random.Random(f"options {seed}")
    try:
        problem = variant(random_problem(seed), source).problem()
    except SpecError as error:
        if "no memory may keep tensor" not in str(error):
            raise
        return None
    metrics = Metric.ENERGY | Metric.LATENCY
    if seed % 5 == 4:
        metrics = source.choice([Metric.ENERGY, Metric.LATENCY, Metric.ENERGY_DELAY_PRODUCT])
    options = attrs.evolve(
        problem.options,
        metrics=metrics,
        max_fused_loops=source.choice([0, 1, 2, INFINITY]),
        max_fused_loops_per_rank_variable=source.choice([1, INFINITY]),
        explore_imperfect_temporal_loops=False,  # see tests.odd_problems
        explore_imperfect_spatial_loops=False,
    )
    return attrs.evolve(problem, options=options)


def variant(oracle: OracleProblem, source: random.Random) -> OracleProblem:
    """The problem, perhaps with computes so fast that memories bound the time, or with tensors that
    are wider or narrower in one memory than elsewhere."""
    arch = oracle.arch
    if source.random() < 0.5:
        arch = arch.replace("throughput: 1.0e+9", f"throughput: {source.choice(['2.0e+10', '1.0e+11'])}")
    if source.random() < 0.2:
        memory = source.choice(["MainMemory", "GlobalBuffer", "LocalBuffer"])
        width = source.choice(["{weight: 4}", "{output: 32}", "{input: 16, Other: 8}"])
        arch = re.sub(rf"(name: {memory}\n)", rf"\1    bits_per_value: {width}\n", arch)
    return attrs.evolve(oracle, arch=arch)
