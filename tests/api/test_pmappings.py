"""Pmappings: groups, filters, unions; joins that refuse what does not belong together."""

from __future__ import annotations

import math
import os
from typing import Any

import pytest
from numpy.testing import assert_allclose

import ffcore as ff
from ffcore.errors import FFError
from ffcore_exhaustive.mapper import exhaustive_join, exhaustive_pmappings
from tests.api.specs import chain

FFM = ff.mapper.FFM
ENERGY, LATENCY = "Total<SEP>energy", "Total<SEP>latency"


def unfused(group: Any) -> bool:
    return all(t.memory == "Main" and not t.loops for t in group.compatibility.tensors)


def pairs(mappings: Any) -> list[tuple[float, float]]:
    return [(m.energy(), m.latency()) for m in mappings]


def test_groups_hold_all_rows_and_their_numbers() -> None:
    pmappings = FFM.make_pmappings(chain())
    groups = pmappings.einsum2pmappings
    assert list(groups) == ["Matmul0", "Matmul1", "Matmul2"]
    kept = pmappings.pareto_optimal_pmappings(per_einsum=True)
    assert {name: sum(map(len, g)) for name, g in groups.items()} == kept
    for group in groups["Matmul1"]:
        data = group.mappings.data
        assert {ENERGY, LATENCY} <= set(data.columns)
        assert len(data) == len(group)
        assert {t.name for t in group.compatibility.tensors} == {"T1", "T2"}
    usages = [g.mappings.data["usage<SEP>Buffer"] for g in groups["Matmul1"]]
    assert all(((u >= 0) & (u <= 1)).all() for u in usages)
    assert any((u > 0).any() for u in usages)


def test_only_objectives_that_are_kept_are_shown() -> None:
    spec = chain()
    spec.mapper.ffm.metrics = FFM.Metrics.ENERGY
    data = FFM.make_pmappings(spec).einsum2pmappings["Matmul0"][0].mappings.data
    assert ENERGY in data.columns
    assert LATENCY not in data.columns


def test_a_filter_keeps_groups() -> None:
    spec = chain()
    pmappings = FFM.make_pmappings(spec)
    alone = pmappings.filter(unfused)
    assert 0 < alone.pareto_optimal_pmappings() < pmappings.pareto_optimal_pmappings()
    assert all(unfused(g) for groups in alone.einsum2pmappings.values() for g in groups)
    assert alone.total_pmappings() == pmappings.total_pmappings()  # what was explored stays
    restricted = chain()
    restricted.arch.nodes["Main"].constraints.tensors.keep = "All()"
    assert_allclose(pairs(FFM.join_pmappings(spec, alone)), pairs(ff.map_workload_to_arch(restricted)))
    first = pmappings.filter(unfused, einsum_names=["Matmul0"]).pareto_optimal_pmappings(per_einsum=True)
    assert first["Matmul0"] == alone.pareto_optimal_pmappings(per_einsum=True)["Matmul0"]
    assert first["Matmul1"] == pmappings.pareto_optimal_pmappings(per_einsum=True)["Matmul1"]
    with pytest.raises(FFError, match="did you mean 'Matmul0'"):
        pmappings.filter(unfused, einsum_names=["Matmul_0"])


def test_nothing_left_is_no_valid_mapping() -> None:
    spec = chain()
    with pytest.raises(ff.NoValidMappingError, match="no pmapping of Einsum Matmul1 is left") as caught:
        FFM.join_pmappings(spec, FFM.make_pmappings(spec).filter(lambda group: False, einsum_names=["Matmul1"]))
    assert caught.value.einsum == "Matmul1"


def test_the_upper_bound_filter_changes_no_result() -> None:
    spec = chain()
    pmappings = FFM.make_pmappings(spec)
    best = FFM.join_pmappings(spec, pmappings)
    bound = min(e * t for e, t in pairs(FFM.join_pmappings(spec, pmappings.filter(unfused))))
    seen = []

    def mask(df: Any) -> Any:
        seen.append(len(df))
        return df[ENERGY] * df[LATENCY] < bound

    filters = [mask, lambda df: df[mask(df)], lambda df: mask(df).to_numpy(), lambda df: list(mask(df))]
    for f in filters:
        assert pairs(FFM.join_pmappings(spec, pmappings, pmapping_row_filter_function=f)) == pairs(best)
    assert seen[:3] == list(pmappings.pareto_optimal_pmappings(per_einsum=True).values())
    least = min(df[ENERGY].min() for df in _tables(pmappings))
    fewer = pmappings.filter_rows(lambda df: df[ENERGY] <= least)
    assert 0 < fewer.pareto_optimal_pmappings() < pmappings.pareto_optimal_pmappings()


