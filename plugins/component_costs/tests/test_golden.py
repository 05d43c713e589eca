"""With the peer's own costs as a table, its eyeriss and simba give its own energies and latencies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ffcore as ff
from tests.perfect import perfect_factors

SHARED = Path(__file__).resolve().parents[4] / "shared"
GOLDEN, PEER = SHARED / "golden", SHARED / "peer_more"
ROWS = json.loads((GOLDEN / "golden.json").read_text()) if GOLDEN.is_dir() else []
COSTS = json.loads((GOLDEN / "costs.json").read_text()) if GOLDEN.is_dir() else {}
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir() or not PEER.is_dir(), reason=f"no {GOLDEN} or no {PEER}")


def as_csv(costs: dict[str, Any]) -> str:
    lines = ["# the peer's answers", "component,action,energy (J),throughput (op/s),area (m^2),leakage (W)"]
    for name, component in costs.items():
        for action, given in component["actions"].items():
            numbers = given["energy"], given["throughput"], component["area"], component["leak_power"]
            lines.append(f"{name},{action},{','.join(map(repr, numbers))}")
    return "\n".join(lines)


def as_ert_and_art(costs: dict[str, Any]) -> str:
    """As Accelergy writes them: pJ, µm², and leakage as energy per cycle of 200 MHz."""
    ert, art = ["ERT:", "  version: '0.4'", "  tables:"], ["ART:", "  version: '0.4'", "  tables:"]
    for name, component in costs.items():
        ert += [f"  - name: system.PE[1..168].{name}", "    actions:"]
        for action, given in component["actions"].items():
            ert += [f"    - name: {action}", "      arguments: {}", f"      energy: {given['energy'] * 1e12!r}"]
        ert += ["    - name: leak", f"      energy: {component['leak_power'] / 200e6 * 1e12!r}"]
        art += [f"  - name: system.PE[1..168].{name}", f"    area: {component['area'] * 1e12!r}"]
    return "\n".join([*ert, *art])


def spec_of(row: dict[str, Any], options: dict[str, Any]) -> ff.Spec:
    files = [PEER / "arches" / f"{row['arch']}.yaml", *(PEER / "workloads").rglob(f"{row['workload']}.yaml")]
    spec = perfect_factors(ff.Spec.from_yaml(*files, jinja_parse_data=row["parameters"], allowed_dirs=[PEER]))
    spec.mapper.ffm.max_fused_loops = 1
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY_DELAY_PRODUCT
    spec.mapper.cost_model = "tables"
    spec.mapper.cost_model_options = options
    if row["mode"] == "unfused":
        spec.arch.nodes["MainMemory"].tensors.keep = "All"
    return spec


def cases() -> list[Any]:
    small = [r for r in ROWS if r["arch"] in COSTS]
    marks = [pytest.mark.slow if "gpt" in r["workload"] or n % 4 in (1, 2) else () for n, r in enumerate(small)]
    names = [f"{r['arch']}-{r['workload']}-{r['mode']}-{n}" for n, r in enumerate(small)]
    return [pytest.param(r, marks=m, id=n) for r, m, n in zip(small, marks, names, strict=True)]


@needs_golden
@pytest.mark.parametrize("row", cases())
def test_a_csv_table_gives_the_golden_totals(row: dict[str, Any], tmp_path: Path) -> None:
    table = tmp_path / "costs.csv"
    table.write_text(as_csv(COSTS[row["arch"]]))
    found = ff.map_workload_to_arch(spec_of(row, {"files": str(table)}), n_jobs=1)
    assert (found.energy(), found.latency()) == pytest.approx((row["energy"], row["latency"]), rel=1e-6, abs=0)


@needs_golden
def test_ert_and_art_give_the_same_costs_as_csv(tmp_path: Path) -> None:
    (row,) = [r for r in ROWS if (r["arch"], r["workload"], r["mode"]) == ("eyeriss", "matmuls", "fused")][:1]
    full, tables, speed = tmp_path / "all.csv", tmp_path / "ert_art.yaml", tmp_path / "speed.csv"
    full.write_text(as_csv(COSTS["eyeriss"]))
    tables.write_text(as_ert_and_art(COSTS["eyeriss"]))
    rates = [
        f"{name},{action},{given['throughput']!r}"
        for name, component in COSTS["eyeriss"].items()
        for action, given in component["actions"].items()
    ]
    speed.write_text("\n".join(["component,action,throughput", *rates]))
    both = {"files": [str(tables), str(speed)], "clock": "200 MHz"}
    for one, other in zip(spec_of(row, {"files": str(full)}).costs(), spec_of(row, both).costs(), strict=True):
        assert one.energy == pytest.approx(other.energy, rel=1e-12)
        assert one.throughput == pytest.approx(other.throughput, rel=1e-12)
        assert (one.area, one.leak_power) == pytest.approx((other.area, other.leak_power), rel=1e-12)
        assert None not in (one.area, one.leak_power)
