"""Lists of labels: one for each state, or for the states that have labels."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from ffcore.pmappings.arrays import Bools, Ints

_NONE = np.zeros(0, np.int64)


@attrs.frozen(eq=False)
class Lists:
    """List ``i`` has rows ``offsets[i]:offsets[i + 1]`` of labels.

    ``keys``: the number of each list's state, ascending; in several classes, class * states + state. None: there is a
    list for every number, which many of a large lattice would leave empty.
    """

    offsets: Ints
    keys: Ints | None = None

    @classmethod
    def one(cls, n: int, sparse: bool) -> Lists:
        """A single label, in the first of ``n`` states."""
        if sparse:
            return cls(np.array([0, 1]), np.zeros(1, np.int64))
        offsets = np.ones(n + 1, np.int64)
        offsets[0] = 0
        return cls(offsets)

    def keys_of(self, rows: Ints) -> Ints:
        """The number of the state, or of state and class, of each label."""
        at = np.searchsorted(self.offsets, rows, side="right") - 1
        return at if self.keys is None else self.keys[at]

    def filled(self) -> Lists:
        """Without the empty lists, if it need not be one for every state."""
        if self.keys is None:
            return self
        some = np.diff(self.offsets) > 0
        return self if some.all() else Lists(np.concatenate([[0], self.offsets[1:][some]]), self.keys[some])

    def only(self, kept: Bools) -> Lists:
        """Lists of the rows that are kept."""
        return Lists(np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)[self.offsets], self.keys)

    def ends(self, states: Ints) -> tuple[Ints, Ints]:
        """The first row of each state's list, and the one behind its last."""
        if self.keys is None:
            return self.offsets[states], self.offsets[states + 1]
        at = np.searchsorted(self.keys, states)
        there = np.append(self.keys, -1)[at] == states
        first = self.offsets[at]
        return first, np.where(there, np.append(self.offsets[1:], 0)[at], first)

    def index(self, total: int) -> tuple[Ints, Ints, int]:
        """What finds a list by its key, one of ``total``, for ``compiled.find``."""
        return index_of(self.keys, total)


def together(found: Sequence[Lists], n: int) -> Lists:
    """Lists of ``n`` states each as classes, one after the other."""
    starts = np.cumsum([0, *(int(lists.offsets[-1]) for lists in found)])
    offsets = [np.zeros(1, np.int64), *(lists.offsets[1:] + start for lists, start in zip(found, starts, strict=False))]
    keys = [lists.keys + q * n for q, lists in enumerate(found) if lists.keys is not None]
    return Lists(np.concatenate(offsets), np.concatenate(keys) if keys else None)


def index_of(keys: Ints | None, total: int) -> tuple[Ints, Ints, int]:
    """(keys, first, shift): keys from ``b << shift`` on stand from ``first[b]`` on; shift -1: a list for every key."""
    if keys is None:
        return _NONE, _NONE, -1
    shift = (total // (2 * len(keys) + 1)).bit_length()
    counts = np.bincount(keys >> shift, minlength=(total >> shift) + 1)
    return keys, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), shift
