"""The built-in executors, all behind ``concurrent.futures.Executor``."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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
    return ProcessPoolExecutor(_check(n_jobs), mp_context=context)


class ForkExecutor(Executor):
    """``map`` by forked processes: they start in milliseconds, and what they work on need not be copied to them.

    A process that has several threads must not be forked (a lock may be held for ever), nor can one be on some
    systems; then threads do the work, as they do for single calls (``submit``).
    """

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._threads: Executor | None = None
        self._running: list[Generator[Any, None, None]] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._threads is None:
            self._threads = threads(self._n_jobs)
        return self._threads.submit(fn, *args, **kwargs)

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """The results in order. Raises ``BrokenExecutor`` when a worker dies."""
        calls = list(zip(*iterables, strict=False))
        if len(calls) < 2 or timeout is not None or not _may_fork():
            return super().map(fn, *zip(*calls, strict=True), timeout=timeout, chunksize=chunksize)
        results = _results(len(calls), _fork(fn, calls, min(self._n_jobs, len(calls))))
        self._running.append(results)
        return results

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


def _fork(fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]], n_jobs: int) -> _Workers:
    """Start workers, each of which takes the next call when it is done with one."""
    context: Any = multiprocessing.get_context("fork")
    following = context.Value("q", 0)
    workers: _Workers = []
    for _ in range(n_jobs):
        reader, writer = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(fn, calls, following, writer), daemon=True)
        worker.start()
        writer.close()  # the worker's is now the only one, so that its end can be told
        workers.append((reader, worker))
    return workers


def _work(fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]], following: Any, writer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the parent ends us
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
        writer.send(result)


def _results(count: int, workers: _Workers) -> Generator[Any, None, None]:
    """The workers' results in order; workers are ended with the generator."""
    found: dict[int, tuple[bool, Any]] = {}
    working = dict(workers)
    try:
        for number in range(count):
            while number not in found:
                for reader in wait(list(working)):
                    assert isinstance(reader, Connection)
                    try:
                        done, fine, value = reader.recv()
                        found[done] = fine, value
                    except EOFError:
                        worker = working.pop(reader)
                        worker.join()
                        if worker.exitcode:
                            raise BrokenExecutor(f"a worker ended with exit code {worker.exitcode}") from None
            fine, value = found.pop(number)
            if not fine:
                raise value
            yield value
    finally:
        for reader, worker in workers:
            worker.terminate()
            worker.join()
            reader.close()


def forks(n_jobs: int) -> Executor:
    """``n_jobs`` forked processes, or threads where forking is not safe."""
    return ForkExecutor(_check(n_jobs))


def _check(n_jobs: int) -> int:
    if n_jobs < 1:
        raise ValueError(f"the number of jobs must be at least 1, not {n_jobs}")
    return n_jobs
