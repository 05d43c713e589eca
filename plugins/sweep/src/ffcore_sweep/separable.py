"""Which points may be put together (``compose.py``), and the few that are resolved for it.

Exact where each component depends on its own values alone: no field of another node reads a field of it, by the texts
of all of them, and no cost model is asked. That nothing else differs is also compared for each point that was resolved;
where something does, points are resolved one by one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from ffcore.plugin import (
    Component,
    EinsumProblem,
    FFError,
    HolderChoice,
    Leak,
    einsum_choices,
    free_sizes,
    names_in_nodes,
)
from ffcore_sweep.axes import in_si
from ffcore_sweep.compose import Family, Values, Variant, text_of
from ffcore_sweep.needs import content_of

if TYPE_CHECKING:
    from ffcore_sweep.points import Point

_SCALES = "energy_scale|throughput_scale|latency_scale"
_NUMBER = re.compile(
    r"arch\.nodes\.(\w+)\.(?:size|area|area_scale|leak_power|leak_power_scale|"
    rf"{_SCALES}|actions\.\w+\.(?:energy|throughput|latency|{_SCALES}))"
)
_OPTION = re.compile(r"mapper\.ffm\.(?:max_fused_loops|max_fused_loops_per_rank_variable|metrics|objective_tolerance)")

Resolve = Callable[[int, Values], "Point"]


def separable(path: str) -> bool:
    """May points that differ in this path be put together?"""
    return bool(_NUMBER.fullmatch(path) or _OPTION.fullmatch(path))


class NotSeparableError(Exception):
    """Some paths cannot be put together; `paths` are to be resolved one by one."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(", ".join(paths))
        self.paths = frozenset(paths)


class WrongError(Exception):
    """Something is wrong with the points of these ``numbers``."""

    def __init__(self, numbers: Sequence[int], error: FFError) -> None:
        super().__init__(str(error))
        self.numbers = numbers
        self.error = error


def family_of(numbers: Sequence[int], combinations: Sequence[Values], paths: Sequence[str], resolve: Resolve) -> Family:
    """The family of some points, which differ in ``paths`` alone.

    Raises `NotSeparableError` where they cannot be put together, and `WrongError` for what is wrong with some.
    """
    try:
        base = resolve(numbers[0], combinations[numbers[0]])
    except FFError as error:
        raise WrongError(numbers, error) from None
    nodes: dict[str, tuple[str, ...]] = {}
    for path in paths:
        if match := _NUMBER.fullmatch(path):
            nodes[match[1]] = (*nodes.get(match[1], ()), path)
    options_paths = tuple(path for path in paths if path not in {p for own in nodes.values() for p in own})
    if not base.shares:
        raise NotSeparableError(paths)
    _check_apart(base, nodes)
    choices = tuple(map(einsum_choices, base.problem.einsums))
    variants = {
        node: _variants(node, own, base, choices, numbers, combinations, resolve) for node, own in nodes.items()
    }
    options = dict(_resolved(options_paths, base, numbers, combinations, resolve))
    return Family(base, choices, nodes, options_paths, variants, options)


def _resolved(
    paths: Sequence[str], base: Point, numbers: Sequence[int], combinations: Sequence[Values], resolve: Resolve
) -> Iterator[tuple[str, Point]]:
    """(text of the values of some paths, the base with them)."""
    by_text: dict[str, list[int]] = {}
    for number in numbers:
        by_text.setdefault(text_of(combinations[number], paths), []).append(number)
    for text, own in by_text.items():
        values = {**base.given, **{path: combinations[own[0]][path] for path in paths}}
        if text == text_of(base.given, paths):
            yield text, base
            continue
        try:
            yield text, resolve(own[0], values)
        except FFError as error:
            raise WrongError(own, error) from None


def _check_apart(base: Point, nodes: Mapping[str, tuple[str, ...]]) -> None:
    """Raise `NotSeparableError` for paths of nodes that are none, or that others may read."""
    names = names_in_nodes(base.spec.arch)
    wrong: list[str] = []
    for node, paths in nodes.items():
        read = any(node in opened for other, (_, opened) in names.items() if other != node)
        if node not in names or read or base.spec.mapper.cost_model:
            wrong += paths
            continue
        # What it reads itself may be varied too.
        if names[node][1] & (nodes.keys() - {node}):
            wrong += paths
    if wrong:
        raise NotSeparableError(wrong)


