"""An executor whose calls are made by the workers of a Dask cluster.

Results above `LARGE` stay where they were made: a copy comes here directly, not by way of the scheduler, and a later
call that is given such a result gets it from the worker that has it. Dask makes a call again whose worker died, and
what only that worker had.
"""

from __future__ import annotations

import queue
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ffcore.plugin import ExecutorError, FFError
from ffcore_dask_executor.same import own_versions
from ffcore_dask_executor.task import Call, make

if TYPE_CHECKING:
    import distributed

P = ParamSpec("P")
T = TypeVar("T")

Outcome = tuple[int, bool, Any]  # number of a call, whether it went well, its result or what it raised

LARGE = 1_000_000
"""Bytes (``nbytes``) from which on an argument or result is not sent along with a call."""

EVERY = 0.2
"""Seconds between two progress callbacks while waiting."""

ATTEMPTS = 3
"""At a call that was lost with what it was given."""


class DaskExecutor(Executor):
    """Calls by the workers of ``client``. ``owned``: what is closed with the executor, in this order."""

    def __init__(self, client: distributed.Client, *, owned: Sequence[Any] = (), direct: bool = True) -> None:
        self._client = client
        self._owned = list(owned)
        self._direct = direct
        self._there: dict[int, distributed.Future[Any]] = {}  # by id of the object here: the same, on a worker

    @property
    def n_jobs(self) -> int:
        """How many calls the workers that are there now make at once."""
        with self._in_reach():
            return max(1, int(sum(self._client.nthreads().values())))

    @property
    def threads(self) -> int:
        """How many threads each worker has for a call."""
        with self._in_reach():
            return max(1, int(min(self._client.nthreads().values(), default=1)))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """A call by some worker; ``kwargs`` are not for large values."""
        result: Future[T] = Future()
        sent = self._send(_with_keywords, (fn, args, kwargs))

        def done(finished: distributed.Future[Any]) -> None:
            if not result.set_running_or_notify_cancel():
                return
            try:
                result.set_result(finished.result())
            except BaseException as error:
                result.set_exception(self._explained(error))

        sent.add_done_callback(done)
        return result

    def outcomes(
        self, fn: Callable[..., Any], calls: Sequence[tuple[Any, ...]], meanwhile: Callable[[], None] | None = None
    ) -> Generator[Outcome, None, None]:
        """What comes of each call, as soon as it is done; see ``ffcore.plugin.as_completed``.

        Raises ExecutorError when the scheduler is gone, BrokenExecutor for a call that kills each worker.
        """
        ended: queue.SimpleQueue[distributed.Future[Any]] = queue.SimpleQueue()
        numbers: dict[Any, int] = {}
        sent: dict[int, distributed.Future[Any]] = {}
        attempts = [0] * len(calls)

        def send(number: int) -> None:
            attempts[number] += 1
            future = self._send(fn, calls[number], priority=-number)
            numbers[future.key], sent[number] = number, future
            future.add_done_callback(ended.put)

        try:
            for number in range(len(calls)):
                send(number)
            while sent:
                found = self._ended(ended, meanwhile)
                fine = self._gathered([f for f in found if f.status == "finished"])
                for future in found:
                    number = numbers.pop(future.key)
                    del sent[number]
                    if future.key in fine:
                        yield number, True, fine[future.key]
                    elif future.status == "error":
                        error = future.exception()
                        if isinstance(error, self._cancelled) and attempts[number] < ATTEMPTS:
                            self._there.clear()  # what was sent apart may be lost too: it is sent again
                            send(number)
                        else:
                            yield number, False, self._explained(error)
                    else:
                        self._check_alive()
                        if attempts[number] >= ATTEMPTS:
                            raise BrokenExecutor(f"a call was lost {ATTEMPTS} times by the Dask cluster")
                        self._there.clear()
                        send(number)
        finally:
            if sent and self._client.status == "running":
                with suppress(*self._unreachable):
                    self._client.cancel(list(sent.values()), force=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Closes the client, and the cluster, that were made for this executor; a given client stays open."""
        self._there.clear()
        while self._owned:
            part = self._owned.pop(0)
            try:
                part.close(timeout=10 if wait else 2)
            except (OSError, TimeoutError, RuntimeError):  # it is gone already
                continue

    # ---- sending

    def _send(self, fn: Callable[..., Any], args: tuple[Any, ...], priority: int = 0) -> distributed.Future[Any]:
        self._check_alive()
        apart = tuple(place for place, arg in enumerate(args) if _is_large(arg))
        kept = tuple(None if place in apart else arg for place, arg in enumerate(args))
        call = Call(fn, kept, apart, own_versions())
        with self._in_reach():
            large = [self._on_workers(args[place]) for place in apart]
            return self._client.submit(make, call, *large, pure=False, priority=priority)

    def _on_workers(self, value: Any) -> distributed.Future[Any]:
        """A large value as the cluster has it: where it was made, or sent to a worker once."""
        there = self._there.get(id(value))
        if there is None or there.status in ("cancelled", "lost", "error"):
            there = self._client.scatter(value, direct=self._direct, hash=False)
            self._remember(value, there)
        return there

    def _remember(self, value: Any, there: distributed.Future[Any]) -> None:
        """``value`` is also ``there``, as long as it lives here."""
        try:
            weakref.finalize(value, self._there.pop, id(value), None)
        except TypeError:  # it can be asked for no more than its size
            return
        self._there[id(value)] = there

    # ---- receiving

    def _ended(
        self, ended: queue.SimpleQueue[distributed.Future[Any]], meanwhile: Callable[[], None] | None
    ) -> list[distributed.Future[Any]]:
        """All calls that have ended; waits for one at least."""
        found: list[distributed.Future[Any]] = []
        while not found:
            try:
                found.append(ended.get(timeout=EVERY))
            except queue.Empty:
                self._check_alive()
            if meanwhile is not None:
                meanwhile()
        while not ended.empty():
            found.append(ended.get())
        return found

    def _gathered(self, futures: Sequence[distributed.Future[Any]]) -> dict[Any, Any]:
        """Results by key, straight from the workers that have them; those that are lost just now are not there."""
        if not futures:
            return {}
        with self._in_reach():
            values = self._client.gather(list(futures), errors="raise", direct=self._direct)
        for future, value in zip(futures, values, strict=True):
            if _is_large(value):
                self._remember(value, future)
        return {future.key: value for future, value in zip(futures, values, strict=True)}

    @property
    def _cancelled(self) -> tuple[type[BaseException], ...]:
        from concurrent.futures import CancelledError

        from distributed.client import FutureCancelledError

        return (CancelledError, FutureCancelledError)

    @property
    def _unreachable(self) -> tuple[type[BaseException], ...]:
        """What a client raises that lost its scheduler just now."""
        return (OSError, TimeoutError, *self._cancelled)

    @contextmanager
    def _in_reach(self) -> Iterator[None]:
        """Raise ExecutorError where the body does not reach the scheduler."""
        try:
            yield
        except self._unreachable as error:
            raise self._gone() from error

    def _check_alive(self) -> None:
        if self._client.status != "running":
            raise self._gone()

    def _gone(self) -> ExecutorError:
        at = getattr(self._client.scheduler, "address", "") or "its address"
        return ExecutorError(f"the Dask scheduler at {at} is gone; with a folder (--out), --resume goes on")

    def _explained(self, error: BaseException | None) -> BaseException:
        """An error as this process should see it."""
        from distributed import KilledWorker

        if isinstance(error, FFError):
            return error
        if isinstance(error, KilledWorker):
            return BrokenExecutor(f"each Dask worker that took a call died ({error.allowed_failures + 1} of them)")
        if isinstance(error, self._cancelled) and self._client.status != "running":
            return self._gone()
        return error or RuntimeError("a Dask task failed without an error")


def _with_keywords(fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    return fn(*args, **kwargs)


def _is_large(value: Any) -> bool:
    size = getattr(value, "nbytes", 0)
    return isinstance(size, int) and size >= LARGE
