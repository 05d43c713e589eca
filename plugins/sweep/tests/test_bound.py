"""``ff bound``: published figures, the sweep as an oracle, what is not looked at, the command."""

from __future__ import annotations

import csv
import io
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import ffcore as ff
from ffcore_sweep.bound import Bound, Stair, bound
from tests.cli.process import ff_here
from tests.examples import first_few

GEMM = """
workload:
  rank_sizes: {M: 4096, N: 4096, K: 4096}
  bits_per_value: {All: 32}
  einsums:
  - {einsum: "C[m, n] = A[m, k] * B[k, n]"}
"""
MIB = 2**23


@pytest.fixture(scope="module")
def gemm(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("gemm") / "gemm.yaml"
    path.write_text(GEMM)
    return str(path)


def test_published_figures_of_a_large_matmul(gemm: str) -> None:
    """Perfect factors; the published bracket says the same."""
    found = bound(gemm, n_jobs=1)
    assert [found.traffic(size * MIB) / MIB for size in (2, 24, 40, 50)] == [1088, 320, 256, 256]
    assert found.minimum == 3 * 64 * MIB == found.fused[-1].traffic
    assert found.fused == found.unfused
    assert found.exact


def test_one_search_with_usage_as_an_objective_has_the_same_stairs(gemm: str) -> None:
    spec = ff.Spec.from_yaml("two_level", gemm)
    spec.arch.nodes["Buffer"].size = 2**40
    spec.mapper.ffm.metrics = "energy,resource_usage"
    found = ff.map_workload_to_arch(spec, n_jobs=1)
    stairs = sorted((e.peak_bits("Buffer"), e.total_energy) for e in found.evaluations)
    assert stairs == [(stair.size, stair.traffic) for stair in bound(gemm, n_jobs=1).fused]


SHARED = """
workload:
  rank_sizes: {M: 8, K: 4, N: 6}
  bits_per_value: {X: 8, W: 4, Y: 16, Z: 8}
  einsums:
  - {einsum: "Y[m, n] = X[m, k] * W[k, n]", n_instances: 2}
  - {einsum: "Z[m, k] = X[m, k] * Y[m, n]", n_instances: 2}
"""
ODD = """
workload:
  rank_sizes: {M: 11, K: 4, N: 7, L: 5}
  bits_per_value: {All: 8}
  einsums:
  - "Y[m, n] = X[m, k] * W[k, n]"
  - "Z[m, l] = Y[m, n] * V[n, l]"
mapper: {explore_imperfect_temporal_loops: [m, n]}
"""
CASES: list[tuple[str, dict[str, Any]]] = [
    ("matmuls", {"N_EINSUMS": 2, "M": 16, "KN": 16}),
    ("matmuls", {"N_EINSUMS": 3, "M": 12, "KN": 8}),
    (SHARED, {}),
    (ODD, {}),
]


@pytest.mark.parametrize(("workload", "parameters"), first_few([CASES[0], CASES[3], CASES[2], CASES[1]], 3))
def test_every_stair_is_what_a_search_finds_there_and_just_below(
    workload: str, parameters: dict[str, Any], tmp_path: Path
) -> None:
    if workload in (SHARED, ODD):  # an input that is read twice, widths of their own, instances; imperfect factors
        text, workload = workload, str(tmp_path / "made.yaml")
        Path(workload).write_text(text)
    else:
        text = workload
    found = bound(workload, n_jobs=1, **parameters)
    assert found.exact
    spec = ff.Spec.from_yaml("two_level", workload, jinja_parse_data=parameters)
    spec.mapper.ffm.metrics = "energy"
    for fused in (True, False):
        stairs = found.fused if fused else found.unfused
        chosen = stairs[:: max(1, len(stairs) // 4)] + stairs[-1:]
        sizes = sorted({int(s.size) + more for s in chosen for more in (-1, 0)})
        if not fused:
            spec.arch.nodes["DRAM"].tensors.keep = "All"
        searched = ff.sweep(spec, {"arch.nodes.Buffer.size": sizes}, n_jobs=1)
        for point in searched:
            size = float(point.values["arch.nodes.Buffer.size"])  # type: ignore[arg-type]
            least = math.inf if point.energy is None else point.energy
            assert found.traffic(size, fused=fused) == pytest.approx(least, rel=1e-12), (fused, size)
    traffics = [s.traffic for s in found.fused]
    assert traffics == sorted(traffics, reverse=True)
    # What two Einsums read is fetched by both: 2 instances of X, once more.
    assert found.fused[-1].traffic - found.minimum == (2 * 8 * 4 * 8 if text == SHARED else 0)


def test_intermediates_need_not_be_moved() -> None:
    parameters = {"N_EINSUMS": 2, "M": 16, "KN": 16}
    found = bound("matmuls", n_jobs=1, **parameters)
    bits = 8 * 16 * 16
    assert found.minimum == 4 * bits  # T0, W0, W1, T2
    assert found.unfused[-1].traffic == 6 * bits  # and T1 twice


def test_sizes_that_were_not_looked_at_are_said() -> None:
    parameters = {"N_EINSUMS": 2, "M": 16, "KN": 16}
    whole, part = bound("matmuls", n_jobs=1, **parameters), bound("matmuls", n_jobs=1, most_joins=6, **parameters)
    assert whole.exact
    assert not part.exact
    for stair in part.fused:  # what is said is what a mapping needs, and where it is exact the least size
        assert whole.traffic(stair.size) == stair.traffic
        if stair.exact:
            assert whole.traffic(stair.size - 1) > stair.traffic


def test_it_does_not_depend_on_workers() -> None:
    parameters = {"N_EINSUMS": 2, "M": 16, "KN": 16}
    assert bound("matmuls", n_jobs=1, **parameters) == bound("matmuls", n_jobs=2, **parameters)


def test_between_stairs_and_below_the_first() -> None:
    found = Bound((Stair(8, 100), Stair(16, 50)), (Stair(12, 80),), 50)
    assert [found.traffic(size) for size in (7, 8, 12, 15, 16, 99)] == [math.inf, 100, 80, 80, 50, 50]
    assert [found.traffic(size, fused=False) for size in (8, 12, 99)] == [math.inf, 80, 80]


def test_the_command(gemm: str, tmp_path: Path) -> None:
    done = ff_here("bound", gemm, "--jobs", "1", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "algorithmic minimum: 192 MiB, each input and output moved once"
    assert ["32.0078", "MiB", "256", "MiB", "256", "MiB"] in [line.split() for line in done.stdout.splitlines()]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "bound.csv").read_text())))
    assert [int(rows[-1][name]) for name in ("traffic_bit", "unfused_traffic_bit")] == [192 * MIB] * 2
    data = json.loads((tmp_path / "bound.json").read_text())
    assert data["algorithmic_minimum_bits"] == 192 * MIB
    assert len(data["fused"]) == len(rows)
    ET.fromstring((tmp_path / "bound.svg").read_text())
    assert ff_here("bound", gemm, "--jobs", "1", "--format", "csv").stdout == (tmp_path / "bound.csv").read_text()
    wrong = ff_here("bound", "matmulz")
    assert wrong.returncode == 2
    assert "did you mean 'matmuls'" in wrong.stderr


def test_auto_is_obeyed(tmp_path: Path) -> None:
    """13 is prime: with other tiles than 1 and 13 less traffic will do in some buffers."""
    ranks = "rank_sizes: {M: 13, K: 13, N: 13}, bits_per_value: {All: 8}"
    stairs = []
    for asked in ("False", "auto"):
        file = tmp_path / f"{asked}.yaml"
        file.write_text(
            f"workload: {{{ranks}, einsums: ['Y[m,n] = X[m,k] * W[k,n]']}}\n"
            f"mapper: {{explore_imperfect_temporal_loops: {asked}, explore_imperfect_spatial_loops: {asked}}}\n"
        )
        stairs.append(len(bound(str(file), n_jobs=1).fused))
    assert stairs[0] < stairs[1]