def _tables(pmappings: Any) -> list[Any]:
    return [g.mappings.data for groups in pmappings.einsum2pmappings.values() for g in groups]


@pytest.mark.parametrize("wrong", [lambda df: True, lambda df: df[ENERGY], lambda df: (df[ENERGY] > 0)[:1]])
def test_a_row_filter_must_say_which_rows(wrong: Any) -> None:
    spec = chain()
    with pytest.raises(FFError, match="row filter"):
        FFM.join_pmappings(spec, FFM.make_pmappings(spec), pmapping_row_filter_function=wrong)


# -- unions ---------------------------------------------------------------------------------------


def test_union_of_other_einsums() -> None:
    spec = chain()
    whole = FFM.make_pmappings(spec)
    first = FFM.make_pmappings(spec, einsum_names=["Matmul2", "Matmul0"])
    rest = FFM.make_pmappings(spec, einsum_names=["Matmul1"])
    assert list(first.einsum2pmappings) == ["Matmul0", "Matmul2"]
    both = rest | first
    assert list(both.einsum2pmappings) == ["Matmul0", "Matmul1", "Matmul2"]
    assert both.total_pmappings(per_einsum=True) == whole.total_pmappings(per_einsum=True)
    assert pairs(FFM.join_pmappings(spec, both)) == pairs(FFM.join_pmappings(spec, whole))
    with pytest.raises(FFError, match="no pmappings of Einsum Matmul1"):
        FFM.join_pmappings(spec, first)


def test_union_is_refused_where_runs_were_not_made_for_it() -> None:
    spec, other = chain(), chain()
    other.arch.nodes["Main"].constraints.tensors.keep = "All()"
    a, b = FFM.make_pmappings(spec), FFM.make_pmappings(spec, einsum_names=["Matmul1"])
    with pytest.raises(FFError, match=r"both runs explored Einsum Matmul1: .*can_combine_multiple_runs=True"):
        a | b
    c = FFM.make_pmappings(other, einsum_names=["Matmul0"])
    with pytest.raises(FFError, match=r"different specs: .*can_combine_multiple_runs=True"):
        b | c
    combinable = FFM.make_pmappings(spec, can_combine_multiple_runs=True)
    with pytest.raises(FFError, match="can_combine_multiple_runs=True"):
        a | combinable
    faster = chain()
    faster.set("arch.nodes.Main.actions.read.energy", 2)
    with pytest.raises(FFError, match=r"more than constraints.*Main"):
        combinable | FFM.make_pmappings(faster, can_combine_multiple_runs=True)
    longer = FFM.make_pmappings(chain(n_einsums=2), can_combine_multiple_runs=True)
    with pytest.raises(FFError, match="different workloads"):
        combinable | longer


@pytest.mark.parametrize(
    ("size", "kinds"),
    [
        (8 * 24, ("T1", "T2")),  # T1 and T2, in runs of their own, would each fit; together only in part
        (8 * 40, ("T1", "T2")),
        (8 * 64, ("T1 | W0", "T2 | W2")),
        (math.inf, ("T1", "T2")),
    ],
)
def test_union_of_runs_under_other_constraints_is_exact(size: float, kinds: tuple[str, str]) -> None:
    """Each run may keep some tensors in the Buffer only; the union may mix them, Einsum by Einsum.

    The exhaustive mapper joins the same union of everything that is valid.
    """
    runs, oracle = [], {}
    for kind in kinds:
        spec = chain(size=size if size < math.inf else "inf", m=4, kn=2)
        spec.arch.nodes["Main"].tensors.keep = f"~({kind})"
        spec.arch.nodes["Buffer"].tensors.may_keep = kind
        runs.append(FFM.make_pmappings(spec, can_combine_multiple_runs=True))
        for name, found in exhaustive_pmappings(spec.problem()).items():
            oracle.setdefault(name, []).extend(found)
    union = runs[0] | runs[1]
    assert union.total_pmappings() == runs[0].total_pmappings() + runs[1].total_pmappings()
    expected = exhaustive_join(spec.problem(), oracle, dominance=True)
    found = FFM.join_pmappings(spec, union)
    assert_allclose(pairs(found), [(s.energy, s.latency) for s in expected])
    either = [e for run in runs for e, _ in pairs(FFM.join_pmappings(spec, run))]
    assert min(e for e, _ in pairs(found)) <= min(either)


# -- what belongs together ------------------------------------------------------------------------


