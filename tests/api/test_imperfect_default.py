"""``auto`` imperfect factors: which variables take part, and what happens where they cannot."""

from __future__ import annotations

import pytest

import ffcore as ff
from ffcore import plugin
from ffcore.cli.job import run_map
from ffcore.cli.validity import check
from ffcore.errors import FFError, SpecError
from ffcore.mapper.choice import as_searched
from ffcore.mapper.job import Job
from ffcore.plugin import ModelRecord, hookimpl
from ffcore.plugin.manager import scan
from ffcore.spec.resolve.imperfect import _idles
from tests.laws import RowBuffers
from tests.perfect import perfect_factors

ARCH = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Container {name: Array, spatial: [{name: x, fanout: 12}]}
  - !Compute {name: MAC, actions: [{name: compute, energy: 1, throughput: 1}]}
"""


def spec_of(einsums: str = "'Y[m, n] = X[m, k] * W[k, n]'", **sizes: int) -> ff.Spec:
    ranks = ", ".join(f"{name}: {n}" for name, n in sizes.items())
    spec = ff.Spec.from_string(
        f"{ARCH}workload: {{rank_sizes: {{{ranks}}}, bits_per_value: {{All: 8}}, einsums: [{einsums}]}}"
    )
    spec.mapper.ffm.explore_imperfect_temporal_loops = "auto"
    spec.mapper.ffm.explore_imperfect_spatial_loops = "auto"
    return spec


def latency(spec: ff.Spec) -> float:
    return min(m.latency() for m in ff.map_workload_to_arch(spec, n_jobs=1))


def test_what_would_leave_columns_idle_takes_part() -> None:
    spec = spec_of(M=1, K=1, N=64)
    assert spec.problem().einsums[0].imperfect == {"n"}  # 8 of 12 columns run, where 12 could
    assert latency(spec) == 6
    assert latency(perfect_factors(spec)) == 8
    assert run_map(spec_of(M=1, K=1, N=64), jobs=1).stats["imperfect_factors"] == "n"


@pytest.mark.parametrize(
    ("arrays", "bound", "part"),
    [
        ([16], 24, True),  # 12 of 16 columns run
        ([16, 16], 384, False),  # 192 of 256 instances, in the two steps that it takes anyway
        ([4, 4], 100, True),  # 25 steps, where 7 would do
        ([16, 16], 80, False),  # one step
        ([16, 16], 368, True),  # 23 steps by 16 x 1, where 2 would do
        ([8, 8], 72, False),  # 6 x 6: two steps either way, and 8 of 8 in each
        ([0], 5, False),
    ],
)
def test_all_dimensions_of_a_component_are_told_by_steps(arrays: list[int], bound: int, part: bool) -> None:
    assert _idles(bound, arrays) == part


def test_where_nothing_takes_part_it_is_as_if_nothing_were_asked_for() -> None:
    spec = spec_of(M=4, K=6, N=12)
    assert spec.problem().options == perfect_factors(spec.copy()).problem().options
    assert "imperfect_factors" not in run_map(spec, jobs=1).stats


def test_variables_inside_expressions_with_another_one_stay_out() -> None:
    spec = spec_of("'O[p, m] = I[X: p + r] * F[r, m]'", P=13, R=11, M=13)
    assert spec.problem().einsums[0].imperfect == {"m"}


def test_tiles_that_are_too_many_to_number_leave_the_largest_bounds_out() -> None:
    variables = [f"v{i}" for i in range(4)]
    bounds = dict(zip([v.upper() for v in variables], [100_003, 100_019, 100_043, 23], strict=True))
    indices = ", ".join(variables)
    spec = spec_of(f"'Y[{indices}] = X[{indices}]'", **bounds)
    assert spec.problem().einsums[0].imperfect == {"v0", "v1", "v2", "v3"}
    wide = {**bounds, "V3": 100_049}
    assert spec_of(f"'Y[{indices}] = X[{indices}]'", **wide).problem().einsums[0].imperfect == {"v0", "v1", "v2"}


@pytest.mark.parametrize("joiner", ["simanneal", "genetic", "random"])
def test_joiners_that_search_perfect_factors_get_these(joiner: str) -> None:
    spec = spec_of(M=1, K=1, N=64)
    spec.mapper.joiner = joiner
    spec.mapper.joiner_options = {"max_evaluations": 200}
    assert not Job.of(spec).problem.einsums[0].imperfect
    assert latency(spec) == 8
    spec.mapper.ffm.explore_imperfect_spatial_loops = True
    for ask in (check, lambda s: ff.map_workload_to_arch(s, n_jobs=1)):
        with pytest.raises(
            SpecError, match=rf"'{joiner}' offers perfect .*: set mapper\.ffm\.explore_imperfect_spatial"
        ):
            ask(spec)


def test_pmappings_of_other_factors_than_the_joiner_has_are_refused() -> None:
    spec = spec_of(M=1, K=1, N=64)
    pmappings = ff.mapper.FFM.make_pmappings(spec, n_jobs=1)
    with pytest.raises(FFError, match=r"pmappings have imperfect factors of n, .*for those of no rank variable"):
        ff.mapper.simanneal.join_pmappings(spec, pmappings, max_evaluations=200, n_jobs=1)
    found = ff.mapper.simanneal2.join_pmappings(spec, pmappings, max_evaluations=200, n_jobs=1)
    assert min(m.latency() for m in found.mappings) == 6


def test_laws_of_plugins_get_perfect_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plugin:
        @hookimpl
        def ffcore_models(self) -> list[ModelRecord]:
            return [
                ModelRecord("rows", "a row at a time", "ffcore.plugin:DefaultModel", law=lambda: RowBuffers(2.0, 1.0))
            ]

    class Point:
        name, value, dist = "rows", "rows", None

        def load(self) -> object:
            return Plugin()

    manager = plugin.PluginManager([*scan(), Point()])
    monkeypatch.setattr(plugin, "current_manager", lambda: manager)
    spec = spec_of(M=1, K=1, N=64)
    spec.mapper.model = "rows"
    assert latency(spec) == 8
    assert as_searched(spec) is not spec


def test_a_spec_is_not_changed_by_what_searches_it() -> None:
    spec = spec_of(M=1, K=1, N=64)
    spec.mapper.joiner = "simanneal"
    assert as_searched(spec).problem().einsums[0].imperfect == frozenset()
    assert spec.mapper.ffm.explore_imperfect_temporal_loops == "auto"
    spec.mapper.joiner = "ffm"
    assert as_searched(spec) is spec


def test_a_spec_can_be_checked_where_its_model_is_not_installed() -> None:
    spec = spec_of(M=1, K=1, N=64)
    spec.mapper.ffm.explore_imperfect_temporal_loops = spec.mapper.ffm.explore_imperfect_spatial_loops = False
    spec.mapper.model = "elsewhere"
    assert check(spec).imperfect == ""
