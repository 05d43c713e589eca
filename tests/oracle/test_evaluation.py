"""What a search says of a mapping is what evaluating that mapping says."""

from __future__ import annotations

import random

import pytest

from ffcore.errors import NoValidMappingError
from ffcore.explore.default import DefaultExplorer
from ffcore.mapping.check import check_mapping
from ffcore.mapping.convert import nests_to_tree, tree_to_nests
from ffcore.mapping.dialect import from_yaml, to_yaml
from ffcore.model.default import DefaultModel
from ffcore.model.evaluate import evaluate_nest
from ffcore.pmappings.nests import nest_of_row
from ffcore.spec.problem import Metric, Problem
from tests.examples import first_few
from tests.oracle.compare import TOLERANCE, joined, objectives, seeded

BATCH = 10
BATCHES = first_few(range(60), 2)
FITS = 1 + 1e-9


def batch_of(number: int) -> list[tuple[int, Problem]]:
    # a block of numbers of their own, so that these tests add problems to those of the other module
    found = [(s, seeded(s)) for s in range(10_000 + number * BATCH, 10_000 + (number + 1) * BATCH)]
    return [(s, p) for s, p in found if p is not None]


@pytest.mark.parametrize("batch", BATCHES)
def test_a_mapping_written_and_read_again_costs_what_the_search_said(batch: int) -> None:
    evaluated = 0
    for seed, problem in batch_of(batch):
        for mapping in joined(problem):
            text = to_yaml(nests_to_tree(problem, mapping.nests))
            tree = from_yaml(text)
            check_mapping(problem, tree)
            joint = DefaultModel().evaluate(problem, tree_to_nests(problem, tree))  # refuses broken constraints
            assert joint.overflows == (), (seed, text)
            assert all(peak.share <= FITS for peak in joint.peaks.values())
            expected = objectives(problem, mapping.energy, mapping.latency)
            found = objectives(problem, joint.total_energy, joint.total_latency)
            assert found == pytest.approx(expected, rel=TOLERANCE, abs=0), (seed, text)
            evaluated += 1
    assert evaluated >= BATCH // 2


@pytest.mark.parametrize("batch", BATCHES)
def test_rows_cost_what_the_model_says(batch: int) -> None:
    """Energy, latency and own peak of random rows, whether or not any mapping is made of them."""
    evaluated = 0
    for seed, problem in batch_of(batch):
        try:
            pmappings = DefaultExplorer().explore(problem)
        except NoValidMappingError:
            continue
        for own in pmappings.einsums:
            source = random.Random(f"rows {seed} {own.einsum.name}")
            for row in source.sample(range(len(own.rows)), min(12, len(own.rows))):
                nest = nest_of_row(own, row)
                evaluation = evaluate_nest(own.einsum, nest)
                values = own.rows.values[row]
                if problem.options.metrics & (Metric.ENERGY | Metric.ENERGY_DELAY_PRODUCT):
                    assert values[0] == pytest.approx(evaluation.total_energy, rel=TOLERANCE, abs=0), (seed, nest)
                if problem.options.metrics & (Metric.LATENCY | Metric.ENERGY_DELAY_PRODUCT):
                    assert values[1] == pytest.approx(evaluation.total_latency, rel=TOLERANCE, abs=0), (seed, nest)
                for m, memory in enumerate(own.shape.memories):
                    size = next(c.size for t in own.templates for c in t.components if c.name == memory)
                    peak = values[own.shape.own(m)] * size
                    assert peak == pytest.approx(evaluation.usage.get(memory, 0.0), rel=TOLERANCE, abs=0), (seed, nest)
                evaluated += 1
    assert evaluated >= BATCH
