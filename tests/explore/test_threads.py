"""Threads that explore one Einsum together find what one finds, row by row."""

from __future__ import annotations

import threading
import time

import pytest

from ffcore.explore.reuse.equal import EinsumClasses
from ffcore.explore.search import kernels
from ffcore.explore.search.solve import explore_einsum
from ffcore.explore.shapes import row_shapes
from ffcore.threads import Threads
from tests.array_problems import array_problem


@pytest.mark.parametrize("seed", range(12))
def test_as_one_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_WORTH_THREADS", 1)
    problem = array_problem(seed)
    if problem is None:
        pytest.skip("refused: no memory may keep some tensor")
    kinds = EinsumClasses.of(problem)
    templates = kinds.templates_of(kinds.members[0])
    shape = row_shapes(problem, kinds)[0]
    alone, together = (
        explore_einsum(problem.einsums[0], templates, shape, problem.options, threads=count) for count in (1, 3)
    )
    assert (alone.rows.values == together.rows.values).all()
    assert (alone.rows.loops == together.rows.loops).all()
    assert alone.stats == together.stats


def test_an_error_ends_what_has_not_begun() -> None:
    begun = []

    def part(number: int) -> int:
        begun.append(number)
        if number == 0:
            raise MemoryError
        time.sleep(0.02)
        return number

    with Threads(2) as threads, pytest.raises(MemoryError):
        threads.map(part, range(500))
    assert len(begun) < 500


def test_where_no_thread_can_be_started_the_callers_own_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with Threads(3) as threads:
        assert threads.map(lambda n: n * n, range(5)) == [0, 1, 4, 9, 16]
        assert threads.map(lambda n: n * n, range(5)) == [0, 1, 4, 9, 16]


def test_none_is_left() -> None:
    with Threads(2) as threads:
        assert threads.map(lambda n: n * n, range(5)) == [0, 1, 4, 9, 16]
        assert not threads.stop.is_set()
    assert threads.stop.is_set()
    with pytest.raises(RuntimeError):
        threads.map(abs, [1, 2])
