"""Jobs on arrays without rules whose answers are known: published tables, closed forms, the exhaustive mapper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

import ffcore as ff
from ffcore.plugin.interfaces import ComponentCost, ComponentQuery
from ffcore.spec.problem import INFINITY
from tests.oracle.compare import fast, joined, reference, same
from tests.perfect import perfect_factors

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ROOT / "bench" / "inputs"
SHARED = ROOT.parent / "shared"
GOLDEN, PEER = SHARED / "golden", SHARED / "peer_more"
METRICS = ff.mapper.FFM.Metrics
slow = pytest.mark.slow
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir() or not PEER.is_dir(), reason=f"no {GOLDEN} or no {PEER}")


def load(arch: str, workload: str, **parameters: object) -> ff.Spec:
    files = str(INPUTS / f"{arch}.arch.yaml"), str(INPUTS / f"{workload}.workload.yaml")
    spec = perfect_factors(ff.Spec.from_yaml(*files, jinja_parse_data=parameters))
    spec.mapper.ffm.metrics = METRICS.ENERGY | METRICS.LATENCY
    return spec


def best(spec: ff.Spec) -> tuple[float, float]:
    """Least energy and least latency over the Pareto set."""
    found = ff.map_workload_to_arch(spec, n_jobs=1)
    return min(m.energy() for m in found), min(m.latency() for m in found)


def unfused(b: int, h: int, length: int, e: int) -> tuple[float, float]:
    """Bytes and seconds of attention whose tensors all pass through DRAM once (the closed form of the table)."""
    t, s, points = 2 * b * h * length * e, 2 * b * h * length**2, b * h * length**2
    bandwidth, clock = 400 * 2**30, 0.94e9
    matmul = max((2 * t + s) / bandwidth, points * e / 65536 / clock)
    return 4 * t + 4 * s, 2 * matmul + max(2 * s / bandwidth, 4 * points / 256 / clock)


@pytest.mark.parametrize(
    ("length", "size", "seconds", "fused"),
    [
        pytest.param(1024, 6_845_104_128, 0.02182357659574468, 402_653_184, marks=slow),
        pytest.param(4096, 104_689_827_840, 0.3379272255319149, 1_610_612_736, marks=slow),
    ],
)
def test_attention_is_that_of_the_published_table(length: int, size: int, seconds: float, fused: int) -> None:
    sizes = {"B": 64, "H": 12, "L": length, "E": 64}
    energy, latency = best(load("attention_array", "attention", KEEP="All", **sizes))
    assert (energy / 8, latency) == pytest.approx((size, seconds), rel=1e-12)
    assert unfused(64, 12, length, 64) == pytest.approx((size, seconds), rel=1e-12)
    assert best(load("attention_array", "attention", **sizes))[0] / 8 == pytest.approx(fused, rel=1e-12)


@pytest.mark.parametrize("sizes", [(64, 2, 256, 64), (16, 4, 512, 64)])
def test_attention_is_that_of_the_closed_form(sizes: tuple[int, int, int, int]) -> None:
    parameters = dict(zip("BHLE", sizes, strict=True))
    energy, latency = best(load("attention_array", "attention", KEEP="All", **parameters))
    assert (energy / 8, latency) == pytest.approx(unfused(*sizes), rel=1e-12)


def test_the_convolution_is_no_worse_than_published() -> None:
    energy, latency = best(load("conv_array", "conv"))
    assert energy <= 14_450_688
    assert latency <= 5_505_024


@pytest.mark.parametrize(
    ("arch", "workload", "parameters"),
    [
        ("free_array", "matmul", {"M": 6, "K": 2, "N": 3, "FANOUTS": "3x5"}),
        ("free_array", "matmul", {"M": 4, "K": 2, "N": 2, "FANOUTS": "2x2"}),
    ],
)
def test_the_exhaustive_mapper_agrees(arch: str, workload: str, parameters: dict[str, object]) -> None:
    problem = load(arch, workload, **parameters).problem()
    options = attrs.evolve(problem.options, max_fused_loops_per_rank_variable=INFINITY)
    problem = attrs.evolve(problem, options=options)
    assert same(fast(problem), reference(problem))


GOLDEN_ROWS = json.loads((GOLDEN / "golden.json").read_text()) if GOLDEN.is_dir() else []


@attrs.frozen
class GivenCosts:
    """The cost model of architectures that give no costs: what ``costs.json`` says of each component."""

    costs: dict[str, Any]

    def cost(self, component: ComponentQuery) -> ComponentCost:
        given = self.costs[component.name]
        actions = given["actions"]
        return ComponentCost(
            {name: actions[name]["energy"] for name in component.actions},
            {name: actions[name]["throughput"] for name in component.actions},
            given["area"],
            given["leak_power"],
        )


@needs_golden
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(r, marks=slow if "gpt" in r["workload"] else (), id=f"{r['arch']}-{r['workload']}-{n}")
        for n, r in enumerate(GOLDEN_ROWS)
    ],
)
def test_golden_totals(row: dict[str, object]) -> None:
    files = [PEER / "arches" / f"{row['arch']}.yaml", *(PEER / "workloads").rglob(f"{row['workload']}.yaml")]
    spec = perfect_factors(ff.Spec.from_yaml(*files, jinja_parse_data=row["parameters"], allowed_dirs=[PEER]))
    spec.mapper.ffm.max_fused_loops = 1
    spec.mapper.ffm.metrics = METRICS.ENERGY_DELAY_PRODUCT
    if row["mode"] == "unfused":
        spec.arch.nodes["MainMemory"].tensors.keep = "All"
    costs = json.loads((GOLDEN / "costs.json").read_text()).get(row["arch"])
    (found,) = joined(spec.problem(GivenCosts(costs) if costs else None))
    assert (found.energy, found.latency) == pytest.approx((row["energy"], row["latency"]), rel=1e-6, abs=0)
