"""``mapper: {joiner: simanneal}`` is all it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ffcore as ff
from ffcore.errors import SpecError
from ffcore.explore.default import DefaultExplorer
from ffcore.mapper.choice import explorer_of
from ffcore_simanneal.mapspace import Mapspace
from plugins.simanneal.tests.problems import TWO_MATMULS, two_matmuls
from tests.cli.process import ff_here


def with_mapper(mapper: str) -> str:
    return f"{TWO_MATMULS}\nmapper: {mapper}\n"


@pytest.fixture
def no_exact_exploration(monkeypatch: pytest.MonkeyPatch) -> None:
    def explore(*_: object, **__: object) -> None:
        raise AssertionError("explored for nothing")

    monkeypatch.setattr(DefaultExplorer, "explore", explore)


@pytest.mark.parametrize(
    ("mapper", "explorer"),
    [
        ("{}", "default"),
        ("{joiner: simanneal}", "templates"),
        ("{joiner: genetic}", "templates"),
        ("{joiner: random}", "templates"),
        ("{joiner: simanneal2}", "default"),
        ("{joiner: exhaustive}", "exhaustive"),
        ("{joiner: simanneal2, explorer: templates}", "templates"),
        ("{joiner: not_installed}", "default"),
    ],
)
def test_joiner_brings_its_explorer(mapper: str, explorer: str) -> None:
    assert explorer_of(ff.Spec.from_string(with_mapper(mapper))) == explorer


@pytest.mark.usefixtures("no_exact_exploration")
def test_map_runs_no_exact_exploration_and_prints_none_of_its_counts(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(with_mapper("{joiner: simanneal, joiner_options: {max_evaluations: 2000}}"))
    done = ff_here("map", file, "--jobs", "1", "--format", "json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert len(data["mappings"]) == 1
    assert not [name for name in data["stats"] if "pmappings" in name or name == "guarantee"]
    by_option = ff_here("map", file, "--jobs", "1", "--joiner", "random")
    assert by_option.returncode == 0, by_option.stderr


@pytest.mark.usefixtures("no_exact_exploration")
def test_api_runs_no_exact_exploration() -> None:
    spec = two_matmuls()
    spec.mapper.joiner, spec.mapper.joiner_options = "genetic", {"max_evaluations": 2000}
    assert isinstance(ff.mapper.FFM.make_pmappings(spec, n_jobs=1).source, Mapspace)
    assert len(ff.map_workload_to_arch(spec, n_jobs=1)) == 1


def test_options_stand_in_the_spec() -> None:
    spec = ff.Spec.from_string(with_mapper("{joiner: random, joiner_options: {seed: 3, max_evaluations: 60}}"))
    pmappings = ff.mapper.FFM.make_pmappings(spec)
    by_spec = ff.mapper.random.join_pmappings(spec, pmappings)
    assert by_spec.evaluations < 200
    plain = two_matmuls()
    by_call = ff.mapper.random.join_pmappings(plain, pmappings, seed=3, max_evaluations=60)
    assert by_spec.history == by_call.history
    assert ff.mapper.random.join_pmappings(spec, pmappings, seed=4).history != by_spec.history
    (mapping,) = ff.map_workload_to_arch(spec)
    assert mapping.energy() * mapping.latency() == pytest.approx(by_spec.score)
    # those of another joiner are none of its business
    assert ff.mapper.simanneal2.join_pmappings(spec, ff.mapper.FFM.make_pmappings(plain), max_evaluations=1).samples


@pytest.mark.parametrize(
    ("mapper", "sentence"),
    [
        ("{joiner: simanneal, joiner_options: {seeds: 3}}", "'simanneal' has no option 'seeds'.*did you mean 'seed'"),
        ("{joiner: ffm, joiner_options: {seed: 3}}", "'ffm' has no option 'seed'; it has none"),
        ("{joiner: random, joiner_options: 3}", "expected options by name such as {seed: 3}, got 3"),
    ],
)
def test_options_that_make_no_sense_are_told_with_their_place(mapper: str, sentence: str) -> None:
    with pytest.raises(SpecError, match=rf"<string>:\d+: mapper\.joiner_options: .*{sentence}"):
        ff.map_workload_to_arch(ff.Spec.from_string(with_mapper(mapper)))
