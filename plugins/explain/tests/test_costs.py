"""What a limit is said to cost is what the exhaustive mapper finds without it; no limit is forgotten."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest

import ffcore as ff
from ffcore.errors import NoValidMappingError
from ffcore.spec import Spec
from ffcore_exhaustive.mapper import exhaustive_map
from ffcore_explain.explanation import Effect, Explanation, Goal, Outcome
from ffcore_explain.limits import applied, limits
from ffcore_explain.show import as_text
from tests.diagnose.specs import arch, array, matmuls, memory
from tests.examples import first_few
from tests.oracle_problems import random_problem

pytest.importorskip("ffcore_ffm_joiner", reason="the plugin ffm_joiner is not installed")

FAR = memory("MainMemory", "inf", "keep: ~Intermediates, may_keep: All").replace("energy: 1", "energy: 10")
NEAR = "keep: ~MainMemory.tensors, may_keep: All, bypass: input"
LOOSE = (
    arch(
        FAR,
        memory("GlobalBuffer", 72, NEAR),
        memory("LocalBuffer", 40, "keep: weight, no_refetch_from_above: weight"),
        array(
            "reuse: output, may_reuse: All, min_usage: 0.5, "
            "loop_bounds: [{expression: All.rank_variables, operator: '<=', value: 2}, "
            "{expression: All.rank_variables, operator: 'product<=', value: 2}]"
        ),
    )
    + matmuls(2, extra="  persistent_tensors: W0\n")
    + "mapper: {metrics: [energy, latency], max_fused_loops: 0}\n"
)

TIGHT = (
    arch(
        FAR.replace("may_keep: All", "may_keep: Nothing"),
        memory("GlobalBuffer", 72, "keep: ~MainMemory.tensors, may_keep: input | weight | output"),
        array("reuse: weight, loop_bounds: [{expression: m, operator: '<=', value: 2}]"),
    )
    + matmuls(2)
    + "mapper: {metrics: [energy, latency], max_fused_loops: 0}\n"
)
SPECS = {"loose": LOOSE, "tight": TIGHT}

# What to change in the texts above so that the limit is gone, and nothing else.
_MAPPER = {
    "mapper.ffm.max_fused_loops": ("max_fused_loops: 0", "max_fused_loops: inf"),
    "mapper.ffm.max_fused_loops_per_rank_variable": (
        "max_fused_loops: 0",
        "max_fused_loops: 0, max_fused_loops_per_rank_variable: inf",
    ),
    "mapper.ffm.force_memory_hierarchy_order": (
        "max_fused_loops: 0",
        "max_fused_loops: 0, force_memory_hierarchy_order: False",
    ),
}
_OF_TIGHT = {
    "arch.nodes.MainMemory.tensors.keep": (
        "{keep: ~Intermediates, may_keep: Nothing}",
        "{keep: Nothing, may_keep: ~Intermediates}",
    ),
    "arch.nodes.MainMemory.tensors.may_keep": (
        "{keep: ~Intermediates, may_keep: Nothing}",
        "{keep: ~Intermediates, may_keep: All}",
    ),
    "arch.nodes.GlobalBuffer.size": ("size: 72", "size: inf"),
    "arch.nodes.GlobalBuffer.tensors.keep": (
        "keep: ~MainMemory.tensors, may_keep: input",
        "keep: Nothing, may_keep: ~MainMemory.tensors | input",
    ),
    "arch.nodes.GlobalBuffer.tensors.may_keep": ("may_keep: input | weight | output", "may_keep: All"),
    "arch.nodes.Array.spatial.X.reuse": ("reuse: weight", "may_reuse: weight"),
    "arch.nodes.Array.spatial.X.loop_bounds.0": (", loop_bounds: [{expression: m, operator: '<=', value: 2}]", ""),
    **_MAPPER,
}
_OF_LOOSE = {
    "arch.nodes.MainMemory.tensors.keep": ("{keep: ~Intermediates, may_keep: All}", "{keep: Nothing, may_keep: All}"),
    "arch.nodes.GlobalBuffer.size": ("size: 72", "size: inf"),
    "arch.nodes.GlobalBuffer.tensors.keep": ("keep: ~MainMemory.tensors, may", "keep: Nothing, may"),
    "arch.nodes.GlobalBuffer.tensors.bypass": (NEAR, "keep: ~MainMemory.tensors - input, may_keep: All"),
    "arch.nodes.LocalBuffer.size": ("size: 40", "size: inf"),
    "arch.nodes.LocalBuffer.tensors.keep": ("keep: weight, no", "keep: Nothing, may_keep: weight, no"),
    "arch.nodes.LocalBuffer.tensors.may_keep": ("keep: weight, no", "keep: weight, may_keep: All, no"),
    "arch.nodes.LocalBuffer.tensors.no_refetch_from_above": (", no_refetch_from_above: weight", ""),
    "arch.nodes.Array.spatial.X.reuse": ("reuse: output, may_reuse", "may_reuse"),
    "arch.nodes.Array.spatial.X.min_usage": ("min_usage: 0.5", "min_usage: 0"),
    "arch.nodes.Array.spatial.X.loop_bounds.0": ("{expression: All.rank_variables, operator: '<=', value: 2}, ", ""),
    "arch.nodes.Array.spatial.X.loop_bounds.1": (
        ", {expression: All.rank_variables, operator: 'product<=', value: 2}",
        "",
    ),
    "workload.persistent_tensors": ("persistent_tensors: W0", "persistent_tensors: Nothing"),
    **_MAPPER,
}
CHANGES = {"loose": _OF_LOOSE, "tight": _OF_TIGHT}

Optima = tuple[float, float, float]


def optima(spec: Spec) -> Optima:
    """Least energy-delay product, energy and latency by the exhaustive mapper; infinite if nothing is valid."""
    try:
        found = exhaustive_map(spec.problem(), dominance=True)
    except NoValidMappingError:
        found = []
    values = [(s.energy * s.latency, s.energy, s.latency) for s in found] or [(math.inf,) * 3]
    return tuple(map(min, zip(*values, strict=True)))  # type: ignore[return-value]


def explained(spec: Spec) -> Explanation:
    return ff.explain(spec, time_limit=math.inf, n_jobs=1)


@cache
def whole(name: str) -> Explanation:
    return explained(Spec.from_string(SPECS[name]))


def check(effect: Effect, base: Optima, without: Optima) -> None:
    """An effect against the oracle's optima with and without the limit."""
    if effect.outcome is Outcome.IDLE:
        assert without == pytest.approx(base, rel=1e-9)
        return
    assert effect.optimum is not None
    assert tuple(effect.optimum.value(goal) for goal in Goal) == pytest.approx(without, rel=1e-9)
    factors = [b / w if w else math.inf for b, w in zip(base, without, strict=True)]
    assert tuple(effect.gains.values()) == pytest.approx(factors, rel=1e-9)
    better, worse = (any(sign * (f - 1) > 1e-9 for f in factors) for sign in (1, -1))
    assert effect.outcome is (Outcome.BETTER if better else Outcome.WORSE if worse else Outcome.EQUAL)


