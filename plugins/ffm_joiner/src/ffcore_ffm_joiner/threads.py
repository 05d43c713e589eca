"""One step of the fold, its nodes shared out among threads: the kernels let others run."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType

import numpy as np

from ffcore_ffm_joiner.kernels import LEFT, LEFT_STOP, NODE, RIGHT, RIGHT_STOP, Floats, Ints, Limits, join_rows

_WORTH_IT = 50_000  # combinations


class Threads:
    """Joins rows with so many threads (1: in the caller's); as a context, none are left after it."""

    def __init__(self, count: int = 1) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, "ffcore-join") if count > 1 else None
        self._stop = threading.Event()

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()  # after an interrupt they are in the middle of something
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def join_rows(
        self, left: Floats, right: Floats, pairs: Ints, limits: Limits, levels: int, last: bool
    ) -> tuple[Floats, Ints, int]:
        """As `kernels.join_rows`, and the same result: rows of different nodes have nothing to do with each other."""
        parts = self._parts(pairs)
        if self._pool is None or len(parts) == 1:
            return join_rows(left, right, pairs, limits, levels, last)
        own = partial(join_rows, left, right, limits=limits, levels=levels, last=last, stop=self._stop)
        found = list(self._pool.map(own, parts))
        return (
            np.concatenate([v for v, _, _ in found]),
            np.concatenate([w for _, w, _ in found]),
            sum(n for *_, n in found),
        )

    def _parts(self, pairs: Ints) -> list[Ints]:
        """The pairs, cut between nodes; of about equal work, more than there are threads as bounds save some of it."""
        work = np.cumsum((pairs[:, LEFT_STOP] - pairs[:, LEFT]) * (pairs[:, RIGHT_STOP] - pairs[:, RIGHT]))
        if self._count == 1 or not len(work) or work[-1] < _WORTH_IT:
            return [pairs]
        wanted = np.searchsorted(work, work[-1] * np.arange(1, 4 * self._count) / (4 * self._count))
        borders = np.flatnonzero(pairs[1:, NODE] != pairs[:-1, NODE]) + 1
        cuts = borders[np.minimum(np.searchsorted(borders, wanted), len(borders) - 1)] if len(borders) else []
        return np.split(pairs, np.unique(cuts))
