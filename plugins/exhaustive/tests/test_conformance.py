"""The exhaustive mapper against the peer's results on small random specs (their README says how to compare)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ffcore.spec import Spec
from ffcore_exhaustive.mapper import exhaustive_map, templates
from tests.perfect import perfect_factors

SHARED = Path(__file__).resolve().parents[4] / "shared"
CASES = SHARED / "conformance"
TOLERANCE = 1e-5

# Cases with less than a thousand tile choices take a fraction of a second each.
_QUICK = """
    0006-attention 0109-chain 0113-chain 0125-chain 0126-diamond 0137-diamond 0160-chain 0162-chain
    0164-chain 0165-attention 0168-attention 0174-diamond 0176-chain 0181-chain 0185-chain 0190-chain
    0194-chain 0196-diamond 0200-attention 0225-chain 0241-chain 0246-chain 0252-chain 0258-chain
    0262-chain 0266-chain 0268-chain 0269-chain 0277-chain 0281-chain 0309-chain 0318-chain 0320-chain
    0330-attention
"""
QUICK = frozenset(_QUICK.split())
# Hundreds of thousands of tile choices and more: minutes to hours each, left to a run by hand.
HUGE = frozenset(
    {"0112-chain", "0145-attention", "0148-attention", "0182-chain", "0256-chain", "0322-diamond", "0329-diamond"}
)

Point = tuple[float, float]


def cases() -> list[object]:
    names = sorted(p.name for p in CASES.iterdir() if p.is_dir()) if CASES.is_dir() else []
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in names if n not in HUGE]


def covered(point: Point, by: list[Point]) -> bool:
    """Does one of the points match or dominate this one?"""
    return any(all(a <= b * (1 + TOLERANCE) for a, b in zip(other, point, strict=True)) for other in by)


needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the shared conformance cases are not here")


@needs_cases
@pytest.mark.parametrize("name", cases())
def test_conformance(name: str) -> None:
    folder = CASES / name
    expected = json.loads((folder / "expected.json").read_text())
    spec = perfect_factors(Spec.from_yaml(folder / "arch.yaml", folder / "workload.yaml"))
    spec.mapper.ffm.max_fused_loops = float(expected["max_fused_loops"])
    ours = [(s.energy, s.latency) for s in exhaustive_map(spec.problem(), dominance=True)]
    theirs = [(p["energy"], p["latency"]) for p in expected["pareto"]]
    assert [p for p in theirs if not covered(p, ours)] == []
    if expected["peer_search_agrees_with_its_model"]:
        assert [p for p in ours if not covered(p, theirs)] == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="the peer's example specs are not here")
def test_template_counts_of_gpt3_are_the_peers() -> None:
    """Semantics, section 6."""
    examples = SHARED / "peer_examples"
    spec = Spec.from_yaml(
        examples / "arches/tpu_v4i.yaml",
        examples / "misc/gpt3_6.7B_verbose_annotated.yaml",
        jinja_parse_data={"BATCH_SIZE": 4, "N_TOKENS": 4096},
    )
    problem = spec.problem()
    assert {e.name: len(templates(e, problem.options)) for e in problem.einsums} == {
        "I": 2,
        "V": 92,
        "K": 92,
        "Q": 92,
        "QK": 158,
        "QK_softmax": 12,
        "AV": 158,
        "Z": 92,
        "FFA": 92,
        "FFB": 54,
    }
