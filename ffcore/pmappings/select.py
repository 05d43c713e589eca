"""Which joined mappings are wanted: none dominated in the metrics asked for."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

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
    compared = [_compared(problem, objectives, m) for m in mappings]
    compared.sort(key=lambda c: (c[0], c[1].energy, c[1].latency))
    kept: list[JoinedMapping] = []
    front = np.zeros((len(compared), len(compared[0][0]) if compared else 0))
    for vector, mapping in compared:
        if not (front[: len(kept)] <= np.array(vector) * ROUNDING).all(axis=1).any():
            front[len(kept)] = vector
            kept.append(mapping)
    return kept


def _compared(
    problem: Problem, objectives: Objectives, mapping: JoinedMapping
) -> tuple[tuple[float, ...], JoinedMapping]:
    """What a mapping is compared by, and the mapping with energy and latency."""
    if objectives.energy and objectives.latency and not objectives.usage:
        return objectives.vector(mapping.energy, mapping.latency), mapping
    # Also right for runs that were combined: they differ in constraints alone, which this does not look at.
    found = evaluate_joint(problem, mapping.nests)
    mapping = attrs.evolve(mapping, energy=found.total_energy, latency=found.total_latency)
    memories = sorted({name for einsum in problem.einsums for path in einsum.paths for name in path.names})
    shares = [found.peaks[name].share if name in found.peaks else 0.0 for name in memories]
    return objectives.vector(mapping.energy, mapping.latency, shares), mapping
