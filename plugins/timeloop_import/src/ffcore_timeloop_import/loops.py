"""Timeloop's mapping as a native one: each tensor's holder where Timeloop keeps a tile as long.

Timeloop keeps a tile over all loops that do not change it, and of a tile that slides (``r + p``, over one loop) it
fetches what is new only. The native model fetches a tile each time that the loop above its holder turns. So a holder
stands above the loops that do not change its tile, and above the one that it slides along: there it holds all that
passes through, which is more room and the same traffic.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from ffcore.plugin import SpecError, suggest
from ffcore_timeloop_import.architecture import Level
from ffcore_timeloop_import.constraints import axes, fanout_of
from ffcore_timeloop_import.problem import DataSpace, Problem, tensor_name
from ffcore_timeloop_import.source import factors_of, mapping, permutation_of, sequence

_BYPASS = ("bypass", "datatype", "dataspace", "bypassing")


@attrs.frozen
class Loop:
    """One loop; ``across``: the level and dimension of a spatial one."""

    dimension: str
    factor: int
    across: tuple[str, str] | None = None


@attrs.define
class Directives:
    """What the mapping says of one level."""

    temporal: dict[str, Any] = attrs.field(factory=dict)
    spatial: dict[str, Any] = attrs.field(factory=dict)
    keep: set[str] = attrs.field(factory=set)
    bypass: set[str] = attrs.field(factory=set)


def native_mapping(
    section: Any, levels: list[Level], problem: Problem, notes: list[str]
) -> list[tuple[str, dict[str, Any]]]:
    """The nodes of the native mapping, (tag, fields). Raises SpecError for factors that do not make up the problem."""
    said = _directives(section, levels)
    for level in levels:
        if level.beside_others and said[level.name].keep:
            said[level.name].bypass |= {space.name for space in problem.spaces} - said[level.name].keep
    factors = _factors(said, problem)
    items: list[Level | Loop] = []
    for level in levels[:-1]:
        items.append(level)
        order = permutation_of(
            said[level.name].temporal.get("permutation"), problem.sizes, f"permutation of {level.name}"
        )
        outside = [d for d in problem.sizes if d not in order]
        for d in [*outside, *reversed(order)]:
            items.append(Loop(d, factors[level.name, "temporal"].get(d, 1)))
        items += _spatial_loops(level, levels, said[level.name].spatial, factors[level.name, "spatial"], problem)
    items = [item for item in items if isinstance(item, Level) or item.factor > 1]
    places = {space.name: _places(space, said, items) for space in problem.spaces}
    _make_room(levels, items, places, problem, notes)
    return _nodes(items, places, levels, problem)


def _directives(section: Any, levels: list[Level]) -> dict[str, Directives]:
    names = [level.name for level in levels]
    found = {name: Directives() for name in names}
    for item in sequence(section, "mapping"):
        entry = mapping(item, "an entry of the mapping")
        name, kind = str(entry.get("target", "")), str(entry.get("type", ""))
        if name not in found:
            raise SpecError.one(f"mapping: the architecture has no level {name!r}", None, suggest(name, names))
        if kind in ("temporal", "spatial"):
            setattr(found[name], kind, dict(entry))
        elif kind in _BYPASS:
            found[name].keep |= {tensor_name(str(t)) for t in sequence(entry.get("keep"), f"keep of {name}")}
            found[name].bypass |= {tensor_name(str(t)) for t in sequence(entry.get("bypass"), f"bypass of {name}")}
        else:
            raise SpecError.one(f"mapping: {name} has an entry of the unknown type {kind!r}")
    return found


def _factors(said: dict[str, Directives], problem: Problem) -> dict[tuple[str, str], dict[str, int]]:
    """(level, kind) -> dimension -> factor, with what a factor of 0 leaves filled in."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for name, directives in said.items():
        for kind in ("temporal", "spatial"):
            read = factors_of(getattr(directives, kind).get("factors"), f"factors of {name}")
            unknown = next((d for d in read if d not in problem.sizes), None)
            if unknown is not None:
                raise SpecError.one(f"mapping: {name} has a factor of {unknown}, which is no dimension of the problem")
            found[name, kind] = {d: count for d, (_, count) in read.items()}
    for d, size in problem.sizes.items():
        open_at = [factors for factors in found.values() if factors.get(d) == 0]
        product = math.prod(factors.get(d, 1) or 1 for factors in found.values())
        if len(open_at) == 1 and size % product == 0:
            open_at[0][d] = size // product
        elif open_at or product != size:
            raise SpecError.one(f"mapping: the factors of {d} make up {product}, but the problem has {size} of it")
    return found


