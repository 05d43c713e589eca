"""Timeloop's constraints on the mapspace, as rules of the native architecture's nodes; what has no rule is noted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ffcore.plugin import SpecError, suggest
from ffcore_timeloop_import.architecture import Level
from ffcore_timeloop_import.problem import Problem, tensor_name
from ffcore_timeloop_import.source import factors_of, mapping, number, permutation_of, sequence, whole
from ffcore_timeloop_import.temporal import Said, fetched_once, tile_rules

_BYPASS = ("bypass", "datatype", "dataspace", "bypassing")
_SPATIAL = frozenset(
    ["type", "factors", "factors_only", "no_iteration_over_dataspaces", "permutation", "split", "no_reuse"]
) | {"no_multicast_no_reduction"}
_MINIMUM = ("utilization", "parallelism", "max_overbooked_proportion")


@attrs.define
class Rules:
    """What is said of one level."""

    keep: list[str] = attrs.field(factory=list)
    bypass: list[str] = attrs.field(factory=list)
    bounds: dict[str, list[dict[str, Any]]] = attrs.field(factory=lambda: {"X": [], "Y": []})
    min_usage: float = 0.0
    alone: list[str] = attrs.field(factory=list)  # neither multicast nor reduced over the fanout
    tile_shape: list[dict[str, Any]] = attrs.field(factory=list)
    once: list[str] = attrs.field(factory=list)  # fetched from above once only


def targets(sections: list[Any], levels: list[Level]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(level, entry) of all constraints, those inside of the architecture's nodes too."""
    names = [level.name for level in levels]
    for section in sections:
        entries = section.get("targets") if isinstance(section, dict) else section
        for item in sequence(entries, "constraints"):
            entry = dict(mapping(item, "a constraint"))
            name = str(entry.pop("target", ""))
            if name not in names:
                raise SpecError.one(f"the architecture has no level {name!r}", None, suggest(name, names))
            yield name, entry
    for level in levels:
        for kind, rules in level.constraints.items():
            yield level.name, {"type": kind, **mapping(rules, f"constraints of {level.name}")}


def fanout_of(levels: list[Level], name: str) -> Level | None:
    """The level across whose fanout spatial loops of level ``name`` run: its own, or the next one further in."""
    index = next(i for i, level in enumerate(levels) if level.name == name)
    if levels[index].own_fanout:
        return levels[index] if levels[index].x * levels[index].y > 1 else None
    return next((level for level in levels[index + 1 :] if level.x * level.y > 1), None)


def axes(entry: dict[str, Any], problem: Problem, what: str) -> dict[str, str]:
    """Dimension -> X or Y, as far as ``permutation`` and ``split`` say."""
    order = permutation_of(entry.get("permutation"), problem.sizes, what)
    if entry.get("split") is None or not order:
        return {}
    split = whole(entry["split"], f"{what}: split")
    return {d: "X" if place < split else "Y" for place, d in enumerate(order)}


def read_constraints(sections: list[Any], levels: list[Level], problem: Problem, notes: list[str]) -> dict[str, Rules]:
    """Level -> its rules. Raises SpecError for what names a level or dimension that is not there."""
    rules, said = {level.name: Rules() for level in levels}, Said()
    for name, entry in targets(sections, levels):
        kind = str(entry.get("type", ""))
        if kind in _BYPASS:
            _kept(name, entry, levels, problem, rules, notes)
        elif kind == "spatial":
            _spatial(name, entry, levels, problem, rules, said, notes)
        elif kind == "temporal":
            _temporal(name, entry, problem, said, notes)
        elif kind in _MINIMUM and "min" in entry:
            _minimum(name, number(entry["min"], f"min of {name}"), levels, rules, notes)
        else:
            notes.append(f"{name}: constraint of the type {kind or 'without a name'}")
    held = {n: [space for space in problem.spaces if space.name not in own.bypass] for n, own in rules.items()}
    for name, shape in tile_rules(levels, problem, said, held, notes).items():
        rules[name].tile_shape = shape
    for name, once in fetched_once(levels, problem, said, held, notes).items():
        rules[name].once = once
    return rules


def _kept(
    name: str, entry: dict[str, Any], levels: list[Level], problem: Problem, rules: dict[str, Rules], notes: list[str]
) -> None:
    every, own = [space.name for space in problem.spaces], rules[name]
    for key, into, rest in (("keep", own.keep, own.bypass), ("bypass", own.bypass, own.keep)):
        into += _spaces(entry.get(key), problem, f"{key} of {name}")
        if entry.get(f"{key}_only") is not None:
            only = _spaces(entry[f"{key}_only"], problem, f"{key}_only of {name}")
            into += only
            rest += [space for space in every if space not in only]
    if next(level for level in levels if level.name == name).beside_others:
        own.bypass += [space for space in every if space not in own.keep]
    own.keep, own.bypass = list(dict.fromkeys(own.keep)), list(dict.fromkeys(own.bypass))
    for extra in entry.keys() - {"type", "keep", "bypass", "keep_only", "bypass_only"}:
        notes.append(f"{name}: {extra} of the data spaces")


