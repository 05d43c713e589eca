"""The built-in executors, all behind ``concurrent.futures.Executor``."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures import wait as futures_wait
from contextlib import closing
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Outcome = tuple[int, bool, Any]  # number of a call, whether it went well, its result or what it raised

EVERY = 0.2  # seconds between progress callbacks while waiting


def as_completed(
    executor: Executor | None,
    fn: Callable[..., T],
    calls: Sequence[tuple[Any, ...]],
    meanwhile: Callable[[], None] | None = None,
) -> Generator[tuple[int, T], None, None]:
    """(number of a call, its result) as soon as each is done; without an executor, one after the other in this thread.

    ``meanwhile`` is called by the waiting thread now and then. Of errors the one of the first call that has one is
    raised, as it would be by calls in order. Closed early, calls that have not begun are dropped.
    """
    outcomes: Generator[Outcome, None, None]
    if executor is None or isinstance(executor, SerialExecutor):
        outcomes = ((number, True, fn(*call)) for number, call in enumerate(calls))
    elif isinstance(executor, ForkExecutor):
        outcomes = executor.outcomes(fn, calls, meanwhile)
    else:
        outcomes = _submitted(executor, fn, calls, meanwhile)
    unfinished = set(range(len(calls)))
    failed: dict[int, BaseException] = {}
    with closing(outcomes):
        for number, fine, value in outcomes:
            unfinished.remove(number)
            if fine:
                yield number, value
            else:
                failed[number] = value
            if failed and min(failed) < min(unfinished, default=len(calls)):
                raise failed[min(failed)]


def _submitted(
    executor: Executor, fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]], meanwhile: Callable[[], None] | None
) -> Generator[Outcome, None, None]:
    numbers = {executor.submit(fn, *call): number for number, call in enumerate(calls)}
    pending = set(numbers)
    try:
        while pending:
            done, pending = futures_wait(pending, EVERY if meanwhile else None, FIRST_COMPLETED)
            for future in sorted(done, key=numbers.__getitem__):
                error = future.exception()
                yield numbers[future], error is None, future.result() if error is None else error
            if meanwhile is not None:
                meanwhile()
    finally:
        for future in pending:
            future.cancel()


def workers_of(executor: Executor | None, calls: int) -> int:
    """How many of so many calls run at once: what the executor's ``n_jobs`` says, or a pool of the standard library."""
    if executor is None or isinstance(executor, SerialExecutor):
        return 1
    known = getattr(executor, "n_jobs", None) or getattr(executor, "_max_workers", None) or os.cpu_count() or 1
    return max(1, min(int(known), calls))


