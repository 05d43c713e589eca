"""Rows that columns share: blocks of one kind side by side, so that the eye can compare Einsums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs


@attrs.frozen
class RowKey:
    """What a row holds: ``holder`` (of ``component``), ``frame`` (shared loops), ``loops`` or ``compute``."""

    kind: str
    component: str = ""
    shared: bool = attrs.field(default=False, eq=False)  # by several columns


# How much it is worth to have two blocks in one row: the ends of all nests first, then memories, then loops.
_WORTH: Mapping[str, int] = {"compute": 10_000, "holder": 100, "frame": 10, "loops": 1}


def align(sequences: Sequence[Sequence[RowKey]]) -> tuple[list[RowKey], list[list[int]]]:
    """Merge ``sequences`` into one that holds each of them in order; returns it and each one's places in it.

    One after the other is merged into the rows so far, so that as much as possible stands in a common row.
    """
    rows: list[RowKey] = []
    places: list[list[int]] = []
    for sequence in sequences:
        moved, own, rows = _merge(rows, sequence)
        places = [[moved[i] for i in p] for p in places]
        places.append(own)
    return rows, places


def _worth(row: RowKey, other: RowKey) -> int:
    return _WORTH[row.kind] + 10 * (row.kind == "holder" and row.shared == other.shared)


def _merge(rows: Sequence[RowKey], more: Sequence[RowKey]) -> tuple[list[int], list[int], list[RowKey]]:
    """Where ``rows`` and ``more`` go in their merger, and the merger. Among equals, blocks meet as low as possible."""
    best = [[0] * (len(more) + 1) for _ in range(len(rows) + 1)]
    for i, row in enumerate(rows):
        for j, other in enumerate(more):
            met = best[i][j] + _worth(row, other) if row == other else 0
            best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], met)
    i, j = len(rows), len(more)
    backwards: list[tuple[int | None, int | None]] = []
    while i or j:
        met = i > 0 and j > 0 and rows[i - 1] == more[j - 1]
        if met and best[i][j] == best[i - 1][j - 1] + _worth(rows[i - 1], more[j - 1]):
            i, j = i - 1, j - 1
            backwards.append((i, j))
        elif j and (not i or best[i][j] == best[i][j - 1]):
            j -= 1
            backwards.append((None, j))
        else:
            i -= 1
            backwards.append((i, None))
    moved, own, merged = [0] * len(rows), [0] * len(more), []
    for place, (left, right) in enumerate(reversed(backwards)):
        if left is not None:
            moved[left] = place
        if right is not None:
            own[right] = place
        merged.append(rows[left] if left is not None else more[right or 0])
    return moved, own, merged
