"""Tolerances: results say what they guarantee, and keep it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import ffcore as ff
from ffcore.cli.main import app
from tests.explore.test_prunes import ARCH, ATTENTION, CHAIN, PLAIN

FFM = ff.mapper.FFM


def mapped(workload: str, size: float = 256, objective: float = 0, usage: float = 0) -> ff.Mappings:
    arch = ARCH
    for name, value in {**PLAIN, "SIZE": str(size), "LOCAL": str(96 * size / 256)}.items():
        arch = arch.replace(name, value)
    spec = ff.Spec.from_string(arch + workload)
    spec.mapper.ffm.metrics = FFM.Metrics.ENERGY | FFM.Metrics.LATENCY
    spec.mapper.ffm.objective_tolerance = objective
    spec.mapper.ffm.resource_usage_tolerance = usage
    return ff.map_workload_to_arch(spec)


def points(mappings: ff.Mappings) -> list[tuple[float, float]]:
    return [(e.total_energy, e.total_latency) for e in mappings.evaluations]


def covers(found: list[tuple[float, float]], wanted: list[tuple[float, float]], factor: float) -> bool:
    slack = factor * (1 + 1e-9)
    return all(any(e <= x * slack and t <= y * slack for e, t in found) for x, y in wanted)


@pytest.mark.parametrize("workload", [CHAIN, ATTENTION], ids=["chain", "attention"])
@pytest.mark.parametrize("tolerance", [0.01, 0.2, 1])
def test_objectives_are_within_their_tolerance(workload: str, tolerance: float) -> None:
    found = mapped(workload, objective=tolerance)
    assert str(found.guarantee) == f"within a factor of {1 + tolerance:g} of the optimum"
    assert covers(points(found), points(mapped(workload)), 1 + tolerance)


@pytest.mark.parametrize("workload", [CHAIN, ATTENTION], ids=["chain", "attention"])
@pytest.mark.parametrize("tolerance", [0.03, 0.125, 0.2])
def test_shares_of_memories_are_within_their_tolerance(workload: str, tolerance: float) -> None:
    found = mapped(workload, usage=tolerance)
    free = 2 * tolerance  # two Einsums
    assert str(found.guarantee) == f"optimal of mappings that leave {free:.4g} of each limited memory free"
    assert all(e.fits for e in found.evaluations)
    assert covers(points(found), points(mapped(workload, size=256 * (1 - free))), 1)
    assert covers(points(mapped(workload)), points(found), 1)


def test_the_usage_tolerance_leaves_fewer_rows() -> None:
    """Else it would buy nothing."""
    rows = []
    for tolerance in (0, 0.5):
        arch = ARCH
        for name, value in PLAIN.items():
            arch = arch.replace(name, value)
        spec = ff.Spec.from_string(arch + CHAIN)
        spec.mapper.ffm.metrics = FFM.Metrics.ENERGY | FFM.Metrics.LATENCY
        spec.mapper.ffm.resource_usage_tolerance = tolerance
        rows.append(FFM.make_pmappings(spec).pareto_optimal_pmappings())
    assert rows[1] < rows[0]


def test_exact_results_say_so_and_parts_of_them_do_not() -> None:
    found = mapped(CHAIN)
    assert str(found.guarantee) == "optimal"
    assert found[0].guarantee is None


def test_the_command_line_states_the_guarantee() -> None:
    done = CliRunner().invoke(app, ["map", "simple", "matmuls", "--set", "N_EINSUMS=2", "--format", "json"])
    assert json.loads(done.stdout)["stats"]["guarantee"] == "optimal"
