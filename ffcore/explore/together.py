"""Einsums explored for each other: what can be in no mapping of the workload that is worth having is not explored.

A mapping of the workload costs what its pmappings cost together, and all of them back a tensor that they share in the
same memory. So a pmapping cannot be part of a mapping that is Pareto-optimal if, with the least energy and latency that
pmappings of the other Einsums come to whose memories agree with each other and with its own, it is still worse than
some mapping that is known. Where an Einsum turns out to have many labels, its exploration is given up, and a quick one
finds the least of all its pmappings and some good ones, whatever they are compatible with. Joined with those of the
other Einsums they are the mappings that are known, mostly within a percent of the best, and the Einsum is explored once
more with that to beat. Only few of its pmappings are left then, which also makes the join quick.

Exact: every pmapping of every mapping that no other one betters is kept (``tests/explore/test_together.py``). But what
is left are not all Pareto-optimal pmappings: they are for the problem at hand, and are not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
import numpy as np

from ffcore.explore.search.judging import Backing, Enough, Least, to_beat
from ffcore.pmappings.arrays import Floats
from ffcore.pmappings.set import EinsumPmappings, PmappingSet

LABELS = 3_000_000  # that one Einsum would have, from which on it pays to look at the others first
_WAYS = 200  # to back the tensors between Einsums that are told apart

Joined = Callable[[PmappingSet], Floats]
"""(energy, latency) of mappings of the workload that pmappings make."""


def least_of(pmappings: EinsumPmappings) -> Least:
    """The least of an Einsum whose Pareto-optimal pmappings are all there."""
    names = [c.name for c in pmappings.places]
    backings, which = np.unique(pmappings.rows.memory, axis=0, return_inverse=True)
    least = np.full((len(backings), 2), np.inf)
    np.minimum.at(least, which.reshape(-1), pmappings.rows.costs)
    return {tuple(names[m] for m in own): best for own, best in zip(backings.tolist(), least, strict=True)}


@attrs.frozen
class _Table:
    """The least of some Einsums together, by the memories that back some of their tensors."""

    tensors: tuple[str, ...]
    least: Least

    def over(self, tensors: Iterable[str]) -> _Table:
        """By the memories of these tensors alone, as far as they are told apart."""
        wanted = set(tensors)
        kept = [k for k, name in enumerate(self.tensors) if name in wanted]
        found: dict[Backing, Floats] = {}
        for backing, least in self.least.items():
            own = tuple(backing[k] for k in kept)
            found[own] = np.minimum(found[own], least) if own in found else least
        return _Table(tuple(self.tensors[k] for k in kept), found)

    def limited(self) -> _Table:
        """By the memories of fewer tensors, if there are too many ways: no least is greater then."""
        table = self
        while len(table.least) > _WAYS:
            table = table.over(table.tensors[1:])
        return table

    def plus(self, other: _Table) -> _Table:
        """Of the Einsums of both, where the memories agree."""
        common = [name for name in other.tensors if name in self.tensors]
        mine, theirs = ([t.tensors.index(name) for name in common] for t in (self, other))
        more = [k for k, name in enumerate(other.tensors) if name not in common]
        alike: dict[Backing, list[tuple[Backing, Floats]]] = {}
        for backing, least in other.least.items():
            own = tuple(backing[k] for k in theirs)
            alike.setdefault(own, []).append((tuple(backing[k] for k in more), least))
        found = {
            backing + rest: least + further
            for backing, least in self.least.items()
            for rest, further in alike.get(tuple(backing[k] for k in mine), ())
        }
        return _Table((*self.tensors, *(other.tensors[k] for k in more)), found)


def enough(
    known: Floats,
    least: Mapping[int, Least],
    shared: Mapping[int, Sequence[str]],
    wanted: Mapping[int, Sequence[int]],
) -> dict[int, Enough]:
    """What pmappings of Einsums must not be worse than, by the (energy, latency) of mappings that are ``known``.

    ``least``, ``shared`` tensors: of every Einsum. ``wanted``: Einsums, each with all those that its pmappings serve.
    """
    order = sorted(least)
    tables = [_Table(tuple(shared[k]), least[k]) for k in order]
    before, after = _ahead(tables), _ahead(tables[::-1])[::-1]
    found = {}
    for i, served in wanted.items():
        most: dict[Backing, Floats] = {}  # the least of the others, whichever Einsum is served
        least_of_all = np.full(2, np.inf)
        for k in served:
            n = order.index(k)
            others = before[n].plus(after[n + 1]).over(shared[k])
            least_of_all = np.minimum(least_of_all, others.over(()).least.get((), np.full(2, np.inf)))
            places = [shared[k].index(name) for name in others.tensors]
            for backing in least[k]:
                own = others.least.get(tuple(backing[p] for p in places), np.full(2, np.inf))
                most[backing] = np.minimum(most.get(backing, own), own)
        if not len(known):
            most = {}  # nothing may go together: all is explored
        extra = {backing: float(own[0] - least_of_all[0]) for backing, own in most.items()}
        found[i] = Enough(to_beat(known, least_of_all), extra)
    return found


def _ahead(tables: Sequence[_Table]) -> list[_Table]:
    """The tables of the first none, one, two, ... Einsums together, by the memories that later ones share."""
    found = [_Table((), {(): np.zeros(2)})]
    for k, table in enumerate(tables):
        later = {name for t in tables[k + 1 :] for name in t.tensors}
        found.append(found[-1].plus(table).over(later).limited())
    return found
