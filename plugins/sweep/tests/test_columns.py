"""Columns of the tables, the front over any of them, and the page."""

from __future__ import annotations

import csv
import random
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest

import ffcore as ff
from ffcore_sweep.columns import Design, Detail, front, row
from ffcore_sweep.plots import Cell, Dot, bars, heat_map, scatter
from ffcore_sweep.result import FOUND, NOTHING, SweepPoint
from tests.cli.process import ff_here

SIZE, LOOPS = "arch.nodes.GlobalBuffer.size", "mapper.ffm.max_fused_loops"
WORDS = ("tpu_v4i_like", "matmuls", "--set", "N_EINSUMS=2", "--set", "M=32", "--set", "KN=32")


def test_numbers_are_those_of_the_mappings() -> None:
    spec = ff.Spec.from_yaml("tpu_v4i_like", "matmuls", N_EINSUMS=2, M=32, KN=32)
    found = ff.sweep(spec, {SIZE: ["2 KiB", "64 KiB"]}, n_jobs=1)
    table = found.all_mappings
    assert len(table) == sum(p.n_mappings for p in found)
    for place, point in enumerate(found):
        assert point.mappings is not None
        for number, mapping in enumerate(point.mappings):
            cells = row(point, number)
            (evaluation,) = mapping.evaluations
            assert (cells["energy_J"], cells["latency_s"]) == (mapping.energy(), mapping.latency())
            for name, joules in mapping.energy(per_einsum=True).items():
                assert cells[f"{name} energy_J"] == pytest.approx(joules, rel=1e-12)
                assert cells[f"{name} latency_s"] == mapping.latency(per_einsum=True)[name]
            leakage = sum(
                x for (_, action), x in mapping.energy(per_component=True, per_action=True).items() if action == "leak"
            )
            assert cells["leakage_J"] == pytest.approx(leakage, rel=1e-12)
            for memory, peak in evaluation.peaks.items():
                assert (cells[f"{memory} peak_bit"], cells[f"{memory} peak_share"]) == (peak.bits, peak.share)
            computes = 2 * 32**3
            assert cells["tops"] == pytest.approx(2 * computes / mapping.latency() / 1e12, rel=1e-12)
            assert cells["tops_per_W"] == pytest.approx(2 * computes / mapping.energy() / 1e12, rel=1e-12)
            assert 0 < cells["utilisation"] <= 1
        own = spec.copy()
        own.set(SIZE, point.values[SIZE])
        assert row(point)["area_m2"] == pytest.approx(sum(own.areas().values()))
        assert row(point)["leak_power_W"] == pytest.approx(sum(own.leak_powers().values()))
        assert list(table[table["point"] == place]["energy_J"]) == [energy for energy, _ in point.numbers]


def test_utilisation_is_of_all_instances_and_all_time() -> None:
    """Of a single instance, the share of the time that it computes."""
    spec = ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=1, M=4, KN=4)
    (point,) = ff.sweep(spec, {LOOPS: [0]}, n_jobs=1)
    evaluation = point.mappings.evaluations[0].evaluations[0]  # type: ignore[union-attr]
    assert point.details[0].utilisation == pytest.approx(evaluation.latency["MAC"] / evaluation.total_latency)


def points_of(numbers: list[tuple[float, float, float]]) -> list[SweepPoint]:
    """Points of energy, latency and area."""
    return [
        SweepPoint(n, {}, FOUND, ((e, t),), design=Design(area, 0.0, 1.0), details=(Detail(),))
        for n, (e, t, area) in enumerate(numbers)
    ]


def test_the_front_is_what_nothing_beats() -> None:
    draw = random.Random(3)
    for _ in range(20):
        numbers = [(float(draw.randint(1, 6)), float(draw.randint(1, 6)), float(draw.randint(1, 6))) for _ in range(30)]
        kept = {place for place, _ in front(points_of(numbers), ("energy_J", "latency_s", "area_m2"))}
        for place, mine in enumerate(numbers):
            beaten = any(all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine for other in numbers)
            assert (place in kept) == (not beaten)


