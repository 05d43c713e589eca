"""Killed at any moment, a run or a sweep goes on to the same answer; two at once never mix."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.process import ff_here
from tests.faults.running import JOB, answer, inputs, points, started

KILLS = 50  # of each command; some of them in `make test`
FEW = 2
MOMENTS = [pytest.param(n, marks=() if n < FEW else pytest.mark.slow) for n in range(KILLS)]
SWEEP = ("--vary", "arch.nodes.Buffer.size=100,150,200", "--jobs", "1")


def kill_at(words: list[str | Path], share: float, seconds: float) -> bool:
    """Start ``ff`` and kill it and its workers after a share of so many seconds; False if it had ended by then."""
    process = started(words)
    try:
        process.communicate(timeout=share * seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False


class Whole:
    """A run that nobody disturbed: its folder, and how long it took as a process."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.words = [words[0], *inputs(folder), *words[1:]]
        self.out = folder / "whole"
        begin = time.monotonic()
        process = started([*self.words, "--out", self.out])
        _, err = process.communicate(timeout=300)
        self.seconds = time.monotonic() - begin
        assert process.returncode == 0, err


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("run"), "map", *JOB)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("sweep"), "sweep", *SWEEP)


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run(moment: int, tmp_path: Path, run: Whole) -> None:
    out = tmp_path / "out"
    kill_at([*run.words, "--out", out], random.Random(moment).uniform(0.2, 1.0), run.seconds)
    begun = (out / "run.json").exists()
    again = ff_here("map", "--resume", out) if begun else ff_here(*run.words, "--out", out)
    assert again.returncode == 0, again.stderr
    assert answer(out) == answer(run.out)
    assert [n for n in names(out) if not n.endswith(".tmp")] == names(run.out)  # a write that was killed leaves one
    assert not list(out.glob(".*"))
    assert json.loads((out / "run.json").read_text())["status"] == "done"


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_sweep(moment: int, tmp_path: Path, sweep: Whole) -> None:
    out = tmp_path / "out"
    kill_at([*sweep.words, "--out", out], random.Random(moment).uniform(0.2, 1.0), sweep.seconds)
    begun = (out / "sweep.json").exists()
    again = ff_here("sweep", "--resume", out) if begun else ff_here(*sweep.words, "--out", out)
    assert again.returncode == 0, again.stderr
    assert points(out) == points(sweep.out)
    assert [n for n in names(out) if not n.endswith(".tmp")] == names(sweep.out)
    assert not list(out.glob(".*"))


def test_two_runs_into_one_folder(tmp_path: Path, run: Whole) -> None:
    """At least one goes through; one that found the folder in use says so; the result is whole."""
    out = tmp_path / "out"
    both = [started([*run.words, "--out", out]) for _ in range(2)]
    ended = [(process.communicate(timeout=300)[1], process.returncode) for process in both]
    assert {code for _, code in ended} <= {0, 2}
    assert 0 in {code for _, code in ended}
    for said, code in ended:
        assert (f"{out} is in use by process" in said) == (code == 2)
    assert answer(out) == answer(run.out)
    assert names(out) == names(run.out)


@pytest.mark.slow
def test_two_runs_share_a_cache(tmp_path: Path, run: Whole) -> None:
    cache = tmp_path / "cache"
    outs = [tmp_path / "a", tmp_path / "b"]
    both = [started([*run.words, "--cache", cache, "--out", out]) for out in outs]
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert [answer(out) for out in outs] == 2 * [answer(run.out)]
    assert len(list(cache.iterdir())) == 2
    assert all(file.suffix == ".npz" for file in cache.iterdir())
