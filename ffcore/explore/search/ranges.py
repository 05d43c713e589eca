"""How much loops to come can multiply pending columns by, state by state."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from ffcore.explore.search.bookings import Column, Columns, LoopName, Signature, is_slack
from ffcore.explore.search.judging import Rivals
from ffcore.explore.search.points import Points
from ffcore.model.network import factors_between, is_power
from ffcore.pmappings.arrays import Floats, Ints

_CLUSTERS = 3  # that kernels know of


def _clusters(signatures: Sequence[Signature]) -> list[tuple[list[int], Signature]]:
    """(which of the signatures, all their loops) of sets that have no loop in common.

    Only signatures that nothing but divides; of more than three clusters some are left out.
    """
    found: list[tuple[list[int], set[tuple[LoopName, int]]]] = []
    for k, signature in enumerate(signatures):
        loops = {(name, power) for name, power in signature if not is_slack(name) or power < 0}
        if not loops or any(power >= 0 for _, power in loops):
            continue  # slacks that multiply make it no less
        members = [k]
        for other in [f for f in found if f[1] & loops]:
            members, loops = [*other[0], *members], loops | other[1]
            found.remove(other)
        found.append((members, loops))
    return [(members, tuple(sorted(loops))) for members, loops in found[:_CLUSTERS]]


@attrs.define(eq=False)
class Ranges:
    """Bounds of the factors of pending columns at some points, one row for each signature that occurs.

    A loop further out over a rank variable runs at most as often as is left of the bound, and all loops across a
    dimension together at most as often as its fanout allows.
    """

    points: Points
    columns: Columns
    _rows: dict[Signature, int] = attrs.Factory(dict)
    _most: Floats = attrs.field(init=False)
    _least: Floats = attrs.field(init=False)
    _known: dict[tuple[tuple[Column, ...], tuple[int, int] | None], tuple[Ints, Ints]] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self._most = np.empty((8, self.points.n))
        self._least = np.empty((8, self.points.n))

    def rivals(self, columns: tuple[Column, ...], dimension: tuple[int, int] | None = None) -> Rivals:
        """When a label with these columns (see ``Columns.ordered``) dominates another.

        ``dimension``: the one (component index, number) at hand, of whose loops some are still to come.
        """
        ends, which = self._which(columns, None)
        apart = self._which(columns, dimension)[1] if dimension else which
        return Rivals(ends, which, self._most, self._least, apart)  # last: new factors may take new arrays

    def _which(self, columns: tuple[Column, ...], without: tuple[int, int] | None) -> tuple[Ints, Ints]:
        """``ends`` and ``which`` of `Rivals`; of loops across the dimension ``without`` clusters know nothing."""
        if (columns, without) not in self._known:
            known = self.columns.numbered  # whatever the points
            if (columns, without) not in known:
                known[columns, without] = _numbered(columns, without)
            ends, which, signatures = known[columns, without]
            rows = np.array([self.row(signature) for signature in signatures])
            own = np.stack([rows[which[0]], which[1], *rows[which[2:]]])
            self._known[columns, without] = ends, own
        return self._known[columns, without]

    def of(self, signature: Signature) -> tuple[Floats, Floats]:
        """The least and the most, per state."""
        row = self.row(signature)
        return self._least[row], self._most[row]

    def row(self, signature: Signature) -> int:
        if signature not in self._rows:
            row = len(self._rows)
            if row == len(self._most):
                self._most = np.concatenate([self._most, np.empty_like(self._most)])
                self._least = np.concatenate([self._least, np.empty_like(self._least)])
            self._rows[signature] = row
            self._least[row], self._most[row] = self._made(signature)
        return self._rows[signature]

    def _made(self, signature: Signature) -> tuple[Floats, Floats]:
        points = self.points
        low, high = np.ones(points.n), np.ones(points.n)
        own: dict[int, dict[tuple[int, int], list[str]]] = {}  # power -> dimension -> rank variables
        for (index, d, variable), power in signature:
            if is_slack((index, d, variable)):
                ends = [slack**power for slack in points.slack(variable)]
                low, high = low * np.minimum(*ends), high * np.maximum(*ends)
            else:
                own.setdefault(power, {}).setdefault((index, d), []).append(variable)
        for power, dimensions in own.items():
            for most in self._most_trips(dimensions, is_power(power)):
                least_of, most_of = factors_between(most, power)
                low, high = low * least_of, high * most_of
        return low, high

    def _most_trips(self, dimensions: dict[tuple[int, int], list[str]], together: bool) -> list[Floats]:
        """The most trips of the loops over these rank variables across each dimension, or across all ``together``."""
        points = self.points
        found = []
        for (index, d), variables in dimensions.items():
            left = np.prod([points.left(v) for v in variables], axis=0)
            found.append(np.maximum(1.0, np.minimum(self.columns.components[index].spatial[d].most, left)))
        if not together or len(found) == 1:
            return found
        # Dimensions share what is left of a rank variable.
        shared = np.prod([points.left_together(v) for v in {v for own in dimensions.values() for v in own}], axis=0)
        return [np.minimum(np.prod(found, axis=0), np.maximum(1.0, shared))]


def _numbered(columns: tuple[Column, ...], without: tuple[int, int] | None) -> tuple[Ints, Ints, tuple[Signature, ...]]:
    """``ends`` and ``which`` of `Rivals`, with the numbers of signatures in the place of rows."""
    numbers: dict[Signature, int] = {}

    def number(signature: Signature) -> int:
        own = tuple((name, power) for name, power in signature if name[:2] != without)
        return numbers.setdefault(own, len(numbers))

    targets = [target for target, _ in columns]
    ends = [1 + k for k in range(1, len(targets) + 1) if k == len(targets) or targets[k] != targets[k - 1]]
    which = np.full((6, 1 + len(columns)), number(()), np.int64)
    which[0, 1:] = [number(signature) for _, signature in columns]
    which[1] = 0
    begin = 0
    for end in (e - 1 for e in ends):
        clusters = _clusters([signature for _, signature in columns[begin:end]])
        for k, (members, loops) in enumerate(clusters, 1):
            which[1, [1 + begin + m for m in members]] = k
            which[1 + k, 1 + begin : 1 + end] = number(loops)
        every = tuple(sorted(loop for _, loops in clusters for loop in loops))
        which[5, 1 + begin : 1 + end] = number(every)
        begin = end
    return np.array(ends, np.int64), which, tuple(numbers)
