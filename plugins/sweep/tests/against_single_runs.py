"""A sweep over random problems, and whether each point is what a run of its own gives."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import attrs
import pytest

import ffcore as ff
from ffcore.errors import NoValidMappingError, SpecError
from ffcore_sweep.result import FOUND, NOTHING, Sweep
from tests.oracle.compare import Point, objectives, same, variant
from tests.oracle_problems import random_problem

SIZES = [8 * n for n in (1000, 200, 96, 64, 48, 32, 24, 16, 12, 8, 5, 3)]
MEMORIES = ("GlobalBuffer", "LocalBuffer")
WIDTHS = ["{All: 1.1}", "{Intermediates: 3.3, Other: 1.1}", "{All: 0.3333333333333333}"]


@attrs.frozen
class Job:
    """A spec and what is varied in it."""

    spec: ff.Spec
    vary: dict[str, Sequence[object]]


def quick_diagnosis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why nothing is valid is not what is tested here, and takes long."""

    def explained(*args: object, **kwargs: object) -> NoValidMappingError:
        return NoValidMappingError("nothing is valid")

    monkeypatch.setattr("ffcore.diagnose.explain_einsums", explained)
    monkeypatch.setattr("ffcore.diagnose.explain_join", explained)


def job(seed: int, imperfect: bool = False) -> Job | None:
    """A random problem with sizes, limits on fused loops and metrics to vary; None if it has no memory of a size."""
    source = random.Random(f"sweep {seed}")
    oracle = variant(random_problem(seed), source)
    if source.random() < 0.25:
        workload = re.sub(r"bits_per_value: \{[^}]*\}", f"bits_per_value: {source.choice(WIDTHS)}", oracle.workload)
        oracle = attrs.evolve(oracle, workload=workload)
    spec = oracle.spec()
    spec.mapper.ffm.explore_imperfect_temporal_loops = imperfect
    spec.mapper.ffm.explore_imperfect_spatial_loops = imperfect and source.random() < 0.7
    choices = SIZES
    if source.random() < 0.4:  # intermediates must be in a buffer, and do not fit everywhere
        spec.arch.nodes["MainMemory"].tensors.may_keep = "Nothing"
        choices = SIZES[-8:]
    named = [node.name for node in spec.arch.nodes]
    memories = [name for name in MEMORIES if name in named]
    if not memories:
        return None
    vary: dict[str, Sequence[object]] = {}
    for name in memories:
        sizes: list[object] = source.sample(choices, source.choice([2, 3, 4]))
        if source.random() < 0.3:
            sizes.append("inf")
        if source.random() < 0.5:
            sizes.append(exact_fit(spec, name, source))
        vary[f"arch.nodes.{name}.size"] = list(dict.fromkeys(sizes))
    if source.random() < 0.4:
        vary["mapper.ffm.max_fused_loops"] = source.sample([0, 1, 2, "inf"], 2)
    elif source.random() < 0.3:
        vary["mapper.ffm.metrics"] = source.sample(
            ["energy", "latency", "energy,latency", "energy_delay_product", "energy|energy_delay_product"], 2
        )
    return Job(spec, vary)


def exact_fit(spec: ff.Spec, memory: str, source: random.Random) -> float:
    """The room that some mapping takes to the last bit, perhaps a trifle less, so that it does not fit."""
    roomy = spec.copy()
    roomy.set(f"arch.nodes.{memory}.size", source.choice(SIZES))
    try:
        evaluations = ff.map_workload_to_arch(roomy, n_jobs=1).evaluations
    except (NoValidMappingError, SpecError):
        return 100
    peak = source.choice(evaluations).peaks.get(memory)
    bits = peak.bits if peak is not None else 0
    return float(bits or 50) * source.choice([1, 1, 1 - 1e-9])


def mismatches(job: Job, sweep: Sweep | None = None) -> list[str]:
    """What differs between the sweep's points and single runs."""
    sweep = ff.sweep(job.spec, job.vary, n_jobs=1) if sweep is None else sweep
    wrong = []
    for point in sweep:
        spec = job.spec.copy()
        for path, value in point.values.items():
            spec.set(path, value)
        try:
            expected = points(spec, ff.map_workload_to_arch(spec, n_jobs=1))
        except NoValidMappingError:
            expected = []
        got = points(spec, point.mappings) if point.mappings is not None else []
        if not same(got, expected) or (point.status == FOUND) != bool(expected) or point.status not in (FOUND, NOTHING):
            wrong.append(f"{dict(point.values)}: {point.status} {got}, alone {expected}")
    return wrong


def points(spec: ff.Spec, mappings: ff.mapper.FFM.Mappings) -> list[Point]:
    problem = mappings.entries[0].problem
    return sorted(objectives(problem, e.total_energy, e.total_latency) for e in mappings.evaluations)
