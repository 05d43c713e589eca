"""What a table says of each mapping of each point, SI numbers; and which rows no other one beats.

Names of columns end in their unit: ``energy_J``, ``area_m2``. What memories and Einsums say begins with their names:
``GlobalBuffer peak_bit``, ``QK energy_J``.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from ffcore.plugin import (
    JointEvaluation,
    Memory,
    NestEvaluation,
    Problem,
    Spec,
    SpecError,
    computes_of,
    suggest,
    walk,
)
from ffcore_sweep.axes import Axis

if TYPE_CHECKING:
    from ffcore_sweep.result import SweepPoint

OPERATIONS = 2
"""That a compute counts as: a multiplication and an addition."""

LARGER_IS_BETTER = ("tops", "tops_per_W", "utilisation")

SHORT = {
    "energy": "energy_J",
    "latency": "latency_s",
    "edp": "edp_Js",
    "area": "area_m2",
    "leak_power": "leak_power_W",
    "leakage": "leakage_J",
}
"""What columns may be called without their units."""


@attrs.frozen
class Design:
    """What is the same for all mappings of a point; None where the spec does not say."""

    area: float | None = None  # m², of all components
    leak_power: float | None = None  # W
    computes: float = 0.0

    @classmethod
    def of(cls, problem: Problem, areas: Mapping[str, float] | None) -> Design:
        """That of a problem; ``areas``: m² by component."""
        computes = math.fsum(computes_of(einsum) for einsum in problem.einsums)
        area = None if areas is None else math.fsum(areas.values())
        return cls(area, math.fsum(leak.power for leak in problem.einsums[0].leaks), computes)


@attrs.frozen
class Detail:
    """What a mapping takes, part by part."""

    leakage: float = 0.0  # J
    utilisation: float = 0.0  # share of the compute instances' time that computes
    peaks: Mapping[str, tuple[float, float]] = attrs.Factory(dict)  # memory -> bits, share of its size
    einsums: Mapping[str, tuple[float, float]] = attrs.Factory(dict)  # Einsum -> J, s

    @classmethod
    def of(cls, evaluation: JointEvaluation) -> Detail:
        """That of a mapping."""
        nests, total = evaluation.evaluations, evaluation.total_latency
        return cls(
            math.fsum(x for nest in nests for key, x in nest.energy.items() if key.action == "leak"),
            math.fsum(map(_computing, nests)) / total if total else 0.0,
            {memory: (float(peak.bits), float(peak.share)) for memory, peak in evaluation.peaks.items()},
            {nest.einsum: (nest.total_energy, nest.total_latency) for nest in nests},
        )


def _computing(nest: NestEvaluation) -> float:
    """Seconds that the compute takes, by the share of its instances that are used."""
    used = math.prod(nest.spatial_usage.values())
    computes = {key.component for key in nest.actions if key.tensor is None and key.action == "compute"}
    return used * max((nest.latency.get(name, 0.0) for name in computes), default=0.0)


def row(point: SweepPoint, mapping: int | None = None) -> dict[str, Any]:
    """One mapping of a point (None: the best): values by path, then numbers."""
    best = point.best if mapping is None else mapping
    numbers: dict[str, Any] = dict.fromkeys(("energy_J", "latency_s", "edp_Js", "tops", "tops_per_W"))
    design, detail = point.design or Design(), Detail()
    if point.numbers:
        energy, latency = point.numbers[best]
        operations = OPERATIONS * design.computes
        numbers = {"energy_J": energy, "latency_s": latency, "edp_Js": energy * latency}
        numbers["tops"] = operations / latency / 1e12 if latency and design.computes else None
        numbers["tops_per_W"] = operations / energy / 1e12 if energy and design.computes else None
        detail = point.details[best] if point.details else detail
    parts: dict[str, Any] = {}
    for memory, (bits, share) in detail.peaks.items():
        parts |= {f"{memory} peak_bit": bits, f"{memory} peak_share": share}
    for einsum, (energy, latency) in detail.einsums.items():
        parts |= {f"{einsum} energy_J": energy, f"{einsum} latency_s": latency}
    return {
        **point.values,
        "status": point.status,
        **numbers,
        "area_m2": design.area,
        "leak_power_W": design.leak_power,
        "leakage_J": detail.leakage if point.details else None,
        "utilisation": detail.utilisation if point.details else None,
        "mappings": point.n_mappings,
        "reason": point.reason,
        **parts,
    }


def all_rows(points: Sequence[SweepPoint]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(place of the point, number of the mapping, row), a row for each mapping, and one for a point without any."""
    for place, point in enumerate(points):
        for mapping in range(max(1, point.n_mappings)):
            yield place, mapping, row(point, mapping if point.numbers else None)


def column_of(name: str, known: Sequence[str]) -> str:
    """The column that a name means. Raises SpecError with a suggestion where there is none of numbers."""
    column = SHORT.get(name, name)
    if column not in known:
        names = [*SHORT, *known]
        listed = ", ".join([*SHORT, *(n for n in known if n not in SHORT.values())])
        raise SpecError.one(f"front {name}: there is no such column; there are {listed}", None, suggest(name, names))
    return column


def numeric(points: Sequence[SweepPoint]) -> list[str]:
    """The columns that hold numbers in some row."""
    found: dict[str, None] = {}
    for _, _, cells in all_rows(points):
        found |= dict.fromkeys(name for name, value in cells.items() if _is_number(value))
    return list(found)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def expected(specs: Sequence[Spec], axes: Sequence[Axis]) -> list[str]:
    """The columns of numbers that a sweep of these specs may have."""
    found = [axis.path for axis in axes]
    found += [*SHORT.values(), "tops", "tops_per_W", "utilisation", "mappings"]
    for spec in specs:
        memories = [node.name for node in walk(spec.arch.nodes) if isinstance(node, Memory)]
        found += [f"{memory} {what}" for memory in memories for what in ("peak_bit", "peak_share")]
        found += [f"{einsum.name} {what}" for einsum in spec.workload.einsums for what in ("energy_J", "latency_s")]
    return list(dict.fromkeys(found))


def front(points: Sequence[SweepPoint], columns: Sequence[str]) -> set[tuple[int, int]]:
    """(place of the point, number of the mapping) of the rows that no other one beats in these columns.

    A row beats another that is no better in any of them and worse in one. Less is better but for `LARGER_IS_BETTER`.
    Rows that lack one of the numbers are left out.
    """
    from ffcore.plugin import pareto_mask

    signs = [-1.0 if column in LARGER_IS_BETTER else 1.0 for column in columns]
    places, values = array("q"), array("d")  # of a hundred thousand points
    for place, mapping, cells in all_rows(points):
        numbers = [cells.get(column) for column in columns]
        if cells["status"] == "found" and all(_is_number(number) for number in numbers):
            places.extend((place, mapping))
            values.extend(sign * float(number) for sign, number in zip(signs, numbers, strict=True))  # type: ignore[arg-type]
    if not values:
        return set()
    table = np.array(values).reshape(-1, len(columns))
    if table.shape[1] == 1:  # the mask compares two columns at least
        table = np.repeat(table, 2, axis=1)
    kept = {tuple(line) for line in table[pareto_mask(np.zeros(len(table), np.int64), table)]}
    pairs = np.array(places).reshape(-1, 2)
    return {(int(pair[0]), int(pair[1])) for pair, line in zip(pairs, table, strict=True) if tuple(line) in kept}
