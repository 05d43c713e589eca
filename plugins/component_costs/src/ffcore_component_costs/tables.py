"""The cost model ``tables``: what tables say of a component, and nothing that they do not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ffcore.plugin import (
    ComponentCost,
    ComponentQuery,
    Dimension,
    SourceProblem,
    SpecError,
    display,
    parse_quantity,
    read_text,
)
from ffcore_component_costs.accelergy import read_accelergy
from ffcore_component_costs.csv_table import read_csv
from ffcore_component_costs.facts import AREA, ENERGY, LEAK_ENERGY, LEAK_POWER, THROUGHPUT, Fact, FactBook

_READERS = {".csv": read_csv, ".yaml": read_accelergy, ".yml": read_accelergy}


class TableCosts:
    """Prices components by tables.

    ``files``: the tables; together they must give each number once. ``clock`` (Hz, or text such as ``200 MHz``): makes
    power of an Accelergy table's leakage, which is energy per cycle. ``actions``: how tables call actions, where they
    do not call them read, write and compute: ``{compute: mac_random}``. Raises SpecError for what cannot be read.
    """

    def __init__(
        self,
        files: Sequence[Path] = (),
        clock: float | str | None = None,
        actions: Mapping[str, str] | None = None,
    ) -> None:
        if not files:
            hint = "say which in mapper.cost_model_options, such as {files: costs.csv}"
            raise SpecError.one(f"the cost model 'tables' has no tables: {hint}")
        self.files = tuple(display(file) for file in files)
        self.clock = None if clock is None else parse_quantity(clock, Dimension.FREQUENCY)
        if self.clock is not None and not self.clock > 0:
            raise SpecError.one(f"the option 'clock' of the cost model 'tables' must be above 0, got {clock!r}")
        if actions is not None and not isinstance(actions, Mapping):
            raise SpecError.one(f"the option 'actions' must name actions such as {{compute: mac}}, got {actions!r}")
        self.actions = dict(actions or {})
        self.book = FactBook.of(fact for file in files for fact in _facts(file))

    def cost(self, component: ComponentQuery) -> ComponentCost:
        """What the tables say of a component, by its name, else by its class; what they lack is left out.

        Raises SpecError where several rows suit an action.
        """
        names = self.book.components(component.name, component.component_class)
        if not names:
            listed = self.book.unknown(component.name, component.component_class)
            return ComponentCost(source=f"tables {', '.join(self.files)}, {listed}")
        energy = {a: self._of_action(names, ENERGY, a, component) for a in component.actions}
        throughput = {a: self._of_action(names, THROUGHPUT, a, component) for a in component.actions}
        area, leak = self.book.find(names, AREA, "", {}), self.book.find(names, LEAK_POWER, "", {})
        cycle = self.book.find(names, LEAK_ENERGY, "", {})
        used = [f for f in (*energy.values(), *throughput.values(), area, leak, cycle) if f is not None]
        return ComponentCost(
            energy=_values(energy),
            throughput=_values(throughput),
            area=None if area is None else area.value,
            leak_power=self._leakage(cycle) if leak is None else leak.value,
            source=f"tables: {', '.join(dict.fromkeys(f.place.file for f in used)) or ', '.join(self.files)}",
        )

    def _of_action(self, names: list[str], quantity: str, action: str, component: ComponentQuery) -> Fact | None:
        arguments: Any = component.attributes.get(f"actions.{action}", {})
        return self.book.find(names, quantity, self.actions.get(action, action), arguments)

    def _leakage(self, cycle: Fact | None) -> float | None:
        if cycle is None or cycle.value == 0:
            return None if cycle is None else 0.0
        if self.clock is None:
            message = "leak is energy per clock cycle: give the clock in mapper.cost_model_options, {clock: 200 MHz}"
            raise SpecError.one(f"{cycle.component}: {message}", cycle.place)
        return cycle.value * self.clock


def _values(facts: Mapping[str, Fact | None]) -> dict[str, float]:
    return {action: fact.value for action, fact in facts.items() if fact is not None}


def _facts(file: Path) -> Iterable[Fact]:
    name, reader = display(file), _READERS.get(file.suffix.lower())
    if reader is None:
        raise SpecError.one(f"{name} is no cost table: expected {', '.join(_READERS)}")
    try:
        text = read_text(file)
    except SourceProblem as problem:
        raise SpecError.one(problem.message, None, problem.suggestion) from None
    return reader(text, name)
