"""The roofline: how fast Einsums run, next to what computes and memories allow.

Intensity is counted at each memory that has a bandwidth: computes per bit that it really reads and writes, by the
model's counts. A roof is that of all instances of a component, used or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import attrs

from ffcore.plugin import Component, EinsumProblem, Nest, NestEvaluation, Problem, computes_of, path_components
from ffcore_html_report.data import Roofline, RooflinePoint, Slope


@attrs.frozen
class _Load:
    """What one Einsum asks of one component: ``amount`` (bits or computes) of ``rate`` (per s, all instances)."""

    component: str
    amount: float
    rate: float


@attrs.frozen
class _Work:
    """One Einsum: how many computes and how long it takes, what its compute and its memories are asked for."""

    einsum: str
    computes: float
    latency: float  # s
    compute: _Load | None  # None: a copy, or computes that take no time
    memories: tuple[_Load, ...]


def roofline_of(problem: Problem, nests: Sequence[Nest], evaluations: Sequence[NestEvaluation]) -> Roofline:
    """The roofline of a mapping: one nest and evaluation for each Einsum in workload order."""
    work = [_work(e, n, v) for e, n, v in zip(problem.einsums, nests, evaluations, strict=True)]
    points = (_point(w.einsum, [w]) for w in work if w.computes > 0)
    return Roofline(tuple(p for p in points if p is not None), _point("", work))


def _work(einsum: EinsumProblem, nest: Nest, evaluation: NestEvaluation) -> _Work:
    components = path_components(einsum, nest)
    computes = computes_of(einsum)
    memories, instances = [], 1
    for component in components[:-1]:
        instances *= component.fanout
        load = _traffic(einsum, component, instances, evaluation)
        if load is not None:
            memories.append(load)
    last = components[-1]
    each = _calls(evaluation, last.name) * einsum.n_instances
    busy = evaluation.latency.get(last.name, 0.0)
    compute = None
    if computes > 0 and busy > 0:
        compute = _Load(last.name, computes, each / busy * instances * last.fanout)
    return _Work(einsum.name, computes, evaluation.total_latency, compute, tuple(memories))


def _calls(evaluation: NestEvaluation, component: str) -> float:
    return sum(n.per_instance for key, n in evaluation.actions.items() if key.component == component)


def _traffic(einsum: EinsumProblem, memory: Component, instances: int, evaluation: NestEvaluation) -> _Load | None:
    """Bits that a memory moves, where that takes it time."""
    busy = evaluation.latency.get(memory.name, 0.0)
    if not 0 < busy < math.inf:
        return None
    total = each = 0.0
    for key, count in evaluation.actions.items():
        action = memory.action(key.action)
        if key.component == memory.name and key.tensor is not None and action is not None:
            # The tensor of a copy's destination is booked under its source, which the Einsum has too.
            bits = action.values_per_action[key.tensor] * memory.width(einsum.tensor[key.tensor])
            total += count.total * bits
            each += count.per_instance * bits
    if total <= 0:
        return None
    return _Load(memory.name, total * einsum.n_instances, each * einsum.n_instances / busy * instances)


def _point(name: str, work: Sequence[_Work]) -> RooflinePoint | None:
    """The work of some Einsums, one after the other, below its roofs. A roof is what takes as long at full rate."""
    computes, latency = sum(w.computes for w in work), math.fsum(w.latency for w in work)
    if computes <= 0 or latency <= 0:
        return None
    loads = [w.compute for w in work if w.compute is not None]
    seconds = _seconds(loads)
    compute = "/".join(dict.fromkeys(load.component for load in loads))
    peak = sum(load.amount for load in loads) / seconds if seconds > 0 else math.inf
    slopes = []
    for memory in dict.fromkeys(load.component for w in work for load in w.memories):
        mine = [load for w in work for load in w.memories if load.component == memory]
        bits = sum(load.amount for load in mine)
        slopes.append(Slope(memory, bits, bits / _seconds(mine), computes / bits))
    roofs = {compute: peak} | {s.component: s.ceiling for s in slopes}
    binding = min(roofs, key=lambda component: roofs[component])
    return RooflinePoint(name, computes, computes / latency, compute, peak, tuple(slopes), binding)


def _seconds(loads: Iterable[_Load]) -> float:
    return math.fsum(load.amount / load.rate for load in loads)
