"""The limits of a spec, each with the settings that lift it alone.

A limit is lifted where it is written, in the spec, so that what is reported is what the user gets by the same change.
Where costs or other sizes depend on a size, no change of the spec lifts it alone: `Limit.depended_on` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ffcore.plugin import (
    INFINITY,
    LIMITING_OPTIONS,
    LIMITING_SETS,
    LIMITING_SHARES,
    Compute,
    Container,
    LoopBound,
    Memory,
    Spec,
    TensorHolder,
    TensorRules,
    Toll,
    is_default,
    place_of_path,
    walk,
)
from ffcore_explain.explanation import Limit, Setting

_NOTHING = ("", "Nothing", "Nothing()")
_ALL = ("All", "All()")


def limits(spec: Spec) -> tuple[Limit, ...]:
    """All limits, in the order of the files: capacities and constraints of the nodes, then of workload and mapper."""
    found = [*_of_nodes(spec), *_of_workload(spec), *_of_mapper(spec)]
    return tuple(found)


def limits_of(spec: Spec, path: str) -> tuple[Limit, ...]:
    """The limits that a diagnosis means by ``path``: that field, and those that state the same."""
    same = [path]
    if path.endswith(".may_keep"):  # what bypass takes away may not be kept either
        same.append(path.removesuffix("may_keep") + "bypass")
    if path.endswith(".keep"):
        same.append(path.removesuffix("keep") + "back")
    persistent = path == "workload.persistent_tensors"
    return tuple(x for x in limits(spec) if x.path in same or (persistent and x.path.endswith(".persistent")))


def switch(spec: Spec, node: Compute) -> Limit:
    """That a Compute may be disabled."""
    path = f"arch.nodes.{node.name}.enabled"
    return _lift(spec, path, node.enabled, (path, "true"))


def applied(spec: Spec, settings: Sequence[Setting]) -> Spec:
    """A copy of the spec with fields set."""
    changed = spec.copy()
    for setting in settings:
        changed.set(setting.path, setting.value)
    return changed


def _lift(spec: Spec, path: str, says: object, *settings: tuple[str, str], memory: str = "") -> Limit:
    made = tuple(Setting(p, value) for p, value in settings)
    return Limit(path, _text(says), made, place_of_path(spec, path), is_default(spec, path), memory)


def _of_nodes(spec: Spec) -> Iterator[Limit]:
    for node in walk(spec.arch.nodes):
        path = f"arch.nodes.{node.name}"
        if isinstance(node, Memory) and not _is_infinite(node.size):
            yield _lift(spec, f"{path}.size", node.size, (f"{path}.size", "inf"), memory=node.name)
        if isinstance(node, TensorHolder):
            yield from _of_rules(spec, node.tensors, f"{path}.tensors", toll=isinstance(node, Toll))
        if isinstance(node, Container):
            for dimension in node.spatial:
                yield from _of_dimension(spec, dimension, f"{path}.spatial.{dimension.name}")


def _of_rules(spec: Spec, rules: TensorRules, path: str, *, toll: bool) -> Iterator[Limit]:
    keep, may, back, bypass = (_text(x) for x in (rules.keep, rules.may_keep, rules.back, rules.bypass))
    may = may or ("Nothing" if keep else "All")
    if not toll:  # what pays a Toll is a cost, not a limit
        for name, text in (("keep", keep), ("back", back)):
            if text not in _NOTHING:
                settings = (f"{path}.{name}", "Nothing"), (f"{path}.may_keep", _union(may, text))
                yield _lift(spec, f"{path}.{name}", text, *settings)
        if may not in _ALL:
            yield _lift(spec, f"{path}.may_keep", may, (f"{path}.may_keep", "All"))
        if bypass not in _NOTHING:
            yield _lift(spec, f"{path}.bypass", bypass, *_without_bypass(path, keep, may, back, bypass))
    for name in LIMITING_SETS:
        text = _text(getattr(rules, name))
        if text not in _NOTHING:
            yield _lift(spec, f"{path}.{name}", text, (f"{path}.{name}", "Nothing"))
    if rules.tensor_order_options is not None:
        name = f"{path}.tensor_order_options"
        yield _lift(spec, name, json.dumps(rules.tensor_order_options), (name, "null"))
    yield from _of_list(spec, rules.tile_shape, f"{path}.tile_shape")


def _without_bypass(path: str, keep: str, may: str, back: str, bypass: str) -> Iterator[tuple[str, str]]:
    """What was bypassed may be held, and need not."""
    yield f"{path}.bypass", "Nothing"
    for name, text in (("keep", keep), ("back", back)):
        if text not in _NOTHING:
            yield f"{path}.{name}", f"({text}) - ({bypass})"
    yield f"{path}.may_keep", _union(may, bypass)


def _of_dimension(spec: Spec, dimension: Any, path: str) -> Iterator[Limit]:
    reuse = _text(dimension.reuse)
    if reuse not in _NOTHING:
        settings = [(f"{path}.reuse", "Nothing")]
        if dimension.may_reuse is None:  # it follows from reuse, and is a property of the hardware
            settings.append((f"{path}.may_reuse", reuse))
        yield _lift(spec, f"{path}.reuse", reuse, *settings)
    for name, free in LIMITING_SHARES.items():
        value = getattr(dimension, name)
        if value != free:
            yield _lift(spec, f"{path}.{name}", value, (f"{path}.{name}", f"{free:g}"))
    yield from _of_list(spec, dimension.loop_bounds, f"{path}.loop_bounds")


def _of_list(spec: Spec, limits: Sequence[LoopBound], path: str) -> Iterator[Limit]:
    """Each item of a list of limits; it is lifted by setting the list to the others."""
    for number, limit in enumerate(limits):
        others = [_plain(x) for n, x in enumerate(limits) if n != number]
        says = f"{limit.expression} {limit.operator} {_text(limit.value)}"
        yield _lift(spec, f"{path}.{number}", says, (path, json.dumps(others)))


def _plain(limit: LoopBound) -> dict[str, Any]:
    return {"expression": limit.expression, "operator": limit.operator, "value": limit.value}


def _of_workload(spec: Spec) -> Iterator[Limit]:
    text = _text(spec.workload.persistent_tensors)
    if text not in _NOTHING:
        path = "workload.persistent_tensors"
        yield _lift(spec, path, text, (path, "Nothing"))
    for einsum in spec.workload.einsums:
        for access in einsum.tensor_accesses:
            if access.persistent not in (None, False):
                path = f"workload.einsums.{einsum.name}.tensor_accesses.{access.name}.persistent"
                yield _lift(spec, path, access.persistent, (path, "false"))


def _of_mapper(spec: Spec) -> Iterator[Limit]:
    for name in LIMITING_OPTIONS:
        value = getattr(spec.mapper.ffm, name)
        if not _is_infinite(value):
            yield _lift(spec, f"mapper.ffm.{name}", value, (f"mapper.ffm.{name}", "inf"))
    force = spec.mapper.ffm.force_memory_hierarchy_order
    if force is not False:
        path = "mapper.ffm.force_memory_hierarchy_order"
        yield _lift(spec, path, force, (path, "false"))


def _is_infinite(value: object) -> bool:
    return value == INFINITY or value in ("inf", "infinity")


def _union(a: str, b: str) -> str:
    if a in _ALL or b in _NOTHING:
        return a
    return b if a in _NOTHING else f"({a}) | ({b})"


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.15g}" if isinstance(value, float) else " ".join(str(value).split())
