"""The call ``ff.sweep``: grids, values with units, mistakes, what is returned."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import ffcore as ff
from ffcore.explore.default import CacheWarning
from ffcore.spec.problem import Metric
from ffcore_sweep.axes import (
    Axis,
    axes_of,
    in_si,
    parse_axis,
    parse_value,
    short_names,
    show_value,
    split_values,
)
from ffcore_sweep.chosen import Grid
from ffcore_sweep.result import best_of
from tests.api.specs import chain

SIZE = "arch.nodes.Buffer.size"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16MiB", 16 * 2**23),
        ("16 MiB", 16 * 2**23),
        ("614 GB/s", 614 * 10**9 * 8),
        ("7.03 pJ", 7.03e-12),
        ("inf", math.inf),
        ("3", 3),
        ("1e6", 1e6),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("All", "All"),
        ("~Intermediates", "~Intermediates"),
        ("128 * 2**20 * 8", "128 * 2**20 * 8"),
        ("1 if weight else 0", "1 if weight else 0"),
        ("[energy, latency]", "[energy, latency]"),
    ],
)
def test_values_may_have_units(text: str, value: object) -> None:
    parsed = in_si(parse_value(text))
    assert parsed == (pytest.approx(value, rel=1e-15) if isinstance(value, float) else value)
    assert type(parsed) is type(value)


def test_a_unit_that_does_not_exist() -> None:
    with pytest.raises(ff.SpecError, match=r"unknown unit 'MiX' in '16 MiX'.*did you mean"):
        parse_axis("a.size=16 MiX")


def test_quantities_are_set_as_they_are_and_must_suit_the_field() -> None:
    """Bandwidths and energies per bit depend on the bits of an action, which only the field knows."""
    spec = chain(n_einsums=1)
    read = "arch.nodes.Main.actions.read.energy"
    spec.set("arch.nodes.Main.bits_per_action", 16)
    (point,) = ff.sweep(spec, {read: ["2 pJ/bit"]}, n_jobs=1)
    spec.set(read, 2e-12 * 16)
    assert point.energy == pytest.approx(ff.map_workload_to_arch(spec, n_jobs=1).energy(), rel=1e-12)
    assert point.values == {read: 2e-12}
    with pytest.raises(ff.SpecError, match=r"Buffer\.size.*pJ"):
        ff.sweep(spec, {SIZE: ["100 B", "2 pJ"]})


def test_commas_in_brackets_and_quotes_do_not_divide() -> None:
    assert split_values("[energy, latency],energy") == ["[energy, latency]", "energy"]
    assert split_values("min(1,2), 'a,b' ,\"c,]\"") == ["min(1,2)", "'a,b'", '"c,]"']
    assert parse_axis("mapper.joiner_options={seed: 1, islands: 2},{seed: 2}").values == (
        "{seed: 1, islands: 2}",
        "{seed: 2}",
    )
    for text, what in (("[a,b", "bracket"), ("'a,b", "quotation"), ("a],[b", "bracket")):
        with pytest.raises(ff.SpecError, match=what):
            split_values(text)


@pytest.mark.parametrize("text", ["", "a.b", "=1", "  = 1,2"])
def test_what_varies_nothing(text: str) -> None:
    with pytest.raises(ff.SpecError, match="expected PATH=VALUE,VALUE"):
        parse_axis(text)


def test_mistakes_of_all_axes_are_told_together() -> None:
    axes = [Axis("a", (1, "8 b", "1 B")), Axis("b", ()), Axis("a", (True, 1)), Axis("set.", (1,))]
    with pytest.raises(ff.SpecError) as caught:
        axes_of(axes)
    assert str(caught.value).splitlines() == [
        "a: the value 1 B is given twice",
        "b is to be varied, but a value is missing",
        "a is varied twice",
        "set. lacks the name of a parameter",
    ]
    for nothing, message in (({}, "nothing is varied"), ({"a": "1,2"}, "expected a list of values")):
        with pytest.raises(ff.SpecError, match=message):
            axes_of(nothing)


def test_the_first_axis_varies_slowest() -> None:
    axes = [Axis("a", (1, 2)), Axis("b", ("x", "y"))]
    assert list(Grid(axes)) == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]


def test_names_and_values_for_people() -> None:
    axes = [Axis(path, (1,)) for path in ("arch.nodes.A.size", "arch.nodes.B.size", "mapper.ffm.metrics", "set.N")]
    assert list(short_names(axes).values()) == ["A.size", "B.size", "metrics", "N"]
    alike = [Axis(path, (1,)) for path in ("arch.nodes.A.actions.read.energy", "arch.nodes.B.actions.read.energy")]
    assert list(short_names(alike).values()) == ["A.actions.read.energy", "B.actions.read.energy"]
    assert show_value("arch.nodes.A.size", 2**23) == "1 MiB"
    assert show_value("arch.nodes.A.actions.read.energy", 7.03e-12) == "7.03 pJ"
    assert show_value("mapper.ffm.max_fused_loops", 2) == "2"
    assert [show_value("a.size", v) for v in (math.inf, "x", None, True)] == ["inf", "x", "null", "true"]


def test_what_is_returned() -> None:
    spec = chain(n_einsums=2, bandwidth=4)
    before = spec.hash()
    found = ff.sweep(spec, {SIZE: ["100 B", "8 bit"], "mapper.ffm.max_fused_loops": [0, 1]}, n_jobs=1)
    assert spec.hash() == before
    assert [dict(p.values) for p in found][1] == {SIZE: 800, "mapper.ffm.max_fused_loops": 1}
    assert len(found) == 4
    assert found[1].number == 1
    assert len(found[:2]) == 2
    best = found[0]
    assert best.mappings is not None
    assert best.energy is not None
    assert best.latency is not None
    assert best.edp == best.energy * best.latency == min(e * t for e, t in best.numbers)
    assert best.n_mappings == len(best.mappings) == len(best.numbers) > 1
    data = found.data
    assert list(data.columns[:3]) == [SIZE, "mapper.ffm.max_fused_loops", "status"]
    assert data["energy_J"].tolist() == [p.energy for p in found]
    assert data[SIZE].tolist() == [800, 800, 8, 8]
    with pytest.raises(AttributeError):
        found.points = ()  # type: ignore[misc]


def test_which_mapping_is_the_best() -> None:
    numbers = [(1.0, 9.0), (2.0, 3.0), (7.0, 2.0)]
    both = Metric.ENERGY | Metric.LATENCY
    asked = (Metric.ENERGY, Metric.LATENCY, both, Metric.ENERGY_DELAY_PRODUCT)
    assert [best_of(metrics, numbers) for metrics in asked] == [0, 2, 1, 1]


def test_a_point_without_a_mapping_says_why() -> None:
    spec = chain(n_einsums=2)
    spec.arch.nodes["Main"].tensors.may_keep = "Nothing"
    spec.mapper.ffm.max_fused_loops = 0
    found = ff.sweep(spec, {SIZE: [8, 8 * 100]}, n_jobs=1)
    assert [p.status for p in found] == ["no valid mapping", "found"]
    spec.set(SIZE, 8)
    with pytest.raises(ff.NoValidMappingError) as caught:
        ff.map_workload_to_arch(spec, n_jobs=1)
    assert found[0].reason == str(caught.value)
    assert found[0].energy is None
    assert found[0].short_reason == "Buffer needs 32 B"


def test_mistakes_of_all_points_are_told_before_anything_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffcore_sweep.run.explore_einsum", None)
    with pytest.raises(ff.SpecError) as caught:
        ff.sweep(chain(), {SIZE: [100, -1, 0], "mapper.joiner": ["ffm", "nosuch"], "mapper.ffm.nothing": [1]}, n_jobs=1)
    assert str(caught.value).count("\n") == 0
    assert "'nothing'" in str(caught.value)
    with pytest.raises(ff.SpecError) as caught:
        ff.sweep(chain(), {SIZE: [100, -1, 0], "mapper.joiner": ["ffm", "nosuch"]}, n_jobs=1)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "nosuch" in lines[0]
    assert lines[0].endswith("(with mapper.joiner=nosuch)")
    assert "must be positive, got -1" in lines[1]
    assert "must be positive, got 0" in lines[2]


def test_jinja_parameters_are_varied_by_a_function_that_reads_the_files() -> None:
    def read(M: int) -> ff.Spec:
        return ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=1, M=M, KN=4)

    found = ff.sweep(read, {"set.M": [4, 8], "mapper.ffm.metrics": ["energy"]}, n_jobs=1)
    assert [p.energy for p in found] == [ff.map_workload_to_arch(_energy(read(M)), n_jobs=1).energy() for M in (4, 8)]
    with pytest.raises(ff.SpecError, match=r"set\.M: a spec that was read already has no Jinja parameters"):
        ff.sweep(read(4), {"set.M": [4, 8]})


def _energy(spec: ff.Spec) -> ff.Spec:
    spec.mapper.ffm.metrics = Metric.ENERGY
    return spec


def test_explorers_of_their_own_and_what_they_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points that another explorer serves come out the same; what it refuses is that point's reason."""
    spec = chain(n_einsums=1, m=4, kn=2)
    found = ff.sweep(spec, {"mapper.joiner": ["ffm", "exhaustive"], SIZE: [100, 40]}, n_jobs=1)
    assert [p.status for p in found] == ["found"] * 4
    for fast, slow in zip(found[:2], found[2:], strict=True):
        assert fast.mappings is not None
        assert slow.mappings is not None
        for mine, theirs in zip(fast.numbers, slow.numbers, strict=True):
            assert mine == pytest.approx(theirs, rel=1e-12)
    spec.mapper.ffm.metrics = Metric.ACTIONS
    with pytest.raises(ff.SpecError, match="cannot be optimised for ACTIONS"):  # before anything is searched
        ff.sweep(spec, {SIZE: [100]}, n_jobs=1)

    def refusing(*_: object, **named: object) -> None:
        raise ff.FFError("not for me")

    monkeypatch.setattr("ffcore_sweep.run.make_pmappings", refusing)
    spec.mapper.ffm.metrics = Metric.ENERGY | Metric.RESOURCE_USAGE  # which the exhaustive joiner compares
    (point,) = ff.sweep(spec, {"mapper.joiner": ["exhaustive"]}, n_jobs=1)
    assert (point.status, point.reason) == ("failed", "not for me")


@pytest.mark.parametrize("executor", ["forks", "threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_the_same_by_any_workers(executor: str) -> None:
    spec, vary = chain(n_einsums=2), {SIZE: [100, 400], "arch.nodes.Buffer.actions.read.energy": [0.1, 2]}
    expected = [p.numbers for p in ff.sweep(spec, vary, n_jobs=1)]
    spec.mapper.executor = executor
    assert [p.numbers for p in ff.sweep(spec, vary, n_jobs=2)] == expected


def test_a_cache_is_used_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, vary = chain(n_einsums=2), {SIZE: [100, 400]}
    expected = [p.numbers for p in ff.sweep(spec, vary, n_jobs=1, cache_dir=tmp_path)]
    (damaged, *_) = sorted(tmp_path.glob("*.npz"))
    content = damaged.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("ffcore_sweep.run.explore_einsum", None)
        assert [p.numbers for p in ff.sweep(spec, vary, n_jobs=1, cache_dir=tmp_path)] == expected
    damaged.write_bytes(content[:-100])
    with pytest.warns(CacheWarning, match="is explored again"):
        assert [p.numbers for p in ff.sweep(spec, vary, n_jobs=1, cache_dir=tmp_path)] == expected
    assert damaged.read_bytes() != content[:-100]
