"""Threads for one piece of work: compiled loops let others run while they do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from types import TracebackType
from typing import TypeVar

P = TypeVar("P")
T = TypeVar("T")


class Threads:
    """So many threads (1: the caller's own); as a context, none of them is left after it.

    ``stop`` is set when the context is left: what takes long looks at it, as after an interrupt threads are in the
    middle of something.
    """

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self.stop = threading.Event()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[P], T], parts: Sequence[P]) -> list[T]:
        """The results in the order of the parts. What a part raises ends the others that have not begun.

        Where the system gives no more threads, the caller's own goes on alone.
        """
        if self.count == 1 or len(parts) == 1:
            return [function(part) for part in parts]
        if self._pool is None:  # most work is not worth a thread
            self._pool = ThreadPoolExecutor(self.count, "ffcore")
        try:
            futures = [self._pool.submit(function, part) for part in parts]
        except RuntimeError:
            if self.stop.is_set():
                raise
            self._pool.shutdown(cancel_futures=True)
            self.count = 1
            return [function(part) for part in parts]
        done, left = wait(futures, return_when=FIRST_EXCEPTION)
        for future in left:
            future.cancel()
        for future in done:
            future.result()
        return [future.result() for future in futures]