@pytest.mark.parametrize("name", first_few(SPECS, 1))
def test_every_limit_of_a_spec_is_lifted(name: str) -> None:
    found = whole(name)
    assert {e.lift.path for e in found.effects} == set(CHANGES[name])
    assert found.complete
    ranks = [e.rank for e in found.effects if e.outcome is Outcome.BETTER]
    assert len(ranks) > 2
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(("name", "path"), [(name, path) for name in SPECS for path in CHANGES[name]])
def test_cost_of_a_limit_is_that_of_the_changed_file(name: str, path: str) -> None:
    text, (old, new) = SPECS[name], CHANGES[name][path]
    assert text.count(old) == 1
    (effect,) = (e for e in whole(name).effects if e.lift.path == path)
    base, without = whole_by_oracle(name), optima(Spec.from_string(text.replace(old, new)))
    optimum = whole(name).optimum
    assert optimum is not None
    assert tuple(optimum.value(goal) for goal in Goal) == pytest.approx(base, rel=1e-9)
    check(effect, base, without)


@cache
def whole_by_oracle(name: str) -> Optima:
    return optima(Spec.from_string(SPECS[name]))


def test_a_limit_that_rules_nothing_out_is_not_searched() -> None:
    idle = [e.lift.path for e in whole("tight").effects if e.outcome is Outcome.IDLE]
    assert idle == ["arch.nodes.GlobalBuffer.tensors.may_keep"]


