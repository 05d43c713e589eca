"""GPT-3 6.7B (batch 4, 4096 tokens) on the TPU-like accelerators: the published ladder and the peer's newest results.

Every number of ours comes from evaluating the mapping that was found.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ffcore.api import map_workload_to_arch
from ffcore.explore.default import DefaultExplorer
from ffcore.mapping.nest import Nest
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.mapping import evaluate_joint
from ffcore.model.types import JointEvaluation, NestEvaluation
from ffcore.pmappings.nests import nest_of_row
from ffcore.pmappings.set import EinsumPmappings
from ffcore.spec import Spec
from tests.perfect import perfect_factors

pytestmark = pytest.mark.ladder
TOLERANCE = 1e-6  # relative
INFINITY = float("inf")
MiB = 8 * 2**20  # bits

# Energy-delay products in J·s.
UNFUSED = 0.0767265063452541
PUBLISHED_UNTILED = 0.07461399646709636
OURS_UNTILED = 0.07538473113116437
ONE_LOOP = 0.05170420468561774
TWO_LOOPS, TWO_LOOPS_ENERGY, TWO_LOOPS_LATENCY = 0.04982001852997137, 0.8297326523187198, 0.06004345904761903
UNLIMITED = 0.0497443482


def load(arch: str, max_fused_loops: float) -> Spec:
    spec = perfect_factors(Spec.from_yaml(arch, "gpt3_6.7B", jinja_parse_data={"BATCH_SIZE": 4, "N_TOKENS": 4096}))
    spec.mapper.ffm.max_fused_loops = max_fused_loops
    return spec


def front(spec: Spec) -> tuple[JointEvaluation, ...]:
    """The Pareto-optimal mappings, each evaluated, all of them fitting."""
    evaluations = map_workload_to_arch(spec, n_jobs=1).evaluations
    assert all(e.fits for e in evaluations)
    return evaluations


def product(evaluation: JointEvaluation) -> float:
    return evaluation.total_energy * evaluation.total_latency


def least_product(spec: Spec) -> float:
    return min(map(product, front(spec)))


def close(value: float) -> object:
    return pytest.approx(value, rel=TOLERANCE, abs=0)


def test_unfused_is_as_published() -> None:
    spec = load("tpu_v4i_like_constrained", INFINITY)
    spec.arch.nodes["MainMemory"].constraints.tensors.keep = "All()"
    (evaluation,) = front(spec)
    assert product(evaluation) == close(UNFUSED)
    assert evaluation.total_latency == close(0.0630439446)
    softmax = next(e for e in evaluation.evaluations if e.einsum == "QK_softmax")
    assert softmax.total_latency == close(6.9950607e-3)  # bound by MainMemory


def test_untiled_fusion() -> None:
    """Worse than published, as the published mapping does not fit: see the next test."""
    assert least_product(load("tpu_v4i_like_constrained", 0)) == close(OURS_UNTILED)


def test_the_published_untiled_mapping_does_not_fit() -> None:
    """V, K, Q, AV and Z in GlobalBuffer, the rest in MainMemory, each Einsum at its best for that: this
    is the published number, but V and K stay alive while Q runs."""
    problem = load("tpu_v4i_like_constrained", 0).problem()
    kept = {"V", "K", "Q", "AV", "Z"}

    def as_published(evaluation: NestEvaluation) -> bool:
        shared = {t: r for t, r in evaluation.backing.items() if t in problem.einsum[evaluation.einsum].shared}
        return all((r.component == "GlobalBuffer") == (t in kept) for t, r in shared.items())

    nests = [_cheapest(own, as_published) for own in DefaultExplorer().explore(problem).einsums]
    joint = evaluate_joint(problem, nests)
    assert product(joint) == pytest.approx(PUBLISHED_UNTILED, rel=1e-12, abs=0)
    assert joint.usage["Q", "GlobalBuffer"] == (64 + 64 + 72) * MiB
    assert joint.usage["K", "GlobalBuffer"] == (64 + 72) * MiB
    assert [line.split(":")[0] for line in joint.overflows] == ["GlobalBuffer is too small"]


def _cheapest(own: EinsumPmappings, allowed: Callable[[NestEvaluation], bool]) -> Nest:
    nests = [nest_of_row(own, row) for row in range(len(own.rows))]
    evaluated = [(nest, evaluate_nest(own.einsum, nest)) for nest in nests]
    return min((pair for pair in evaluated if allowed(pair[1])), key=lambda pair: pair[1].total_energy)[0]


def test_one_fused_loop_is_as_published() -> None:
    evaluations = front(load("tpu_v4i_like_constrained", 1))
    best = min(evaluations, key=product)
    assert product(best) == close(ONE_LOOP)
    assert best.total_energy == close(0.8611130714)  # the peer's newest version


def test_two_fused_loops_are_no_worse_than_published() -> None:
    best = min(front(load("tpu_v4i_like_constrained", 2)), key=product)
    assert product(best) <= TWO_LOOPS * (1 + TOLERANCE)
    assert best.total_energy <= TWO_LOOPS_ENERGY * (1 + TOLERANCE)
    assert best.total_latency <= TWO_LOOPS_LATENCY * (1 + TOLERANCE)
    # nothing is faster than its computes: MACs, softmax and copies
    assert best.total_latency == pytest.approx(55.924e-3 + 3.995e-3 + 0.125e-3, rel=2e-5)


@pytest.mark.slow
def test_unlimited_fusion_reaches_the_peers() -> None:
    assert least_product(load("tpu_v4i_like_constrained", INFINITY)) <= UNLIMITED * (1 + 1e-9)


@pytest.mark.slow
def test_both_points_of_the_peer_are_matched_or_dominated() -> None:
    """Copies free of compute, separate ports: what the peer's newest version finds with its looser
    counting of loops, printed with six digits."""
    ours = front(load("tpu_v4i_like", INFINITY))
    for energy, latency in [(0.8271908, 0.0599186), (0.8236362, 0.0600279)]:
        limits = energy * (1 + TOLERANCE), latency * (1 + TOLERANCE)
        assert any(e.total_energy <= limits[0] and e.total_latency <= limits[1] for e in ours), (energy, latency)