def _spaces(value: Any, problem: Problem, what: str) -> list[str]:
    """Native names of data spaces; ``*`` stands for all."""
    names = [str(name) for name in sequence(value, what)]
    return [space.name for space in problem.spaces] if "*" in names else [tensor_name(name) for name in names]


def _factors(entry: dict[str, Any], problem: Problem, what: str) -> list[tuple[str, str, int]]:
    """(dimension, operator, number) of all factors that an entry gives, in whichever way."""
    found = [(d, *factor) for d, factor in factors_of(entry.get("factors"), what).items()]
    only = factors_of(entry.get("factors_only"), what)
    found += [(d, *factor) for d, factor in only.items()]
    found += [(d, "=", 1) for d in problem.sizes if entry.get("factors_only") is not None and d not in only]
    still = _spaces(entry.get("no_iteration_over_dataspaces"), problem, f"{what}: no_iteration_over_dataspaces")
    found += [(d, "=", 1) for d in problem.sizes if any(s.name in still and d in s.variables for s in problem.spaces)]
    unknown = next((d for d, _, _ in found if d not in problem.sizes), None)
    if unknown is not None:
        raise SpecError.one(f"{what}: the problem has no dimension {unknown!r}")
    return list(dict.fromkeys(found))


def _temporal(name: str, entry: dict[str, Any], problem: Problem, said: Said, notes: list[str]) -> None:
    what = f"temporal constraint of {name}"
    for d, operator, n in _factors(entry, problem, what):
        if n == 0:  # what the other levels leave
            notes.append(f"{name}: temporal {d}=0, all that is left of {d}")
        else:
            said.add(said.factors, name, d, operator, n)
    order = permutation_of(entry.get("permutation"), problem.sizes, what)
    if order:
        said.order[name] = order
    for extra in entry.keys() - {"type", "factors", "factors_only", "no_iteration_over_dataspaces", "permutation"}:
        notes.append(f"{name}: temporal {extra}: {entry[extra]}")


def _spatial(
    name: str,
    entry: dict[str, Any],
    levels: list[Level],
    problem: Problem,
    rules: dict[str, Rules],
    said: Said,
    notes: list[str],
) -> None:
    level = fanout_of(levels, name)
    if level is None:
        return
    bounds, what = rules[level.name].bounds, f"spatial constraint of {name}"
    alone = _spaces(entry.get("no_multicast_no_reduction", entry.get("no_reuse")), problem, what)
    rules[level.name].alone += [space for space in alone if space not in rules[level.name].alone]
    for extra in entry.keys() - _SPATIAL:
        notes.append(f"{name}: spatial {extra}: {entry[extra]}")
    sides = axes(entry, problem, what)
    fanout = {"X": level.x, "Y": level.y}
    for axis in ("X", "Y"):
        elsewhere = [d for d, side in sides.items() if side != axis]
        if elsewhere and fanout[axis] > 1:
            bounds[axis].append(_bound(problem, elsewhere, "<=", 1))
    for dimension, operator, count in _factors(entry, problem, what):
        if count == 0:  # what the other levels leave
            notes.append(f"{name}: spatial {dimension}=0, all that is left of {dimension}")
            continue
        said.add(said.spatial, level.name, dimension, operator, count)
        if operator == ">=" and count <= 1:
            continue  # which says nothing
        native = "<=" if count == 1 else "==" if operator == "=" else operator
        where = [sides[dimension]] if dimension in sides else [axis for axis in ("X", "Y") if fanout[axis] > 1]
        if count > 1 and len(where) > 1:
            notes.append(f"{name}: spatial {dimension}{operator}{count}, of both axes together")
            continue
        for axis in where:
            if fanout[axis] > 1:
                bounds[axis].append(_bound(problem, [dimension], native, count))


def _minimum(name: str, least: float, levels: list[Level], rules: dict[str, Rules], notes: list[str]) -> None:
    level = fanout_of(levels, name)
    if level is None:
        return
    if level.x > 1 and level.y > 1:
        notes.append(f"{name}: at least {least:g} of the instances, of both axes together")
    else:
        rules[level.name].min_usage = least


def _bound(problem: Problem, dimensions: list[str], operator: str, value: int) -> dict[str, Any]:
    expression = " | ".join(problem.variable(d) for d in dimensions)
    return {"expression": expression, "operator": operator, "value": value}
