"""What memories take as an objective: the fast path finds the Pareto set that the exhaustive mapper finds."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import attrs
import pytest

import ffcore as ff
from ffcore.errors import FFError, NoValidMappingError
from ffcore.explore.default import DefaultExplorer
from ffcore.model.mapping import evaluate_joint
from ffcore.model.types import Peak
from ffcore.pmappings.guarantee import guarantee_of
from ffcore.pmappings.single import SingleJoiner
from ffcore.spec.problem import Metric, Problem
from ffcore_exhaustive.mapper import exhaustive_map
from ffcore_ffm_joiner.join import FFMJoiner
from tests.oracle.compare import Point, batches, dominated, joined, objectives, same, seeded, unmatched
from tests.oracle.test_extents import halo_problem
from tests.oracle.test_same_answers import LONG

BESIDE = (
    Metric(0),
    Metric.ENERGY,
    Metric.LATENCY,
    Metric.ENERGY | Metric.LATENCY,
    Metric.ENERGY_DELAY_PRODUCT,
)
LONG_HERE = {93, 102, 156, 158}


def with_usage(problem: Problem, beside: Metric) -> Problem:
    options = attrs.evolve(problem.options, metrics=beside | Metric.RESOURCE_USAGE)
    return attrs.evolve(problem, options=options)


def point(problem: Problem, energy: float, latency: float, peaks: Mapping[str, Peak]) -> Point:
    """The metrics asked for, and the share of each memory at its fullest."""
    memories = sorted({name for e in problem.einsums for path in e.paths for name in path.names})
    costs = objectives(problem, energy, latency)
    return *costs, *(peaks[name].share if name in peaks else 0.0 for name in memories)


def ours(problem: Problem) -> list[Point]:
    found = joined(problem)
    return sorted(point(problem, m.energy, m.latency, evaluate_joint(problem, m.nests).peaks) for m in found)


def expected(problem: Problem) -> list[Point]:
    try:
        found = exhaustive_map(problem, dominance=True)
    except NoValidMappingError:
        return []
    return sorted(point(problem, s.energy, s.latency, s.peaks) for s in found)


def disagreement(seed: int) -> str | None:
    problem = seeded(seed)
    if problem is None:
        return None
    problem = with_usage(problem, random.Random(seed).choice(BESIDE))
    mine, theirs = ours(problem), expected(problem)
    if dominated(mine):
        return f"{seed}: no Pareto set, {dominated(mine)} are dominated"
    if same(mine, theirs):
        return None
    return f"{seed}: only fast {unmatched(mine, theirs)}, only reference {unmatched(theirs, mine)}"


@pytest.mark.parametrize("seeds", batches(range(320), 40, LONG | LONG_HERE))
def test_same_pareto_set_as_the_exhaustive_mapper(seeds: Sequence[int]) -> None:
    assert [d for d in map(disagreement, seeds) if d is not None] == []


@pytest.mark.parametrize("batch", [pytest.param(b, marks=[pytest.mark.slow] if b else []) for b in range(11)])
def test_shared_tensors_that_einsums_see_different_extents_of(batch: int) -> None:
    """What they take is not counted exactly: the set is that of the exhaustive mapper, or nothing is promised."""
    promised = 0
    for seed in range(8 * batch, 8 * batch + 8):
        problem = with_usage(halo_problem(seed), Metric.ENERGY)
        try:
            found = joined(problem)
        except FFError as error:
            assert "it is not known whether a mapping exists" in str(error)  # noqa: PT017 - another error fails here
            continue
        mine = [point(problem, m.energy, m.latency, evaluate_joint(problem, m.nests).peaks) for m in found]
        if str(guarantee_of(FFMJoiner(), problem, None, found)) == "optimal":
            promised += 1
            assert same(sorted(mine), expected(problem)), seed
        else:
            assert not unmatched(mine, expected(problem)), seed
    assert promised >= 5


def test_one_einsum_alone_by_the_joiner_of_core() -> None:
    several = 0
    for seed in range(40):
        problem = seeded(seed)
        if problem is None or len(problem.einsums) > 1 or seed in LONG:
            continue
        problem = with_usage(problem, Metric.ENERGY)
        try:
            found = SingleJoiner().join(problem, DefaultExplorer().explore(problem))
        except NoValidMappingError:
            found = []
        mine = [point(problem, m.energy, m.latency, evaluate_joint(problem, m.nests).peaks) for m in found]
        assert same(sorted(mine), expected(problem)), seed
        several += len(mine) > 1
    assert several


def test_a_mapping_that_takes_more_than_was_counted_promises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = with_usage(halo_problem(0), Metric.ENERGY)
    monkeypatch.setattr("ffcore_ffm_joiner.join._as_counted", lambda *_: False)
    found = joined(problem)
    assert found
    assert str(guarantee_of(FFMJoiner(), problem, None, found)).startswith("none (Einsums see different extents")


def test_each_mapping_of_the_result_is_the_best_for_its_size() -> None:
    """The least energy for every size of a buffer, from one search: as a search with that size says."""
    spec = ff.Spec.from_yaml("two_level", "matmuls", jinja_parse_data={"N_EINSUMS": 2, "M": 6, "KN": 4})
    spec.arch.nodes["Buffer"].size = 2**20
    spec.mapper.ffm.metrics = "energy,resource_usage"  # type: ignore[assignment]
    found = ff.map_workload_to_arch(spec, n_jobs=1)
    stairs = sorted((e.peak_bits("Buffer"), e.total_energy) for e in found.evaluations)
    assert len(stairs) > 5
    assert str(found.guarantee) == "optimal"
    spec.mapper.ffm.metrics = "energy"  # type: ignore[assignment]
    for (bits, energy), more in list(zip(stairs, [*stairs[1:], (2**20, 0.0)], strict=True))[::2]:
        for size in (bits, more[0] - 1):
            spec.arch.nodes["Buffer"].size = size
            assert ff.map_workload_to_arch(spec, n_jobs=1).energy() == energy
