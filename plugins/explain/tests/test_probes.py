"""Calls in processes of their own: answers, refusals, and what is given up."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from ffcore.errors import FFError
from ffcore_explain.processes import Answer, TimeLimit, run


def answers(*calls: object, n_jobs: int = 2, seconds: float = 60.0) -> dict[int, Answer]:
    return dict(run(list(calls), n_jobs, TimeLimit(seconds)))  # type: ignore[arg-type]


def refuse() -> None:
    raise FFError("not that")


def bug() -> None:
    raise ZeroDivisionError("oh")


def wait_for_ever(sign: Path | None = None) -> None:
    time.sleep(3600)


def greedy() -> int:
    raise MemoryError


def test_values_in_the_order_of_calls() -> None:
    found = answers(partial(pow, 2, 3), os.getpid, partial(pow, 3, 2))
    assert [found[n].value for n in (0, 2)] == [8, 9]
    assert found[1].value != os.getpid()


def test_a_refusal_is_told() -> None:
    assert answers(refuse)[0] == Answer(refused="not that", seconds=pytest.approx(0, abs=60))


def test_a_bug_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        answers(bug)


def test_what_takes_too_long_is_given_up_and_leaves_time_for_the_others() -> None:
    found = answers(wait_for_ever, partial(pow, 2, 3), n_jobs=1, seconds=2.0)
    assert "not finished within" in found[0].unfinished
    assert found[1].value == 8


def test_without_time_left_nothing_is_begun() -> None:
    assert answers(partial(pow, 2, 3), seconds=0.0)[0].unfinished == "no time was left"


def test_a_process_that_dies_is_told() -> None:
    assert "memory" in answers(partial(os._exit, 9))[0].unfinished
    assert "memory" in answers(greedy)[0].unfinished


def test_processes_end_with_the_iterator(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    running = run([partial(_write_pid_and_wait, file), partial(_when_there, file)], 2, TimeLimit(60))
    next(running)
    pid = int(file.read_text())
    running.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def _write_pid_and_wait(file: Path) -> None:
    file.with_suffix(".new").write_text(str(os.getpid()))
    file.with_suffix(".new").rename(file)
    time.sleep(3600)


def _when_there(file: Path) -> None:
    while not file.exists():
        time.sleep(0.01)


def test_beside_threads_it_works_too() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, daemon=True)
    thread.start()
    try:
        found = answers(partial(pow, 2, 3), os.getpid)
        assert found[0].value == 8
        assert found[1].value != os.getpid()
        here = answers(os.getpid, seconds=math.inf)  # nothing needs to be stopped, so that no process is needed
        assert here[0].value == os.getpid()
    finally:
        done.set()
        thread.join()


def test_shares_of_a_time_limit() -> None:
    limit = TimeLimit(100.0)
    assert limit.share(10, 2) == pytest.approx(20, rel=0.1)
    assert limit.share(1, 2) == pytest.approx(100, rel=0.1)
    assert TimeLimit(0.0).share(5, 1) > 0


def test_what_the_parent_does_when_told_to_end_is_no_business_of_a_call(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = answers(wait_for_ever, n_jobs=1, seconds=1.0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "not finished within" in found[0].unfinished
    assert capfd.readouterr().err == ""
