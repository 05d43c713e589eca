"""Where the loops that other Einsums ask for can stand in a template."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import attrs

from ffcore.plugin import SpatialChoice, Template
from ffcore_simanneal.plan import Entry


@attrs.frozen
class Placing:
    """Loops to be placed, outermost first: (variable number or -1 for any, trips, spatial or not).

    ``limits``: (cut, count) says that exactly the first ``count`` of them stand above ``cut``.
    ``index``: the spatial loops are of this component or outer ones.
    """

    template: Template
    loops: tuple[tuple[int, int, bool], ...]
    limits: tuple[tuple[int, int], ...]
    index: int
    variables: tuple[str, ...]


def place_loops(placing: Placing, choice: SpatialChoice | None, source: Random | None) -> list[list[Entry]] | None:
    """Per block (the first stands above all temporal ones) the wanted loops; None if they find no place.

    Without a choice spatial loops may stand wherever the template has a candidate for one. Without ``source``,
    or where a random try fails, each loop goes as far out as it can, which leaves the others the most room.
    """
    if source is not None and placing.loops:
        placed = _place(placing, choice, source)
        if placed is not None:
            return placed
    return _place(placing, choice, None)


def _place(placing: Placing, choice: SpatialChoice | None, source: Random | None) -> list[list[Entry]] | None:
    template = placing.template
    result: list[list[Entry]] = [[] for _ in range(len(template.blocks) + 1)]
    used: set[int] = set()
    taken: set[tuple[int, int]] = set()
    before = -1
    for j, (v, trips, spatial) in enumerate(placing.loops):
        lower = max([cut for cut, count in placing.limits if count <= j], default=-1)
        upper = min([cut for cut, count in placing.limits if count > j], default=len(template.blocks))
        lower = max(lower, before)
        if spatial:
            found = _spatial(placing, choice, (v, trips), used, (lower, upper))
            if found is None:
                return None
            number, block, variable = found
            used.add(number)
            result[block + 1].append((variable, trips, number))
        else:
            name = placing.variables[v]
            options = [b for b in range(max(lower, 0), upper) if name in template.blocks[b] and (v, b) not in taken]
            if not options:
                return None
            block = options[0] if source is None or source.random() < 0.5 else source.choice(options)
            taken.add((v, block))
            result[block + 1].append((v, trips, -1))
        before = block
    return result


def _spatial(
    placing: Placing, choice: SpatialChoice | None, loop: tuple[int, int], used: set[int], between: Sequence[int]
) -> tuple[int, int, int] | None:
    """(number, block, variable) of a spatial loop with this variable and these trips that is not used yet.

    One that stands further in may count as standing above a holder (its component is further out): it is
    left where it is, and the caller finds out whether the keys come out right.
    """
    v, trips = loop
    candidates = placing.template.spatial if choice is None else choice.loops
    counts = None if choice is None else choice.trips
    for number, own in enumerate(candidates):
        variable = placing.variables.index(own.variable)
        if number in used or own.index > placing.index or (v >= 0 and variable != v):
            continue
        if counts is not None and counts[number] != trips:
            continue
        if between[0] <= own.block < between[1]:
            return number, own.block, variable
    return None
