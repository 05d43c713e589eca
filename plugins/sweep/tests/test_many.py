"""Many points: they take little memory, and what is written of them is written part by part."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from pyarrow.parquet import read_table

from ffcore.cli.run_json import as_json
from ffcore_sweep import batch, chains, show
from ffcore_sweep import folder as sweep_folder
from ffcore_sweep import run as run_module
from ffcore_sweep.axes import Axis
from ffcore_sweep.columns import Design, Detail, front
from ffcore_sweep.packed import Packed
from ffcore_sweep.parquet import write_parquet
from ffcore_sweep.result import FOUND, NOTHING, Sweep, SweepPoint
from ffcore_sweep.run import prepared
from tests.api.specs import chain
from tests.examples import first_few

SIZE, READ = "arch.nodes.Buffer.size", "arch.nodes.Main.actions.read.throughput"


def made(number: int, listed: bool = False) -> SweepPoint:
    values: dict[str, object] = {SIZE: 8.0 * (number % 100), READ: float(number // 100)}
    if listed:
        values["set.LIST"] = [1, 2]
    if number % 7 == 0:
        return SweepPoint(number, values, NOTHING, reason="Buffer needs more", short_reason="more")
    numbers = tuple((1.0 + number / (k + 1), 1.0 + k / 3) for k in range(1 + number % 3))
    details = tuple(Detail(e / 7, 1 / (1 + t), {"Buffer": (e, t / 9)}, {"A": (e, t), "B": (t, e)}) for e, t in numbers)
    return SweepPoint(number, values, FOUND, numbers, len(numbers) - 1, design=Design(1e-6, 0.5, 64.0), details=details)


def as_data(point: SweepPoint) -> tuple[object, ...]:
    parts = (point.number, dict(point.values), point.status, point.numbers, point.best, point.reason)
    return (*parts, point.short_reason, point.design, point.details)


def test_packed_points_are_what_was_put_in() -> None:
    packed = Packed()
    for number in (4, 7, 0, 2, 9):
        packed.add(made(number, listed=number > 4))
    packed.add(made(2))  # again
    assert [as_data(p) for p in packed] == [as_data(made(n, listed=n > 4)) for n in (0, 2, 4, 7, 9)]
    assert [p.number for p in packed[1:3]] == [2, 4]
    assert set(packed.numbers) == {0, 2, 4, 7, 9}
    with pytest.raises(IndexError):
        packed[5]


def test_packed_points_take_little_memory() -> None:
    packed = Packed()
    packed.add(made(1))
    tracemalloc.start()
    for number in range(5000):
        packed.add(made(number))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / 5000 < 1200  # bytes a point


def test_tables_are_written_row_by_row(tmp_path: Path) -> None:
    axes = (Axis(SIZE, tuple(8.0 * k for k in range(100))), Axis(READ, tuple(map(float, range(100)))))
    folder = sweep_folder.new(tmp_path, axes, lambda: chain(n_einsums=1))
    packed = Packed()
    for number in range(300):
        packed.add(made(number))
    sweep = Sweep(axes, packed)
    show.write(folder, sweep, finished=True)
    plan = {**folder.plan, "finished": True, "points": [folder.point_data(p) for p in sweep]}
    assert (tmp_path / "sweep.json").read_text() == as_json(plan)
    assert json.loads("".join(show.shown(folder, sweep, "json"))) == {k: plan[k] for k in ("finished", "points")}
    assert len((tmp_path / "sweep.csv").read_text().splitlines()) == 301
    longest = max(len(part) for part in show.as_csv(sweep))
    assert longest < 400
    assert len((tmp_path / "pareto.csv").read_text().splitlines()) == 1 + sum(max(1, p.n_mappings) for p in packed)


def test_the_front_and_the_parquet_file_of_many_points_take_little_memory(tmp_path: Path) -> None:
    axes = (Axis(SIZE, tuple(8.0 * k for k in range(100))), Axis(READ, tuple(map(float, range(100)))))
    folder = sweep_folder.new(tmp_path, axes, lambda: chain(n_einsums=1))
    packed = Packed()
    for number in range(2500):
        packed.add(made(number))
    sweep = Sweep(axes, packed)
    few = packed[:5]  # what is imported and compiled is no part of it
    show.write(folder, Sweep(axes, few), finished=True)
    tracemalloc.start()
    kept = front(sweep.points, ("energy_J", "latency_s"))
    found = tracemalloc.get_traced_memory()[1]
    write_parquet(tmp_path / "pareto.parquet", lambda: show._pareto_rows(sweep, kept))
    written = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found / 2500 < 350  # bytes a point
    assert written < 10e6  # whatever their number
    assert read_table(tmp_path / "pareto.parquet").num_rows == sum(max(1, p.n_mappings) for p in packed)


def test_a_parquet_file_holds_what_it_is_given(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"number": 1.5, "count": 3, "flag": True, "text": "ü, 'a'", "mixed": "inf", "none": None, "huge": 1 << 70},
        {"number": None, "count": None, "flag": None, "text": None, "mixed": 2.0, "none": None, "huge": 1},
        {"number": math.inf, "count": -(1 << 62), "flag": False, "text": "", "mixed": None, "none": None, "late": 7},
    ]
    write_parquet(tmp_path / "a.parquet", lambda: iter(rows))
    read = read_table(tmp_path / "a.parquet")
    names = list(dict.fromkeys(name for row in rows for name in row))
    expected = [{name: row.get(name) for name in names} for row in rows]
    expected[1]["mixed"] = "2.0"
    assert read.to_pylist() == expected
    assert {name: str(read.schema.field(name).type) for name in ("count", "flag", "text", "none", "huge")} == {
        "count": "int64",
        "flag": "bool",
        "text": "string",
        "none": "double",
        "huge": "double",
    }


def test_a_sweep_imports_no_pandas(tmp_path: Path) -> None:
    """It would take longer than all else that is done at the end of a small sweep."""
    words = ["sweep", "simple", "matmuls", "--vary", "arch.nodes.GlobalBuffer.size=64B,128B", "--jobs", "1"]
    code = f"""
