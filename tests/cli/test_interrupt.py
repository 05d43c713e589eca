"""Ctrl-C in each phase of ``ff map``: nothing is lost that was found, and `--resume` ends with the same answer."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ffcore.cli.interrupt import interrupts
from tests.cli.process import ff, ff_here
from tests.cli.stopper import installed_here, write_stopper
from tests.examples import first_few

PARTS = ["--explorer", "stopping", "--joiner", "stopping", "--model", "stopping"]
JOB = ["stopping", "matmuls", "--set", "N_EINSUMS=3", "--set", "M=16", "--set", "KN=8", *PARTS]

SAID = {
    "spec": "interrupted while reading the spec",
    "imports": "interrupted while loading: loading the mapper",
    "explore": "interrupted while exploring: 2 of 3 Einsums",
    "join": "interrupted while joining: 2 of 3 Einsums",
    "evaluate": "interrupted while evaluating: 1 mappings",
    "output": "interrupted while writing results",
}


@pytest.fixture(scope="module")
def stopper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = write_stopper(tmp_path_factory.mktemp("stopper"))
    with installed_here(folder):
        yield folder


@pytest.fixture(scope="module")
def uninterrupted(stopper: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    done = ff_here("map", *JOB, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def stopped(phase: str, stopper: Path, *arguments: str | Path, by: str = "SIGINT") -> subprocess.CompletedProcess[str]:
    return ff("map", *JOB, *arguments, PYTHONPATH=str(stopper), STOP_AT=phase, STOP_BY=by)


def without_dot(said: str) -> str:
    """What was said, but for the note of a machine that has no Graphviz."""
    lines = said.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("Graphviz's program 'dot' is not on the PATH"))


def run_json(out: Path) -> dict[str, Any]:
    data = json.loads((out / "run.json").read_text())
    assert isinstance(data, dict)
    return data


def answer(out: Path) -> str:
    """``results.json`` but for times, as text: byte for byte."""
    data = json.loads((out / "results.json").read_text())
    assert data["stats"].pop("seconds")
    return json.dumps(data, indent=2)


def assert_same(out: Path, whole: Path) -> None:
    assert answer(out) == answer(whole)
    names = sorted(p.name for p in whole.iterdir())
    assert sorted(p.name for p in out.iterdir()) == names
    for name in names:
        if name.startswith("mapping_") or name == "spec.json":
            assert (out / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize(
    ("phase", "jobs", "by"),
    [
        ("imports", "1", "SIGINT"),
        ("explore", "1", "SIGINT"),
        ("explore", "2", "SIGTERM"),
        ("join", "1", "SIGINT"),
        pytest.param("evaluate", "1", "SIGINT", marks=pytest.mark.slow),
        pytest.param("output", "1", "SIGINT", marks=pytest.mark.slow),
    ],
)
def test_interrupted_in_a_phase_and_resumed(
    phase: str, jobs: str, by: str, stopper: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "my out"
    done = stopped(phase, stopper, "--out", out, "--jobs", jobs, by=by)
    assert done.returncode == 130, done.stderr
    assert done.stdout == ""
    said, *how = done.stderr.splitlines()
    assert said.startswith(SAID[phase])
    assert how == [f"go on with: ff map --resume '{out}'"]
    info = run_json(out)
    assert (info["status"], info["error"]) == ("interrupted", said)
    kept = {p: p.stat().st_mtime_ns for p in out.glob("pmappings/*.npz")}
    assert len(kept) == {"imports": 0, "explore": 2}.get(phase, 3)

    again = ff_here("map", "--resume", out, "--format", "json")
    assert (again.returncode, without_dot(again.stderr)) == (0, "")
    assert json.loads(again.stdout) == json.loads((out / "results.json").read_text())
    assert {p: p.stat().st_mtime_ns for p in kept} == kept  # read, not made again
    assert_same(out, uninterrupted)
    info = run_json(out)
    assert (info["status"], info["error"], info["phase"]) == ("done", None, "")
    assert len(info["resumed"]) == 1


def test_interrupted_while_reading_there_is_nothing_to_go_on_with(stopper: Path, tmp_path: Path) -> None:
    """What the folder says of files and workers is not obeyed: it may be a stranger's."""
    out = tmp_path / "out"
    done = stopped("spec", stopper, "--out", out, by="SIGINT")
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[1:] == ["give the same command again"]
    info = run_json(out)
    assert info["status"] == "interrupted"
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    info["arguments"] |= {
        "allow_dir": ["/"],
        "set_field": [f"mapper.executor_options.scheduler={address}"],
        "mapper": {"executor": "dask", "executor_options.scheduler": address},
    }
    (out / "run.json").write_text(json.dumps(info))
    again = ff_here("map", "--resume", out)
    assert (again.returncode, again.stdout) == (2, "")
    assert (
        again.stderr == f"the run in {out} ended before its spec was read: give its command again, with --out {out}\n"
    )
    with pytest.raises(TimeoutError):
        listener.accept()
    listener.close()
    assert ff_here("map", *JOB, "--out", out).returncode == 0  # the same command does


