"""Cases that a review found the fast path wrong on, each against the exhaustive mapper."""

from __future__ import annotations

import pytest

from ffcore import plugin
from ffcore.model.mapping import evaluate_joint
from ffcore.spec import Spec
from ffcore.spec.problem import Problem


def memory(name: str, keep: str, *fields: str, size: object = "inf") -> str:
    actions = "[{name: read, energy: 1, throughput: 1}, {name: write, energy: 1, throughput: inf}]"
    lines = [f"name: {name}", f"size: {size}", f"tensors: {{{keep}}}", f"actions: {actions}", *fields]
    return "  - !Memory\n" + "".join(f"    {line}\n" for line in lines)


MAC = "  - !Compute\n    name: MAC\n    actions: [{name: compute, energy: 1, throughput: 1}]\n"


def spec(*parts: str) -> Problem:
    return Spec.from_string("arch:\n  nodes:\n" + "".join(parts)).problem()


def front(problem: Problem, explorer: str, joiner: str) -> list[tuple[float, float]]:
    found = plugin.get("joiner", joiner).join(problem, plugin.get("explorer", explorer).explore(problem))
    for mapping in found:
        evaluation = evaluate_joint(problem, mapping.nests)
        assert (evaluation.total_energy, evaluation.total_latency) == pytest.approx((mapping.energy, mapping.latency))
    return sorted((m.energy, m.latency) for m in found)


def assert_same(problem: Problem) -> list[tuple[float, float]]:
    ours, theirs = front(problem, "default", "ffm"), front(problem, "exhaustive", "exhaustive")
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-12)
    return ours


def test_two_spatial_loops_over_one_variable_may_change_places() -> None:
    """T1's producer splits m by 2, then 4, its consumer by 4, then 2: swapped, the tiles agree."""
    bound = '[{expression: %s.rank_variables, operator: "==", value: 2}]'
    array = (
        "  - !Container\n    name: Array\n    spatial:\n"
        f"    - {{name: X, fanout: 4, loop_bounds: {bound % 'T0'}}}\n"
        f"    - {{name: Y, fanout: 4, loop_bounds: {bound % 'T2'}}}\n"
    )
    workload = (
        "workload:\n  rank_sizes: {M: 8}\n  bits_per_value: {All: 8}\n  einsums: ['T1[m] = T0[m]', 'T2[m] = T1[m]']\n"
    )
    mapper = "mapper: {metrics: [latency], max_fused_loops_per_rank_variable: 2}\n"
    arch = (memory("Main", "keep: ~Intermediates"), array, memory("Local", "keep: Intermediates"))
    free = [part.replace("throughput: 1}", "throughput: inf}") for part in arch]
    ((_, latency),) = assert_same(spec(*free, MAC, workload, mapper))
    assert latency == 2  # each of 8 instances does one step of each Einsum


@pytest.mark.parametrize("loops", [0, 1])
def test_no_loop_is_fused_where_no_tensor_is_shared(loops: int) -> None:
    """The memory's own fanout stands above everything, and counts as fused only if something is."""
    main = memory("Main", "keep: All", "spatial: [{name: Z, fanout: 2, min_usage: 1}]")
    workload = "workload:\n  rank_sizes: {M: 4}\n  bits_per_value: {All: 8}\n  einsums: ['A[m] = X[m]']\n"
    assert assert_same(spec(main, MAC, workload, f"mapper: {{max_fused_loops: {loops}}}\n")) == [(68.0, 16.0)]


@pytest.mark.parametrize("size", [16, 32, 64])
def test_widths_may_depend_on_what_outer_memories_hold(size: int) -> None:
    wide = "bits_per_value: {Main.tensors: 4, Other: 16}"
    buffer = memory("Buffer", "keep: ~Main.tensors, may_keep: All", wide, size=size)
    workload = (
        "workload:\n  rank_sizes: {M: 2, A: 2, B: 2, C: 2}\n  bits_per_value: {All: 8}\n"
        "  einsums: ['T1[m,b] = T0[m,a] * W0[a,b]', 'T2[m,c] = T1[m,b] * W1[b,c]']\n"
    )
    assert_same(spec(memory("Main", "keep: ~Intermediates, may_keep: All"), buffer, MAC, workload))


