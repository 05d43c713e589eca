"""Specs that have no mapping, each for one reason: the error names that reason."""

from __future__ import annotations

import attrs
import pytest

from ffcore.diagnose import explain_join, find_cause
from ffcore.diagnose.relax import with_sizes
from ffcore.errors import NoValidMappingError
from ffcore.explore.default import DefaultExplorer
from ffcore.mapper.nothing import check_explored, nothing_joined
from ffcore.spec.problem import Problem
from ffcore_exhaustive.mapper import exhaustive_map
from tests.diagnose.specs import ANY, BRANCHES, arch, array, buffered, matmuls, memory, problem

joining = pytest.importorskip("ffcore_ffm_joiner.join", reason="the plugin ffm_joiner is not installed")

LEAVE = "keep: ~Intermediates, may_keep: Nothing"  # MainMemory leaves intermediates to the GlobalBuffer
TAKE = "keep: ~MainMemory.tensors, may_keep: Nothing"


def refusal(problem: Problem) -> NoValidMappingError:
    """The error of the default explorer or, if that finds pmappings, of the joiner."""
    error = reason(problem)
    assert error is not None
    return error


def reason(problem: Problem) -> NoValidMappingError | None:
    """What the mapper says of the two; None where there is a mapping."""
    found = DefaultExplorer().explore(problem)
    try:
        check_explored(problem, found)
    except NoValidMappingError as error:
        return error
    joiner = joining.FFMJoiner()
    return None if joiner.join(problem, found) else nothing_joined(problem, found, joiner, exact=True)


def oracle_finds(problem: Problem) -> bool:
    try:
        return bool(exhaustive_map(problem, dominance=True))
    except NoValidMappingError:  # no memory may hold some tensor
        return False


CAPACITIES = {
    "intermediate one bit too large, nothing fused": (
        problem(buffered(63, main=LEAVE, buffer=TAKE), matmuls(2), "max_fused_loops: 0"),
        "Matmul0",
        "GlobalBuffer",
        64,
    ),
    "fused, but not a value fits": (problem(buffered(7, main=LEAVE), matmuls(2)), "Matmul0", "GlobalBuffer", 8),
    "a tensor waits while others are made": (
        problem(buffered(191, main=LEAVE, buffer=TAKE), BRANCHES, "max_fused_loops: 0"),
        "MakeC",
        "GlobalBuffer",
        192,
    ),
    "register of zero": (
        with_sizes(problem(buffered(1000, memory("Register", 8, "keep: weight")), matmuls(1)), {"Register": 0.0}),
        "Matmul0",
        "Register",
        8,
    ),
    "register narrower than a value": (
        problem(buffered(1000, memory("Register", 7, "keep: weight")), matmuls(1)),
        "Matmul0",
        "Register",
        8,
    ),
    "persistent weights": (
        problem(
            buffered(31, main="keep: ~weight, may_keep: Nothing", buffer="keep: weight, may_keep: Nothing"),
            matmuls(1, extra="  persistent_tensors: weight\n"),
        ),
        "Matmul0",
        "GlobalBuffer",
        32,
    ),
}


@pytest.mark.parametrize("case", CAPACITIES)
def test_too_small_a_memory(case: str) -> None:
    spec, einsum, memory, needed = CAPACITIES[case]
    error = refusal(spec)
    assert (error.einsum, error.memory, error.needed_bits) == (einsum, memory, needed)
    assert f"the smallest size that would do is {needed} bits" in str(error)
    assert f"Einsum {einsum}" in str(error)
    assert memory in str(error)
    assert oracle_finds(with_sizes(spec, {memory: needed}))
    assert not oracle_finds(with_sizes(spec, {memory: needed - 1}))


