"""The fast path against the peer's results on small random specs (their README says how to compare)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ffcore.api import map_workload_to_arch
from ffcore.spec import Spec
from tests.perfect import perfect_factors

CASES = Path(__file__).resolve().parents[3] / "shared" / "conformance"
TOLERANCE = 1e-5  # relative; the peer searches in float32
NAMES = sorted(p.name for p in CASES.iterdir() if p.is_dir()) if CASES.is_dir() else []
SLOW = frozenset({"0145-attention"})

Point = tuple[float, float]  # J, s

needs_cases = pytest.mark.skipif(not NAMES, reason=f"the shared conformance cases are not at {CASES}")


def covered(point: Point, by: list[Point]) -> bool:
    """Does one of the points match or dominate this one?"""
    return any(all(a <= b * (1 + TOLERANCE) for a, b in zip(other, point, strict=True)) for other in by)


@needs_cases
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in NAMES] or ["none"]
)
def test_conformance(name: str) -> None:
    folder = CASES / name
    expected = json.loads((folder / "expected.json").read_text())
    spec = perfect_factors(Spec.from_yaml(folder / "arch.yaml", folder / "workload.yaml"))
    spec.mapper.ffm.max_fused_loops = float(expected["max_fused_loops"])
    mappings = map_workload_to_arch(spec, n_jobs=1)
    ours = [(e.total_energy, e.total_latency) for e in mappings.evaluations]
    theirs = [(p["energy"], p["latency"]) for p in expected["pareto"]]
    assert [p for p in theirs if not covered(p, ours)] == []
    if expected["peer_search_agrees_with_its_model"]:
        assert [p for p in ours if not covered(p, theirs)] == []


@needs_cases
def test_all_cases_are_here() -> None:
    assert len(NAMES) == 150
