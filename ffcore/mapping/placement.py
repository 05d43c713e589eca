"""In which order the nodes above the next loops of several Einsums are placed in the mapping tree."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TypeAlias

import attrs

from ffcore.mapping import nest as flat
from ffcore.spec.problem import EinsumProblem

Loop: TypeAlias = flat.Temporal | flat.Spatial


@attrs.define(eq=False)
class Rest:
    """What of one Einsum's nest is still to be placed in the tree."""

    einsum: EinsumProblem
    compute: str
    nodes: list[flat.NestNode]
    sizes: dict[str, int]  # extent of each rank variable above ``nodes``
    shared: frozenset[flat.NestNode]  # the holders that back a shared tensor
    tolls: frozenset[str]

    @property
    def head(self) -> flat.NestNode | None:
        return self.nodes[0] if self.nodes else None

    def trips(self, loop: Loop) -> int:
        return -(-self.sizes[loop.variable] // loop.tile)

    def at_loop(self) -> bool:
        """Is the next node a loop that runs more than once?"""
        head = self.head
        return head is None or (not isinstance(head, flat.Holder) and self.trips(head) > 1)

    def take(self) -> flat.NestNode:
        node = self.nodes.pop(0)
        if not isinstance(node, flat.Holder):
            self.sizes[node.variable] = node.tile
        return node

    def gap(self) -> list[flat.NestNode]:
        """The nodes above the next loop that runs more than once."""
        sizes = dict(self.sizes)
        gap: list[flat.NestNode] = []
        for node in self.nodes:
            if not isinstance(node, flat.Holder) and sizes[node.variable] > node.tile:
                break
            gap.append(node)
        return gap

    def ahead(self) -> frozenset[flat.NestNode]:
        """The holders in the gap that back shared tensors: other Einsums may have the same."""
        return self.shared.intersection(self.gap())


@attrs.define(eq=False)
class _Meeting:
    """One holder that backs a shared tensor: the Einsums that have it ahead, and those where it is the next node."""

    parts: dict[int, int] = attrs.Factory(dict)  # part -> how many of its Einsums have it ahead
    ahead: set[int] = attrs.Factory(set)
    next: set[int] = attrs.Factory(set)


class Placement:
    """Places the nodes of a group of Einsums, in each step the first that no other Einsum keeps waiting.

    A holder that several Einsums share is placed once, as soon as it is the next node of all that have it
    ahead. What each step changes is noted with the holders, so that the time is linear in the nodes.
    """

    def __init__(self, rests: list[Rest], parts: list[list[int]]) -> None:
        self._rests = rests
        self._part = {place: number for number, part in enumerate(parts) for place in part}
        self._alone = len(parts) == 1
        self._order = list(self._part)  # ready ones come in this order
        self._first = 0  # all before it in the order are done
        self._ahead = {place: rests[place].ahead() for place in self._order}
        self._meetings: dict[flat.NestNode, _Meeting] = {}
        for place in self._order:
            for node in self._ahead[place]:
                meeting = self._meetings.setdefault(node, _Meeting())
                meeting.ahead.add(place)
                part = self._part[place]
                meeting.parts[part] = meeting.parts.get(part, 0) + 1
        self._free: list[int] = []  # a heap of those that may be taken; those that may not any more leave at the top
        for place in self._order:
            self._arrive(place)

    def next(self) -> list[int]:
        """The Einsums, in order, that the next node is placed for; none: all is placed."""
        while self._free:
            if self._is_ready(self._free[0]) and (taken := self._together(self._free[0])):
                return taken
            heappop(self._free)
        while self._first < len(self._order):
            place = self._order[self._first]
            if self._is_ready(place):
                # The orders are at odds: the holder is written once for these, once for the others.
                return sorted(self._meetings[self._rests[place].nodes[0]].next)
            self._first += 1
        return []

    def take(self, places: list[int]) -> flat.NestNode:
        """Remove the next node, which they have in common."""
        node = self._rests[places[0]].nodes[0]
        for place in places:
            self._rests[place].take()
            if node in self._ahead[place]:
                self._leave(place, node)
        for place in places:
            self._arrive(place)
        return node

    def _leave(self, place: int, node: flat.NestNode) -> None:
        """``node`` was the next one of ``place`` and no longer is; others may have waited for that."""
        meeting, part = self._meetings[node], self._part[place]
        meeting.next.discard(place)
        self._ahead[place] = self._rests[place].ahead()
        if node in self._ahead[place]:
            return  # once more
        meeting.ahead.discard(place)
        meeting.parts[part] -= 1
        if not meeting.parts[part]:
            del meeting.parts[part]
        self._meet(meeting)

    def _arrive(self, place: int) -> None:
        """Note the next node of ``place``."""
        head = self._rests[place].head
        if head is None:
            return
        if head not in self._ahead[place]:
            heappush(self._free, place)
            return
        self._meetings[head].next.add(place)
        self._meet(self._meetings[head])

    def _meet(self, meeting: _Meeting) -> None:
        if len(meeting.ahead) == 1 or meeting.next == meeting.ahead:
            for place in meeting.next:
                heappush(self._free, place)

    def _together(self, place: int) -> list[int]:
        """The Einsums that take the next node of ``place`` with it; none while others are in the way."""
        node = self._rests[place].nodes[0]
        if node not in self._ahead[place]:
            return [place]
        meeting = self._meetings[node]
        return sorted(meeting.ahead) if len(meeting.ahead) == 1 or meeting.next == meeting.ahead else []

    def _is_ready(self, place: int) -> bool:
        """Is something of this Einsum still to be placed, that stands above what Einsums of other parts need too?"""
        if self._rests[place].at_loop():
            return False
        return self._alone or any(len(self._meetings[node].parts) > 1 for node in self._ahead[place])
