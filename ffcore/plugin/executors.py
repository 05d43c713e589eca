"""The built-in executors, all behind ``concurrent.futures.Executor``, and how calls are spread over any of them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor
from concurrent.futures import wait as futures_wait
from contextlib import closing
from typing import Any, ParamSpec, TypeVar

from ffcore.plugin.pools import EVERY, Forked, Outcome, Sent
from ffcore.plugin.processes import Worker, may_fork, packed
from ffcore.system import cores

P = ParamSpec("P")
T = TypeVar("T")


def as_completed(
    executor: Executor | None,
    fn: Callable[..., T],
    calls: Sequence[tuple[Any, ...]],
    meanwhile: Callable[[], None] | None = None,
) -> Generator[tuple[int, T], None, None]:
    """(number of a call, its result) as soon as each is done; without an executor, one after the other in this thread.

    ``meanwhile`` is called by the waiting thread now and then. Of errors the one of the first call that has one is
    raised, as it would be by calls in order. Closed early, calls that have not begun are dropped.

    An executor may have ``outcomes(fn, calls, meanwhile)``, which is used then: it yields (number, whether it went
    well, result or error) of each call. An argument with a method ``stop`` may be told that nobody waits any more.
    """
    outcomes: Generator[Outcome, None, None]
    if executor is None or isinstance(executor, SerialExecutor):
        outcomes = ((number, True, fn(*call)) for number, call in enumerate(calls))
    elif hasattr(executor, "outcomes"):
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
    known = getattr(executor, "n_jobs", None) or getattr(executor, "_max_workers", None) or cores()
    return max(1, min(int(known), calls))


def threads_of(executor: Executor | None, calls: int) -> int:
    """How many threads each of so many calls may use: what workers of this machine without a call leave over.

    An executor whose workers are elsewhere says so by its ``threads``.
    """
    spare = workers_of(executor, cores()) // max(1, calls)
    return max(1, min(spare, int(getattr(executor, "threads", spare))))


class SerialExecutor(Executor):
    """Runs each call in the calling thread when it is submitted."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make the call now; the future that is returned is done, and holds what the call returned or raised."""
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
    """A pool of ``n_jobs`` processes that share nothing with this one, and are used again and again."""
    return ProcessExecutor(_check(n_jobs), forks=False)


def forks(n_jobs: int) -> Executor:
    """``n_jobs`` forked processes, or a pool of others where forking is not safe."""
    return ProcessExecutor(_check(n_jobs), forks=True)


class ProcessExecutor(Executor):
    """Calls by processes: forked ones where ``forks`` and that is safe, or else a pool of ones that share nothing.

    Forked ones start in milliseconds, and what they work on need not be copied to them. A call that can be sent to no
    other process, and a single one, is made by threads. A call whose worker dies is made again by another one.
    """

    def __init__(self, n_jobs: int, *, forks: bool) -> None:
        self.n_jobs = n_jobs
        self._forks = forks
        self._pool: list[Worker] = []  # those that share nothing, and have nothing to do
        self._threads: Executor | None = None
        self._running: list[Generator[Any, None, None]] = []

    @property
    def forks(self) -> bool:
        """Are calls made by new forks of this process? They have what it has loaded, such as compiled kernels."""
        return self._forks and may_fork()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make one call: by a thread where forked processes would be used, else by a process of its own."""
        if self._threads is None:
            self._threads = threads(self.n_jobs)
        if self._forks:
            return self._threads.submit(fn, *args, **kwargs)
        return self._threads.submit(_alone, fn, args, kwargs)

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """The results in order. Raises ``BrokenExecutor`` when workers die again and again."""
        calls = list(zip(*iterables, strict=False))
        if len(calls) < 2 or timeout is not None:
            return super().map(fn, *zip(*calls, strict=True), timeout=timeout, chunksize=chunksize)
        return _in_order(len(calls), self.outcomes(fn, calls))

    def outcomes(
        self, fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]], meanwhile: Callable[[], None] | None = None
    ) -> Generator[Outcome, None, None]:
        """What comes of each call, as soon as it is done; see `as_completed`."""
        running: Generator[Outcome, None, None]
        if self._forks and (len(calls) < 2 or not may_fork()) and not self._sendable(fn, calls):
            return _submitted(self, fn, calls, meanwhile)
        if self._forks and may_fork():
            running = Forked(fn, calls, self.n_jobs).outcomes(meanwhile)
        else:
            running = Sent(fn, calls, self.n_jobs, self._pool).outcomes(meanwhile)
        self._running.append(running)
        return running

    def _sendable(self, fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> bool:
        """Is there more than one call, and can other processes be sent them? The first one is like the others."""
        return len(calls) > 1 and not multiprocessing.current_process().daemon and packed((fn, calls[0])) is not None

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes, at whatever they are; whoever wanted their results has read them."""
        for results in self._running:
            results.close()
        while self._pool:
            self._pool.pop().end()
        if self._threads is not None:
            self._threads.shutdown(wait, cancel_futures=cancel_futures)


def _alone(fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    """One call by a process of its own."""
    pool: list[Worker] = []
    try:
        ((_, fine, value),) = Sent(_with_keywords, [(fn, args, kwargs)], 1, pool).outcomes(None)
    finally:
        for worker in pool:
            worker.end()
    if not fine:
        raise value
    return value  # type: ignore[no-any-return]


def _with_keywords(fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    return fn(*args, **kwargs)


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


def _check(n_jobs: int) -> int:
    if n_jobs < 1:
        raise ValueError(f"the number of jobs must be at least 1, not {n_jobs}")
    return n_jobs