@pytest.mark.parametrize("left", [1, 2, 3])
@pytest.mark.parametrize("slow", [1, 2])
def test_memories_at_the_same_place_of_two_paths_are_not_the_same(left: int, slow: int) -> None:
    """T1 cannot be written to Left and read from Right."""

    def branch(name: str, energy: int, compute: str) -> str:
        holder = memory(name, "keep: ~Main.tensors, may_keep: All", size=256)
        holder = holder.replace("throughput: 1}", "throughput: inf}").replace(
            "read, energy: 1", f"read, energy: {energy}"
        )
        return holder + f"  - !Compute\n    name: {name}MAC\n    actions: [{{name: compute, {compute}}}]\n"

    fork = "".join(f"    {line}\n" for line in branch("Left", left, f"energy: 1, throughput: {1 / slow}").splitlines())
    arch = (
        memory("Main", "keep: ~Intermediates, may_keep: All"),
        "  - !Fork\n    nodes:\n" + fork,
        branch("Right", 2, "energy: 2, throughput: 2"),
    )
    workload = (
        "workload:\n  rank_sizes: {M: 4, A: 2, B: 2, C: 2}\n  bits_per_value: {All: 8}\n"
        '  einsums: ["T1[m,b] = T0[m,a] * W0[a,b]", "T2[m,c] = T1[m,b] * W1[b,c]"]\n'
    )
    problem = spec(*arch, workload, "mapper: {metrics: [energy, latency]}\n")
    assert all(len(e.paths) == 2 for e in problem.einsums)
    assert_same(problem)


MATMUL = "workload: {rank_sizes: {M: %s, K: %s, N: %s}, bits_per_value: {%s}, einsums: ['C[m,n] = A[m,k] * B[k,n]']}\n"


@pytest.mark.parametrize("extent", [1, 2, 5])
def test_a_tile_shape_below_spatial_loops_may_rule_out_every_tile(extent: int) -> None:
    """Not holding the tensor there is still possible."""
    shape = f"tile_shape: [{{expression: B.rank_variables, operator: '==', value: {extent}}}]"
    arch = (
        memory("Main", "keep: All"),
        "  - !Container {name: Array, spatial: [{name: X, fanout: 4}]}\n",
        memory("Register", f"keep: Nothing, may_keep: B, {shape}"),
        MAC,
    )
    assert assert_same(spec(*arch, MATMUL % (4, 4, 3, "All: 8")))


def test_what_fits_but_for_rounding_fits() -> None:
    assert 1.1 + 1.1 + 1.1 > 3.3
    arch = (memory("Main", "keep: All"), memory("Buffer", "keep: All", size=3.3), MAC)
    assert assert_same(spec(*arch, MATMUL % (2, 3, 2, "A: 1.1, B: 1.1, C: 1.1")))


@pytest.mark.parametrize("sizes", [(2, 3, 1), (4, 2, 2), (1, 4, 1)])
def test_loops_across_the_outermost_memory_stand_above_everything(sizes: tuple[int, int, int]) -> None:
    """So none of them may run over k: partial results in several Mains would never be added up."""
    main = memory("Main", "keep: All", "spatial: [{name: Q, fanout: 4}]")
    problem = spec(main, MAC, MATMUL % (*sizes, "All: 8"), "mapper: {metrics: [energy, latency]}\n")
    assert assert_same(problem)


def test_a_tile_counts_loops_below_it_whatever_stands_between() -> None:
    """A spatial loop of an outer component that runs once says nothing of the tile."""
    shape = "tile_shape: [{expression: A.rank_variables, operator: '<=', value: 2}]"
    arch = (
        memory("Main", "keep: All"),
        memory("Buffer", "keep: Nothing, may_keep: C", "spatial: [{name: X, fanout: 2}]"),
        memory("Register", f"keep: A, {shape}"),
        MAC,
    )
    assert assert_same(spec(*arch, MATMUL % (4, 4, 2, "All: 8"), "mapper: {metrics: [energy, latency]}\n"))
