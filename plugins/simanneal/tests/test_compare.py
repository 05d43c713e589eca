"""``ff compare``: the table, the files, and what it refuses."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import pytest

from ffcore import plugin
from ffcore.errors import NoValidMappingError, SpecError
from ffcore.plugin import JoinerRecord, hookimpl
from ffcore.plugin.manager import scan
from ffcore.pmappings.set import JoinedMapping, PmappingSet
from ffcore.spec import Spec
from ffcore.spec.problem import Problem
from ffcore.units import parse_time
from ffcore_simanneal import compare_run, compare_show
from tests.cli.process import ff, ff_here, write_specs
from tests.examples import first_few

SVG = "{http://www.w3.org/2000/svg}"


def arguments(folder: Path, *more: str) -> list[str | Path]:
    out = () if "--out" in more else ("--out", folder / "compared")
    return ["compare", *write_specs(folder), "--set", "M=4", "--jobs", "1", *out, *more]


def test_all_joiners_under_one_budget(tmp_path: Path) -> None:
    names = ["ffm", "simanneal", "simanneal2", "genetic", "random"]
    out = tmp_path / "out"
    words = ["--joiners", ",".join(names), "--budget", "700ms", "--format", "json", "--out", str(out)]
    done = ff_here(*arguments(tmp_path, *words))
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert json.loads((out / "compare.json").read_text()) == data
    assert (data["score"], data["unit"]) == ("energy-delay product", "J·s")
    assert [run["joiner"] for run in data["runs"]] == names
    exact, *searches = data["runs"]
    assert exact["exact"]
    assert data["optimum"] == exact["score"]
    for run in searches:
        assert run["gap"] == pytest.approx(0, abs=1e-9)  # two matmuls of 4 x 2 x 2
        assert run["budget_seconds"] == pytest.approx(0.7)
        assert run["seconds"] * (1 + 1e-9) >= 0.7
        assert run["evaluations"] > 100
        scores = [score for _, _, score in run["history"]]
        assert scores == sorted(scores, reverse=True)
        assert scores[-1] == run["score"]
    rows = list(csv.DictReader((out / "history.csv").open()))
    assert len(rows) == sum(len(run["history"]) for run in data["runs"])
    assert {row["joiner"] for row in rows} == set(names)
    assert min(float(row["score"]) for row in rows) == pytest.approx(data["optimum"], rel=1e-9)
    picture = ElementTree.parse(out / "convergence.svg").getroot()
    assert len(picture.findall(f"{SVG}polyline")) == len(names)
    assert {t.text for t in picture.findall(f"{SVG}text")} >= set(names)


def test_real_process_with_workers_prints_nothing_but_the_table(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--set", "M=4", "--jobs", "2", "--joiners", "ffm,random", "--budget", "200ms", "--out", str(out)]
    done = ff("compare", *write_specs(tmp_path), *words)
    assert (done.returncode, done.stderr) == (0, "")
    *table, picture = done.stdout.splitlines()
    assert [line.split()[0] for line in table] == ["joiner", "ffm", "random"]
    assert picture == f"convergence: {out / 'convergence.svg'}"
    assert (out / "convergence.svg").exists()
    assert "\x1b" not in done.stdout


def test_budgets_in_multiples_of_the_exact_joiners_time(tmp_path: Path) -> None:
    words = ["--joiners", "ffm,random", "--multiples", "1, 3", "--metrics", "energy"]
    done = ff_here(*arguments(tmp_path, *words, "--format", "json"))
    data = json.loads(done.stdout)
    exact, once, thrice = data["runs"]
    assert (data["score"], data["unit"]) == ("energy", "J")
    assert [run["multiple"] for run in data["runs"]] == [None, 1, 3]
    assert once["budget_seconds"] == pytest.approx(exact["seconds"])
    assert thrice["budget_seconds"] == pytest.approx(3 * exact["seconds"])


def test_table_names_what_was_not_found(tmp_path: Path) -> None:
    done = ff_here(*arguments(tmp_path, "--joiners", "ffm,simanneal,simanneal2", "--budget", "1ms"))
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["joiner", "budget", "best", "(J·s)", "gap", "to", "optimum", "evaluations", "seconds"]
    assert [line.split()[0] for line in lines[1:-1]] == ["ffm", "simanneal", "simanneal2"]
    assert lines[2].split()[3] == "none"
    assert "making its pmappings takes" in lines[3]


def test_without_an_exact_joiner_gaps_are_to_the_best(tmp_path: Path) -> None:
    done = ff_here(*arguments(tmp_path, "--joiners", "genetic,random", "--budget", "0.3"))
    assert done.returncode == 0
    assert "gap to the best known" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--joiners", "ffm,simaneal"], "joiner 'simaneal' is not installed"),
        (["--joiners", ","], "--joiners: name at least one"),
        (["--joiners", "ffm,ffm"], "each one can be named once"),
        (["--budget", "-5s"], "--budget must be above 0 and finite, not -5s"),
        (["--budget", "0"], "--budget must be above 0"),
        (["--budget", "inf"], "--budget must be above 0"),
        (["--budget", "60J"], "--budget: '60J' is an energy; expected a time"),
        (["--budget", "soon"], "--budget: 'soon' is not a quantity"),
        (["--budget", "xmin"], "--budget: 'x' is not a quantity"),
        (["--budget", "1s", "--multiples", "1"], "give either --budget or --multiples"),
        (["--multiples", "1,-2"], "--multiples: expected numbers above 0 such as 1,10,100, not -2"),
        (["--multiples", "1,x"], "not x"),
        (["--joiners", "random,ffm", "--multiples", "1"], "name it first"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, words: list[str], message: str) -> None:
    done = ff_here(*arguments(tmp_path, *words))
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_no_valid_mapping_is_1(tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    arch.write_text(arch.read_text().replace("may_keep: All}", "may_keep: Nothing}"))
    done = ff_here(
        "compare", arch, workload, "--set", "M=4", "--set", "SIZE=1", "--budget", "1s", "--out", tmp_path / "out"
    )
    assert done.returncode == 1
    assert "no valid mapping" in done.stderr


def test_nothing_found_is_1_with_the_reasons(tmp_path: Path) -> None:
    done = ff_here(*arguments(tmp_path, "--joiners", "simanneal2,random", "--budget", "1us"))
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["joiner", "simanneal2", "random", "convergence:"]
    assert done.stderr.startswith("no valid mapping: no joiner found one (simanneal2: making its pmappings takes")
    assert "random: " in done.stderr


@pytest.mark.parametrize("kind", ["a file", "below a file", "not writable"])
def test_bad_folder_is_told_before_anything_runs(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> None:
        raise AssertionError("ran before the folder was looked at")

    monkeypatch.setattr(compare_run, "run", run)
    out = tmp_path / "out"
    if kind == "not writable":
        (out / "history.csv").mkdir(parents=True)
    else:
        out.write_text("")
        out = out / "below" if kind == "below a file" else out
    done = ff_here(*arguments(tmp_path, "--out", str(out)))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(out) in done.stderr


@pytest.mark.parametrize("jobs", [1, 2])
def test_wall_clock_counts_all_that_a_search_needs(tmp_path: Path, jobs: int) -> None:
    """The start of workers included; what is compiled is compiled before."""
    spec = Spec.from_yaml(*write_specs(tmp_path), M=16)
    plan = compare_run.plan("random", "300ms", None, seed=0, jobs=jobs)
    compare_run._warm_up(spec, plan)
    begin = time.perf_counter()
    explored = compare_run._Explored(spec, jobs)
    run = compare_run._search(spec, plan, "random", (0.3, None), explored, None)
    wall = time.perf_counter() - begin
    assert 0.3 <= run.seconds <= wall
    assert run.history[-1].seconds <= run.seconds


class Promising:
    """A joiner that returns the exact one's worst mapping, and promises what a test says."""

    promise: ClassVar[float | None] = None

    def __init__(self) -> None:
        self.exact = plugin.get("joiner", "ffm")

    def guarantee(self, options: object) -> float | None:
        return self.promise

    def join(self, problem: Problem, pmappings: PmappingSet, **options: Any) -> list[JoinedMapping]:
        found = self.exact.join(problem, pmappings, **options)
        if not self.known:
            raise NoValidMappingError("out of ideas")
        return [max(found, key=lambda m: m.energy * m.latency)]

    known: ClassVar[bool] = True


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> type[Promising]:
    class Plugin:
        @hookimpl
        def ffcore_joiners(self) -> list[JoinerRecord]:
            return [JoinerRecord("mine", "a joiner of a third party", Mine)]

    class Mine(Promising):
        pass

    class Point:
        name, value, dist = "mine", "mine", None

        def load(self) -> object:
            return Plugin()

    manager = plugin.PluginManager([*scan(), Point()])
    monkeypatch.setattr(plugin, "current_manager", lambda: manager)
    return Mine


