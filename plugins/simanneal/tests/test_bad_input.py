"""What cannot work is refused in one clear sentence."""

from __future__ import annotations

import pandas as pd
import pytest

import ffcore as ff
from ffcore import plugin
from ffcore.errors import FFError, NoValidMappingError, PluginError, SpecError
from ffcore.results import Pmappings
from ffcore.results.pmappings import RowFilter
from plugins.simanneal.tests.problems import TWO_MATMULS, two_matmuls

JOINERS = ["simanneal", "simanneal2", "genetic", "random"]
INFINITE = "{} must be finite: a search that is not exact never knows that it is at the end"


@pytest.mark.parametrize("name", JOINERS)
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_evaluations": -1}, "max_evaluations must be a number above 0, not -1"),
        ({"max_evaluations": 0}, "max_evaluations must be a number above 0, not 0"),
        ({"time_limit": float("nan")}, "time_limit must be a number above 0, not nan"),
        ({"time_limit": "60s"}, "time_limit must be a number above 0, not '60s'"),
        ({"score_target": -2.0}, "score_target must be a number above 0, not -2.0"),
        ({"time_limit": float("inf")}, INFINITE.format("time_limit")),
        ({"max_evaluations": float("inf")}, INFINITE.format("max_evaluations")),
        ({"islands": 0}, "islands must be a whole number of at least 1, not 0"),
        ({"seed": "a"}, "seed must be a whole number, not 'a'"),
    ],
)
def test_budgets_that_make_no_sense(name: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(FFError) as error:
        plugin.get("joiner", name, **options)  # type: ignore[call-overload]
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("simanneal", {"restarts": -1}),
        ("simanneal", {"acceptance": 1.5}),
        ("simanneal", {"cooling": 0}),
        ("genetic", {"population": 0}),
        ("genetic", {"mutation": 1}),
        ("simanneal2", {"population": 0}),
    ],
)
def test_options_of_one_search(name: str, options: dict[str, object]) -> None:
    with pytest.raises(FFError, match=next(iter(options))):
        plugin.get("joiner", name, **options)  # type: ignore[call-overload]


def test_unknown_option() -> None:
    with pytest.raises(SpecError, match=r"'simanneal' has no option 'acceptence'; it has .*mean 'acceptance'"):
        ff.mapper.simanneal.join_pmappings(two_matmuls(), None, acceptence=0.1)  # type: ignore[arg-type]


def test_unknown_joiner_gets_a_suggestion() -> None:
    spec = two_matmuls()
    spec.mapper.joiner = "simaneal"
    with pytest.raises(PluginError, match=r"joiner 'simaneal' is not installed.*did you mean 'simanneal'"):
        ff.map_workload_to_arch(spec)


@pytest.mark.parametrize("name", JOINERS)
def test_missing_plugin_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "current_manager", lambda: plugin.PluginManager([]))
    with pytest.raises(PluginError, match=f"joiner '{name}' is not installed; .*; pip install ffcore-simanneal"):
        getattr(ff.mapper, name).join_pmappings(two_matmuls(), None)


def test_no_memory_in_common() -> None:
    """T1 must be in Main for its producer, in Buffer for its consumer."""
    main = "tensors: {keep: All - T1 | (T1 if W0 else Nothing)}"
    text = TWO_MATMULS.replace("tensors: {keep: ~Intermediates, may_keep: All}", main)
    text = text.replace("tensors: {keep: ~Main.tensors, may_keep: All}", "tensors: {keep: T1 if W1 else Nothing}")
    spec = ff.Spec.from_string(text)
    sentence = "Einsums T1 and T2 .*T1.* nothing can be joined"
    for name in JOINERS:
        spec.mapper.joiner = name
        spec.mapper.explorer = "default" if name == "simanneal2" else "templates"
        with pytest.raises(NoValidMappingError, match=sentence):
            ff.map_workload_to_arch(spec)


def test_no_mapping_found_is_no_proof_that_there_is_none() -> None:
    """A Buffer that must hold T1 whole, and may not be left out, has room for it in no mapping."""
    text = TWO_MATMULS.replace("keep: ~Intermediates, may_keep: All", "keep: All - T1, may_keep: Nothing")
    text = text.replace("keep: ~Main.tensors, may_keep: All", "keep: All").replace("size: 96", "size: 30")
    spec = ff.Spec.from_string(text)
    spec.mapper.explorer = "templates"
    spec.mapper.ffm.max_fused_loops = 0
    pmappings = ff.mapper.FFM.make_pmappings(spec)
    tracker = ff.mapper.simanneal.join_pmappings(spec, pmappings, max_evaluations=300)
    assert tracker.best is None
    assert tracker.history == []
    with pytest.raises(NoValidMappingError, match=r"found no mapping that fits in .* does not mean that there is none"):
        tracker.mappings  # noqa: B018


