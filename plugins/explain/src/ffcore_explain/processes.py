"""Calls in processes of their own, several at a time, each of which can be given up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import attrs

from ffcore.plugin import FFError, MemoryLimitError, Worker, as_completed, may_fork, start

_LEAST = 1.0  # s that each call gets in any case


@attrs.define
class TimeLimit:
    """Seconds from now on, to be shared by calls that are still to be made."""

    seconds: float
    _start: float = attrs.Factory(time.monotonic)

    @property
    def left(self) -> float:
        """What is left of them."""
        return max(0.0, self.seconds - (time.monotonic() - self._start))

    def share(self, calls: int, at_once: int) -> float:
        """What one of ``calls`` calls may take, ``at_once`` running at a time; what it leaves is for the others."""
        return max(_LEAST, self.left * min(1.0, at_once / max(1, calls)))


@attrs.frozen
class Answer:
    """What came of a call: its value, or why there is none (``refused``: an FFError's message)."""

    value: Any = None
    seconds: float = 0.0
    unfinished: str = ""
    refused: str = ""


@attrs.frozen
class _Running:
    number: int
    worker: Worker
    start: float
    limit: float


def run(
    calls: Sequence[Callable[[], Any]], n_jobs: int, limit: TimeLimit, pool: Executor | None = None
) -> Iterator[tuple[int, Answer]]:
    """Make the calls in processes of their own, ``n_jobs`` at a time; yield number and answer as they come.

    ``pool``: have its workers make them, all within the limit together.

    Processes are forked, or where that is not safe come from a server that is: then calls must be fit for pickling.
    Those that still run when the iterator is closed are ended. Where there is no time limit, so that nothing has to be
    given up, and one job or no safe way to fork, the calling thread makes all calls.
    """
    if pool is not None:
        yield from _by(pool, calls, limit)
        return
    if limit.seconds == math.inf and (n_jobs == 1 or not may_fork()):
        yield from ((number, _answer(call)) for number, call in enumerate(calls))
        return
    waiting = list(range(len(calls)))[::-1]
    running: dict[Connection, _Running] = {}
    try:
        while waiting or running:
            while waiting and len(running) < n_jobs:
                number = waiting.pop()
                if not limit.left:
                    yield number, Answer(unfinished="no time was left")
                    continue
                share = limit.share(len(waiting) + len(running) + 1, n_jobs)
                worker = start(_work, calls[number], n_jobs)
                running[worker.connection] = _Running(number, worker, time.monotonic(), share)
            yield from _collect(running)
    finally:
        for job in running.values():
            job.worker.end()


class _TimeUp(Exception):
    pass


def _by(pool: Executor, calls: Sequence[Callable[[], Any]], limit: TimeLimit) -> Iterator[tuple[int, Answer]]:
    unfinished = dict.fromkeys(range(len(calls)))

    def look() -> None:
        if not limit.left:
            raise _TimeUp

    try:
        with closing(as_completed(pool, _answer, [(call,) for call in calls], look)) as answers:
            for number, answer in answers:
                del unfinished[number]
                yield number, answer
    except _TimeUp:
        for number in unfinished:
            yield number, Answer(unfinished=f"not finished within {limit.seconds:.3g} s")


def _collect(running: dict[Connection, _Running]) -> Iterator[tuple[int, Answer]]:
    """Wait until something ends or must be ended."""
    if not running:
        return
    now = time.monotonic()
    soonest = min(job.start + job.limit for job in running.values())
    for reader in wait(list(running), timeout=max(0.0, soonest - now) if soonest < math.inf else None):
        assert isinstance(reader, Connection)
        job = running.pop(reader)
        answer = _received(reader)
        job.worker.end()
        yield job.number, attrs.evolve(answer, seconds=time.monotonic() - job.start)
    for reader, job in list(running.items()):
        used = time.monotonic() - job.start
        if used >= job.limit:
            del running[reader]
            job.worker.end()
            yield job.number, Answer(seconds=used, unfinished=f"not finished within {job.limit:.3g} s")


def _received(reader: Connection) -> Answer:
    try:
        received = reader.recv()
    except (EOFError, ConnectionResetError):
        return Answer(unfinished="its process ended, most likely because memory ran out")
    if isinstance(received, Answer):
        return received
    raise received


def _work(connection: Connection, call: Callable[[], Any], n_jobs: int) -> None:
    _limit_memory(n_jobs)
    try:
        connection.send(_answer(call))
    except Exception as error:  # a bug: raised again where the answer is read
        connection.send(error)


def _answer(call: Callable[[], Any]) -> Answer:
    start = time.monotonic()
    try:
        return Answer(call(), time.monotonic() - start)
    except (MemoryError, MemoryLimitError):
        return Answer(unfinished="its search takes more memory than there is")
    except FFError as error:
        return Answer(refused=str(error))


def _limit_memory(n_jobs: int) -> None:
    """A search that grows without end must not take the machine with it: a share of what is free now is its limit."""
    with suppress(ImportError, OSError, ValueError, KeyError):  # where this cannot be told there is no limit
        import resource

        info = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(info["MemAvailable"].split()[0]) * 1024
        own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = own + int(0.9 * free / n_jobs)
        if hard == resource.RLIM_INFINITY or wanted < hard:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
