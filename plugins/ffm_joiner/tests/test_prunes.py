"""Each prune of the joiner, on and off, over random small problems: the same Pareto set.

And what ``objective_tolerance`` allows the joiner to leave out. Numbers in a failure reproduce the problem:
``tests.oracle.compare.seeded(number)``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import attrs
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ffcore.explore.default import DefaultExplorer
from ffcore.pmappings.set import PmappingSet
from ffcore.spec.problem import Metric
from ffcore_ffm_joiner import fold as fold_module
from ffcore_ffm_joiner import kernels as kernels_module
from ffcore_ffm_joiner import prefilter as narrow_module
from ffcore_ffm_joiner import rounds as rounds_module
from ffcore_ffm_joiner.compatibility import Source, Table
from ffcore_ffm_joiner.fold import Fold, State
from ffcore_ffm_joiner.graph import Bounds, Step
from ffcore_ffm_joiner.join import FFMJoiner
from ffcore_ffm_joiner.kernels import Floats, Ints, Limits, Mask, least_product
from ffcore_ffm_joiner.rounds import join_all
from ffcore_ffm_joiner.target import Target
from tests.examples import examples
from tests.oracle.compare import objectives, same, seeded, unmatched
from tests.twice_problems import twice_problem

SEEDS = st.integers(0, 399)
PROPERTY = settings(max_examples=examples(5, 40), phases=[Phase.generate])  # a smaller number is no smaller problem
SAMPLE = range(60)  # problems that the total of work is taken over
Patch = pytest.MonkeyPatch


@cache
def explored(seed: int) -> PmappingSet | None:
    """The pmappings of a random problem; None where it has none."""
    problem = seeded(seed)
    found = None if problem is None else DefaultExplorer().explore(problem)
    return None if found is None or found.without else found


def points(found: PmappingSet) -> list[tuple[float, ...]]:
    """What is returned, in the metrics asked for."""
    mappings = FFMJoiner().join(found.problem, found)
    return [objectives(found.problem, m.energy, m.latency) for m in mappings]


@cache
def expected(seed: int) -> list[tuple[float, ...]]:
    found = explored(seed)
    assert found is not None
    return points(found)


# ---- switches: each turns one prune off


def _every_row(rows: object) -> list[Ints]:
    return list(rows)  # type: ignore[call-overload]


def _memory_bounds(patch: Patch) -> None:
    patch.setattr(rounds_module, "within_bounds", lambda sources, cheap, rows, target, once: _every_row(rows))


def _partners(patch: Patch, module: object) -> None:
    patch.setattr(module, "with_partners", lambda tensors, ids, numbers: [np.ones(len(own), np.bool_) for own in ids])


def _few_loops_first(patch: Patch) -> None:
    patch.setattr(rounds_module, "_FIRST", ())


def _near_ones_first(patch: Patch) -> None:
    nothing = State(np.zeros(2, np.int64), np.zeros((0, 2)), ())
    patch.setattr(Fold, "near", lambda self, column, target, told=None: nothing)


def _weighted_sums(patch: Patch) -> None:
    patch.setattr(rounds_module._Join, "_near_product", lambda self, fold: None)


def _edge_bounds(patch: Patch) -> None:
    def every(self: Fold, i: int, target: Target, most: Floats) -> Mask:
        return np.ones(len(self._steps[i].edges.left), np.bool_)

    patch.setattr(Fold, "_promising", every)


def _row_bounds(patch: Patch) -> None:
    def unlimited(rest: Floats, best: Floats, most: Floats) -> Limits:
        return Limits(rest, np.zeros((0, 2)), np.full(3, np.inf))

    patch.setattr(fold_module, "Limits", unlimited)


def _all_bounds(patch: Patch) -> None:
    """Known mappings rule nothing out, anywhere."""
    patch.setattr(Target, "best", property(lambda self: np.zeros((0, 2))))
    patch.setattr(Target, "most", property(lambda self: np.inf))


def _look_ahead(patch: Patch) -> None:
    """Nothing is known of what is still to come: dead ends are found when nothing matches."""

    def nothing(steps: list[Step], costs: list[Floats]) -> Bounds:
        zeros = [np.zeros((len(s.edges.nodes), c.shape[1])) for s, c in zip(steps, costs, strict=True)]
        return Bounds(list(costs), zeros, zeros)

    patch.setattr(fold_module, "bounds", nothing)


def _what_rests(patch: Patch) -> None:
    """Bounds count rows that do not fit beside what rests in memories."""
    patch.setattr(
        fold_module, "resting_shares", lambda nodes, columns, tables, memories: np.zeros((len(nodes), memories))
    )


def _domination(patch: Patch, module: object) -> None:
    patch.setattr(module, "pareto", lambda values, group, old=0: np.ones(len(values), np.bool_))


@attrs.frozen
class Switch:
    off: Callable[[Patch], None]
    saves: bool = True  # rows or combinations, over the sample
    sample: range = SAMPLE


SWITCHES = {
    "bounds where memories agree": Switch(_memory_bounds),
    "partners with the same loops": Switch(lambda patch: _partners(patch, narrow_module)),
    "partners with the same order": Switch(lambda patch: _partners(patch, fold_module)),
    "few fused loops first": Switch(_few_loops_first, saves=False),
    "mappings near the least bounds first": Switch(_near_ones_first, saves=False),
    "weighted sums": Switch(_weighted_sums, saves=False),
    "bounds of edges": Switch(_edge_bounds, saves=False),  # the bounds of rows imply them
    "bounds of rows": Switch(_row_bounds),
    "all bounds": Switch(_all_bounds),
    "look-ahead": Switch(_look_ahead),
    "rows that fit beside what rests": Switch(_what_rests, saves=False),  # in long chains, see test_join.py
    "domination within a node": Switch(lambda patch: _domination(patch, kernels_module)),
    "domination within a compatibility": Switch(
        lambda patch: _domination(patch, narrow_module), sample=range(180, 210)
    ),
}


def work(found: PmappingSet) -> int:
    """Rows after their loops are ordered, rows that are folded, and combinations looked at."""
    rows = 0
    make = Fold.of

    def counted(einsums: list[Source], tables: list[Table], *rest: object) -> Fold:
        nonlocal rows
        fold = make(einsums, tables, *rest)  # type: ignore[arg-type]
        rows += sum(len(t.values) for t in (*tables, *fold.tables))
        return fold

    with Patch.context() as patch:
        patch.setattr(Fold, "of", counted)
        return join_all(found)[1] + rows


@pytest.mark.parametrize("name", SWITCHES)
@PROPERTY
@given(seed=SEEDS)
def test_the_pareto_set_is_the_same_without(name: str, seed: int) -> None:
    found = explored(seed)
    if found is None:
        return
    with Patch.context() as patch:
        SWITCHES[name].off(patch)
        without = points(found)
    assert same(without, expected(seed))


@pytest.mark.parametrize("batch", [b if b < 1 else pytest.param(b, marks=pytest.mark.slow) for b in range(30)])
def test_tensors_read_in_several_ways_are_joined_the_same_without_each(batch: int) -> None:
    joined = 0
    for seed in range(8 * batch, 8 * batch + 8):
        problem = twice_problem(seed)
        if problem is None or len(problem.einsums) == 1:
            continue
        found = DefaultExplorer().explore(problem)
        if found.without:
            continue
        with_all = points(found)
        for name, switch in SWITCHES.items():
            with Patch.context() as patch:
                switch.off(patch)
                assert same(points(found), with_all), (seed, name)
        joined += len(with_all)
    assert joined or batch


@PROPERTY
@given(seed=SEEDS)
def test_the_pareto_set_is_the_same_without_any(seed: int) -> None:
    found = explored(seed)
    if found is None or sum(len(e.rows) for e in found.einsums) > 800:
        return  # everything with everything: for small ones only
    with Patch.context() as patch:
        for switch in SWITCHES.values():
            switch.off(patch)
        without = points(found)
    assert same(without, expected(seed))


def work_on(sample: range) -> int:
    return sum(map(work, filter(None, map(explored, sample))))


usual_work = cache(work_on)


@pytest.mark.parametrize("name", [name for name, switch in SWITCHES.items() if switch.saves])
def test_each_prune_saves_work(name: str) -> None:
    sample = SWITCHES[name].sample
    with_prune = usual_work(sample)
    with Patch.context() as patch:
        SWITCHES[name].off(patch)
        assert with_prune < work_on(sample)


def test_edges_are_left_out_before_their_rows_are_looked_at() -> None:
    kept = edges = 0
    promising = Fold._promising

    def counted(self: Fold, i: int, target: Target, most: Floats) -> Mask:
        nonlocal kept, edges
        mask = promising(self, i, target, most)
        kept, edges = kept + int(mask.sum()), edges + len(mask)
        return mask

    with Patch.context() as patch:
        patch.setattr(Fold, "_promising", counted)
        for found in filter(None, map(explored, SAMPLE)):
            join_all(found)
    assert 0 < kept < edges * 0.6


# ---- tolerance


def with_tolerance(found: PmappingSet, tolerance: float, metrics: Metric) -> PmappingSet:
    options = attrs.evolve(found.problem.options, objective_tolerance=tolerance, metrics=metrics)
    return attrs.evolve(found, problem=attrs.evolve(found.problem, options=options))


METRICS = [
    Metric.ENERGY | Metric.LATENCY,
    Metric.ENERGY_DELAY_PRODUCT,
    Metric.ENERGY | Metric.ENERGY_DELAY_PRODUCT,
    Metric.LATENCY | Metric.ENERGY_DELAY_PRODUCT,
]


@pytest.mark.parametrize("metrics", METRICS, ids=str)
@PROPERTY
@given(seed=SEEDS, tolerance=st.sampled_from([0.0, 1e-3, 0.02, 0.1, 0.5, 3.0]))
def test_the_guarantee_holds(metrics: Metric, seed: int, tolerance: float) -> None:
    found = explored(seed)
    if found is None or found.problem.options.metrics in (Metric.ENERGY, Metric.LATENCY):
        return  # explored for one objective only
    asked = with_tolerance(found, tolerance, metrics)
    guarantee = FFMJoiner().guarantee(asked.problem.options)
    assert guarantee == 1 + tolerance
    exact, returned = points(with_tolerance(found, 0.0, metrics)), points(asked)
    assert unmatched(exact, returned, guarantee * (1 + 1e-12) - 1) == []
    assert unmatched(returned, exact) == []  # nothing returned is better than what is exact
    if tolerance == 0:
        assert same(exact, returned)


def test_a_tolerance_saves_work_and_leaves_points_out() -> None:
    sample = [found for found in map(explored, SAMPLE) if found is not None]
    loose = [with_tolerance(found, 0.2, METRICS[0]) for found in sample]
    exact = [with_tolerance(found, 0.0, METRICS[0]) for found in sample]
    assert sum(map(work, loose)) < sum(map(work, exact))
    assert sum(len(points(found)) for found in loose) < sum(len(points(found)) for found in exact)


def test_targets() -> None:
    """Bounds (2, 2) against a known (1, 4): open; against (2, 2): not; the product 4 is what counts alone."""
    target = Target().with_known(np.array([[1.0, 4.0], [3.0, 3.0], [1.0, 5.0], [3.0, 3.0]]))
    assert target.known.tolist() == [[1.0, 4.0], [3.0, 3.0]]
    bounds = np.array([[2.0, 2.0], [3.0, 3.0], [0.9, 9.0], [1.0, 4.0], [np.inf, 0.0]])
    assert target.open(*bounds.T).tolist() == [True, False, True, False, False]
    near = attrs.evolve(target, slack=1.6)  # 3 / 1.6 < 2
    assert near.open(*bounds.T).tolist() == [False, False, False, False, False]
    product = attrs.evolve(target, product=True)  # the least is 4
    assert product.open(*bounds.T).tolist() == [False, False, False, False, False]
    assert product.open(np.array([1.9]), np.array([2.0])).tolist() == [True]


@PROPERTY
@given(seed=SEEDS)
def test_the_least_product_is_the_same_without_weighted_sums(seed: int) -> None:
    found = explored(seed)
    if found is None:
        return
    problem = attrs.evolve(
        found.problem, options=attrs.evolve(found.problem.options, metrics=Metric.ENERGY_DELAY_PRODUCT)
    )
    found = attrs.evolve(found, problem=problem)
    with_sums = points(found)
    with Patch.context() as patch:
        _weighted_sums(patch)
        without = points(found)
    assert same(with_sums, without)


@pytest.mark.parametrize("seed", range(40))
def test_least_product_by_brute_force(seed: int) -> None:
    """Never more than it is, whatever the sums; close to it where they are those of points, as the joiner's are."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.1, 2, (12, 2))
    energy, latency = points.min(axis=0) * rng.uniform(0.7, 1.1, 2)
    slopes = np.sort(rng.uniform(0.1, 5, 1 + seed % 6))[::-1].copy()
    sums = (points[:, :1] * slopes + points[:, 1:]).min(axis=0)
    if seed >= 20:
        sums = sums * rng.uniform(0.5, 2, len(slopes))
    found = float(least_product(np.array([energy]), np.array([latency]), sums[None], slopes)[0])
    along = energy * np.geomspace(1, 100, 100_000)
    least = float((along * np.maximum(latency, (sums - along[:, None] * slopes).max(axis=1))).min())
    assert found <= least * (1 + 1e-9)
    if seed < 20:
        assert found >= least * 0.98


def test_few_rows_lead_to_a_mapping_that_later_ones_only_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """A beam of one row per state changes the work, never the result."""
    wanted = [(seed, expected(seed)) for seed in range(40) if explored(seed) is not None]
    monkeypatch.setattr(fold_module, "_BEAM", 1)
    for seed, points_of in wanted:
        found = explored(seed)
        assert found is not None
        assert same(points(found), points_of)
