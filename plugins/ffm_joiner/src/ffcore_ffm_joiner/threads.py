"""One step of the fold, its nodes shared out among threads."""

from __future__ import annotations

from functools import partial

import numpy as np

from ffcore.plugin import Threads
from ffcore_ffm_joiner.columns import StateShape
from ffcore_ffm_joiner.kernels import LEFT, LEFT_STOP, NODE, RIGHT, RIGHT_STOP, Floats, Ints, Limits, join_rows

_WORTH_IT = 50_000  # combinations


def join_by_threads(
    threads: Threads, left: Floats, right: Floats, pairs: Ints, limits: Limits, shape: StateShape, last: bool
) -> tuple[Floats, Ints, int]:
    """As `kernels.join_rows`, and the same result: rows of different nodes have nothing to do with each other."""
    own = partial(join_rows, left, right, limits=limits, shape=shape, last=last, stop=threads.stop)
    parts = _parts(pairs, threads.count)
    if len(parts) == 1:
        return own(parts[0])
    values, who, combined = zip(*threads.map(own, parts), strict=True)
    return np.concatenate(values), np.concatenate(who), sum(combined)


def _parts(pairs: Ints, threads: int) -> list[Ints]:
    """The pairs, cut between nodes; of about equal work, more than there are threads as bounds save some of it."""
    work = np.cumsum((pairs[:, LEFT_STOP] - pairs[:, LEFT]) * (pairs[:, RIGHT_STOP] - pairs[:, RIGHT]))
    if threads == 1 or not len(work) or work[-1] < _WORTH_IT:
        return [pairs]
    borders = np.flatnonzero(pairs[1:, NODE] != pairs[:-1, NODE]) + 1
    if not len(borders):
        return [pairs]
    wanted = np.searchsorted(work, work[-1] * np.arange(1, 4 * threads) / (4 * threads))
    return np.split(pairs, np.unique(borders[np.minimum(np.searchsorted(borders, wanted), len(borders) - 1)]))