def test_the_einsum_that_asks_for_most_is_named() -> None:
    spec = problem(buffered(1, main=LEAVE, buffer=TAKE), BRANCHES, "max_fused_loops: 0")
    error = refusal(spec)
    assert (error.einsum, error.memory, error.needed_bits) == ("MakeC", "GlobalBuffer", 128)  # B and C
    DefaultExplorer().explore(with_sizes(spec, {"GlobalBuffer": 128}))
    whole = find_cause(spec, joining.FFMJoiner().join)  # with A, which waits
    assert whole is not None
    assert (whole.einsum, whole.memory, whole.needed_bits) == ("MakeC", "GlobalBuffer", 192)


def test_a_limit_on_fused_loops_is_named_beside_the_size() -> None:
    spec = problem(buffered(63, main=LEAVE), matmuls(2), "max_fused_loops: 0")
    assert "or instead: without max_fused_loops = 0" in str(refusal(spec))
    assert oracle_finds(attrs.evolve(spec, options=attrs.evolve(spec.options, max_fused_loops=float("inf"))))


def test_either_of_two_memories_may_grow() -> None:
    local = memory("LocalBuffer", 3, "keep: ~MainMemory.tensors - GlobalBuffer.tensors, may_keep: Nothing")
    choice = arch(
        memory("MainMemory", "inf", LEAVE), memory("GlobalBuffer", 7, "keep: Nothing, may_keep: Intermediates"), local
    )
    error = refusal(problem(choice, matmuls(2)))
    assert (error.memory, error.needed_bits) == ("GlobalBuffer", 8)
    assert "(or instead: LocalBuffer of 8 bits (1 B))" in str(error)


def test_two_memories_must_grow_together() -> None:
    two = arch(
        memory("MainMemory", "inf", ANY),
        memory("GlobalBuffer", 7, "keep: weight, may_keep: Nothing"),
        memory("LocalBuffer", 5, "keep: input, may_keep: Nothing"),
    )
    spec = problem(two, matmuls(1))
    error = refusal(spec)
    assert "2 must grow together" in str(error)
    assert "GlobalBuffer is too small" in str(error)
    assert "LocalBuffer is too small" in str(error)
    assert oracle_finds(with_sizes(spec, {"GlobalBuffer": 8, "LocalBuffer": 8}))
    assert not oracle_finds(with_sizes(spec, {"GlobalBuffer": 7, "LocalBuffer": 1e9}))
    assert not oracle_finds(with_sizes(spec, {"GlobalBuffer": 1e9, "LocalBuffer": 7}))


WEIGHT_BOUND = "loop_bounds: [{{expression: weight.rank_variables, operator: '{}', value: {}}}]"
NO_LOOPS = "keep: All, no_refetch_from_above: All, no_resend_to_below: All"