def _spatial_loops(
    level: Level, levels: list[Level], entry: dict[str, Any], factors: dict[str, int], problem: Problem
) -> list[Loop]:
    wanted = {d: n for d, n in factors.items() if n > 1}
    if not wanted:
        return []
    target = fanout_of(levels, level.name)
    if target is None:
        raise SpecError.one(f"mapping: {level.name} has spatial factors and nothing to spread over")
    sides = axes(entry, problem, f"spatial loops of {level.name}")
    loops = [Loop(d, n, (target.name, sides.get(d, "X" if target.x > 1 else "Y"))) for d, n in wanted.items()]
    for axis, fanout in (("X", target.x), ("Y", target.y)):
        used = math.prod(loop.factor for loop in loops if loop.across == (target.name, axis))
        if used > fanout:
            raise SpecError.one(f"mapping: {level.name} spreads over {used} instances in {axis}, of {fanout}")
    return loops


def _places(space: DataSpace, said: dict[str, Directives], items: list[Level | Loop]) -> dict[str, tuple[int, int]]:
    """Level -> (where its holder of the tensor stands, where it would without sliding), as indices of ``items``."""
    found: dict[str, tuple[int, int]] = {}
    floor = -1
    for index, item in enumerate(items):
        if not isinstance(item, Level) or not item.is_memory or space.name in said[item.name].bypass:
            continue
        if not found:
            found[item.name] = (index, index)
        else:
            found[item.name] = _raised(space, items, index, floor)
        floor = found[item.name][0]
    return found


def _raised(space: DataSpace, items: list[Level | Loop], index: int, floor: int) -> tuple[int, int]:
    place, slid = index, False
    still = index
    for at in range(index - 1, floor, -1):
        item = items[at]
        if isinstance(item, Level) or item.across is not None:
            continue
        if item.dimension in space.variables:
            if slid or item.dimension not in space.windows:
                break
            slid = True
        elif slid:  # what slid is no longer there when it begins anew
            break
        place = at
        still = still if slid else at
    return place, still


def _make_room(
    levels: list[Level],
    items: list[Level | Loop],
    places: dict[str, dict[str, tuple[int, int]]],
    problem: Problem,
    notes: list[str],
) -> None:
    """Enlarge the levels whose sliding tiles are held whole."""
    for number, level in enumerate(levels):
        outer = {above.name for above in levels[: number + 1]}
        needed = [0.0, 0.0]
        for space in problem.spaces:
            for which, place in enumerate(places[space.name].get(level.name, ())):
                needed[which] += _tile(space, items, place, outer, problem) * level.word()
        if needed[0] > level.bits() >= needed[1]:
            level.room = needed[0]
            notes.append(
                f"{level.name}: its size is {needed[0]:g} bits instead of {level.bits():g}, since a tile that slides "
                "is held whole here"
            )


def _tile(space: DataSpace, items: list[Level | Loop], place: int, outer: set[str], problem: Problem) -> int:
    """Values of the tensor in one instance of a level, whose holder stands at ``place``."""
    extents = dict(problem.sizes)
    for at, item in enumerate(items):
        if isinstance(item, Loop) and (at < place if item.across is None else item.across[0] in outer):
            extents[item.dimension] //= item.factor
    return math.prod(sum(c * (extents[d] - 1) for d, c in rank) + 1 for rank in space.ranks)


def _nodes(
    items: list[Level | Loop],
    places: dict[str, dict[str, tuple[int, int]]],
    levels: list[Level],
    problem: Problem,
) -> list[tuple[str, dict[str, Any]]]:
    nodes: list[tuple[str, dict[str, Any]]] = []
    left = dict(problem.sizes)
    for at, item in enumerate([*items, levels[-1]]):
        for level in levels[:-1]:
            held = [name for name, own in places.items() if own.get(level.name, (-1,))[0] == at]
            if held:
                nodes.append(("Storage", {"tensors": held, "component": level.name}))
        if isinstance(item, Level):
            continue
        left[item.dimension] //= item.factor
        fields = {"rank_variable": problem.variable(item.dimension), "tile_shape": left[item.dimension]}
        if item.across is None:
            nodes.append(("Temporal", fields))
        else:
            nodes.append(("Spatial", {**fields, "component": item.across[0], "name": item.across[1]}))
    return [*nodes, ("Compute", {"einsum": problem.name, "component": levels[-1].name})]