@pytest.mark.parametrize(
    ("promise", "exact", "note"),
    [(None, False, "promises nothing"), (1.5, False, "within a factor of 1.5 of the optimum"), (1.0, True, "")],
)
def test_only_a_guarantee_makes_an_optimum(
    tmp_path: Path, third_party: type[Promising], promise: float | None, exact: bool, note: str
) -> None:
    third_party.promise = promise
    spec = Spec.from_yaml(*write_specs(tmp_path), M=4)
    found = compare_run.run(spec, compare_run.plan("mine,random", "200ms", None, seed=0, jobs=1))
    mine, random = found.runs
    assert (mine.exact, mine.note, random.exact) == (exact, note, False)
    assert found.optimum == (mine.score if exact else None)
    head = compare_show.as_text(found).splitlines()[0]
    assert ("gap to optimum" in head) == exact
    assert ("gap to the best known" in head) != exact


def test_a_joiner_that_gives_up_leaves_the_others_to_try(tmp_path: Path, third_party: type[Promising]) -> None:
    third_party.known = False
    spec = Spec.from_yaml(*write_specs(tmp_path), M=4)
    found = compare_run.run(spec, compare_run.plan("mine,random", "200ms", None, seed=0, jobs=1))
    assert [math.isfinite(run.score) for run in found.runs] == [False, True]
    assert found.runs[0].note == "out of ideas"
    assert found.failure is None


