"""Booking wall time on phases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from ffcore import phases


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the time on by hand."""
    now = [0.0]
    monkeypatch.setattr(phases.time, "perf_counter", lambda: now[0])

    def tick(seconds: float) -> None:
        now[0] += seconds

    return tick


def test_an_inner_phase_is_not_booked_on_the_outer_one(tick: Callable[[float], None]) -> None:
    with phases.recording() as clock:
        with phases.phase("explore"):
            tick(1)
            with phases.phase("templates"):
                tick(10)
                with phases.phase("paths"):
                    tick(100)
            tick(2)
        with phases.phase("templates"):
            tick(1000)
    assert clock.seconds == {"explore": 3, "templates": 1010, "paths": 100}
    assert list(clock.seconds) == ["explore", "templates", "paths"]


def test_time_of_a_phase_that_fails_is_booked(tick: Callable[[float], None]) -> None:
    def fail() -> None:
        with phases.phase("join"):
            tick(4)
            raise ValueError("bad")

    with phases.recording() as clock, pytest.raises(ValueError, match="bad"):
        fail()
    assert clock.seconds == {"join": 4}


def test_a_recording_within_another_is_the_same_and_the_next_one_is_new() -> None:
    with phases.recording() as outer, phases.recording() as inner, phases.phase("spec"):
        assert inner is outer
    with phases.recording() as later:
        assert later.seconds == {}
    assert list(outer.seconds) == ["spec"]


def test_nothing_is_booked_without_a_recording_nor_in_worker_threads() -> None:
    def work() -> None:
        with phases.phase("worker"):
            pass

    work()
    with phases.recording() as clock, ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()
    assert clock.seconds == {}


def test_the_current_phase_is_the_innermost_and_stays_where_an_exception_ended_it() -> None:
    assert phases.current_phase() == ""
    with phases.recording() as clock:
        assert phases.current_phase() == ""
        with phases.phase("explore"):
            assert phases.current_phase() == "explore"
            with phases.phase("templates"):
                assert phases.current_phase() == "templates"
            assert phases.current_phase() == "explore"
        assert phases.current_phase() == "explore"  # between phases, the last one
        with suppress(KeyError), phases.phase("join"), phases.phase("imports"):
            raise KeyError
        assert clock.current == "imports"
        with phases.phase("join"):
            pass
        assert clock.current == "join"
