"""From mappings to what a report shows of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ffcore.plugin import (
    MAX_DETAILS,
    MappingEntry,
    Mappings,
    NestEvaluation,
    Point,
    Problem,
    ReportSubject,
    Reservation,
    best_of,
    chosen,
    computes_of,
    kept_while_running,
    points_of,
    view_mapping,
)
from ffcore_html_report.data import (
    EinsumFacts,
    EinsumLatency,
    EnergyPart,
    Kept,
    MappingDetail,
    Moment,
    Occupancy,
    ReportData,
    SpatialUse,
    TensorFacts,
    Unfused,
)
from ffcore_html_report.roofline import roofline_of


def gather(subject: ReportSubject, max_details: int = MAX_DETAILS) -> ReportData:
    """What a report shows of its mappings. Those that were not evaluated are: raises what the model raises."""
    mappings, unfused = subject.mappings, subject.unfused
    points = points_of(mappings)
    entries = mappings.entries
    problem = entries[0].problem
    return ReportData(
        title=subject.title,
        einsums=tuple(_einsums(problem)),
        tensors=tuple(_tensors(problem)),
        components=_components(problem, [*entries, *(unfused.entries if unfused is not None else ())]),
        points=points,
        details=tuple(_detail(entries[i], points[i]) for i in chosen(points, max_details)),
        best=best_of(points).number,
        unfused=_unfused(unfused, subject.unfused_note),
        stats=dict(subject.stats),
        run=dict(subject.run),
    )


def _unfused(mappings: Mappings | None, note: str) -> Unfused:
    if mappings is None or not len(mappings):
        return Unfused(note=note)
    points = points_of(mappings)
    best = best_of(points)
    return Unfused(points, _detail(mappings.entries[best.number], best), note)


def _einsums(problem: Problem) -> Iterable[EinsumFacts]:
    for einsum in problem.einsums:
        reads = tuple(dict.fromkeys(t.base for t in einsum.tensors if not t.output))
        writes = tuple(t.name for t in einsum.tensors if t.output)
        yield EinsumFacts(einsum.name, computes_of(einsum), einsum.is_copy, reads, writes)


def _tensors(problem: Problem) -> Iterable[TensorFacts]:
    shared = {name for einsum in problem.einsums for name in einsum.shared}
    seen = set()
    for einsum in problem.einsums:
        for name in einsum.names:
            if name not in seen:
                seen.add(name)
                tensor = einsum.tensor[name]
                bits = tensor.whole(einsum.bounds) * tensor.bits_per_value
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