def test_more_operations_are_better_and_rows_without_a_number_are_left_out() -> None:
    points = points_of([(4.0, 1.0, 1.0), (2.0, 2.0, 1.0), (3.0, 3.0, 1.0)])
    assert front(points, ("tops",)) == {(0, 0)}
    assert front(points, ("energy_J",)) == {(1, 0)}
    assert front(points, ("tops", "tops_per_W")) == {(0, 0), (1, 0)}
    nothing = SweepPoint(3, {}, NOTHING, reason="no room", design=Design(0.5))
    unknown = SweepPoint(4, {}, FOUND, ((1.0, 1.0),), design=Design(None))
    assert front([*points, nothing, unknown], ("energy_J", "area_m2")) == {(1, 0)}
    assert front([nothing], ("energy_J",)) == set()


def test_the_front_in_python_and_names_of_no_column() -> None:
    spec = ff.Spec.from_yaml("tpu_v4i_like", "matmuls", N_EINSUMS=2, M=32, KN=32)
    found = ff.sweep(spec, {SIZE: ["2 KiB", "64 KiB"], LOOPS: [0, 1]}, n_jobs=1)
    best = found.front("energy")
    assert set(best["energy_J"]) == {min(p.energy for p in found if p.energy is not None)}
    assert "Matmul0 latency_s" in found.front("Matmul0 latency_s", "GlobalBuffer peak_bit").columns
    with pytest.raises(ff.SpecError, match=r"front enrgy: there is no such column.*did you mean 'energy'"):
        found.front("enrgy")


def test_a_front_of_no_column_is_told_before_anything_is_searched(tmp_path: Path) -> None:
    done = ff_here("sweep", *WORDS, "--vary", f"{LOOPS}=0,1", "--front", "energy,arae", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "front arae: there is no such column" in done.stderr
    assert "did you mean 'area'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_files(tmp_path: Path) -> None:
    zipped = f"{SIZE}=2KiB,64KiB,128B;arch.nodes.GlobalBuffer.area=1 mm^2,2 mm^2,1 mm^2"
    words = ["--vary", zipped, "--vary", f"{LOOPS}=0,1", "--front", "energy,area", "--jobs", "1", "--out", tmp_path]
    done = ff_here("sweep", *WORDS, *words)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split()[:4] == ["front", "GlobalBuffer.size", "GlobalBuffer.area", "max_fused_loops"]
    assert any(line.lstrip().startswith("*") for line in lines)
    with open(tmp_path / "pareto.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    table = pd.read_parquet(tmp_path / "pareto.parquet")
    assert len(rows) == len(table) >= 6
    assert [float(r["energy_J"]) if r["energy_J"] else None for r in rows] == [
        None if pd.isna(x) else x for x in table["energy_J"]
    ]
    kept = {(r["point"], r["mapping"]) for r in rows if r["front"] == "True"}
    assert kept
    least = min(float(r["energy_J"]) for r in rows if r["energy_J"])
    assert all(float(r["energy_J"]) == least or float(r["area_m2"]) < 2e-6 for r in rows if r["front"] == "True")
    text = (tmp_path / "sweep.html").read_text()
    assert not re.search(r"(src|href)=\"(https?:|//)", text)
    plots = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(plots) >= 3
    for plot in plots:
        ET.fromstring(plot)
    links = set(re.findall(r'href="([^"]+)"', text))
    assert links
    assert all((tmp_path / link).is_file() for link in links)


def test_plots_are_well_formed_and_thinned() -> None:
    cells = [Cell(x, y, None if x == y else float(x + y), "<&>") for x in range(3) for y in range(2)]
    drawn = heat_map("a < b", ["1", "2", "3"], ["x", "y"], ("across", "up"), cells)
    assert len(re.findall("<rect", drawn)) == 1 + 6
    ET.fromstring(drawn)
    dots = [Dot(float(n), 1.0 / (n + 1), n < 5, f"{n} & more", "points/0.yaml") for n in range(5000)]
    drawn = scatter("front", dots, ("x", "y"), most=100)
    ET.fromstring(drawn)
    assert len(re.findall("<circle", drawn)) <= 106
    assert "of 4,995 points off the front" in drawn
    drawn = bars("by Einsum", [{f"E{n}": 1.0 for n in range(30)}], ["0"], "J")
    ET.fromstring(drawn)
    assert "and 6 more" in drawn
