"""Pareto fronts, the plain way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def pareto_front(items: Iterable[tuple[tuple[float, ...], T]]) -> list[T]:
    """The payloads of the vectors that no other vector equals or betters everywhere (smaller is
    better); of equal vectors the first stays. Differences below 1e-12 relative are rounding.

    >>> pareto_front([((1.0, 2.0), "a"), ((2.0, 2.0), "b"), ((2.0, 1.0), "c"), ((1.0, 2.0), "d")])
    ['a', 'c']
    """
    ordered = sorted(items, key=lambda item: item[0])  # stable; none is bettered by a later one
    if not ordered:
        return []
    front = np.empty((len(ordered), len(ordered[0][0])))
    kept: list[T] = []
    for vector, payload in ordered:
        limit = np.asarray(vector) * (1 + 1e-12)
        if not bool(np.any(np.all(front[: len(kept)] <= limit, axis=1))):
            front[len(kept)] = vector
            kept.append(payload)
    return kept
