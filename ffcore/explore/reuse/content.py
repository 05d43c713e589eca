"""What the pmappings of one Einsum depend on, as a short text: equal texts, equal rows, in whatever spec or process."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import attrs

from ffcore.explore.options import LIMITS
from ffcore.explore.reuse.equal import signature
from ffcore.pmappings.rows import RowShape
from ffcore.spec.problem import Component, ComponentKind, EinsumProblem, MapperOptions, Metric
from ffcore.templates import HolderChoice

_JOINING = ("objective_tolerance", "combine_runs")  # explorers read the row shape alone


def einsum_content(einsum: EinsumProblem, choices: Sequence[HolderChoice], options: MapperOptions, *also: str) -> str:
    """A hash of the Einsum, its choices of holders with all their components, and the options that explorers read.

    Names of Einsums, tensors and rank variables do not count, those of components do. ``also``: options to leave out.
    """
    components: dict[Hashable, int] = {}
    structure = signature(einsum, choices, components)  # numbers components in the order of their first use
    read = {k: v for k, v in attrs.asdict(options).items() if k not in (*_JOINING, *LIMITS, *also)}
    return digest([structure, list(components), read])


def own_names(einsum: EinsumProblem) -> list[object]:
    """The names that `einsum_content` leaves out."""
    return [einsum.name, [t.name for t in einsum.tensors], list(einsum.bounds)]


def shape_content(shape: RowShape) -> list[object]:
    """What of a row shape can differ between Einsums of equal content."""
    apart = [list(map(list, shape.apart))] if shape.apart else []
    return [list(shape.memories), shape.depth, shape.cuts, *apart]


def digest(content: object) -> str:
    """A hash of nested tuples, lists, sets, numbers, names and None."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=_plain).encode()).hexdigest()[:32]


def _plain(value: Any) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Metric):
        return value.value
    if isinstance(value, enum.Enum):
        return value.name
    return attrs.astuple(value)


def free_sizes(choices: Sequence[HolderChoice]) -> dict[str, float]:
    """Bits of each memory whose size is one number above 0, whatever it holds."""
    sizes: dict[str, set[float]] = {}
    for component in _components(choices):
        if component.kind is ComponentKind.MEMORY:
            sizes.setdefault(component.name, set()).add(component.size)
    return {name: min(found) for name, found in sizes.items() if len(found) == 1 and min(found) > 0}


def needs(einsum: EinsumProblem, choices: Sequence[HolderChoice]) -> dict[str, float]:
    """The most bits that the Einsum can put into each memory: every tensor once and whole, for all its instances."""
    most: dict[str, float] = {}
    for c in _components(choices):
        if c.kind is ComponentKind.MEMORY:
            most[c.name] = max(einsum.most_bits(c), most.get(c.name, 0.0))
    return most


def free_latencies(choices: Sequence[HolderChoice]) -> dict[str, Mapping[str, float]]:
    """Seconds per action of each memory and Toll whose latency is one such sum at most, whatever it holds."""
    found: dict[str, list[Mapping[str, float]]] = {}
    refused = set()
    for component in _components(choices):
        if component.kind in (ComponentKind.MEMORY, ComponentKind.TOLL):
            form: Mapping[str, float] = component.latency[0] if component.latency else {}
            forms = found.setdefault(component.name, [form])
            if len(component.latency) > 1 or form != forms[0]:
                refused.add(component.name)
    return {name: forms[0] for name, forms in found.items() if name not in refused}


def resized(
    choices: Sequence[HolderChoice],
    sizes: Mapping[str, float],
    latencies: Mapping[str, tuple[Mapping[str, float], ...]] | None = None,
) -> tuple[HolderChoice, ...]:
    """The choices with memories of other sizes (bits, by name), and components of other latencies."""
    known: dict[int, Component] = {}

    def own(component: Component) -> Component:
        changes: dict[str, Any] = {}
        if component.kind is ComponentKind.MEMORY and component.name in sizes:
            changes["size"] = sizes[component.name]
        if latencies is not None and component.name in latencies:
            changes["latency"] = latencies[component.name]
        if not changes:
            return component
        if id(component) not in known:
            known[id(component)] = attrs.evolve(component, **changes)
        return known[id(component)]

    return tuple(HolderChoice(tuple(map(own, c.components)), c.held, c.tolls) for c in choices)


def _components(choices: Sequence[HolderChoice]) -> list[Component]:
    """Each component object once."""
    return list({id(c): c for choice in choices for c in choice.components}.values())
