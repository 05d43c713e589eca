"""What a spec says of a tensor holds for each of its accesses, where an Einsum reads it with several projections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs

from ffcore.spec.problem import NAMES, Component, Held, Named

Accesses = Mapping[str, tuple[str, ...]]
"""Tensor -> the names of its accesses, of those that have several; the first is the tensor's own."""


def of_accesses(component: Component, accesses: Accesses) -> Component:
    """A component with the accesses of each tensor wherever it names the tensor."""
    return cast(Component, _spread(component, accesses)) if accesses else component


def of_tensors(held: Held, accesses: Accesses) -> Held:
    """What memories keep as expressions see it: a tensor of which any access is kept."""
    if not accesses:
        return held
    base = {name: tensor for tensor, names in accesses.items() for name in names}
    return {memory: frozenset(base.get(name, name) for name in names) for memory, names in held.items()}


def _spread(value: Any, accesses: Accesses) -> Any:
    """The fields of a value of an attrs class that name tensors, and those inside of what it holds."""
    changes: dict[str, object] = {}
    for field in attrs.fields(type(value)):
        own = getattr(value, field.name)
        if field.metadata.get(NAMES) is Named.TENSORS:
            changes[field.name] = _named(own, accesses)
        elif attrs.has(type(own)):
            changes[field.name] = _spread(own, accesses)
        elif isinstance(own, tuple) and own and all(attrs.has(type(item)) for item in own):
            changes[field.name] = tuple(_spread(item, accesses) for item in own)
    return attrs.evolve(value, **changes)


def _named(value: Any, accesses: Accesses) -> Any:
    if isinstance(value, frozenset):
        return frozenset(name for tensor in value for name in accesses.get(tensor, (tensor,)))
    if isinstance(value, Mapping):
        return dict(value) | {name: value[t] for t, names in accesses.items() if t in value for name in names}
    if isinstance(value, tuple):
        return tuple(_named(item, accesses) for item in value)
    return value
