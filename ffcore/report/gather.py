"""From mappings to what a report shows of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ffcore.model.mapping import kept_while_running
from ffcore.model.types import NestEvaluation, Reservation
from ffcore.render.mapping import view_mapping
from ffcore.report.roofline import roofline_of
from ffcore.report.types import (
    EinsumFacts,
    EinsumLatency,
    EnergyPart,
    Kept,
    MappingDetail,
    Moment,
    Occupancy,
    Point,
    ReportData,
    SpatialUse,
    TensorFacts,
    Unfused,
)
from ffcore.results.mappings import MappingEntry, computes_of
from ffcore.spec.problem import Problem

if TYPE_CHECKING:
    from ffcore.results import Mappings

MAX_DETAILS = 50
"""Of how many mappings a report shows everything: more than that nobody looks at, and files grow large."""


def gather(
    mappings: Mappings,
    *,
    title: str = "",
    unfused: Mappings | None = None,
    unfused_note: str = "",
    stats: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    max_details: int = MAX_DETAILS,
) -> ReportData:
    """What a report shows of ``mappings``, of which there must be at least one.

    ``unfused``: the best mappings without fusion, or else ``unfused_note``, why there are none. ``stats`` and
    ``run`` are passed on. Mappings are evaluated where they were not: raises what the model raises.
    """
    points = points_of(mappings)
    entries = mappings.entries
    details = tuple(_detail(entries[i], points[i]) for i in chosen(points, max_details))
    problem = entries[0].problem
    return ReportData(
        title=title,
        einsums=tuple(_einsums(problem)),
        tensors=tuple(_tensors(problem)),
        components=_components(problem, [*entries, *(unfused.entries if unfused is not None else ())]),
        points=points,
        details=details,
        best=best_of(points).number,
        unfused=_unfused(unfused, unfused_note),
        stats=dict(stats or {}),
        run=dict(run or {}),
    )


def points_of(mappings: Mappings) -> tuple[Point, ...]:
    """Energy and latency of each mapping."""
    return tuple(Point(i, e.total_energy, e.total_latency) for i, e in enumerate(mappings.evaluations))


def best_of(points: Iterable[Point]) -> Point:
    """The point of least energy-delay product, the first of equal ones."""
    return min(points, key=lambda p: p.edp)


def chosen(points: Sequence[Point], most: int = MAX_DETAILS) -> list[int]:
    """At most ``most`` of the points (at least 3), by number: the best ones and others evenly along the front."""
    if len(points) <= most:
        return list(range(len(points)))
    best = {best_of(points).number, *(min(points, key=key).number for key in (_energy, _latency))}
    others = [p.number for p in sorted(points, key=_latency) if p.number not in best]
    room = most - len(best)
    return sorted(best | {others[(i * len(others)) // room] for i in range(room)})


def _energy(point: Point) -> float:
    return point.energy


def _latency(point: Point) -> float:
    return point.latency


def _unfused(mappings: Mappings | None, note: str) -> Unfused:
    if mappings is None or not len(mappings):
        return Unfused(note=note)
    points = points_of(mappings)
    best = best_of(points)
    return Unfused(points, _detail(mappings.entries[best.number], best), note)


def _einsums(problem: Problem) -> Iterable[EinsumFacts]:
    for einsum in problem.einsums:
        reads = tuple(t.name for t in einsum.tensors if not t.output)
        writes = tuple(t.name for t in einsum.tensors if t.output)
        yield EinsumFacts(einsum.name, computes_of(einsum), einsum.is_copy, reads, writes)


def _tensors(problem: Problem) -> Iterable[TensorFacts]:
    shared = {name for einsum in problem.einsums for name in einsum.shared}
    seen = set()
    for einsum in problem.einsums:
        for tensor in einsum.tensors:
            if tensor.name not in seen:
                seen.add(tensor.name)
                bits = tensor.tile_values(einsum.bounds) * tensor.bits_per_value
                yield TensorFacts(tensor.name, bits, tensor.name in shared)


def _components(problem: Problem, entries: Sequence[MappingEntry]) -> tuple[str, ...]:
    """Components of the paths that Einsums take, and those that only leak."""
    names: dict[str, None] = {}
    for einsum in problem.einsums:
        for path in einsum.paths:
            names.update(dict.fromkeys(path.names[:-1]))
    for einsum in problem.einsums:
        for path in einsum.paths:
            names.setdefault(path.names[-1])
    met = {key.component for entry in entries for e in entry.evaluation.evaluations for key in e.energy}
    met |= {c for entry in entries for e in entry.evaluation.evaluations for c in e.latency}
    met |= {memory for entry in entries for memory in entry.evaluation.peaks}
    return tuple(name for name in names if name in met) + tuple(sorted(met - names.keys()))


def _detail(entry: MappingEntry, point: Point) -> MappingDetail:
    evaluations = entry.evaluation.evaluations
    return MappingDetail(
        point=point,
        view=view_mapping(entry.tree, entry.problem),
        energy=tuple(EnergyPart(e.einsum, *key, joules) for e in evaluations for key, joules in e.energy.items()),
        latency=tuple(_latency_of(e) for e in evaluations),
        occupancy=tuple(_occupancies(entry)),
        spatial=tuple(SpatialUse(e.einsum, *key, share) for e in evaluations for key, share in e.spatial_usage.items()),
        roofline=roofline_of(entry.problem, entry.nests, evaluations),
    )


def _latency_of(evaluation: NestEvaluation) -> EinsumLatency:
    busy = dict(evaluation.latency)
    slowest = max(busy, key=lambda name: busy[name], default="")
    bottleneck = slowest if busy and busy[slowest] > 0 else ""
    return EinsumLatency(evaluation.einsum, evaluation.total_latency, bottleneck, busy)


def _occupancies(entry: MappingEntry) -> Iterable[Occupancy]:
    """The memories that can be full, in the order in which they are met."""
    evaluations = entry.evaluation.evaluations
    running = kept_while_running(entry.problem, evaluations)
    sizes = {r.component: r.size for kept in running for alive in kept.values() for r in alive}
    for memory, size in sizes.items():
        limited = [r for kept in running for r in kept.get(memory, ()) if math.isfinite(r.size)]
        if limited:
            moments = (
                _moment(entry, evaluation.einsum, memory, kept.get(memory, ()), size)
                for evaluation, kept in zip(evaluations, running, strict=True)
            )
            yield Occupancy(memory, tuple(moments))


def _moment(entry: MappingEntry, einsum: str, memory: str, alive: Sequence[Reservation], size: float) -> Moment:
    shared = entry.problem.einsum[einsum].shared
    kept = tuple(Kept(r.tensor, r.bits, r.level, r.backing and _is_shared(entry, r.tensor, shared)) for r in alive)
    at = einsum, memory
    usage, share = entry.evaluation.usage.get(at, 0.0), entry.evaluation.share.get(at, 0.0)
    return Moment(einsum, min((r.size for r in alive), default=size), usage, share, kept)


def _is_shared(entry: MappingEntry, tensor: str, shared: frozenset[str]) -> bool:
    """Also for a tensor that is only kept while the Einsum runs, for others."""
    return tensor in shared or any(tensor in e.shared for e in entry.problem.einsums)
