"""Integer tables: rows as single numbers, distinct rows, and work on equal arrays done once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ParamSpec, TypeVar, cast

import attrs
import numpy as np

from ffcore_ffm_joiner.kernels import Floats, Ints

P = ParamSpec("P")
T = TypeVar("T")
_LARGEST = 1 << 62


def pack(columns: Sequence[Ints], rows: int) -> Ints:
    """One number per row, equal for two rows exactly where all columns (of numbers >= 0) are equal."""
    result, size = np.zeros(rows, np.int64), 1
    for column in columns:
        radix = int(column.max(initial=0)) + 1
        if radix == 1:
            continue
        if size * radix > _LARGEST:
            result = distinct(result)[1]
            size = int(result.max(initial=0)) + 1
        result = result * radix + column
        size *= radix
    return result


def distinct(numbers: Ints) -> tuple[Ints, Ints]:
    """(a row of each distinct number, ascending by number; per row, the place of its number among them)."""
    size = int(numbers.max(initial=0)) + 1
    if size > 4 * len(numbers) + 1024:
        _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
        return first, inverse.reshape(-1)
    first = np.full(size, -1)
    first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)
    found = np.flatnonzero(first >= 0)
    place = np.empty(size, np.int64)
    place[found] = np.arange(len(found))
    return first[found], place[numbers]


def distinct_rows(table: Ints) -> tuple[Ints, Ints]:
    """The same for the rows of a table of any numbers."""
    columns = [column - column.min(initial=0) for column in table.T]
    return distinct(pack(columns, len(table)))


def offsets_of(group: Ints, groups: int) -> Ints:
    """Where each group starts among rows sorted by group, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.bincount(group, minlength=groups))]).astype(np.int64)


def least(values: Floats, group: Ints, groups: int) -> Floats:
    """The least value of each group, column by column if there are several; inf for a group without."""
    if values.ndim > 1:
        return np.stack([least(column, group, groups) for column in values.T], axis=1)
    result = np.full(groups, np.inf)
    np.minimum.at(result, group, values)
    return result


@attrs.define
class Memo:
    """Calls a function once for the same arguments; arrays are told apart by identity.

    Equal Einsums share arrays, so that long chains cost little: what is the same at every step is worked out
    for one step.
    """

    _results: dict[Hashable, tuple[object, object]] = attrs.Factory(dict)
    _arrays: dict[Hashable, Ints] = attrs.Factory(dict)

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function, which has no other input, returns; nobody changes it."""
        key = (function, _key(args), _key(tuple(kwargs.items())))
        if key not in self._results:
            self._results[key] = (function(*args, **kwargs), args)  # arguments stay alive: an id stays theirs
        return cast(T, self._results[key][0])

    def same(self, array: Ints) -> Ints:
        """An array of the same content, always the same one."""
        return self._arrays.setdefault((array.shape, array.tobytes()), array)


def _key(value: object) -> Hashable:
    if isinstance(value, np.ndarray):
        return id(value)
    return tuple(map(_key, value)) if isinstance(value, tuple) else value  # a TypeError for what cannot be told apart