def test_a_finished_run_shows_its_result_again(uninterrupted: Path) -> None:
    before = answer(uninterrupted)
    done = ff_here("map", "--resume", uninterrupted)
    assert (done.returncode, without_dot(done.stderr)) == (0, "")
    assert "EDP" in done.stdout
    assert answer(uninterrupted) == before


def test_without_out_it_is_said_what_would_have_helped(stopper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOP_AT", "join")
    done = ff_here("map", *JOB)
    assert done.returncode == 130
    said, how = done.stderr.splitlines()
    assert said.startswith(SAID["join"])
    assert how == "with --out DIR nothing would have been lost: `ff map --resume DIR` goes on"


def test_a_cache_is_used_instead_of_the_folder(stopper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, cache = tmp_path / "out", tmp_path / "cache"
    monkeypatch.setenv("STOP_AT", "explore")
    alone = ff_here("map", *JOB, "--cache", cache)
    assert alone.stderr.splitlines()[1] == f"the same command goes on with the pmappings in {cache}"
    assert len(list(cache.glob("*.npz"))) == 2
    done = ff_here("map", *JOB, "--out", out, "--cache", cache)
    assert done.stderr.splitlines()[1] == f"go on with: ff map --resume {out} --cache {cache}"
    assert not (out / "pmappings").exists()
    monkeypatch.delenv("STOP_AT")
    assert ff_here("map", "--resume", out, "--cache", cache).returncode == 0
    assert not (out / "pmappings").exists()


def test_a_spec_that_was_not_read_leaves_the_folders_earlier_run_alone(
    stopper: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p: p.read_bytes() for p in uninterrupted.iterdir() if p.is_file()}
    monkeypatch.setenv("STOP_AT", "spec")
    done = ff_here("map", *JOB, "--out", uninterrupted)
    assert done.returncode == 130
    assert "holds another run: give the same command again" in done.stderr
    assert {p: p.read_bytes() for p in uninterrupted.iterdir() if p.is_file()} == before


@pytest.mark.parametrize(
    ("executor", "whole_group"),
    first_few([("forks", True), ("threads", True), ("processes", False)], 1),
)
def test_workers_leave_no_trace(executor: str, whole_group: bool, stopper: Path, tmp_path: Path) -> None:
    """Ctrl-C in a terminal reaches all processes; none of them says anything, and all end."""
    words = [*JOB, "--executor", executor, "--jobs", "2", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(stopper), "STOP_AT": "explore"}
    if whole_group:
        text = (stopper / "ffcore_stopper.py").read_text()
        site = tmp_path / "site"
        site.mkdir()
        write_stopper(site)
        (site / "ffcore_stopper.py").write_text(text.replace("os.kill(os.getpid(), ", "os.killpg(os.getpgrp(), "))
        environment["PYTHONPATH"] = str(site)
    process = subprocess.Popen(
        [sys.executable, "-m", "ffcore.cli", "map", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    stdout, stderr = process.communicate(timeout=100)
    assert (process.returncode, stdout) == (130, ""), stderr
    assert len(stderr.splitlines()) == 2
    assert stderr.startswith(SAID["explore"])
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("somebody of its session is left")


def test_an_interrupt_that_is_swallowed_comes_again() -> None:
    """An exception that is raised in a destructor is dropped by Python."""

    class Stubborn:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    hook, handlers = sys.unraisablehook, [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    with warnings.catch_warnings(), interrupts() as state:
        warnings.simplefilter("error")
        Stubborn()
        with pytest.raises(KeyboardInterrupt):
            signal.sigtimedwait([], 10)
        assert state.happened
    assert sys.unraisablehook is hook
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == handlers


def test_a_second_interrupt_does_not_keep_the_end_from_being_written_down() -> None:
    with interrupts() as state:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with state.held():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            state.check()
