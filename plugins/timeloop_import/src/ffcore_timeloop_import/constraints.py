"""Timeloop's constraints on the mapspace, as rules of the native architecture's nodes; what has no rule is noted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ffcore.plugin import SpecError, suggest
from ffcore_timeloop_import.architecture import Level
from ffcore_timeloop_import.problem import Problem, tensor_name
from ffcore_timeloop_import.source import factors_of, mapping, number, permutation_of, sequence, whole

_BYPASS = ("bypass", "datatype", "dataspace", "bypassing")
_MINIMUM = ("utilization", "parallelism", "max_overbooked_proportion")


@attrs.define
class Rules:
    """What is said of one level."""

    keep: list[str] = attrs.field(factory=list)
    bypass: list[str] = attrs.field(factory=list)
    bounds: dict[str, list[dict[str, Any]]] = attrs.field(factory=lambda: {"X": [], "Y": []})
    min_usage: float = 0.0


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
    rules = {level.name: Rules() for level in levels}
    for name, entry in targets(sections, levels):
        kind = str(entry.get("type", ""))
        if kind in _BYPASS:
            rules[name].keep += [tensor_name(str(t)) for t in sequence(entry.get("keep"), f"keep of {name}")]
            rules[name].bypass += [tensor_name(str(t)) for t in sequence(entry.get("bypass"), f"bypass of {name}")]
            if next(level for level in levels if level.name == name).beside_others:
                rules[name].bypass += [space.name for space in problem.spaces if space.name not in rules[name].keep]
                rules[name].bypass = list(dict.fromkeys(rules[name].bypass))
            for extra in entry.keys() - {"type", "keep", "bypass"}:
                notes.append(f"{name}: {extra} of the data spaces")
        elif kind == "spatial":
            _spatial(name, entry, levels, problem, rules, notes)
        elif kind == "temporal":
            said = [f"{k} {entry[k]}" for k in ("factors", "factors_only", "permutation") if entry.get(k)]
            notes.append(f"{name}: temporal {', '.join(said)}: temporal loops are searched, not given")
        elif kind in _MINIMUM and "min" in entry:
            _minimum(name, number(entry["min"], f"min of {name}"), levels, rules, notes)
        else:
            notes.append(f"{name}: constraint of the type {kind or 'without a name'}")
    return rules


def _spatial(
    name: str,
    entry: dict[str, Any],
    levels: list[Level],
    problem: Problem,
    rules: dict[str, Rules],
    notes: list[str],
) -> None:
    level = fanout_of(levels, name)
    if level is None:
        return
    bounds, what = rules[level.name].bounds, f"spatial constraint of {name}"
    sides = axes(entry, problem, what)
    fanout = {"X": level.x, "Y": level.y}
    for axis in ("X", "Y"):
        elsewhere = [d for d, side in sides.items() if side != axis]
        if elsewhere and fanout[axis] > 1:
            bounds[axis].append(_bound(problem, elsewhere, "<=", 1))
    for dimension, (operator, count) in factors_of(entry.get("factors"), what).items():
        if dimension not in problem.sizes:
            raise SpecError.one(f"{what}: the problem has no dimension {dimension!r}")
        if count == 0:  # what the other levels leave
            notes.append(f"{name}: spatial {dimension}=0, all that is left of {dimension}")
            continue
        native = "==" if operator == "=" else operator
        where = [sides[dimension]] if dimension in sides else [axis for axis in ("X", "Y") if fanout[axis] > 1]
        if count > 1 and len(where) > 1:
            notes.append(f"{name}: spatial {dimension}{operator}{count}, of both axes together")
            continue
        for axis in where:
            if fanout[axis] > 1:
                bounds[axis].append(_bound(problem, [dimension], "<=" if count == 1 else native, count))


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
