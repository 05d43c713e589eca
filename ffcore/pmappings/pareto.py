"""Which rows no other row dominates.

A row dominates another when it is no greater in every column; of equal rows the first is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ffcore.kernel import kernel
from ffcore.pmappings.arrays import Bools, Floats, Ints


def pareto_mask(group: Ints, values: Floats) -> Bools:
    """Which rows no other row of the same group dominates; of equal rows the first. Groups: numbers from 0."""
    keys: Sequence[Floats | Ints] = (*values.T[1::-1], group)  # by group, then by the first two columns
    counts = np.bincount(group)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    keep = np.zeros(len(values), np.bool_)
    _fronts(offsets, np.lexsort(keys), values, np.empty(int(counts.max(initial=0)) + 1, np.int64), keep)
    return keep


@kernel
def _fronts(offsets, order, values, kept, keep):  # type: ignore[no-untyped-def]  # pragma: no cover
    width = values.shape[1]
    for g in range(offsets.shape[0] - 1):
        found = 0
        for at in range(offsets[g], offsets[g + 1]):
            row = order[at]
            k = found - 1
            while k >= 0:
                c = 0
                while c < width and values[kept[k], c] <= values[row, c]:
                    c += 1
                if c == width:
                    break
                k -= 1
            if k >= 0:
                continue
            # Among rows that tie in the first column a later one may dominate an earlier one.
            k = found - 1
            while k >= 0 and values[kept[k], 0] == values[row, 0]:
                c = 1
                while c < width and values[row, c] <= values[kept[k], c]:
                    c += 1
                if c == width:
                    found -= 1
                    for j in range(k, found):
                        kept[j] = kept[j + 1]
                k -= 1
            kept[found] = row
            found += 1
        for k in range(found):
            keep[kept[k]] = True
