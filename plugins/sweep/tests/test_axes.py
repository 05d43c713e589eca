"""What is varied: ranges, values that go together, whole files, conditions and samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ffcore as ff
from ffcore_sweep.axes import Axis, axes_of, in_si, parse_axes
from ffcore_sweep.chosen import Choice, Grid, chosen
from ffcore_sweep.ranges import expanded
from tests.api.specs import chain
from tests.cli.process import ff_here, write_specs

SIZE, LOOPS = "arch.nodes.Buffer.size", "mapper.ffm.max_fused_loops"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1MiB..64MiB*2", ["1MiB", "2MiB", "4MiB", "8MiB", "16MiB", "32MiB", "64MiB"]),
        ("512 KiB..1 MiB+256KiB", ["512KiB", "768KiB", "1024KiB"]),
        ("2..10+4", ["2", "6", "10"]),
        ("2..11+4", ["2", "6", "10"]),
        ("1..3", ["1", "2", "3"]),
        ("0.1..0.3+0.1", ["0.1", "0.2", "0.3"]),
        ("1e-3..1*10", ["0.001", "0.01", "0.1", "1"]),
        ("3..3*2", ["3"]),
        ("16MiB", ["16MiB"]),
        ("All", ["All"]),
        ("'1..3'", ["'1..3'"]),
    ],
)
def test_ranges(text: str, values: list[str]) -> None:
    assert expanded(text) == values
    sizes = [in_si(value) for value in values]
    if text.startswith("1MiB"):
        assert sizes == [2**23 * 2**k for k in range(7)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1..9*1", "factor above 1"),
        ("9..1*2", "not above its last"),
        ("0..9*2", "above 0"),
        ("1..9+0", "step above 0"),
        ("1.5..3", "takes a step"),
        ("1MiB..3MiB", "takes a step"),
        ("a..b*2", "'a' is no number"),
        ("1..inf*2", "'inf' is not finite"),
        ("1..1e300+1", "more than 1,000,000 values"),
    ],
)
def test_ranges_that_make_no_sense(text: str, why: str) -> None:
    with pytest.raises(ff.SpecError, match=why):
        expanded(text)


def test_what_stands_between_semicolons_goes_together() -> None:
    axes = axes_of([*parse_axes("a.size=1,2,3; b.size=4,4,5"), *parse_axes("c=x,'y;z'")])
    assert [(a.path, a.values) for a in axes] == [("a.size", (1, 2, 3)), ("b.size", (4, 4, 5)), ("c", ("x", "'y;z'"))]
    grid = Grid(axes)
    assert len(grid) == 6
    assert [(v["a.size"], v["b.size"]) for v in grid] == [(1, 4), (1, 4), (2, 4), (2, 4), (3, 5), (3, 5)]
    assert grid[-1:] == [{"a.size": 3, "b.size": 5, "c": "'y;z'"}]
    with pytest.raises(ff.SpecError, match=r"equally many values: a has 2, b has 1"):
        axes_of(parse_axes("a=1,2;b=3"))


def test_a_tuple_of_paths_in_python() -> None:
    spec = chain(n_einsums=2)
    found = ff.sweep(spec, {(SIZE, LOOPS): [("64 B", 0), ("1 KiB", 1)]}, n_jobs=1)
    assert [p.values for p in found] == [{SIZE: 512, LOOPS: 0}, {SIZE: 8192, LOOPS: 1}]
    with pytest.raises(ff.SpecError, match="one value of each in every point"):
        ff.sweep(spec, {(SIZE, LOOPS): [("64 B",)]})


AXES = (Axis("arch.nodes.SRAM.size", ("1MiB", "2MiB", "4MiB")), Axis("set.clusters", (1, 2, 3)), Axis("x.size", (1, 2)))


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("SRAM.size <= clusters * MiB", 10),
        ("SRAM.size > 1 * MiB and clusters != 2", 8),
        ("arch.nodes.SRAM.size == 2**23", 6),
        ("x.size == 1 or SRAM.size == 4 * MiB", 12),
    ],
)
def test_conditions_between_axes(where: str, count: int) -> None:
    found = chosen(AXES, Choice(where))
    assert len(found) == count
    mib = {"1MiB": 1, "2MiB": 2, "4MiB": 4}
    if count == 10:
        assert all(mib[str(v["arch.nodes.SRAM.size"])] <= int(str(v["set.clusters"])) for v in found)
    assert chosen(AXES, Choice((where, "clusters == 1"))) == [v for v in found if v["set.clusters"] == 1]


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("SRAM.siz > 1", "nothing that is varied is called SRAM.siz.*did you mean 'SRAM.size'"),
        ("size > 1", r"size may be arch\.nodes\.SRAM\.size or x\.size"),
        ("clusters + 1", "must be true or false"),
        ("clusterz > 1", "clusterz"),
        ("clusters > 5", "no point is left where clusters > 5"),
        ("__import__('os')", "where"),
    ],
)
def test_conditions_that_make_no_sense(where: str, why: str) -> None:
    with pytest.raises(ff.SpecError, match=why):
        chosen(AXES, Choice(where))


def test_samples_are_spread_repeatable_and_keep_conditions() -> None:
    axes = [Axis("a", tuple(range(10))), Axis("b", tuple(range(10))), Axis("c", tuple(range(1000)))]
    found = chosen(axes, Choice(sample=20, seed=1))
    assert found == chosen(axes, Choice(sample=20, seed=1)) != chosen(axes, Choice(sample=20, seed=2))
    assert len({repr(v) for v in found}) == 20
    for name in "ab":  # a Latin hypercube: each value twice
        assert sorted(v[name] for v in found) == sorted([*range(10)] * 2)  # type: ignore[type-var]
    assert sorted(int(str(v["c"])) // 50 for v in found) == list(range(20))
    some = chosen(axes, Choice("a + b < 4", sample=50, seed=1))
    assert len(some) == 50
    assert all(v["a"] + v["b"] < 4 for v in some)  # type: ignore[operator]
    few = [Axis("a", (1, 2, 3))]
    assert chosen(few, Choice(sample=9)) == [{"a": 1}, {"a": 2}, {"a": 3}]
    with pytest.raises(ff.SpecError, match="sample must be a whole number of at least 1"):
        Choice(sample=0)


def test_whole_files_are_varied_and_the_folder_needs_them_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arch, workload = write_specs(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text(Path(arch).read_text().replace("GlobalBuffer", "Cache"))
    out = tmp_path / "out"
    words = ["--set", "M=4", "--vary", f"{LOOPS}=0,1", "--where", f"arch == 'other.yaml' or {LOOPS} == 0", "--out", out]
    (tmp_path / "plain.yaml").write_text(Path(arch).read_text())
    done = ff_here("sweep", "--vary-arch", "plain.yaml,other.yaml", workload, *words, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    rows = [line.split()[:2] for line in done.stdout.splitlines()[1:4]]
    assert rows == [["plain.yaml", "0"], ["other.yaml", "0"], ["other.yaml", "1"]]
    known = json.loads((out / "sweep.json").read_text())
    assert known["choice"]["where"] == [f"arch == 'other.yaml' or {LOOPS} == 0"]
    (tmp_path / "plain.yaml").unlink()
    other.unlink()
    (out / "points" / "001.json").unlink()
    assert ff_here("sweep", "--resume", out, "--jobs", "1").stdout == done.stdout
    both = ff_here("sweep", arch, "--vary-workload", f"{workload},{workload}", "--out", out)
    assert both.returncode == 2
    assert f"workload: the value {workload} is given twice" in both.stderr


def test_a_parameter_and_a_file_of_one_name() -> None:
    with pytest.raises(ff.SpecError, match=r"arch and set\.arch cannot both be varied"):
        axes_of([Axis("arch", ("a.yaml",)), Axis("set.arch", (1,))])
