"""Which points are joined one after the other, as each makes the next one quicker (``neighbours.py``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import attrs

from ffcore_sweep.points import Point

LONGEST = 16  # points
FEWEST = 6  # chains, where points are few: workers share them


@attrs.frozen
class Chains:
    """Points that share explorations, by number, chain by chain.

    Chains depend on the plan alone, and are joined from their first point on, whatever is done already: results are the
    same, to the last bit, whoever joins them when.
    """

    order: Sequence[int]
    of: Mapping[int, int]  # number of a point's chain

    @classmethod
    def made(cls, explorations: Mapping[int, tuple[int, ...]], wanted: Collection[int]) -> Chains:
        """``explorations``: of each point. Of those not ``wanted`` there are no more than others of a chain need."""
        length = max(1, min(LONGEST, len(explorations) // FEWEST))
        order: list[int] = []
        of: dict[int, int] = {}
        count = 0
        for _, group in groupby(sorted(explorations, key=explorations.__getitem__), key=explorations.__getitem__):
            points = list(group)
            for start in range(0, len(points), length):
                chain = points[start : start + length]
                while chain and chain[-1] not in wanted:
                    chain.pop()
                order += chain
                of.update(dict.fromkeys(chain, count))
                count += 1
        return cls(order, of)

    def split(self, points: Iterable[Point]) -> list[list[Point]]:
        """Some points in their order, by chain."""
        return [list(chain) for _, chain in groupby(points, key=lambda point: self.of[point.number])]


def together(chains: Iterable[list[Point]], size: int) -> Iterator[list[list[Point]]]:
    """Chains that go to a worker together: so many points, or a few more."""
    task: list[list[Point]] = []
    for chain in chains:
        task.append(chain)
        if sum(map(len, task)) >= size:
            yield task
            task = []
    if task:
        yield task
