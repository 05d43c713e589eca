"""Calls in processes of their own, several at a time, each of which can be given up."""

from __future__ import annotations

import math
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import attrs

from ffcore.plugin import FFError, MemoryLimitError

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
    process: BaseProcess
    start: float
    limit: float


def run(calls: Sequence[Callable[[], Any]], n_jobs: int, limit: TimeLimit) -> Iterator[tuple[int, Answer]]:
    """Make the calls in processes of their own, ``n_jobs`` at a time; yield number and answer as they come.

    Processes are forked, or where that is not safe come from a server that is: then calls must be fit for pickling.
    Those that still run when the iterator is closed are ended. Where there is no time limit, so that nothing has to be
    given up, and one job or no safe way to fork, the calling thread makes all calls.
    """
    if limit.seconds == math.inf and (n_jobs == 1 or not _may_fork()):
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
                reader, process = _start(calls[number], n_jobs)
                running[reader] = _Running(number, process, time.monotonic(), share)
            yield from _collect(running)
    finally:
        for reader, job in running.items():
            _end(reader, job.process)


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
        _end(reader, job.process)
        yield job.number, attrs.evolve(answer, seconds=time.monotonic() - job.start)
    for reader, job in list(running.items()):
        used = time.monotonic() - job.start
        if used >= job.limit:
            del running[reader]
            _end(reader, job.process)
            yield job.number, Answer(seconds=used, unfinished=f"not finished within {job.limit:.3g} s")


def _received(reader: Connection) -> Answer:
    try:
        received = reader.recv()
    except EOFError:
        return Answer(unfinished="its process ended, most likely because memory ran out")
    if isinstance(received, Answer):
        return received
    raise received


def _start(call: Callable[[], Any], n_jobs: int) -> tuple[Connection, BaseProcess]:
    context = _context()
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(call, writer, n_jobs), daemon=True)
    process.start()
    writer.close()
    return reader, process


def _may_fork() -> bool:
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1


def _context() -> Any:
    if _may_fork():
        return multiprocessing.get_context("fork")
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ffcore_explain.search", "ffcore.explore.search.solve"])
    return context


def _end(reader: Connection, process: BaseProcess) -> None:
    process.terminate()
    process.join()
    reader.close()


def _work(call: Callable[[], Any], writer: Connection, n_jobs: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the parent ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # and this is how: whatever the parent does when it is told to end
    _limit_memory(n_jobs)
    try:
        writer.send(_answer(call))
    except Exception as error:  # a bug: raised again where the answer is read
        writer.send(error)


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