import sys
from ffcore.cli.main import app
try:
    app({[*words, "--out", str(tmp_path / "out")]!r}, standalone_mode=False)
finally:
    sys.exit("pandas" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert read_table(tmp_path / "out" / "pareto.parquet").num_rows >= 2


def test_curves_are_thinned() -> None:
    axes = (Axis(SIZE, tuple(8.0 * k for k in range(100))), Axis(READ, tuple(map(float, range(90)))))
    packed = Packed()
    for number in range(9000):
        packed.add(made(number))
    text = show.as_svg(Sweep(axes, packed), chain().mapper.ffm.metrics)
    assert "(30 of 90 curves)" in text


def test_batches_grow_where_points_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    joined = run_module._Run._join

    def noting(self, batch):  # type: ignore[no-untyped-def]
        sizes.append(len(batch))
        return joined(self, batch)

    monkeypatch.setattr(run_module._Run, "_join", noting)
    monkeypatch.setattr(run_module, "_QUICK", math.inf)
    monkeypatch.setattr(chains, "LONGEST", 1)
    job = prepared(chain(n_einsums=1, bandwidth=4), {READ: [k / 3 for k in range(1, 31)]})
    assert len(list(job.each(n_jobs=1))) == 30
    assert sizes == [4, 8, 16, 2]
    sizes.clear()
    monkeypatch.setattr(run_module, "_EXPLORATIONS", 0)  # all share too little
    list(job.each(n_jobs=1))
    assert max(sizes) <= 4


@pytest.mark.parametrize("jobs", first_few([2, 1], 1))
def test_points_that_go_to_a_worker_together_are_what_each_is(monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    """Some of them have no mapping; explorations are those of several points of a task, or of one."""
    taken: list[int] = []
    made = batch.Batch.round

    def noting(self, size):  # type: ignore[no-untyped-def]
        tasks, calls = made(self, size)
        taken.extend(sum(map(len, task)) for task in tasks)
        return tasks, calls

    sizes = [8.0 * k for k in (12, 40, 100)]
    job = prepared(
        chain(n_einsums=2), {SIZE: sizes, "mapper.ffm.max_fused_loops": [0, 2], "arch.nodes.Main.size": ["inf", 8]}
    )
    apart = [as_data(p) for p in job.each(n_jobs=jobs)]
    monkeypatch.setattr(batch.Batch, "round", noting)
    monkeypatch.setattr(run_module, "_TASK", 1e9)
    monkeypatch.setattr(run_module, "_SHARE", 1)
    monkeypatch.setattr(run_module, "_QUICK", math.inf)
    together = [as_data(p) for p in job.each(n_jobs=jobs)]
    assert sorted(together, key=str) == sorted(apart, key=str)
    assert {p[2] for p in apart} == {FOUND, NOTHING}
    assert max(taken) > 1
