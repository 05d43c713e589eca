"""``ff map`` and ``ff evaluate`` as processes, with the exhaustive mapper on two small matmuls."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.process import ff, ff_here, write_specs

EXHAUSTIVE = ["--explorer", "exhaustive", "--joiner", "exhaustive"]


@pytest.fixture(autouse=True)
def _nothing_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and reports have tests of their own."""
    monkeypatch.setenv("FFCORE_DISABLE_PLUGINS", "ffcore-graphviz-render,ffcore-html-report")


def run_map(folder: Path, *arguments: str, size: str = "1e6") -> subprocess.CompletedProcess[str]:
    return ff_here("map", *write_specs(folder), "--set", "M=4", "--set", f"SIZE={size}", *EXHAUSTIVE, *arguments)


def test_json_is_all_that_stdout_holds(tmp_path: Path) -> None:
    done = ff("map", *write_specs(tmp_path), "--set", "M=4", *EXHAUSTIVE, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    (mapping,) = data["mappings"]
    assert mapping["edp"] == mapping["energy"] * mapping["latency"]
    assert mapping["latency"] == 2 * 4 * 2 * 2
    assert {node["type"] for node in mapping["mapping"]["nodes"]} >= {"Storage"}
    assert set(data["stats"]["seconds"]) == {"imports", "spec", "explore", "join", "evaluate", "count"}


def test_profile_goes_to_stderr_and_names_every_phase(tmp_path: Path) -> None:
    done = ff("map", *write_specs(tmp_path), "--set", "M=4", *EXHAUSTIVE, "--format", "json", "--profile")
    assert done.returncode == 0
    seconds = json.loads(done.stdout)["stats"]["seconds"]
    table = [line.split() for line in done.stderr.splitlines()]
    phases = {words[0]: float(words[1]) for words in table[1:] if words[-1].endswith("%")}
    assert set(phases) == {*seconds, "output", "total"}
    assert phases["total"] == pytest.approx(sum(seconds.values()) + phases["output"], abs=0.003)
    assert "peak memory" in done.stderr


def test_text_has_a_table_and_the_mapping_and_no_colours(tmp_path: Path) -> None:
    done = ff_here("map", *write_specs(tmp_path), "--set", "M=4", *EXHAUSTIVE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "EDP" in done.stdout
    assert "GlobalBuffer" in done.stdout
    assert "\x1b" not in done.stdout


def test_mappings_written_evaluate_to_the_same_numbers(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    found = json.loads(run_map(tmp_path, "--format", "json", "--out", str(out)).stdout)
    assert json.loads((out / "results.json").read_text()) == found
    assert (out / "mapping_0.txt").read_text().strip()
    again = ff_here("evaluate", *write_specs(tmp_path), out / "mapping_0.yaml", "--set", "M=4", "--format", "json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["mappings"] == found["mappings"]


def test_named_options_and_spec_paths_change_the_result(tmp_path: Path) -> None:
    def energy(*arguments: str) -> float:
        best = json.loads(run_map(tmp_path, "--format", "json", *arguments).stdout)["mappings"][0]
        return float(best["energy"])

    base = energy()
    unfused = energy("--spec", "arch.nodes.MainMemory.tensors.keep=All")
    assert unfused == base  # both memories cost the same ...
    dear = ["--spec", "arch.nodes.MainMemory.actions.read.energy=10"]
    assert energy(*dear) > base
    assert energy(*dear, "--spec", "arch.nodes.MainMemory.tensors.keep=All") > energy(*dear)  # ... here they don't


def test_latency_alone_as_the_metric(tmp_path: Path) -> None:
    data = json.loads(run_map(tmp_path, "--format", "json", "--metrics", "latency").stdout)
    assert [m["latency"] for m in data["mappings"]] == [32]


def test_fused_loops_are_limited(tmp_path: Path) -> None:
    # A buffer of one row of T1 holds the intermediate only under a fused loop.
    narrow = ["--spec", "arch.nodes.MainMemory.tensors.may_keep=Nothing"]
    assert run_map(tmp_path, *narrow, "--max-fused-loops", "1", size="16").returncode == 0
    none = run_map(tmp_path, *narrow, "--max-fused-loops", "0", size="16")
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr.startswith("no valid mapping: ")
    assert none.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-plugins", "--joiner", "ffm"], "joiner 'ffm' is not installed; installed: single; "),
        (["--joiner", "ffm"], "the joiner 'ffm' joins pmappings such as those of the explorer 'default'"),
        (["--explorer", "exhaustiv"], "explorer 'exhaustiv' is not installed; installed: default, exhaustive"),
        (["--model", "nil"], "model 'nil' is not installed; installed: default"),
        (["--cost-model", "nil"], "cost model 'nil' is not installed; installed: "),
        (
            ["--executor", "dusk"],
            "executor 'dusk' is not installed; installed: dask, forks, processes, serial, threads",
        ),
        (["--executor-option", "jobs"], "--executor-option jobs: expected NAME=VALUE"),
        (["--metrics", "enrgy"], "did you mean 'energy'"),
        (["--max-fused-loops", "some"], "some"),
        (["--cache", "here"], "keeps no cache"),
        (["--spec", "mapper.joyner=x"], "did you mean 'joiner'"),
        (["--out", "/dev/null/x"], "/dev/null"),
    ],
)
def test_bad_input_is_2_with_one_clear_message(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run_map(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--jobs", "1"], ["--jobs", "2"], ["--executor", "serial"]])
def test_jobs_and_executors_do_not_change_the_result(tmp_path: Path, arguments: list[str]) -> None:
    base = json.loads(run_map(tmp_path, "--format", "json").stdout)["mappings"]
    assert json.loads(run_map(tmp_path, "--format", "json", *arguments).stdout)["mappings"] == base


def test_ctrl_c_ends_with_what_is_known(tmp_path: Path) -> None:
    """By the signal of another process; tests/cli/test_interrupt.py has each phase."""
    out = tmp_path / "out"
    words = [*map(str, write_specs(tmp_path)), "--set", "M=720720", *EXHAUSTIVE, "--out", str(out)]
    command = [sys.executable, "-m", "ffcore.cli", "map", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (out / "run.json").exists():  # written when the spec is read; the search takes minutes
        assert process.poll() is None, "the search ended before it could be interrupted"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    said, how = stderr.splitlines()
    assert said.startswith("interrupted while ")
    assert how == f"go on with: ff map --resume {out}"


def test_evaluate_without_a_mapping_says_what_is_missing(tmp_path: Path) -> None:
    done = ff_here("evaluate", *write_specs(tmp_path), "--set", "M=4")
    assert done.returncode == 2
    assert "'mapping'" in done.stderr


def test_evaluate_says_which_memory_is_too_small(tmp_path: Path) -> None:
    out = tmp_path / "out"
    narrow = ["--spec", "arch.nodes.MainMemory.tensors.may_keep=Nothing"]
    assert run_map(tmp_path, *narrow, "--out", str(out)).returncode == 0
    arguments = ["--set", "M=4", "--set", "SIZE=1", *narrow]
    done = ff_here("evaluate", *write_specs(tmp_path), out / "mapping_0.yaml", *arguments)
    assert done.returncode == 1
    assert "GlobalBuffer" in done.stderr


def test_sums_too_large_for_a_number_are_told(tmp_path: Path) -> None:
    huge = ["--spec", "arch.nodes.MAC.actions.compute.energy=1e308", "--format", "json"]
    done = ff_here("map", *write_specs(tmp_path), "--set", "M=4", *huge, "--joiner", "exhaustive")
    assert (done.returncode, done.stdout) == (2, "")
    assert "MAC.actions.compute.energy" in done.stderr
