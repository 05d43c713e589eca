"""Mappings of other points make joins quicker and change no result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

import ffcore as ff
from ffcore import plugin
from ffcore.plugin import DefaultModel, JointEvaluation, ModelRecord, Nest, PmappingSet, Problem, hookimpl
from ffcore.plugin.manager import scan
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
    made = small(2)
    whole = points_of(made)
    assert any(given)
    assert points_of(made, jobs=2) == whole
    monkeypatch.setattr(run_module, "_TASK", 0.0)  # chains are cut after each point
    assert points_of(made) == whole
    assert points_of(made, jobs=2) == whole
    for done in ((1, 2, 3, 7), tuple(range(0, 36, 2)), tuple(range(35))):
        assert points_of(made, done) == {number: data for number, data in whole.items() if number not in done}


def test_only_what_is_asked_for_is_told() -> None:
    steps: list[str] = []
    points = list(small().each(n_jobs=1, done=range(3), progress=lambda step: steps.append(step.note)))
    assert sorted(point.number for point in points) == list(range(3, 36))
    assert steps[-1] == "36 of 36 done"


def test_what_is_done_is_not_searched_again(given: list[int]) -> None:
    """No search that promises nothing depends on the points before it."""
    spec = chain(n_einsums=2)
    spec.mapper.joiner = "simanneal2"
    spec.mapper.joiner_options = {"seed": 1, "max_evaluations": 100}
    made = prepared(spec, {LOOPS: list(range(12))})
    whole = points_of(made)
    assert len(given) == 12
    assert points_of(made, done=tuple(range(11))) == {11: whole[11]}
    assert len(given) == 13


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


def numbers_of(made: SweepJob) -> dict[int, list[tuple[float, ...]]]:
    return {point.number: sorted(point.numbers) for point in made.each(n_jobs=1)}


def in_chains_and_alone(made: SweepJob, monkeypatch: pytest.MonkeyPatch) -> tuple[object, object]:
    chained = numbers_of(made)
    monkeypatch.setattr(chains, "LONGEST", 1)
    return chained, numbers_of(made)


@pytest.mark.parametrize("n_einsums", [2, 3])
def test_sizes_that_differ_between_einsums(n_einsums: int, given: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a mapping takes at its fullest moment does not say then whether it fits elsewhere."""
    sizes = [400, 300, 240, 200, 160, 120, 100, 80, 60, 40, 30, 25]

    def source(k: int) -> object:
        return chain(size=f"{k} * (1 + 3 * len(Inputs & Intermediates))", n_einsums=n_einsums, bandwidth=4)

    made = prepared(source, {"set.k": sizes})  # type: ignore[arg-type]
    chained, alone = in_chains_and_alone(made, monkeypatch)
    assert chained == alone
    assert not any(given)


def test_swapped_rank_variables_are_another_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their contents are the same, and their mappings name other loops."""
    text = "workload: {{rank_sizes: {{M: {m}, K: 4, N: {n}}}, bits_per_value: {{All: 8}}, einsums: ['{einsum}']}}"
    files = []
    for name, m, n, einsum in (
        ("a", 8, 6, "Y[m, n] = X[m, k] * W[k, n]"),
        ("b", 6, 8, "Y[n, m] = X[n, k] * W[k, m]"),
    ):
        files.append(str(tmp_path / f"{name}.yaml"))
        Path(files[-1]).write_text(text.format(m=m, n=n, einsum=einsum))
    arch = chain(n_einsums=1)
    found = []
    for longest in (16, 1):
        monkeypatch.setattr(chains, "LONGEST", longest)

        def source(workload: str) -> object:
            made = ff.Spec.from_yaml(workload)
            made.arch = arch.copy().arch
            return made

        made = prepared(source, {"set.workload": files, SIZE: [200, 180, 150, 120, 110, 100, 90, 80, 60, 40]})  # type: ignore[arg-type]
        found.append(numbers_of(made))
    assert found[0] == found[1]
    assert any(found[0].values())


class Light(DefaultModel):
    """It says that nothing is taken of any memory."""

    def evaluate(self, problem: Problem, nests: Sequence[Nest]) -> JointEvaluation:
        return attrs.evolve(super().evaluate(problem, nests), peaks={})


def test_a_model_that_tells_nothing_of_memories(given: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    class Plugin:
        @hookimpl
        def ffcore_models(self) -> list[ModelRecord]:
            return [ModelRecord("light", "", Light)]

    class Point:
        name, value, dist = "light", "light", None

        def load(self) -> object:
            return Plugin()

    manager = plugin.PluginManager([*scan(), Point()])
    monkeypatch.setattr(plugin, "current_manager", lambda: manager)
    vary = {SIZE: [8.0 * k for k in range(48, 0, -4)], "mapper.model": ["light"]}
    chained, alone = in_chains_and_alone(prepared(chain(n_einsums=2, bandwidth=4), vary), monkeypatch)
    assert chained == alone
    assert not any(given)
