"""Which joined mappings are wanted: none dominated in the metrics asked for."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ffcore.model.mapping import evaluate_joint
from ffcore.objectives import Objectives
from ffcore.pmappings.set import JoinedMapping
from ffcore.spec.problem import Problem
from ffcore.tolerances import ROUNDING


def select(problem: Problem, mappings: Sequence[JoinedMapping]) -> list[JoinedMapping]:
    """The mappings that no other dominates in ``problem.options.metrics``, ascending in the first metric.

    A search that left a metric out reports 0 for it; the model fills it in. Of mappings that are
    equal in all metrics asked for, the first is kept.
    """
    objectives = Objectives.of(problem.options.metrics)
    if not objectives.product:
        mappings = [_completed(problem, m) for m in mappings]
    vectors = {id(m): objectives.vector(m.energy, m.latency) for m in mappings}
    kept: list[JoinedMapping] = []
    for mapping in sorted(mappings, key=lambda m: (vectors[id(m)], m.energy, m.latency)):
        own = vectors[id(mapping)]
        if not any(all(a <= b * ROUNDING for a, b in zip(vectors[id(k)], own, strict=True)) for k in kept):
            kept.append(mapping)
    return kept


def _completed(problem: Problem, mapping: JoinedMapping) -> JoinedMapping:
    evaluation = evaluate_joint(problem, mapping.nests)
    return attrs.evolve(mapping, energy=evaluation.total_energy, latency=evaluation.total_latency)
