"""Einsums explored for each other: the same mappings as with all Pareto-optimal pmappings, on random small problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffcore.api import map_with_pmappings
from ffcore.errors import FFError, NoValidMappingError
from ffcore.explore import explorer
from ffcore.explore import together as explore_together
from ffcore.explore.default import DefaultExplorer
from ffcore.explore.search import beat, boxes, kernels, solve
from ffcore.explore.search.judging import Least, to_beat
from ffcore.explore.search.kernels import beaten
from ffcore.explore.together import enough
from ffcore.mapper.ffm import join_pmappings, make_pmappings
from ffcore.mapper.job import Job
from ffcore.objectives import Objectives
from ffcore.pmappings.arrays import Floats
from ffcore.pmappings.set import PmappingSet
from ffcore.results.mappings import Mappings
from ffcore.spec import Spec
from ffcore.spec.problem import Problem
from ffcore_ffm_joiner.join import FFMJoiner
from tests.array_problems import array_problem
from tests.examples import examples
from tests.odd_problems import odd_problem
from tests.oracle.compare import Point, fast, objectives, same, seeded
from tests.twice_problems import twice_problem


@pytest.fixture(autouse=True)
def many_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Einsum has too many labels, and is looked at with fewer tiles first."""
    monkeypatch.setattr(explorer, "LABELS", 0)
    monkeypatch.setattr(beat, "_FEW", 0)
    monkeypatch.setattr(solve, "_FEW", 0)


def costs(found: PmappingSet) -> Floats:
    """(energy, latency) of the mappings that some pmappings make, as a job tells them."""
    timed = Objectives.of(found.problem.options.metrics).latency
    mappings = FFMJoiner().join(found.problem, found)
    return np.array([(m.energy, m.latency if timed else 0.0) for m in mappings]).reshape(-1, 2)


def together(problem: Problem, joined: Callable[[PmappingSet], Floats] = costs) -> tuple[list[Point], int]:
    """The Pareto set, where Einsums are explored for each other, and how many pmappings were joined."""
    try:
        pmappings = DefaultExplorer().explore(problem, joined=joined)
        mappings = FFMJoiner().join(problem, pmappings)
    except NoValidMappingError:
        return [], 0
    points = sorted(objectives(problem, m.energy, m.latency) for m in mappings)
    return points, sum(len(e.rows) for e in pmappings.einsums)


def points(mappings: Mappings) -> Floats:
    """(mappings, 2) energy and latency."""
    return np.array([(m.energy(), m.latency()) for m in mappings])


def problems(count: int) -> Iterator[tuple[str, Problem]]:
    """Problems of several Einsums for which energy counts: chains, attention, arrays, odd sizes, tensors read twice."""
    for seed in range(count):
        drawn = {
            "plain": seeded(seed),
            "array": array_problem(seed),
            "odd of two": odd_problem(seed, 2),
            "odd of three": odd_problem(seed, 3) if seed % 4 == 0 else None,
            "twice": twice_problem(seed),
        }
        for name, problem in drawn.items():
            if problem is not None and len(problem.einsums) > 1 and Objectives.of(problem.options.metrics).energy:
                yield f"{name} {seed}", problem


def test_without_known_mappings_all_is_explored() -> None:
    """Pmappings that were looked at may not go together."""
    problem = seeded(1)
    assert problem is not None
    assert len(problem.einsums) > 1
    found, _ = together(problem, lambda _: np.zeros((0, 2)))
    assert found
    assert same(found, fast(problem))


def test_ties_are_kept_and_what_is_worse_is_not() -> None:
    """Einsums that take (1, 3), (2, 1) and (1e-6, 1e-6) at least, and a mapping that takes no more."""
    least = {0: np.array([1.0, 3.0]), 1: np.array([2.0, 1.0]), 2: np.array([1e-6, 1e-6])}
    best = sum(least.values())
    alone: dict[int, list[str]] = {i: [] for i in least}  # no tensor is shared
    given = {i: {(): own} for i, own in least.items()}
    for i, own in enough(np.array([best]), given, alone, {i: [i] for i in least}).items():
        own_least = least[i]
        assert own.extra == {(): 0.0}
        worse = own_least * np.array([[1, 1], [1 + 1e-6, 1], [1, 1 + 1e-6], [0.5, 2]]) + 1e-7 * np.array(
            [[0, 0], [1, 0], [0, 1], [0, 1]]
        )
        assert beaten(worse, own.known).tolist() == [False, True, True, False], i