CONSTRAINTS = {
    "contradictory keeps": (
        problem(
            buffered(
                1000,
                main="keep: Nothing, may_keep: input | weight",
                buffer="keep: output if not MainMemory.tensors else Nothing, may_keep: Nothing",
            ),
            matmuls(1),
        ),
        ["no choice of holders keeps T1", "may_keep of MainMemory (it may not keep T1)"],
    ),
    "a loop longer than the array is wide": (
        problem(buffered(1000, array(WEIGHT_BOUND.format(">=", 8))), matmuls(1)),
        ["no choice of spatial loops", "loop_bounds of spatial dimension X of Array (n0, n1 >= 8)"],
    ),
    "a loop bound that divides nothing": (
        problem(buffered(1000, array(WEIGHT_BOUND.format("product==", 3))), matmuls(2)),
        ["Matmul0", "no choice of spatial loops", "loop_bounds of spatial dimension X of Array (n0, n1 product== 3)"],
    ),
    "a loop bound against reuse": (
        problem(buffered(1000, array("reuse: weight, " + WEIGHT_BOUND.format("product>=", 2))), matmuls(2)),
        ["loop_bounds of spatial dimension X of Array", "reuse of spatial dimension X of Array (W0)", "lifting one"],
    ),
    "a limit on spatial loops against a loop bound": (
        problem(
            buffered(1000, array(WEIGHT_BOUND.format("product>=", 2))), matmuls(1), "max_loops_per_spatial_dimension: 0"
        ),
        ["no choice of spatial loops", "loop_bounds of spatial dimension X of Array"],
    ),
    "no loop leaves the weights in place": (
        problem(buffered(1000, main="keep: All", buffer=NO_LOOPS), matmuls(1)),
        ["no loop over m and n0 and n1 is allowed anywhere", "no_resend_to_below of GlobalBuffer (T0, T1, W0)"],
    ),
    "reuse takes the last loop": (
        problem(buffered(1000, array("reuse: output"), main="keep: All", buffer=NO_LOOPS), matmuls(1, width=1)),
        ["no loop over m is allowed anywhere", "no_resend_to_below of GlobalBuffer", "no_refetch_from_above"],
    ),
    "a tile larger than the tensor": (
        problem(
            buffered(
                1000,
                buffer="keep: weight, may_keep: Nothing, "
                "tile_shape: [{expression: output.rank_variables, operator: '>=', value: 64}]",
            ),
            matmuls(1),
        ),
        ["no choice of tile sizes", "tile_shape of GlobalBuffer (m, n1 >= 64)"],
    ),
    "no order of holders": (
        problem(buffered(1000, main="keep: All", buffer="keep: All, tensor_order_options: []"), matmuls(1)),
        ["no order of its holders is legal", "tensor_order_options of GlobalBuffer"],
    ),
    "incompatible keeps of two Einsums": (
        problem(
            buffered(1000, main="keep: ~input, may_keep: Nothing", buffer="keep: input, may_keep: Nothing"), matmuls(2)
        ),
        [
            "Einsums Matmul0 and Matmul1 cannot agree on T1",
            "Matmul0 can keep it only in MainMemory, Matmul1 only in GlobalBuffer",
        ],
    ),
}


@pytest.mark.parametrize("case", CONSTRAINTS)
def test_constraints_at_odds(case: str) -> None:
    spec, words = CONSTRAINTS[case]
    assert not oracle_finds(spec)
    error = refusal(spec)
    assert (error.memory, error.needed_bits) == ("", None)
    assert error.einsum in spec.einsum
    for word in words:
        assert word in str(error)


def test_no_compute() -> None:
    spec = problem(buffered(1000), matmuls(1))
    alone = attrs.evolve(spec, einsums=(attrs.evolve(spec.einsums[0], paths=()),))
    assert str(refusal(alone)) == "Einsum Matmul0: no Compute is enabled for it"


def test_a_size_too_small_even_without_the_constraint_at_fault() -> None:
    register = memory("Register", 7, "keep: weight")
    spec = problem(buffered(1000, array(WEIGHT_BOUND.format(">=", 8)), register), matmuls(1))
    assert "and some memory is too small as well" in str(refusal(spec))


def test_pmappings_filtered_too_far() -> None:
    spec = problem(buffered(1000, main=LEAVE), matmuls(2))
    found = DefaultExplorer().explore(spec)
    depths = [e.rows.depth[:, 0] for e in found.einsums]
    assert all(len(set(d.tolist())) > 1 for d in depths)
    apart = found.keep({"Matmul0": depths[0] == 0, "Matmul1": depths[1] > 0})
    assert "filtered too far" in str(explain_join(spec, apart, joining.FFMJoiner().join))
    none = found.keep({"Matmul1": depths[1] > 100})
    assert "no pmappings were given" in str(explain_join(spec, none, joining.FFMJoiner().join))


def test_what_is_valid_has_no_cause() -> None:
    assert find_cause(problem(buffered(1000), matmuls(2)), joining.FFMJoiner().join) is None


def test_without_time_a_size_that_does_is_still_named() -> None:
    spec = problem(buffered(7, main=LEAVE, buffer=TAKE), BRANCHES, "max_fused_loops: 0")
    cause = find_cause(spec, joining.FFMJoiner().join, seconds=0)
    assert cause is not None
    error = cause.error
    assert "a size that would do (not the smallest) is" in str(error)
    assert error.needed_bits is not None
    assert error.needed_bits >= 192
    assert oracle_finds(with_sizes(spec, {"GlobalBuffer": error.needed_bits}))