def _variants(
    node: str,
    paths: tuple[str, ...],
    base: Point,
    choices: tuple[tuple[HolderChoice, ...], ...],
    numbers: Sequence[int],
    combinations: Sequence[Values],
    resolve: Resolve,
) -> dict[str, Variant]:
    """Each combination of the values of a component, by its text."""
    sizes = _plain_sizes(node, paths, base, choices, numbers, combinations)
    found: dict[str, Variant] = {}
    if sizes is not None and len(sizes) > 1:  # one more is resolved, to see that only its size differs
        wanted = list(sizes)[1]
        some = [n for n in numbers if text_of(combinations[n], paths) in (next(iter(sizes)), wanted)]
        own = dict(_resolved(paths, base, some, combinations, resolve))[wanted]
        theirs = tuple(map(einsum_choices, own.problem.einsums))
        alone = _differs_alone(node, base, own, choices, theirs)
        if not alone or not _only_size(node, sizes[wanted], choices, theirs):
            raise NotSeparableError(paths)
        free = [node in free_sizes(c) and not base.problem.options.resource_usage_tolerance for c in choices]
        for k, (text, size) in enumerate(sizes.items()):
            same = tuple(0 if ok else k for ok in free)
            found[text] = Variant(None, choices, size, same)
        return found
    contents: list[dict[str, int]] = [{} for _ in choices]
    for k, (text, point) in enumerate(_resolved(paths, base, numbers, combinations, resolve)):
        own_choices = choices if point is base else tuple(map(einsum_choices, point.problem.einsums))
        if point is not base and not _differs_alone(node, base, point, choices, own_choices):
            raise NotSeparableError(paths)
        same = tuple(
            seen.setdefault(content_of(e, c, point.problem.options), k)
            for e, c, seen in zip(point.problem.einsums, own_choices, contents, strict=True)
        )
        found[text] = Variant(point, own_choices, None, same)
    return found


def _plain_sizes(
    node: str,
    paths: tuple[str, ...],
    base: Point,
    choices: Sequence[Sequence[HolderChoice]],
    numbers: Sequence[int],
    combinations: Sequence[Values],
) -> dict[str, float] | None:
    """The sizes (bits) by the text of their values, where nothing but plain sizes is varied; the base's first."""
    if paths != (f"arch.nodes.{node}.size",) or "size" in names_in_nodes(base.spec.arch)[node][0]:
        return None
    found: dict[str, float] = {text_of(base.given, paths): 0.0}
    for number in numbers:
        value = in_si(combinations[number][paths[0]])
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0 or math.isnan(value):
            return None
        found[text_of(combinations[number], paths)] = float(value)
    if not _only_size(node, found[text_of(base.given, paths)], choices, choices):
        return None
    return found


def _only_size(
    node: str, size: float, plain: Sequence[Sequence[HolderChoice]], own: Sequence[Sequence[HolderChoice]]
) -> bool:
    """Is the component that of the plain choices, but of this size?"""
    return all(
        b == attrs.evolve(a, size=size)
        for one, other in zip(plain, own, strict=True)
        for x, y in zip(one, other, strict=True)
        for a, b in zip(x.components, y.components, strict=True)
        if a.name == node
    )


def _differs_alone(
    node: str,
    base: Point,
    other: Point,
    choices: Sequence[Sequence[HolderChoice]],
    theirs: Sequence[Sequence[HolderChoice]],
) -> bool:
    """Do two points differ in numbers of one component alone?"""
    a, b = base.problem, other.problem
    if a.options != b.options or a.compound != b.compound or len(a.einsums) != len(b.einsums):
        return False
    for one, two, mine, their in zip(a.einsums, b.einsums, choices, theirs, strict=True):
        bare = [attrs.evolve(e, paths=(), leaks=()) for e in (one, two)]
        if bare[0] != bare[1] or [p.names for p in one.paths] != [p.names for p in two.paths]:
            return False
        if _leaks(one, node) != _leaks(two, node) or len(mine) != len(their):
            return False
        if not all(_choice_alike(node, x, y) for x, y in zip(mine, their, strict=True)):
            return False
    return True


def _leaks(einsum: EinsumProblem, node: str) -> list[Leak]:
    """What leaks but that component, whose leakage may appear."""
    return [leak for leak in einsum.leaks if leak.component != node]


def _choice_alike(node: str, one: HolderChoice, two: HolderChoice) -> bool:
    if one.held != two.held or one.tolls != two.tolls:
        return False
    for a, b in zip(one.components, two.components, strict=True):
        if a is not b and (_without_numbers(a) != _without_numbers(b) if a.name == node else a != b):
            return False
    return True


def _without_numbers(component: Component) -> Component:
    actions = tuple(attrs.evolve(action, energy=0.0) for action in component.actions)
    return attrs.evolve(component, size=1.0, latency=(), actions=actions)
