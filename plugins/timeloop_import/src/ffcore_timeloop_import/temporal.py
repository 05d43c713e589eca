"""Timeloop's temporal constraints, as limits on the tiles that memories hold and on how often tensors are fetched.

A native memory has no loops of its own, it holds tiles. What Timeloop's factors come to inside of a level is the tile
there: factors of 1 at the innermost level are tiles of 1, factors of 1 at the outermost one are whole tiles further in.
Where loops that a tensor does not see stand nowhere outside of one that it sees, by factors and permutations, it is
fetched once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ffcore.plugin import SpecError
from ffcore_timeloop_import.architecture import Level
from ffcore_timeloop_import.problem import DataSpace, Problem

Range = tuple[int, int]  # least and most
Bound = dict[str, Any]


@attrs.define
class Said:
    """What temporal constraints say: of each level its factors, and its permutation, innermost first."""

    factors: dict[tuple[str, str], Range] = attrs.field(factory=dict)
    spatial: dict[tuple[str, str], Range] = attrs.field(factory=dict)  # of the fanout of a level
    order: dict[str, list[str]] = attrs.field(factory=dict)

    def add(self, table: dict[tuple[str, str], Range], level: str, dimension: str, operator: str, n: int) -> None:
        """One more factor, beside those that are known."""
        low, high = table.get((level, dimension), (1, 2**53))
        new = {"=": (n, n), "<=": (1, n), ">=": (n, high)}[operator]
        table[level, dimension] = max(low, new[0]), min(high, new[1])


@attrs.frozen
class Tiles:
    """The tiles that constraints leave, by level and dimension."""

    levels: list[Level]
    problem: Problem
    said: Said

    def _steps(self, dimension: str, temporal: bool) -> list[tuple[Range, Range]]:
        """(spatial, temporal) factors of each level, outermost first."""
        size = self.problem.sizes[dimension]
        found = []
        for level in self.levels:
            most = min(size, level.x * level.y)
            low, high = self.said.spatial.get((level.name, dimension), (1, most))
            own = self.said.factors.get((level.name, dimension)) if temporal else None
            free = (1, size) if level.is_memory else (1, 1)
            found.append(((low, min(high, most)), (own[0], min(own[1], size)) if own else free))
        return found

    def tile(self, place: int, dimension: str, temporal: bool = True) -> Range:
        """Least and most of a dimension in one instance of a level; ``temporal``: by temporal constraints too."""
        size, steps = self.problem.sizes[dimension], self._steps(dimension, temporal)
        inside = [steps[place][1], *(r for spatial, own in steps[place + 1 :] for r in (spatial, own))]
        outside = [steps[place][0], *(r for spatial, own in steps[:place] for r in (spatial, own))]
        most_outside, least_outside = (math.prod(r[k] for r in outside) for k in (1, 0))
        low = max(math.prod(r[0] for r in inside), -(-size // most_outside))
        high = min(math.prod(r[1] for r in inside), size // least_outside)
        return low, high

    def is_said(self, place: int, dimension: str, held: Iterable[bool]) -> bool:
        """Do the tiles at this level and the next one further in leave only what its factor may be?

        ``held``: of each level, whether a tensor there may be indexed by the dimension.
        """
        bound = list(held)
        low, high = self.said.factors[self.levels[place].name, dimension]
        inner = next((i for i in range(place + 1, len(self.levels)) if self.levels[i].is_memory), None)
        between = self._steps(dimension, True)[place + 1 : None if inner is None else inner + 1]
        least, most = self.tile(place, dimension, bound[place])
        below = (1, 1) if inner is None else self.tile(inner, dimension, bound[inner])
        spread = [math.prod(spatial[k] for spatial, _ in between) for k in (0, 1)]
        return most <= high * below[0] * spread[0] and (low == 1 or least >= low * below[1] * spread[1])


def tile_rules(
    levels: list[Level], problem: Problem, said: Said, held: Mapping[str, list[DataSpace]], notes: list[str]
) -> dict[str, list[Bound]]:
    """Level -> ``tile_shape``. ``held``: tensors that a level may keep. Raises SpecError where nothing is left."""
    tiles, rules = Tiles(levels, problem, said), {level.name: list[Bound]() for level in levels}
    indexed = {
        d: [any(d in space.variables for space in held.get(level.name, ())) for level in levels] for d in problem.sizes
    }
    for place, level in enumerate(levels):
        for d in problem.sizes if level.is_memory else ():
            (low, high), (least, most) = tiles.tile(place, d), tiles.tile(place, d, temporal=False)
            if low > high:
                raise SpecError.one(f"constraints: no factors of {d} are left that make up {problem.sizes[d]}")
            if indexed[d][place] and (low, high) != (least, most):
                rules[level.name] += _bounds(problem.variable(d), (low, high), (least, most))
    for place, level in enumerate(levels):
        own = [d for d in problem.sizes if (level.name, d) in said.factors]
        if not level.is_memory and any(said.factors[level.name, d] != (1, 1) for d in own):
            raise SpecError.one(f"constraints: {level.name} has temporal factors and holds nothing")
        partly = [d for d in own if level.is_memory and not tiles.is_said(place, d, indexed[d])]
        if partly:
            notes.append(
                f"{level.name}: temporal factors of {', '.join(partly)}: only as far as tiles of memories say them"
            )
    return rules


def _bounds(variable: str, tile: Range, free: Range) -> list[Bound]:
    if tile[0] == tile[1]:
        return [{"expression": variable, "operator": "==", "value": tile[0]}]
    found = []
    if tile[1] < free[1]:
        found.append({"expression": variable, "operator": "<=", "value": tile[1]})
    if tile[0] > free[0]:
        found.append({"expression": variable, "operator": ">=", "value": tile[0]})
    return found


def fetched_once(
    levels: list[Level], problem: Problem, said: Said, held: Mapping[str, list[DataSpace]], notes: list[str]
) -> dict[str, list[str]]:
    """Level -> tensors that permutations let it fetch once only; a note for each permutation that says more."""
    memories = [level for level in levels if level.is_memory]
    found: dict[str, list[str]] = {}
    for level in memories[1:]:
        above = memories[: memories.index(level)]
        for space in held.get(level.name, ()):
            unseen = any(n > 1 and d not in space.variables for d, n in problem.sizes.items())
            if unseen and _stays(space, above, problem, said):
                found.setdefault(level.name, []).append(space.name)
    for place, level in enumerate(memories):
        moving = _moving(level, problem, said)
        if level.name in said.order and place + 1 < len(memories) and len(moving) > 1:
            once = found.get(memories[place + 1].name, [])
            rest = f": only that {memories[place + 1].name} fetches {' and '.join(once)} once" if once else ""
            notes.append(f"{level.name}: temporal permutation {' '.join(said.order[level.name])}{rest}")
    return found


def _moving(level: Level, problem: Problem, said: Said) -> list[str]:
    """Dimensions that a level may loop over."""
    return [d for d, n in problem.sizes.items() if min(n, said.factors.get((level.name, d), (1, n))[1]) > 1]


def _stays(space: DataSpace, above: list[Level], problem: Problem, said: Said) -> bool:
    """Whatever the factors, does no loop above that the tensor does not see stand outside of one that it sees?"""
    outside_of_one = False
    for level in reversed(above):
        moving = _moving(level, problem, said)
        order = [d for d in said.order.get(level.name, ()) if d in moving]
        if any(d not in order and d not in space.variables for d in moving):
            return False  # it may stand anywhere outside
        for d in [*order, *(d for d in moving if d not in order)]:
            if d in space.windows:
                return False  # a loop that the tile slides along fetches some of it again
            if d not in space.variables and outside_of_one:
                return False
            outside_of_one |= d in space.variables
    return True


def without_slid(
    rules: Mapping[str, list[Bound]], nodes: Iterable[tuple[str, dict[str, Any]]], problem: Problem, notes: list[str]
) -> dict[str, list[Bound]]:
    """The rules but for those that a mapping given breaks where it holds all that a tile slides along (`loops.py`)."""
    broken: set[tuple[str, str]] = set()
    tile = {problem.variable(d): n for d, n in problem.sizes.items()}
    slides = {space.name: {problem.variable(d) for d in space.windows} for space in problem.spaces}
    for tag, fields in nodes:
        if tag == "Storage":
            slid = {v for tensor in fields["tensors"] for v in slides[tensor]}
            level = fields["component"]
            broken |= {(level, v) for b in rules[level] if (v := b["expression"]) in slid and not _allows(b, tile[v])}
        elif "rank_variable" in fields:
            tile[fields["rank_variable"]] = fields["tile_shape"]
    notes += [f"{level}: constraints of tiles of {v}, along which the mapping slides" for level, v in sorted(broken)]
    return {level: [b for b in own if (level, b["expression"]) not in broken] for level, own in rules.items()}


def _allows(bound: Bound, tile: int) -> bool:
    value: int = bound["value"]
    return {"==": tile == value, "<=": tile <= value, ">=": tile >= value}[bound["operator"]]