class SerialExecutor(Executor):
    """Runs each call in the calling thread when it is submitted."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # the future carries it, as every executor's does
            future.set_exception(error)
        return future


def serial(n_jobs: int) -> Executor:
    """An executor without workers; ``n_jobs`` is accepted like everywhere and must be positive."""
    _check(n_jobs)
    return SerialExecutor()


def threads(n_jobs: int) -> Executor:
    """A pool of ``n_jobs`` threads (the search's kernels release the GIL)."""
    return ThreadPoolExecutor(_check(n_jobs), thread_name_prefix="ffcore")


def processes(n_jobs: int) -> Executor:
    """A pool of ``n_jobs`` processes, spawned: forking a process that has threads may deadlock."""
    context: Any = multiprocessing.get_context("spawn")
    return SpawnExecutor(_check(n_jobs), mp_context=context, initializer=_leave_interrupts_to_the_parent)


class SpawnExecutor(ProcessPoolExecutor):
    """A process pool that ends at once: shut down without waiting, it terminates workers in the middle of a call."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        # The base class drops its processes when told to shut down, and its manager thread waits for what they do.
        workers = () if wait else tuple((getattr(self, "_processes", None) or {}).values())
        super().shutdown(wait, cancel_futures=cancel_futures)
        for worker in workers:
            worker.terminate()


class ForkExecutor(Executor):
    """``map`` by forked processes: they start in milliseconds, and what they work on need not be copied to them.

    A process that has several threads must not be forked (a lock may be held for ever), nor can one be on some
    systems; then threads do the work, as they do for single calls (``submit``).
    """

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs
        self._threads: Executor | None = None
        self._running: list[Generator[Any, None, None]] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._threads is None:
            self._threads = threads(self.n_jobs)
        return self._threads.submit(fn, *args, **kwargs)

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """The results in order. Raises ``BrokenExecutor`` when a worker dies."""
        calls = list(zip(*iterables, strict=False))
        if len(calls) < 2 or timeout is not None or not _may_fork():
            return super().map(fn, *zip(*calls, strict=True), timeout=timeout, chunksize=chunksize)
        return _in_order(len(calls), self.outcomes(fn, calls))

    def outcomes(
        self, fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]], meanwhile: Callable[[], None] | None = None
    ) -> Generator[Outcome, None, None]:
        """What comes of each call, as soon as it is done; see `as_completed`."""
        if len(calls) < 2 or not _may_fork():
            return _submitted(self, fn, calls, meanwhile)
        running = _outcomes(len(calls), _fork(fn, calls, min(self.n_jobs, len(calls))), meanwhile)
        self._running.append(running)
        return running

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends forked workers, at whatever they are; whoever wanted their results has read them."""
        for results in self._running:
            results.close()
        if self._threads is not None:
            self._threads.shutdown(wait, cancel_futures=cancel_futures)


def _may_fork() -> bool:
    here = multiprocessing.current_process()
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1 and not here.daemon


_Workers = list[tuple[Connection, BaseProcess]]

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def _fork(fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]], n_jobs: int) -> _Workers:
    """Start workers, each of which takes the next call when it is done with one."""
    context: Any = multiprocessing.get_context("fork")
    following = context.Value("q", 0)
    workers: _Workers = []
    # What arrives meanwhile is held back: a worker must not see it with its parent's handlers, which speak to people.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        for _ in range(n_jobs):
            reader, writer = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(fn, calls, following, writer, held), daemon=True)
            worker.start()
            writer.close()  # the worker's is now the only one, so that its end can be told
            workers.append((reader, worker))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return workers


def _work(
    fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]], following: Any, writer: Connection, signals: set[Any]
) -> None:
    _leave_interrupts_to_the_parent()
    signal.pthread_sigmask(signal.SIG_SETMASK, signals)
    while True:
        with following.get_lock():
            number = following.value
            following.value += 1
        if number >= len(calls):
            return
        try:
            result = number, True, fn(*calls[number])
        except Exception as error:  # raised again where the results are read
            result = number, False, error
        try:
            writer.send(result)
        except MemoryError as error:  # there is no room for what is sent
            writer.send((number, False, MemoryError(str(error))))


def _leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal; a worker goes on, and its parent ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _outcomes(count: int, workers: _Workers, meanwhile: Callable[[], None] | None) -> Generator[Outcome, None, None]:
    """What workers send, as it comes; they are ended with the generator."""
    working = dict(workers)
    try:
        while count:
            for reader in wait(list(working), EVERY if meanwhile else None):
                assert isinstance(reader, Connection)
                try:
                    outcome = reader.recv()
                except EOFError:
                    worker = working.pop(reader)
                    worker.join()
                    if worker.exitcode:
                        raise BrokenExecutor(f"a worker ended with exit code {worker.exitcode}") from None
                    continue
                count -= 1
                yield outcome
            if meanwhile is not None:
                meanwhile()
    finally:
        for reader, worker in workers:
            worker.terminate()
            worker.join()
            reader.close()


def _in_order(count: int, outcomes: Iterator[Outcome]) -> Generator[Any, None, None]:
    """Results in the order of their calls."""
    found: dict[int, tuple[bool, Any]] = {}
    for number in range(count):
        while number not in found:
            done, fine, value = next(outcomes)
            found[done] = fine, value
        fine, value = found.pop(number)
        if not fine:
            raise value
        yield value


def forks(n_jobs: int) -> Executor:
    """``n_jobs`` forked processes, or threads where forking is not safe."""
    return ForkExecutor(_check(n_jobs))


def _check(n_jobs: int) -> int:
    if n_jobs < 1:
        raise ValueError(f"the number of jobs must be at least 1, not {n_jobs}")
    return n_jobs
