"""The values to check against of the semantics, section 6, and matmul energies worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffcore.api import evaluate_mapping, map_workload_to_arch
from ffcore.mapper import FFM
from ffcore.spec import Spec
from tests.perfect import perfect_factors

PEER = Path(__file__).resolve().parents[3] / "shared" / "peer_examples"
PEER_TOLERANCE = 1e-5  # relative; the peer searches in float32

Workload = tuple[str, dict[str, object]]  # file, Jinja parameters

MATMULS: Workload = "basic/matmuls", {"N_EINSUMS": 2, "M": 64, "KN": 64}
MATVECS: Workload = "basic/matvecs", {}
THREE: Workload = "basic/three_matmuls_annotated", {}
GPT = "transformers/gpt/gpt3_175B"
GPT_PREFILL: Workload = GPT, {"BATCH_SIZE": 1, "DECODE": False, "N_NEW_TOKENS": 2048}
GPT_DECODE: Workload = GPT, {"BATCH_SIZE": 1, "DECODE": True, "N_NEW_TOKENS": 1, "N_CACHED_TOKENS": 2047}

slow = pytest.mark.slow
needs_peer_examples = pytest.mark.skipif(not PEER.is_dir(), reason=f"the peer's example specs are not at {PEER}")


def load(arch: str, workload: Workload, unfused: bool) -> Spec:
    """With at most one fused loop, or with every tensor kept in the first memory."""
    name, data = workload
    files = PEER / "arches" / f"{arch}.yaml", PEER / "workloads" / f"{name}.yaml"
    spec = perfect_factors(Spec.from_yaml(*files, jinja_parse_data=data, allowed_dirs=[PEER]))
    spec.mapper.ffm.max_fused_loops = 1
    spec.mapper.ffm.metrics = FFM.Metrics.ENERGY_DELAY_PRODUCT
    if unfused:
        spec.arch.nodes["MainMemory"].tensors.keep = "All()"
    return spec


def best(spec: Spec) -> tuple[float, float]:
    """(J, s) of the mapping of least energy-delay product."""
    (evaluation,) = map_workload_to_arch(spec, n_jobs=1).evaluations
    assert evaluation.fits
    return evaluation.total_energy, evaluation.total_latency


@needs_peer_examples
@pytest.mark.parametrize(
    ("arch", "workload", "unfused", "expected"),
    [
        ("simple", MATMULS, False, (17235968, 524288)),
        ("simple", MATMULS, True, (17235968, 524288)),
        ("simple", THREE, False, (207224832, 6291456)),
        ("simple", THREE, True, (207224832, 6291456)),
        ("tpu_v4i", MATMULS, False, (1.82294939e-6, 3.04761905e-8)),
        ("tpu_v4i", MATMULS, True, (2.14473115e-6, 4.00260589e-8)),
        ("tpu_v4i", THREE, False, (1.05583740e-5, 1.46736156e-7)),
        ("tpu_v4i", THREE, True, (1.31326281e-5, 2.40156339e-7)),
        pytest.param("tpu_v4i", GPT_PREFILL, False, (1.17513003, 0.0563305914), marks=slow),
        pytest.param("tpu_v4i", GPT_PREFILL, True, (1.33580878, 0.0595009569), marks=slow),
        pytest.param("tpu_v4i", GPT_DECODE, False, (0.209859481, 0.00606649276), marks=slow),
        pytest.param("tpu_v4i", GPT_DECODE, True, (0.209940889, 0.00606931019), marks=slow),
    ],
)
def test_optimum_is_the_peers(arch: str, workload: Workload, unfused: bool, expected: tuple[float, float]) -> None:
    assert best(load(arch, workload, unfused)) == pytest.approx(expected, rel=PEER_TOLERANCE, abs=0)


@needs_peer_examples
@pytest.mark.parametrize(("workload", "energy"), [(MATMULS, 196608), (MATVECS, 304), (THREE, 1179648)])
def test_unfused_snowcat_moves_each_value_once(workload: Workload, energy: int) -> None:
    spec = load("snowcat", workload, unfused=True)
    spec.mapper.ffm.metrics = FFM.Metrics.ENERGY
    assert best(spec)[0] == energy


@needs_peer_examples
@pytest.mark.parametrize(
    ("mapping", "data", "energy", "latency", "peak"),
    [
        # all of T0 and W0; T1, the lowest holder, sinks through m: one row
        ("unfused_matmuls_to_simple", {"N_EINSUMS": 1, "M": 64, "KN": 32}, 2228224, 65536, 16384 + 8192 + 256),
        # all of W0 and W1, and rows of T1 and of T0 or T2
        ("fused_matmuls_to_simple", {"N_EINSUMS": 2, "M": 8, "KN": 4}, 9472, 256, 2 * 128 + 64),
    ],
)
def test_evaluated_mappings(mapping: str, data: dict[str, object], energy: int, latency: int, peak: int) -> None:
    files = [PEER / p for p in ("arches/simple.yaml", "workloads/basic/matmuls.yaml", f"mappings/{mapping}.yaml")]
    (evaluation,) = evaluate_mapping(Spec.from_yaml(*files, jinja_parse_data=data)).evaluations
    assert (evaluation.total_energy, evaluation.total_latency) == (energy, latency)
    assert evaluation.peak_bits("GlobalBuffer") == peak


@pytest.mark.parametrize("size", [1, 2, 64])
def test_one_memory_by_hand(size: int) -> None:
    """All in MainMemory at 1 J per bit: 3 reads and 1 write of 8 bits for each operation, but for the
    first read of each output; 1 J per operation. For 64³ this is 8,617,984 J."""
    spec = perfect_factors(
        Spec.from_yaml("simple", "matmuls", jinja_parse_data={"N_EINSUMS": 1, "M": size, "KN": size})
    )
    spec.arch.nodes["GlobalBuffer"].tensors.may_keep = "Nothing"
    spec.mapper.ffm.metrics = FFM.Metrics.ENERGY_DELAY_PRODUCT
    energy, latency = best(spec)
    assert energy == 4 * size**3 * 8 - size**2 * 8 + size**3
    assert latency == size**3