@pytest.mark.parametrize("seed", range(20))
def test_what_the_others_take_by_the_memories_that_back_what_is_shared(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against all ways to back five tensors of four Einsums in two memories, of which some are missing; and no more
    where few ways are told apart."""
    rng = np.random.default_rng(seed)
    names = "ABCDE"
    shared = {i: sorted(rng.choice(list(names), size=rng.integers(1, 4), replace=False).tolist()) for i in range(4)}
    least: dict[int, dict[tuple[str, ...], Floats]] = {
        i: {b: rng.random(2) for b in product("xy", repeat=len(own)) if rng.random() < 0.9} for i, own in shared.items()
    }
    known = np.array([[9.0, 9.0]])
    served = {0: [0, 3], 1: [1], 2: [2]}

    def by_hand(k: int, backing: tuple[str, ...]) -> Floats:
        """The least of all others together where tensors of Einsum ``k`` are backed so."""
        best = np.full(2, np.inf)
        for memories in product("xy", repeat=len(names)):
            of = dict(zip(names, memories, strict=True))
            if tuple(of[t] for t in shared[k]) == backing:
                own = [least[j].get(tuple(of[t] for t in shared[j]), np.full(2, np.inf)) for j in least if j != k]
                best = np.minimum(best, np.sum(own, axis=0))
        return best

    of_all = {
        i: np.min([by_hand(k, b) for k in ks for b in product("xy", repeat=len(shared[k]))], axis=0)
        for i, ks in served.items()
    }
    if not np.isfinite(list(of_all.values())).all():
        return  # there is no mapping at all
    found = enough(known, least, shared, served)
    monkeypatch.setattr(explore_together, "_WAYS", 2)
    rough = enough(known, least, shared, served)
    for i, ks in served.items():
        assert found[i].known == pytest.approx(to_beat(known, of_all[i]))
        assert rough[i].known[0, 0] >= found[i].known[0, 0] - 1e-12
        for backing in {backing for k in ks for backing in least[k]}:
            expected = min(by_hand(k, backing)[0] for k in ks if backing in least[k])
            assert of_all[i][0] + found[i].extra[backing] == pytest.approx(expected)
            rough_others = 9.0 - rough[i].known[0, 0] + rough[i].extra[backing]
            assert rough_others <= 9.0 - found[i].known[0, 0] + found[i].extra[backing] + 1e-12


def test_what_was_explored_for_one_join_is_good_for_no_other_use() -> None:
    spec = Spec.from_yaml("two_level", "matmuls", jinja_parse_data={"N_EINSUMS": 2, "M": 4, "KN": 4})
    _, pmappings = map_with_pmappings(spec, n_jobs=1)
    whole = make_pmappings(spec, n_jobs=1)
    for use in (
        lambda: pmappings.filter(lambda group: True),
        lambda: pmappings.filter_rows(lambda table: table),
        lambda: pmappings | whole,
        lambda: whole | pmappings,
        lambda: join_pmappings(spec, pmappings),
        lambda: Job.of(spec).join(pmappings),
    ):
        with pytest.raises(FFError, match=r"explored for one join.*make_pmappings"):
            use()
    assert len(join_pmappings(spec, whole)) == len(map_with_pmappings(spec, n_jobs=1, whole=True)[0])


def test_jobs_explore_for_the_join_where_nobody_keeps_pmappings(tmp_path: Path) -> None:
    """The API's mappings are the same, by one worker or two; the least is not asked for where it would not do."""
    parameters = {"N_EINSUMS": 2, "M": 16, "KN": 16}
    spec = Spec.from_yaml("tpu_v4i_like_constrained", "matmuls", jinja_parse_data=parameters)
    spec.mapper.ffm.metrics = "energy | latency"
    expected = points(map_with_pmappings(spec, n_jobs=1, whole=True)[0])
    counts = []
    for options in ({"n_jobs": 1}, {"n_jobs": 2}, {"n_jobs": 1, "cache_dir": tmp_path}, {"n_jobs": 1, "whole": True}):
        mappings, pmappings = map_with_pmappings(spec, **options)
        assert points(mappings) == pytest.approx(expected, rel=1e-12)
        counts.append(pmappings.pareto_optimal_pmappings())
    assert counts[0] == counts[1] < counts[2] == counts[3]
    assert Job.of(spec)._joins
    assert not Job.of(spec, joiner="random")._joins
    spec.mapper.ffm.metrics = "latency"
    assert not Job.of(spec)._joins


def test_the_same_mappings_of_fewer_pmappings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of them with lists of the states that have labels, and bounds of boxes of states."""
    wrong, kept, whole = [], 0, 0
    for number, (name, problem) in enumerate(problems(examples(5, 200))):
        monkeypatch.setattr(beat, "MANY", 0 if number % 2 else 20_000)
        monkeypatch.setattr(boxes, "MANY", 30 if number % 4 == 1 else 20_000)
        try:
            expected = fast(problem)
        except FFError:
            continue  # refused with imperfect factors
        found, count = together(problem)
        if not same(found, expected):
            wrong.append(f"{name}: {found} instead of {expected}")
        kept += count
        whole += sum(len(e.rows) for e in DefaultExplorer().explore(problem).einsums)
    assert wrong == []
    assert 0 < kept < whole / 2


def test_threads_go_on_when_an_exploration_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some labels have been made by then, by the threads that then make those of the quick search."""
    monkeypatch.setattr(solve, "_FEW", 2_000)
    monkeypatch.setattr(kernels, "_WORTH_THREADS", 50)
    parameters = {"N_EINSUMS": 2, "M": 1024, "KN": 1024}
    problem = Spec.from_yaml("tpu_v4i_like_constrained", "matmuls", jinja_parse_data=parameters).problem()
    monkeypatch.setattr(explorer, "threads_of", lambda *_: 3)
    made: list[int] = []
    look = solve._look

    def noting(*given: Any) -> Least:
        made.append(given[-1].evaluated)
        return look(*given)

    monkeypatch.setattr(solve, "_look", noting)
    found, _ = together(problem)
    assert same(found, fast(problem))
    assert made
    assert min(made) > 2_000
