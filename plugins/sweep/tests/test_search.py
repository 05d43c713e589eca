"""``ff search``: the best design of small spaces, as a full sweep finds it; limits; what is skipped."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

import ffcore as ff
from ffcore.templates import einsum_choices
from ffcore_sweep.relaxed import NotComparableError, relaxed
from ffcore_sweep.search import Searched, search
from tests.api.specs import chain
from tests.cli.process import ff_here
from tests.examples import first_few

SIZE, LOOPS = "arch.nodes.Buffer.size", "mapper.ffm.max_fused_loops"
READ, WRITE = "arch.nodes.Buffer.actions.read", "arch.nodes.Main.actions.write"


def space(number: int) -> tuple[ff.Spec, dict[Any, list[Any]]]:
    """A spec and what is varied in it: sizes, energies, rates, areas, constraints, some of which depend on others."""
    draw = random.Random(number)
    spec = chain(n_einsums=draw.randint(1, 2), m=draw.choice([4, 8]), bandwidth=draw.choice(["inf", 64]))
    sizes = draw.sample([16, 64, 96, 128, 192, 256, 512, 1024], draw.randint(2, 3))
    vary: dict[Any, list[Any]] = {}
    if draw.random() < 0.5:  # a larger memory costs area and energy
        rows = [(size, size / 100, 0.01 * math.sqrt(size)) for size in sizes]
        vary[SIZE, "arch.nodes.Buffer.area", f"{READ}.energy"] = rows
    else:
        vary[SIZE] = sizes
        if draw.random() < 0.5:
            vary[f"{READ}.energy"] = [0.1, 0.7]
    if draw.random() < 0.5:
        vary[f"{READ}.throughput"] = draw.sample([8, 32, 128], 2)
    if draw.random() < 0.3:
        vary["arch.nodes.MAC.leak_power"] = [0.0, 0.3]
    if draw.random() < 0.2:
        vary[LOOPS] = [0, 2]
    if draw.random() < 0.2:  # not to be compared
        vary["arch.nodes.Buffer.tensors.may_keep"] = ["All", "Intermediates"]
    return spec, vary


def best_of(found: ff.Sweep, minimise: str, limit: Any = None) -> float:  # type: ignore[name-defined]
    """The least of all mappings of all points."""
    rows = found.all_mappings
    rows = rows[rows["status"] == "found"]
    column = {"edp": "edp_Js", "energy": "energy_J", "latency": "latency_s", "area": "area_m2"}[minimise]
    if limit is not None:
        rows = rows[limit(rows)]
    return float(rows[column].min()) if len(rows) else math.inf


def value_of(found: Searched) -> float:
    if found.best is None:
        return math.inf
    if found.minimised == "area":
        assert found.best.design is not None
        return float(found.best.design.area)  # type: ignore[arg-type]
    return float(getattr(found.best, found.minimised))


# Each kind of goal and of limit is among the first three.
@pytest.mark.parametrize("number", first_few(sorted(range(20), key=lambda n: n not in (0, 5, 7)), 3))
def test_the_best_is_that_of_a_full_sweep(number: int) -> None:
    spec, vary = space(number)
    everything = ff.sweep(spec, vary, n_jobs=1)
    minimise = ("edp", "energy", "latency")[number % 3]
    found = search(spec, vary, minimise=minimise, n_jobs=1)
    assert value_of(found) == pytest.approx(best_of(everything, minimise), rel=1e-12)
    assert found.points == len(everything) == found.refused + found.mapped + found.skipped
    assert found.refused == 0
    rows = everything.all_mappings
    latencies = sorted(rows["latency_s"].dropna())
    if not latencies:
        return
    middle = latencies[len(latencies) // 2] * (1 + 1e-9)
    area = sorted(rows["area_m2"])[len(rows) // 2]
    what, limit, holds = (
        ("energy", f"latency <= {middle!r}", lambda t: t["latency_s"] <= middle),
        ("area", f"latency <= {middle!r}", lambda t: t["latency_s"] <= middle),
        (minimise, f"area <= {area!r}", lambda t: t["area_m2"] <= area),
    )[number // 3 % 3]
    limited = search(spec, vary, minimise=what, subject_to=limit, n_jobs=1)
    assert value_of(limited) == pytest.approx(best_of(everything, what, holds), rel=1e-12)


def test_most_points_of_an_ordered_space_are_skipped() -> None:
    spec = chain(n_einsums=2)
    vary = {SIZE: [16 * k for k in range(1, 17)], f"{READ}.energy": [0.1, 0.2]}
    found = search(spec, vary, minimise="energy", n_jobs=1)
    assert (found.points, found.mapped + found.bounds) == (32, 1)
    within = search(spec, vary, minimise="energy", subject_to="Buffer.size <= 20 B", n_jobs=1)
    assert within.refused == 2 * 6
    assert within.mapped + within.bounds == 1
    assert within.best is not None
    assert within.best.values[SIZE] == 160


def test_the_smallest_that_is_fast_enough_does_not_take_all_searches() -> None:
    spec = chain(n_einsums=2)
    spec.set("arch.nodes.Main.actions.read.throughput", 8)
    spec.set("arch.nodes.Main.actions.write.throughput", 8)
    rows = [(16 * k, 0.5 * k) for k in range(1, 33)]
    vary = {(SIZE, "arch.nodes.Buffer.area"): rows}
    everything = ff.sweep(spec, vary, n_jobs=1)
    least = min(p.latency for p in everything if p.latency is not None)
    found = search(spec, vary, minimise="area", subject_to=f"latency <= {least!r}", n_jobs=1)
    assert found.best is not None
    assert found.best.design is not None
    wanted = min(p.design.area for p in everything if p.latency == least and p.design is not None)  # type: ignore[type-var]
    assert found.best.design.area == wanted
    assert found.mapped + found.bounds < 16


def problem(path: str = "", value: object = None, spec: ff.Spec | None = None) -> Any:
    spec = (spec or chain(n_einsums=2)).copy()
    if path:
        spec.set(path, value)
    return spec.problem()


def test_a_relaxed_problem_has_the_least_of_each() -> None:
    both = relaxed([problem(f"{READ}.energy", 5), problem(SIZE, 999)])
    (path,) = both.einsums[0].paths
    buffer = path.component(1, {"Main": frozenset()})
    assert (buffer.size, buffer.action("read").energy) == (999, pytest.approx(0.1))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("workload.rank_sizes.M", 4),
        ("arch.nodes.Buffer.tensors.may_keep", "Intermediates"),
        ("arch.nodes.Buffer.bits_per_action", 16),
        ("mapper.ffm.max_loops_per_spatial_dimension", 1),
    ],
)
def test_what_cannot_be_compared_is_not(path: str, value: object) -> None:
    with pytest.raises(NotComparableError):
        looked_at(relaxed, [problem(), problem(path, value)])


def looked_at(make: Any, problems: list[Any]) -> None:
    """Every component, as every choice of holders sees it."""
    for einsum in make(problems).einsums:
        einsum_choices(einsum)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minimise": "enrgy"}, "cannot minimise 'enrgy'.*did you mean 'energy'"),
        ({"subject_to": "latncy <= 3"}, "latncy"),
        ({"subject_to": "energy + 1"}, "must be true or false"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ff.SpecError, match=message):
        search(chain(n_einsums=1), {SIZE: [64, 128]}, n_jobs=1, **options)


def test_an_inexact_joiner_is_refused() -> None:
    spec = chain(n_einsums=2)
    spec.mapper.joiner = "random"
    with pytest.raises(ff.FFError, match="takes an exact joiner, and 'random' is none"):
        search(spec, {SIZE: [64, 128]})


def test_the_command(tmp_path: Path) -> None:
    words = ["simple", "matmuls", "--set", "N_EINSUMS=2", "--set", "M=8", "--set", "KN=8", "--jobs", "1"]
    vary = ["--vary", "arch.nodes.GlobalBuffer.size=16B..1KiB*2", "--vary", f"{LOOPS}=0..2"]
    done = ff_here("search", *words, *vary, "--minimise", "energy", "--out", tmp_path, "--subject-to", "latency < 1e9")
    assert done.returncode == 0, done.stderr
    assert "21 designs" in done.stdout
    data = json.loads((tmp_path / "search.json").read_text())
    assert data["points"] == 21 == data["refused"] + data["mapped"] + data["skipped"]
    size = data["best"]["values"]["arch.nodes.GlobalBuffer.size"]
    own = ["--spec", f"arch.nodes.GlobalBuffer.size={size}"]
    again = ff_here("evaluate", *words[:-2], tmp_path / "best.yaml", *own, "--format", "json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["mappings"][0]["energy"] == pytest.approx(data["best"]["energy_J"], rel=1e-12)
    nothing = ff_here("search", *words, *vary, "--subject-to", "latency < 1e-9")
    assert nothing.returncode == 1
    assert "no design is valid within the limits" in nothing.stderr
