"""Mappings of other points make joins quicker and change no result."""

from __future__ import annotations

import attrs
import pytest

from ffcore.plugin import PmappingSet
from ffcore_sweep import chains, joins
from ffcore_sweep import run as run_module
from ffcore_sweep.run import SweepJob, prepared
from plugins.sweep.tests.against_single_runs import job, quick_diagnosis
from plugins.sweep.tests.test_many import as_data
from tests.api.specs import chain

SIZE, READ, LOOPS = "arch.nodes.Buffer.size", "arch.nodes.Main.actions.read.throughput", "mapper.ffm.max_fused_loops"
TOLERANCE = 1e-12  # relative


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many mappings each join is given, as they are made."""
    counts: list[int] = []

    def noting(*args: object, **kwargs: object) -> PmappingSet:
        made = PmappingSet(*args, **kwargs)  # type: ignore[arg-type]
        counts.append(len(made.known))
        return made

    monkeypatch.setattr(joins, "PmappingSet", noting)
    return counts


def points_of(made: SweepJob, done: tuple[int, ...] = (), jobs: int = 1) -> dict[int, tuple[object, ...]]:
    return {point.number: as_data(point) for point in made.each(n_jobs=jobs, done=done)}


def small(n_einsums: int = 3) -> SweepJob:
    vary = {SIZE: [8.0 * k for k in (12, 24, 40, 100)], READ: [1, 2, 5], LOOPS: [0, 1, "inf"]}
    return prepared(chain(n_einsums=n_einsums, bandwidth=4), vary)


@pytest.mark.parametrize(
    "seed", [*range(1001, 1013), 1037, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1013, 1037))]
)
def test_the_same_numbers_with_and_without(seed: int, given: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    quick_diagnosis(monkeypatch)
    drawn = job(seed)
    if drawn is None:
        pytest.skip("no memory of a size")
    made = prepared(drawn.spec, drawn.vary)
    monkeypatch.setattr(chains, "LONGEST", 1)
    apart = {point.number: sorted(point.numbers) for point in made.each(n_jobs=1)}
    assert not any(given)
    monkeypatch.setattr(chains, "LONGEST", 100)
    monkeypatch.setattr(chains, "FEWEST", 1)
    for point in made.each(n_jobs=1):
        alone = apart[point.number]
        assert len(point.numbers) == len(alone), point.values
        for one, other in zip(sorted(point.numbers), alone, strict=True):
            assert one == pytest.approx(other, rel=TOLERANCE), point.values
        for evaluation in point.mappings.evaluations if point.mappings is not None else ():
            assert evaluation.fits


def test_points_are_given_what_their_neighbours_found(given: list[int]) -> None:
    points_of(small())
    assert sum(count > 0 for count in given) >= len(given) // 2


def test_whoever_joins_what_is_the_same_to_the_last_bit(given: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    made = small()
    whole = points_of(made)
    assert any(given)
    assert points_of(made, jobs=2) == whole
    monkeypatch.setattr(run_module, "_TASK", 0.0)  # chains are cut after each point
    assert points_of(made) == whole
    assert points_of(made, jobs=2) == whole
    for done in ((0,), (1, 2, 3, 7), tuple(range(0, 36, 2)), tuple(range(35))):
        assert points_of(made, done) == {number: data for number, data in whole.items() if number not in done}


def test_only_what_is_asked_for_is_told() -> None:
    steps: list[str] = []
    points = list(small().each(n_jobs=1, done=range(3), progress=lambda step: steps.append(step.note)))
    assert sorted(point.number for point in points) == list(range(3, 36))
    assert steps[-1] == "36 of 36 done"


def test_mappings_of_other_problems_are_no_neighbours(given: list[int]) -> None:
    """Einsums of the same content under other names share explorations, and their mappings have other names."""
    spec = chain(n_einsums=2)

    def source(other: bool) -> object:
        made = spec.copy()
        if other:
            for tensors in made.workload.einsums:
                tensors.name = f"Other{tensors.name}"
        return made

    made = prepared(source, {"set.other": [False, True], SIZE: [8.0 * k for k in (12, 24, 40, 100, 200, 300)]})  # type: ignore[arg-type]
    joined = list(made.each(n_jobs=1))
    names: dict[object, set[str]] = {}
    for point in joined:
        assert point.mappings is not None
        names.setdefault(point.values["set.other"], set()).update(n.einsum for own in point.mappings.nests for n in own)
    assert names[False] == {"Matmul0", "Matmul1"}
    assert names[True] == {"OtherMatmul0", "OtherMatmul1"}


def test_same_in_tells_options_apart() -> None:
    from ffcore_sweep.neighbours import same_in

    problem = small().points[0].problem
    fewer = attrs.evolve(problem, options=attrs.evolve(problem.options, max_fused_loops=1))
    coarser = attrs.evolve(problem, options=attrs.evolve(problem.options, objective_tolerance=0.1))
    assert same_in(problem) == same_in(fewer)
    assert same_in(problem) != same_in(coarser)
