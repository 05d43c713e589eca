"""Limits on the command line: what is printed, kept and gone on with, and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.process import ff_here, write_specs
from tests.examples import first_few

JOB = ["simple", "matmuls", "--set", "N_EINSUMS=3", "--set", "M=16", "--set", "KN=8", "--jobs", "1"]
NONE = "none (the time limit of 1 us ended the search: 1 of "


def run_json(out: Path) -> dict[str, Any]:
    data = json.loads((out / "run.json").read_text())
    assert isinstance(data, dict)
    return data


def test_with_a_time_limit_the_best_so_far_is_shown_and_going_on_ends_with_the_optimum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffcore.explore.limits.PATIENCE", 600.0)  # kernels may have to be compiled first
    whole = ff_here("map", *JOB, "--format", "json")
    out = tmp_path / "out"
    done = ff_here("map", *JOB, "--time-limit", "1us", "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"guarantee: {NONE}" in done.stdout
    info = run_json(out)
    assert (info["status"], info["parameters"]["limits"]["time_limit"]) == ("done", 1e-6)
    assert info["guarantee"].startswith(NONE)
    assert not list(out.glob("pmappings/*.npz"))  # none is complete

    again = ff_here("map", "--resume", out, "--format", "json")
    assert json.loads(again.stdout)["stats"]["guarantee"].startswith(NONE)
    again = ff_here("map", "--resume", out, "--time-limit", "inf", "--format", "json")
    assert again.returncode == 0, again.stderr
    found, wanted = json.loads(again.stdout), json.loads(whole.stdout)
    assert found["stats"]["guarantee"] == "optimal"
    assert found["mappings"] == wanted["mappings"]
    assert len(list(out.glob("pmappings/*.npz"))) == 3


def test_an_ample_limit_changes_nothing() -> None:
    plain = ff_here("map", *JOB, "--format", "json")
    limited = ff_here("map", *JOB, "--format", "json", "--time-limit", "10h", "--memory-limit", "1TB")
    assert limited.returncode == 0, limited.stderr
    found, wanted = json.loads(limited.stdout), json.loads(plain.stdout)
    assert found["mappings"] == wanted["mappings"]
    assert found["stats"]["guarantee"] == "optimal"


def test_too_little_memory_is_one_sentence_and_what_was_explored_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = ff_here("map", *JOB, "--memory-limit", "1MB", "--out", tmp_path)
    said = done.stderr.strip()
    assert (done.returncode, len(said.splitlines())) == (1, 1)
    assert said.startswith("memory ran out while exploring Einsum Matmul0: ")
    assert "the limit is 977 KiB; constrain what runs across the array" in said
    info = run_json(tmp_path)
    assert (info["status"], info["error"], info["phase"]) == ("failed", said, "explore")

    explored: list[str] = []

    def greedy(einsum: Any, *others: Any) -> Any:
        explored.append(einsum.name)
        if len(explored) == 2:
            np.ones(2**57)
        return solve(einsum, *others)

    solve = sys.modules["ffcore.explore.explorer"].explore_within
    monkeypatch.setattr("ffcore.explore.explorer.explore_within", greedy)
    done = ff_here("map", "--resume", tmp_path, "--memory-limit", "1TB", "--jobs", "1")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith(f"memory ran out while exploring Einsum {explored[1]}: ")
    assert len(list(tmp_path.glob("pmappings/*.npz"))) == 1
    done = ff_here("map", "--resume", tmp_path, "--memory-limit", "inf", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert explored == ["Matmul0", "Matmul1", "Matmul1", "Matmul2"]


@pytest.mark.parametrize("where", ["ffcore_ffm_joiner.join.join_all", "ffcore.cli.output.show"])
def test_memory_that_runs_out_elsewhere_is_no_internal_error(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, lambda *_, **__: np.ones(2**57))
    done = ff_here("map", *JOB)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("memory ran out while ")
    assert "--memory-limit" in done.stderr


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (["--time-limit", "0s"], "--time-limit must be above 0 and finite, not 0s"),
        (["--time-limit", "2 apples"], "unknown unit 'apples'"),
        (["--memory-limit", "2 apples"], "mapper.ffm.memory_limit: unknown unit 'apples'"),
        (["--memory-limit", "0"], "mapper.ffm.memory_limit must be positive, got 0"),
    ],
)
def test_limits_that_make_no_sense(limit: list[str], said: str) -> None:
    done = ff_here("map", *JOB, *limit)
    assert done.returncode == 2
    assert said in done.stderr


def test_explain_takes_the_time_limit_of_a_spec_and_a_sweep_refuses_it(tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    files = [arch, workload, "--set", "M=4", "--spec", "mapper.ffm.time_limit=60s"]
    assert ff_here("explain", *files).returncode == 0
    done = ff_here("sweep", *files, "--vary", "arch.nodes.GlobalBuffer.size=1e6,2e6", "--out", tmp_path / "sweep")
    assert (done.returncode, "a sweep does not offer mapper.ffm.time_limit" in done.stderr) == (2, True)


def test_an_interrupted_command_does_not_wait_for_its_threads() -> None:
    script = """
import sys, threading, time
from ffcore.cli import main
def app(prog_name):
    threading.Thread(target=time.sleep, args=(300,)).start()
    print("said", file=sys.stderr)
    sys.exit(130)
main.app = app
main.main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (130, "said\n")


HOW = [["--jobs", "1"], ["--jobs", "2"], ["--jobs", "2", "--executor", "threads"]]


@pytest.mark.parametrize(
    ("how", "by"),
    first_few(
        [(HOW[0], "INT"), (HOW[1], "TERM"), (HOW[2], "INT"), (HOW[0], "TERM"), (HOW[1], "INT"), (HOW[2], "TERM")], 3
    ),
)
def test_an_interruption_ends_the_middle_of_a_template(how: list[str], by: str) -> None:
    """Each worker is in a template that never ends."""
    script = """
import os, subprocess, sys, time
from ffcore.cli import main
from ffcore.explore import explorer
def endless(einsum, templates, shape, options, slot, threads, scope):
    if einsum.name == "Matmul0":
        subprocess.Popen(["kill", "-" + by, str(parent)])
    while True:
        slot.pulse(lambda: 1, 0.5)
        time.sleep(0.001)
explorer.explore_within = endless
parent, by = os.getpid(), sys.argv.pop(1)
main.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, by, "map", *JOB[:-2], *how], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.startswith("interrupted while exploring: 0 of 3 Einsums")