def test_simanneal2_needs_pareto_optimal_pmappings() -> None:
    spec = two_matmuls()
    spec.mapper.explorer = "templates"
    spec.mapper.joiner = "simanneal2"
    with pytest.raises(FFError, match="explorer 'default'"):
        ff.map_workload_to_arch(spec)


def test_pmappings_of_another_explorer_are_refused() -> None:
    spec = two_matmuls()
    spec.mapper.explorer = "exhaustive"
    spec.mapper.joiner = "simanneal"
    with pytest.raises(FFError, match="cannot read pmappings of the type ExhaustivePmappings"):
        ff.map_workload_to_arch(spec)


def test_options_that_would_be_ignored_are_refused() -> None:
    spec = two_matmuls()
    spec.mapper.explorer = "templates"
    spec.mapper.joiner = "random"
    spec.mapper.ffm.memory_limit = 1e9
    with pytest.raises(FFError, match=r"do not offer mapper\.ffm\.memory_limit"):
        ff.map_workload_to_arch(spec)


@pytest.mark.parametrize("name", JOINERS)
def test_no_limit_at_all_means_the_documented_one(name: str) -> None:
    limit = plugin.get("joiner", name, max_evaluations=None, score_target=1e-99).budget()  # type: ignore[call-overload]
    assert limit.max_evaluations == (20 if name == "simanneal2" else 100_000)
    timed = plugin.get("joiner", name, max_evaluations=None, time_limit=5).budget()  # type: ignore[call-overload]
    assert (timed.max_evaluations, timed.time_limit) == (None, 5)


@pytest.mark.parametrize("name", ["simanneal", "genetic", "random"])
def test_filters_that_would_be_ignored_are_refused(name: str) -> None:
    spec = two_matmuls()
    pmappings = ff.mapper.FFM.make_pmappings(spec)
    mapper = getattr(ff.mapper, name)
    sentence = f"the joiner '{name}' draws pmappings of its own, to which no filter applies"
    with pytest.raises(FFError, match=sentence):
        mapper.join_pmappings(spec, pmappings, lambda table: table.iloc[:1], max_evaluations=100)
    rows, groups = pmappings.filter_rows(lambda table: table.iloc[:2]), pmappings.filter(lambda group: len(group) > 1)
    for filtered in (rows, groups):
        with pytest.raises(FFError, match=sentence):
            mapper.join_pmappings(spec, filtered, max_evaluations=100)
    spec.mapper.joiner = name
    with pytest.raises(FFError, match=sentence):
        ff.mapper.FFM.join_pmappings(spec, pmappings, lambda table: table.iloc[:1])


def test_simanneal2_honours_filters() -> None:
    spec = two_matmuls()
    pmappings = ff.mapper.FFM.make_pmappings(spec)
    fused = pmappings.filter(lambda group: all(t.memory == "Buffer" for t in group.compatibility.tensors))
    assert 0 < fused.pareto_optimal_pmappings() < pmappings.pareto_optimal_pmappings()

    def costly(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["Total<SEP>energy"] > table["Total<SEP>energy"].median()]

    def best(found: Pmappings, f: RowFilter | None) -> float:
        joined = ff.mapper.FFM.join_pmappings(spec, found, f)
        return float(min(m.energy() * m.latency() for m in joined))

    for found, f in ((fused, None), (pmappings, costly)):
        tracker = ff.mapper.simanneal2.join_pmappings(spec, found, f, max_evaluations=30)
        assert tracker.score >= best(found, f) * (1 - 1e-9)
        assert tracker.best is not None
    assert best(pmappings, costly) > best(pmappings, None)


SPREAD = """
arch:
  nodes:
  - !Memory {name: DRAM, size: inf, tensors: {keep: All}, actions: &actions
      [{name: read, energy: 10, throughput: inf}, {name: write, energy: 10, throughput: inf}]}
  - !Array
    name: Grid
    spatial: [{name: X, fanout: 4}]
    nodes:
    - !Memory {name: Squares, size: 16, spatial: [{name: X, fanout: 2}], tensors: {keep: W}, actions: *actions}
  - !Compute {name: MAC, actions: [{name: compute, energy: 1, throughput: 1}]}
workload:
  rank_sizes: {K: 4, N: 4}
  bits_per_value: {All: 1}
  einsums: ["Y[n] = X[k] * W[k, n]"]
"""


@pytest.mark.parametrize("name", ["simanneal", "genetic", "random"])
def test_memories_that_are_spread_over_an_array_are_refused(name: str) -> None:
    spec = ff.Spec.from_string(SPREAD)
    spec.mapper.explorer, spec.mapper.joiner = "templates", name
    with pytest.raises(FFError, match="do not offer memories that are spread over an !Array \\(Squares\\)"):
        ff.map_workload_to_arch(spec)
