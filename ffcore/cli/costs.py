"""What components cost, as `ff validate --costs` shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.units import Dimension, format_quantity

if TYPE_CHECKING:
    from ffcore.spec.resolve.cost_table import ComponentCosts

_HEAD = ("component", "class", "instances", "action", "energy", "throughput", "area", "leakage", "source")
_RIGHT = {2, 4, 5, 6, 7}  # columns of numbers


def as_text(costs: Sequence[ComponentCosts]) -> str:
    """A table, one line for each action; all numbers are of one instance."""
    rows = [_HEAD, *(row for component in costs for row in _rows(component))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    return "\n".join(
        "  ".join(
            c.rjust(w) if i in _RIGHT else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _rows(costs: ComponentCosts) -> Iterator[tuple[str, ...]]:
    first = (costs.name, costs.component_class, f"{costs.instances:,}")
    whole = (_quantity(costs.area, Dimension.AREA), _quantity(costs.leak_power, Dimension.POWER))
    for action, energy in costs.energy.items():
        numbers = (_quantity(energy, Dimension.ENERGY), _quantity(costs.throughput[action], Dimension.RATE))
        names = [f"energy of {action}", f"throughput of {action}"] + (["area", "leak_power"] if whole[0] else [])
        yield (*first, action, *numbers, *whole, _source(costs, names))
        first, whole = ("", "", ""), ("", "")
    if not costs.energy:
        yield (*first, "", "", "", *whole, _source(costs, ["area", "leak_power"]))


def _quantity(value: float | None, dimension: Dimension) -> str:
    return "-" if value is None else format_quantity(value, dimension)


def _source(costs: ComponentCosts, names: Sequence[str]) -> str:
    """``spec`` where all is from there, else which number is from where."""
    by_source: dict[str, list[str]] = {}
    for name in names:
        if name in costs.sources:
            by_source.setdefault(costs.sources[name], []).append(name.partition(" ")[0].replace("_", " "))
    if len(by_source) == 1:
        return next(iter(by_source))
    return "; ".join(f"{source} ({', '.join(numbers)})" for source, numbers in by_source.items())


def as_data(costs: Sequence[ComponentCosts]) -> list[dict[str, Any]]:
    """The same for JSON, in SI units; an unlimited throughput is ``inf``, as a text."""
    found = []
    for component in costs:
        data = attrs.asdict(component)
        data["throughput"] = {a: "inf" if t == math.inf else t for a, t in component.throughput.items()}
        found.append(data)
    return found