def test_tolerances_make_no_optimum(tmp_path: Path) -> None:
    spec = Spec.from_yaml(*write_specs(tmp_path), M=4)
    spec.mapper.ffm.objective_tolerance = 0.5
    found = compare_run.run(spec, compare_run.plan("ffm", None, None, seed=0, jobs=1))
    assert found.optimum is None
    assert found.runs[0].note.startswith("within a factor of")


@pytest.mark.parametrize(
    ("jobs", "whole_group"),
    first_few([("2", True), ("2", False), ("1", True)], 1),
)
def test_ctrl_c_tells_what_is_finished_and_ends_at_once(tmp_path: Path, jobs: str, whole_group: bool) -> None:
    words = ["--set", "M=4", "--jobs", jobs, "--joiners", "ffm,random", "--budget", "60s", "--out", str(tmp_path)]
    command = [sys.executable, "-m", "ffcore.cli", "compare", *map(str, write_specs(tmp_path)), *words]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(8)
    (os.killpg if whole_group else os.kill)(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=30)  # less than what is left of the budget
    assert running.returncode == 130
    assert err.strip() == "interrupted"
    assert [line.split()[0] for line in out.splitlines()] == ["joiner", "ffm", "convergence:"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("60", 60), ("2min", 120), ("1.5 h", 5400), ("500ms", 0.5), ("1 minute", 60), ("2 hours", 7200)],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_time("--budget", text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["-1min", "xh", "nan", "inf", ""])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(SpecError):
        parse_time("--budget", text)


def test_map_takes_the_baselines_by_name(tmp_path: Path) -> None:
    words = ["--set", "M=4", "--joiner", "simanneal", "--format", "json", "--jobs", "1"]
    words += ["--spec", "mapper.joiner_options={max_evaluations: 3000}"]
    done = ff_here("map", *write_specs(tmp_path), *words)
    assert done.returncode == 0, done.stderr
    (mapping,) = json.loads(done.stdout)["mappings"]
    assert mapping["latency"] == 2 * 4 * 2 * 2
