"""What tables say: single numbers of a component or of one of its actions, each with its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ffcore.plugin import Position, SpecError, suggest

ENERGY, THROUGHPUT, AREA, LEAK_POWER, LEAK_ENERGY = "energy", "throughput", "area", "leak_power", "leak_energy"
"""Quantities: J, 1/s (one instance), m² and W (one instance); ``leak_energy`` is in J per clock cycle."""


@attrs.frozen
class Fact:
    """One number of a table."""

    component: str
    quantity: str
    action: str  # empty for what the component has as a whole
    value: float
    place: Position
    arguments: tuple[tuple[str, str], ...] = ()  # of the action, sorted by name


def checked(value: float, quantity: str, place: Position) -> float:
    """The number, if a component can have it. Raises SpecError for others."""
    if quantity == THROUGHPUT:
        if value > 0:
            return value
        raise SpecError.one(f"{quantity} must be above 0, got {value:g}", place)
    if not (value >= 0 and math.isfinite(value)):
        raise SpecError.one(f"{quantity} must be a finite number of at least 0, got {value:g}", place)
    return value


def short_name(component: str) -> str:
    """``MAC`` of ``system.PE[0..167].MAC``: without the way to it and the numbers of its instances."""
    return re.sub(r"\[[^\]]*\]", "", component).rpartition(".")[2]


@attrs.define
class FactBook:
    """All facts of all files, found by the component's full or short name."""

    facts: dict[tuple[str, str, str], list[Fact]] = attrs.field(factory=dict)
    names: dict[str, list[str]] = attrs.field(factory=dict)  # full or short name -> full names

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> FactBook:
        """Raises SpecError where two facts speak of the same number."""
        book = cls()
        for fact in facts:
            same = book.facts.setdefault((fact.component, fact.quantity, fact.action), [])
            for other in same:
                if other.arguments == fact.arguments:
                    action = f"{fact.component}.{fact.action}" if fact.action else fact.component
                    raise SpecError.one(f"{fact.quantity} of {action} is given at {other.place} too", fact.place)
            same.append(fact)
            for name in {fact.component, short_name(fact.component)}:
                known = book.names.setdefault(name, [])
                if fact.component not in known:
                    known.append(fact.component)
        return book

    def components(self, name: str, component_class: str) -> list[str]:
        """Full names of what tables call by the component's name, else by its class."""
        return self.names.get(name) or self.names.get(component_class) or []

    def unknown(self, name: str, component_class: str) -> str:
        """Which component is not there, and which was probably meant."""
        guess = suggest(name, self.names) or (suggest(component_class, self.names) if component_class else None)
        hint = f"; did they mean {guess!r}?" if guess else ""
        return f"which list no component {name!r}{f' or {component_class!r}' if component_class else ''}{hint}"

    def find(self, components: list[str], quantity: str, action: str, arguments: Mapping[str, Any]) -> Fact | None:
        """The one fact that suits the action's arguments, None if there is none.

        Raises SpecError where several components have it, or several that differ suit.
        """
        facts = [fact for name in components for fact in self.facts.get((name, quantity, action), ())]
        owners = list(dict.fromkeys(fact.component for fact in facts))
        component = owners[0] if owners else ""
        if len(owners) > 1:
            message = f"{quantity} is given for {', '.join(owners)}, which have one name in the spec: keep one of them"
            raise SpecError.one(message, facts[-1].place)
        suiting = [f for f in facts if all(_same(arguments[n], v) for n, v in f.arguments if n in arguments)]
        if len({f.value for f in suiting}) > 1:
            names = ", ".join(dict.fromkeys(n for f in suiting for n, _ in f.arguments if n not in arguments))
            rule = f"extra_attributes_for_component_model of the action must say which: {names}"
            raise SpecError.one(
                f"the tables have {len(suiting)} {quantity} rows for {component}.{action}; {rule}", suiting[1].place
            )
        if facts and not suiting:
            given = ", ".join(f"{n}: {v}" for n, v in arguments.items())
            raise SpecError.one(f"no {quantity} row of {component}.{action} suits {given}", facts[0].place)
        return suiting[0] if suiting else None


def _same(wanted: object, given: str) -> bool:
    try:
        return float(str(wanted)) == float(given)
    except ValueError:
        return str(wanted) == given
