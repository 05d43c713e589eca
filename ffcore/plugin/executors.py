"""The built-in executors, all behind ``concurrent.futures.Executor``."""

from __future__ import annotations

import multiprocessing
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


def _check(n_jobs: int) -> int:
    if n_jobs < 1:
        raise ValueError(f"the number of jobs must be at least 1, not {n_jobs}")
    return n_jobs
