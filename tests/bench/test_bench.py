"""The benchmark programs run at the smallest sizes and say what they found; no test depends on how long it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import attrs
import pytest

from bench import limit, report, session
from bench.jobs import BENCHES, TINY, WARM, Job, Sizes
from bench.measure import FAILED, LIMIT, OK, Measured, measure
from bench.run import Row, run
from bench.run import rows as rows_of
from bench.update_docs import BEGIN, END, updated
from ffcore.render.xy import Line, xy_plot
from tests.cli.process import ff_here

ROOT = Path(__file__).resolve().parents[2]
PHASES = {"spec", "explore", "join", "evaluate"}


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)


def row(**changes: object) -> Row:
    plain = Row("chain", "N = 8", WARM, OK, 1.0, (1.0,), 1.0, 2**20)
    return attrs.evolve(plain, **changes)


@pytest.mark.slow
def test_chain_writes_rows_table_and_plot_and_keeps_other_results(tmp_path: Path) -> None:
    assert bench("startup", "--tiny", "--repeat", "1", "--out", tmp_path).returncode == 0
    done = bench("chain", "--tiny", "--repeat", "1", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = report.load(tmp_path / "latest.json")
    assert set(results) == {"startup", "chain"}
    where, rows = results["chain"]
    assert where["commit"]
    assert [(r.x, r.mode) for r in rows] == [(2, "cold"), (2, "warm")]
    for r in rows:
        assert r.status == OK
        assert set(r.phases) >= PHASES
        assert 0 < sum(r.phases.values()) < r.wall
        assert r.evaluated is not None
        assert r.evaluated > 0
        assert r.pareto_rows is not None
        assert r.pareto_rows > 0
        assert r.peak_bytes is not None
        assert r.peak_bytes > 10**7
    assert rows[0].edp == rows[1].edp
    table = (tmp_path / "latest.md").read_text()
    assert "| N = 2 | warm |" in table
    assert "Starting up" in table
    ET.parse(tmp_path / "chain.svg")


def test_session_reports_every_step_and_the_cache_changes_no_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = BENCHES["session"](TINY)
    assert job.command[1:3] == ("-m", "bench.session")
    monkeypatch.setattr(sys, "argv", list(job.command[2:]))
    session.main()
    rows = list(rows_of(job, WARM, [Measured(OK, 1.0, 1.0, 2**20, capsys.readouterr().out, "")]))
    assert [r.status for r in rows] == [OK] * 7
    assert all(set(r.phases) >= PHASES for r in rows)
    by_change: dict[str, set[tuple[float | None, int | None]]] = {}
    for r in rows[1:]:
        change, _ = r.job.split(",")
        by_change.setdefault(change, set()).add((r.edp, r.mappings))
    assert len(by_change) == 2
    assert all(len(answers) == 1 for answers in by_change.values())
    assert [r.goal for r in rows] == [None, 2, 2, 2, 2, 2, 2]


def test_every_bench_maps_what_it_says() -> None:
    jobs = [job for make in BENCHES.values() for job in make(Sizes())]
    maps = [job.command for job in jobs if "map" in job.command]
    free = sum(word.startswith("bench/inputs/") for command in maps for word in command[4:5])
    assert len(maps) - free == 8 + 5 + 1
    assert free == 2 + 6 + 1 + 2 + 4 + 4 + 15 + 16
    assert sum("gpt3_6.7B" in command for command in maps) == 9 + 2
    assert sum("N_TOKENS=65536" in command for command in maps) == 1
    for command in maps:
        assert all((ROOT / word).exists() for word in command if word.startswith("bench/inputs/"))
    tiny = [job for make in BENCHES.values() for job in make(TINY)]
    assert not any("gpt3_6.7B" in " ".join(job.command) for job in tiny)


@pytest.mark.parametrize("name", ["single", "attention", "chiplets", "memories", "odd", "odd_auto", "gpt3_free"])
def test_jobs_on_free_arrays_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = BENCHES[name](TINY)[-1]
    assert job.command[:3] == (sys.executable, "-m", "ffcore.cli")
    monkeypatch.chdir(ROOT)
    done = ff_here(*job.command[3:])
    assert done.returncode == 0, done.stderr
    assert all(r.evaluated for r in rows_of(job, WARM, [Measured(OK, 1.0, 1.0, 2**20, done.stdout, "")]))


@pytest.mark.slow
def test_growth_is_measured_in_one_process() -> None:
    job = BENCHES["growth"](TINY)[-1]
    done = measure(job.command, limit=100, cwd=ROOT)
    assert done.status == OK, done.stderr
    found = list(rows_of(job, WARM, [done]))
    assert all(r.evaluated for r in found)
    assert [r.job for r in found] == ["64", "256", "64 x 64", "256 x 256"]
    assert report.slope(found) is not None


def test_a_goal_beyond_the_imports() -> None:
    assert row(goal=0.6, beyond_imports=True, phases={"imports": 0.5}).met is True
    assert row(goal=0.6, phases={"imports": 0.5}).met is False


def test_a_job_past_its_limit_is_stopped_with_its_children_and_is_no_error(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = "import sys; from subprocess import Popen; p = Popen(['sleep', '60']); "
    child += "open(sys.argv[1], 'w').write(str(p.pid)); p.wait()"
    job = Job("chain", "slow", (sys.executable, "-c", child, str(pid_file)), modes=(WARM,), goals={WARM: 1})
    (found,) = run(job, limit=3, repeat=3)
    assert (found.status, found.met) == (LIMIT, False)
    assert len(found.walls) == 1
    assert "past its time limit" in "\n".join(report.table([found]))
    deadline = time.monotonic() + 10
    while _runs(int(pid_file.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(int(pid_file.read_text()))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # a child that ended, and that nobody waited for, does not run
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_a_failing_program_is_a_row_with_its_last_words() -> None:
    job = Job("gpt3", "bad", (sys.executable, "-m", "ffcore.cli", "map", "nothing_of_the_kind"), modes=(WARM,))
    (found,) = run(job, limit=60, repeat=3)
    assert found.status == FAILED
    assert "nothing_of_the_kind" in found.note


def test_memory_of_children_counts() -> None:
    use = "x = bytearray(300 * 2**20); x[::4096] = b'1' * len(x[::4096])"
    inner = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {use!r}])"]
    assert measure(inner, limit=60).peak_bytes > 300 * 2**20


def test_memory_of_processes_at_work_together_is_added_up() -> None:
    use = "import time; x = bytearray(200 * 2**20); x[::4096] = b'1' * len(x[::4096]); time.sleep(1)"
    both = f"import subprocess, sys; ps = [subprocess.Popen([sys.executable, '-c', {use!r}]) for _ in range(2)]"
    inner = [sys.executable, "-c", both + "; [p.wait() for p in ps]"]
    assert 400 * 2**20 < measure(inner, limit=60).peak_bytes < 700 * 2**20


def test_unknown_names_are_refused() -> None:
    done = bench("gtp3")
    assert done.returncode == 2
    assert "gpt3" in done.stderr


def test_slope_of_times_that_are_linear_in_n_is_one() -> None:
    rows = [row(x=n, wall=0.3 * n) for n in (8, 32, 256)] + [row(x=2, wall=100.0), row(x=64, wall=5.0, mode="cold")]
    assert report.slope(rows) == pytest.approx(1)
    assert report.slope(rows[:1]) is None


def test_goals_of_time_and_memory() -> None:
    assert row().met is None
    assert row(goal=1.0).met is True
    assert row(goal=0.9).met is False
    assert row(goal=1.0, memory_goal=2**20 - 1).met is False
    assert row(goal=1.0, status=LIMIT).met is False


def test_plot_of_lines_has_a_mark_at_each_point() -> None:
    root = ET.fromstring(xy_plot("t", [Line("a & b", 0, ((1, 1), (10, 100))), Line("empty", 1, ())], "x", "y"))
    lines = [e.attrib["points"].split() for e in root.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(points) for points in lines] == [2, 0]
    (x1, y1), (x2, y2) = (map(float, p.split(",")) for p in lines[0])
    assert x1 < x2
    assert y1 > y2
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 2


def test_tables_go_between_the_marks_of_the_page_again_and_again() -> None:
    page = f"top\n{BEGIN}\nold\n{END}\nbottom\n"
    once = updated(page, "| new |\n![p](chain.svg)\n")
    assert "old" not in once
    assert once == updated(once, "| new |\n![p](chain.svg)\n")
    assert "](../bench/results/chain.svg)" in once
    assert once.startswith("top\n")
    assert once.endswith("\nbottom\n")
    with pytest.raises(ValueError, match="must hold"):
        updated("no marks", "x")


def test_results_survive_saving(tmp_path: Path) -> None:
    rows = [row(x=8, phases={"join": 0.5}, evaluated=10), row(status=LIMIT, cpu=None, note="a | b")]
    report.save({"chain": ({"date": "d", "commit": "c", "machine": "m", "versions": "v"}, rows)}, tmp_path)
    assert report.load(tmp_path / "latest.json")["chain"][1] == rows
    assert json.loads((tmp_path / "latest.json").read_text())["chain"]["rows"][0]["evaluated"] == 10


def test_the_limit_table_tells_kernels_from_the_rest() -> None:
    found = limit.measure("simple", 1, "matmuls", {"N_EINSUMS": 2, "M": 8, "KN": 8}, repeat=1)
    assert 0 < sum(found.kernels.values()) < found.seconds
    assert set(found.kernels) == set(limit.KERNELS)
    assert min(found.calls, found.evaluated, found.rows) > 0
    assert len(found.cells) == len(limit.HEAD)