def test_a_spec_that_changed_is_refused() -> None:
    spec = chain()
    pmappings = FFM.make_pmappings(spec)
    constrained = chain()
    constrained.arch.nodes["Main"].constraints.tensors.keep = "All()"
    assert len(FFM.join_pmappings(constrained, pmappings))  # constraints are those that were explored
    dearer = chain()
    dearer.set("arch.nodes.Main.actions.read.energy", 5)
    with pytest.raises(FFError, match="spec has changed since the pmappings were made: Main"):
        FFM.join_pmappings(dearer, pmappings)
    with pytest.raises(FFError, match="spec has changed since the pmappings were made: Buffer"):
        FFM.join_pmappings(chain(size=8 * 32), pmappings)
    with pytest.raises(FFError, match="Einsum Matmul0"):
        FFM.join_pmappings(chain(m=16), pmappings)
    with pytest.raises(FFError, match="another workload"):
        FFM.join_pmappings(chain(n_einsums=2), pmappings)


def test_metrics_that_were_not_explored_are_refused() -> None:
    spec = chain()
    spec.mapper.ffm.metrics = FFM.Metrics.ENERGY
    pmappings = FFM.make_pmappings(spec)
    spec.mapper.ffm.metrics = FFM.Metrics.ENERGY_DELAY_PRODUCT
    with pytest.raises(FFError, match="without regard to latency"):
        FFM.join_pmappings(spec, pmappings)
    both = FFM.make_pmappings(spec)
    spec.mapper.ffm.metrics = FFM.Metrics.LATENCY
    assert len(FFM.join_pmappings(spec, both)) == 1


def test_unknown_einsums_are_refused() -> None:
    with pytest.raises(ff.SpecError, match="did you mean 'Matmul0'"):
        FFM.make_pmappings(chain(), einsum_names=["Matmul_0"])


def test_other_explorers_pmappings_can_be_joined_but_not_counted() -> None:
    spec = chain(m=2, kn=2)
    fast = ff.map_workload_to_arch(spec)
    spec.mapper.explorer = spec.mapper.joiner = "exhaustive"
    pmappings = FFM.make_pmappings(spec)
    with pytest.raises(FFError, match="can only be joined"):
        pmappings.total_pmappings()
    assert_allclose(pairs(FFM.join_pmappings(spec, pmappings)), pairs(fast))
    assert "ExhaustivePmappings" in repr(pmappings)


# -- workers --------------------------------------------------------------------------------------


def test_the_number_of_jobs_changes_nothing_but_speed(capsys: pytest.CaptureFixture[str]) -> None:
    from ffcore.mapper.workers import DEFAULT_JOBS

    try:
        ff.set_n_parallel_jobs(2, print_message=True)
        assert capsys.readouterr().out == "ffcore runs 2 parallel jobs\n"
        assert DEFAULT_JOBS.n == 2
        two = pairs(ff.map_workload_to_arch(chain()))
        ff.set_n_parallel_jobs(1, print_message=False)
        assert capsys.readouterr().out == ""
        assert pairs(ff.map_workload_to_arch(chain())) == two
        assert pairs(ff.map_workload_to_arch(chain(), n_jobs=2)) == two
        with pytest.raises(ValueError, match="at least 1"):
            ff.set_n_parallel_jobs(0)
    finally:
        ff.set_n_parallel_jobs(None, print_message=False)


def test_the_environment_says_how_many_jobs_there_are_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    from ffcore.mapper.workers import DEFAULT_JOBS

    monkeypatch.setenv("FFCORE_JOBS", "3")
    assert DEFAULT_JOBS.n == 3
    ff.set_n_parallel_jobs(2, print_message=False)
    assert DEFAULT_JOBS.n == 2
    ff.set_n_parallel_jobs(None, print_message=False)
    monkeypatch.delenv("FFCORE_JOBS")
    assert DEFAULT_JOBS.n == len(os.sched_getaffinity(0))
    for nonsense in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("FFCORE_JOBS", nonsense)
        with pytest.raises(ff.SpecError, match=f"FFCORE_JOBS: expected a number .*'{nonsense}'"):
            ff.map_workload_to_arch(chain())


def test_an_executor_of_the_caller_is_used_and_left_open() -> None:
    from concurrent.futures import ThreadPoolExecutor

    class Counting(ThreadPoolExecutor):
        submitted = 0

        def submit(self, *args: Any, **kwargs: Any) -> Any:
            self.submitted += 1
            return super().submit(*args, **kwargs)

    with Counting(1) as executor:
        found = ff.map_workload_to_arch(chain(), executor=executor)
        assert executor.submitted
        assert executor.submit(len, "abc").result() == 3
    assert pairs(found) == pairs(ff.map_workload_to_arch(chain(), n_jobs=1))
