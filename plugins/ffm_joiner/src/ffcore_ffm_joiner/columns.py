"""Which columns the rows of a fold have: nobody else counts them.

Energy and latency come first, as in ``Rows``, then a block for each tracked memory, of 1 + 2 ``levels`` columns.
"""

from __future__ import annotations

import attrs

from ffcore.plugin import RowShape

_OBJECTIVES = 2  # energy and latency


@attrs.frozen
class StateShape:
    """Columns of a state (the Einsums joined so far), and of the rows of the Einsum that joins it.

    The block of a memory, all of it shares of its size:

    * of a state: what surely runs beside the next Einsum (`beside`); per depth what stays open above (`opened`), and
      the peaks of what has been joined below (`peaks`);
    * of the next Einsum: its own peak (`beside`); per depth its open sums with the tensors that it is the first to
      touch (`fresh`), and with those that it is the last to touch (`dying`).
    """

    memories: int
    levels: int  # of reservations: persistent, then one for each depth

    @staticmethod
    def of(shape: RowShape) -> StateShape:
        """For rows of this shape."""
        return StateShape(len(shape.memories), shape.open)

    @property
    def width(self) -> int:
        """Number of columns."""
        return _OBJECTIVES + self._block * self.memories

    @property
    def kernel(self) -> tuple[int, int, int, int, int]:
        """For compiled code: levels, first memory's column, from one memory to the next, and from there on to the
        first of ``opened`` and to the first of ``peaks``."""
        start = self.beside(0)
        return self.levels, start, self._block, self.opened(0).start - start, self.peaks(0).start - start

    @property
    def _block(self) -> int:
        return 1 + 2 * self.levels

    def beside(self, memory: int) -> int:
        """Column of what runs beside the next Einsum; of the next Einsum its own peak."""
        return _OBJECTIVES + memory * self._block

    def opened(self, memory: int) -> slice:
        """Columns of open sums, by depth."""
        start = self.beside(memory) + 1
        return slice(start, start + self.levels)

    def peaks(self, memory: int) -> slice:
        """Columns of peaks, by depth."""
        start = self.opened(memory).stop
        return slice(start, start + self.levels)

    fresh = opened
    dying = peaks
