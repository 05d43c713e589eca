"""The built-in executors, all behind ``concurrent.futures.Executor``."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
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
    """Forked processes: they start in milliseconds, and Python code runs in parallel.

    A process that has several threads must not be forked (a lock may be held for ever), nor can one be on some
    systems; then the workers are threads. They start with the first call.
    """

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._pool: Executor | None = None
        self._children: list[Any] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._pool is not None:
            return self._pool.submit(fn, *args, **kwargs)
        if "fork" not in multiprocessing.get_all_start_methods() or threading.active_count() > 1:
            self._pool = threads(self._n_jobs)
            return self._pool.submit(fn, *args, **kwargs)
        before = multiprocessing.active_children()
        context: Any = multiprocessing.get_context("fork")
        self._pool = ProcessPoolExecutor(self._n_jobs, mp_context=context, initializer=_ignore_interrupts)
        future = self._pool.submit(fn, *args, **kwargs)  # starts all workers
        self._children = [child for child in multiprocessing.active_children() if child not in before]
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """With ``cancel_futures`` work that has begun is ended too, if it is done by processes."""
        if self._pool is not None:
            self._pool.shutdown(wait and not cancel_futures, cancel_futures=cancel_futures)
            for child in self._children if cancel_futures else ():
                child.terminate()


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; the parent ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def forks(n_jobs: int) -> Executor:
    """``n_jobs`` forked processes, or threads where forking is not safe."""
    return ForkExecutor(_check(n_jobs))


def _check(n_jobs: int) -> int:
    if n_jobs < 1:
        raise ValueError(f"the number of jobs must be at least 1, not {n_jobs}")
    return n_jobs
