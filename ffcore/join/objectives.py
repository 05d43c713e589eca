"""Which joined mappings are wanted: none dominated in the metrics asked for."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ffcore.errors import FFError
from ffcore.join.types import JoinedMapping
from ffcore.model.joint import evaluate_joint
from ffcore.spec.problem import Metric, Problem
from ffcore.tolerances import ROUNDING

_KNOWN = Metric.ENERGY | Metric.LATENCY | Metric.ENERGY_DELAY_PRODUCT


def check_metrics(metrics: Metric) -> None:
    """Raise ``FFError`` for a metric that mappings are not compared by."""
    unknown = metrics & ~_KNOWN
    if unknown:
        known = "energy, latency, energy_delay_product"
        raise FFError(f"mappings cannot be optimised for {unknown.name}; metrics are {known}")


def select(problem: Problem, mappings: Sequence[JoinedMapping]) -> list[JoinedMapping]:
    """The mappings that no other dominates in ``problem.options.metrics``, ascending in the first metric.

    A search that left a metric out reports 0 for it; the model fills it in. Of mappings that are
    equal in all metrics asked for, the first is kept.
    """
    metrics = problem.options.metrics
    if not metrics & Metric.ENERGY_DELAY_PRODUCT and metrics & (Metric.ENERGY | Metric.LATENCY) in (
        Metric.ENERGY,
        Metric.LATENCY,
    ):
        mappings = [_completed(problem, m) for m in mappings]
    kept: list[JoinedMapping] = []
    for mapping in sorted(mappings, key=lambda m: (_objectives(metrics, m), m.energy, m.latency)):
        goals = _objectives(metrics, mapping)
        if not any(all(a <= b * ROUNDING for a, b in zip(_objectives(metrics, k), goals, strict=True)) for k in kept):
            kept.append(mapping)
    return kept


def _objectives(metrics: Metric, mapping: JoinedMapping) -> tuple[float, ...]:
    values = {
        Metric.ENERGY: mapping.energy,
        Metric.LATENCY: mapping.latency,
        Metric.ENERGY_DELAY_PRODUCT: mapping.energy * mapping.latency,
    }
    return tuple(value for metric, value in values.items() if metric in metrics)


def _completed(problem: Problem, mapping: JoinedMapping) -> JoinedMapping:
    evaluation = evaluate_joint(problem, mapping.nests)
    return attrs.evolve(mapping, energy=evaluation.total_energy, latency=evaluation.total_latency)
