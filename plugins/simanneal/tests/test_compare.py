"""``ff compare``: the table, the files, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ffcore.cli.compare_run import parse_time
from ffcore.errors import SpecError
from tests.cli.process import ff, ff_here, write_specs

SVG = "{http://www.w3.org/2000/svg}"


def arguments(folder: Path, *more: str) -> list[str | Path]:
    return ["compare", *write_specs(folder), "--set", "M=4", "--jobs", "1", *more]


def test_all_joiners_under_one_budget(tmp_path: Path) -> None:
    names = ["ffm", "simanneal", "simanneal2", "genetic", "random"]
    out = tmp_path / "out"
    warm = ff_here(*arguments(tmp_path, "--joiners", "ffm"))  # kernels compiled
    assert warm.returncode == 0
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
    words = ["--set", "M=4", "--jobs", "2", "--joiners", "ffm,random", "--budget", "200ms"]
    done = ff("compare", *write_specs(tmp_path), *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["joiner", "ffm", "random"]
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
    assert [line.split()[0] for line in lines[1:]] == ["ffm", "simanneal", "simanneal2"]
    assert lines[2].split()[3] == "none"
    assert "making its pmappings takes" in lines[3]


def test_without_an_exact_joiner_gaps_are_to_the_best(tmp_path: Path) -> None:
    done = ff_here(*arguments(tmp_path, "--joiners", "genetic,random", "--budget", "0.3"))
    assert done.returncode == 0
    assert "gap to best" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--joiners", "ffm,simaneal"], "joiner 'simaneal' is not installed"),
        (["--joiners", ""], "--joiners: name at least one"),
        (["--joiners", "ffm,ffm"], "each one can be named once"),
        (["--budget", "-5s"], "--budget must be above 0 and finite, not -5s"),
        (["--budget", "0"], "--budget must be above 0"),
        (["--budget", "inf"], "--budget must be above 0"),
        (["--budget", "60J"], "'60J' is measured in J, expected s"),
        (["--budget", "soon"], "'soon' is not a quantity"),
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
    done = ff_here("compare", arch, workload, "--set", "M=4", "--set", "SIZE=1", "--budget", "1s", "--jobs", "1")
    assert done.returncode == 1
    assert "no valid mapping" in done.stderr


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
    words = ["--set", "M=4", "--explorer", "templates", "--joiner", "simanneal", "--format", "json", "--jobs", "1"]
    done = ff_here("map", *write_specs(tmp_path), *words)
    assert done.returncode == 0, done.stderr
    (mapping,) = json.loads(done.stdout)["mappings"]
    assert mapping["latency"] == 2 * 4 * 2 * 2
