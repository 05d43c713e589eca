"""Repair: after one Einsum's pmapping has changed, others follow until all agree again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ffcore_simanneal.joint import Joint
from ffcore_simanneal.parts import Key, Part

Wanted: TypeAlias = Mapping[int, Key]
"""Position among an Einsum's shared tensors -> the key that its pmapping must have."""

Draw: TypeAlias = Callable[[int, Wanted, Part | None], Part | None]
"""``draw(einsum, wanted, near)``: a pmapping with the wanted keys, like ``near`` if possible; None if none is found."""


def repair(joint: Joint, parts: Sequence[Part], changed: Sequence[int], draw: Draw) -> list[Part] | None:
    """``parts`` with all Einsums drawn anew that disagree with the ``changed`` ones, or with one drawn for these.

    An Einsum that has to follow first tries to keep the keys of its other tensors; if it cannot, these
    change too and their users follow. None if some Einsum has no pmapping that agrees.
    """
    result = list(parts)
    fixed = set(changed)
    queue = list(changed)
    while queue:
        place = queue.pop(0)
        for t, key in zip(joint.tensors[place], result[place].keys, strict=True):
            for other in joint.users[t]:
                if other in fixed or result[other].keys[joint.tensors[other].index(t)] is key:
                    continue
                drawn = _follow(joint, result, fixed, other, draw)
                if drawn is None:
                    return None
                result[other] = drawn
                fixed.add(other)
                queue.append(other)
    return result


def _follow(joint: Joint, parts: Sequence[Part], fixed: set[int], other: int, draw: Draw) -> Part | None:
    wanted: dict[int, Key] = {}
    keep: dict[int, Key] = {}
    for position, t in enumerate(joint.tensors[other]):
        source = next((f for f in joint.users[t] if f in fixed), None)
        if source is None:
            keep[position] = parts[other].keys[position]
        else:
            wanted[position] = parts[source].keys[joint.tensors[source].index(t)]
    if keep:
        drawn = draw(other, {**keep, **wanted}, parts[other])
        if drawn is not None:
            return drawn
    return draw(other, wanted, parts[other])


def assemble(joint: Joint, order: Sequence[int], draw: Draw) -> list[Part] | None:
    """A mapping from nothing: Einsums in the given order, each drawn to agree with those before it."""
    parts: dict[int, Part] = {}
    for place in order:
        wanted: dict[int, Key] = {}
        for position, t in enumerate(joint.tensors[place]):
            for f in joint.users[t]:
                if f in parts:
                    wanted[position] = parts[f].keys[joint.tensors[f].index(t)]
        drawn = draw(place, wanted, None)
        if drawn is None:
            return None
        parts[place] = drawn
    return [parts[place] for place in range(len(parts))]