def test_a_capacity_is_named_that_is_just_enough() -> None:
    (effect,) = (e for e in whole("tight").effects if e.lift.path == "arch.nodes.GlobalBuffer.size")
    free = optima(Spec.from_string(TIGHT.replace("size: 72", "size: inf")))[0]

    def product(bits: float) -> float:
        return optima(Spec.from_string(TIGHT.replace("size: 72", f"size: {bits:.15g}")))[0]

    assert not effect.lift.depended_on
    assert effect.needed_exact
    assert effect.needed_bits is not None
    assert effect.needed_bits > 72
    assert product(effect.needed_bits) == pytest.approx(free, rel=1e-9)
    assert product(effect.needed_bits - 1) > free * (1 + 1e-9)


def check_random(seed: int) -> int:
    """All limits of a random problem; how many were searched or found idle."""
    spec = random_problem(seed).spec()
    ffm = spec.mapper.ffm
    if ffm.explore_imperfect_temporal_loops or ffm.explore_imperfect_spatial_loops:
        return 0
    found = explained(spec)
    if not found.feasible:
        return 0
    base = optima(spec)
    assert found.optimum is not None
    assert tuple(found.optimum.value(goal) for goal in Goal) == pytest.approx(base, rel=1e-9)
    assert {e.lift.path for e in found.effects} == {lift.path for lift in limits(spec)}
    for effect in found.effects:
        without = optima(applied(spec, effect.lift.settings))
        check(effect, base, without)
        scale = effect.lift.path.endswith("usage_scale")  # one below 1 allows more than none
        if "min_usage" not in random_problem(seed).arch and not scale:
            assert effect.outcome is not Outcome.WORSE
    return len(found.effects)


@pytest.mark.parametrize("seed", [2, 30, pytest.param(33, marks=pytest.mark.slow)])
def test_limits_of_random_problems(seed: int) -> None:
    assert check_random(seed) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 80))
def test_limits_of_more_random_problems(seed: int) -> None:
    check_random(seed)


@pytest.mark.parametrize(
    ("metrics", "goals"), [("energy", {Goal.ENERGY: 1}), ("latency", {Goal.LATENCY: 2}), ("edp", {Goal.EDP: 0})]
)
def test_only_the_metrics_asked_for(metrics: str, goals: dict[Goal, int]) -> None:
    spec = Spec.from_string(arch(FAR, array("reuse: input")) + matmuls(1))
    best = optima(spec)
    spec.mapper.ffm.metrics = metrics  # type: ignore[assignment]
    found = explained(spec)
    assert found.optimum is not None
    assert {goal: found.optimum.value(goal) for goal in goals} == {g: best[number] for g, number in goals.items()}
    assert found.goals == tuple(goals)


def test_places_of_limits(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(LOOSE)
    lines = LOOSE.splitlines()
    for lift in limits(Spec.from_yaml(file)):
        if lift.position is not None:
            assert lift.position.file == str(file)
            name = lift.path.rstrip(".0123456789").rsplit(".", 1)[-1]
            assert name in lines[lift.position.line - 1]
        else:
            assert lift.path in {
                "arch.nodes.LocalBuffer.tensors.may_keep",
                "mapper.ffm.max_fused_loops_per_rank_variable",
                "mapper.ffm.force_memory_hierarchy_order",
            }


BUFFER = memory("Buffer", 24, "keep: weight, may_keep: All")


@pytest.mark.parametrize(
    "nodes",
    [
        [BUFFER.replace("read, energy: 1", "read, energy: size / 500")],
        [BUFFER, memory("Local", "Buffer.size / 3", "keep: weight")],
    ],
)
def test_a_size_that_others_depend_on_is_not_suggested(nodes: list[str]) -> None:
    mapper = "mapper: {metrics: energy, max_fused_loops_per_rank_variable: inf, force_memory_hierarchy_order: False}\n"
    spec = Spec.from_string(arch(FAR, *nodes) + matmuls(1, m=2) + mapper)
    found = explained(spec)
    (effect,) = (e for e in found.effects if e.lift.path == "arch.nodes.Buffer.size")
    assert effect.outcome is Outcome.BETTER
    assert effect.lift.depended_on
    assert as_text(found).count("(other fields as they are: costs or sizes of this spec depend on it)") == 1
    assert (effect.lift.settings, effect.needed_bits) == ((), None)
