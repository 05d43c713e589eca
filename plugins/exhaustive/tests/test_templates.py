"""Templates and tile choices of the exhaustive mapper, on spaces small enough to list by hand."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from ffcore.errors import FFError, NoValidMappingError
from ffcore.mapping.nest import Holder, Spatial
from ffcore.spec.problem import Component, ComponentKind, EinsumProblem, LoopBound, MapperOptions, SpatialDimension
from ffcore_exhaustive.mapper import PmappingCounts, Template, count_pmappings, exhaustive_pmappings, templates
from ffcore_exhaustive.tiles import compare, min_usage_filter, tile_chains
from plugins.exhaustive.tests.toy import ToyPath, compute, matmuls, memory, simple, tensor


def text(template: Template) -> str:
    """``M:A m G:A k``: holders by the first letter of their memory, spatial loops in capitals."""
    words = []
    for node in template.nodes:
        if isinstance(node, Holder):
            words.append(f"{node.component[0]}:{node.tensor}")
        else:
            words.append(node.variable.upper() if isinstance(node, Spatial) else node.variable)
    return " ".join(words)


def all_texts(problem_einsum: EinsumProblem, options: MapperOptions | None = None) -> list[str]:
    return sorted(text(t) for t in templates(problem_einsum, options or MapperOptions()))


def array(**fields: Any) -> tuple[SpatialDimension, ...]:
    every = frozenset({"T0", "W0", "T1"})
    base = SpatialDimension("X", 2, frozenset(), every)
    return (attrs.evolve(base, **fields),)


def test_one_matmul_has_one_template_for_each_ordered_choice_of_buffered_tensors() -> None:
    problem = matmuls(8, 4, 4)
    found = all_texts(problem.einsums[0])
    assert len(found) == 1 + 3 + 3 * 2 + 6
    assert "M:T0 M:T1 M:W0 m n0 n1" in found
    # below T0 (not backing) no loop over m, n0; above W0 none over m, which does not index it; below W0, m
    assert "M:T0 M:T1 M:W0 m n0 G:T0 n1 G:W0 m" in found


def test_two_matmuls_on_simple_have_27_templates_each() -> None:
    problem = matmuls(64, 64, 64, 64)
    assert [len(templates(e, problem.options)) for e in problem.einsums] == [27, 27]


def test_softmax_on_the_tpu_has_12_templates() -> None:
    """Both tensors may be in MainMemory and GlobalBuffer and must be in the four LocalBuffers;
    orders without a loop between count once (worked out in the semantics, section 6)."""
    names = frozenset({"QK", "S"})
    accesses = (tensor("QK", "b m p h"), tensor("S", "b m p h", output=True))
    four = (SpatialDimension("Z", 4, frozenset(), frozenset()),)
    path = ToyPath(
        (
            (memory("MainMemory", sorted(names)), lambda held: (frozenset(), names)),
            (memory("GlobalBuffer", sorted(names)), lambda held: (names - held["MainMemory"], names)),
            (memory("LocalBuffer", sorted(names), spatial=four), lambda held: (names, frozenset())),
            (compute(), None),
        )
    )
    einsum = EinsumProblem("softmax", {"b": 2, "m": 4, "p": 4, "h": 2}, accesses, names, names, (path,))
    assert len(templates(einsum, MapperOptions())) == 12


def test_copy_has_2_templates_on_the_tpu() -> None:
    """What is held already is not kept again, and nothing moves below the last backing holder."""
    names = frozenset({"I_in", "I"})
    accesses = (tensor("I_in", "m d"), tensor("I", "m d", output=True))
    path = ToyPath(
        (
            (memory("MainMemory", sorted(names)), lambda held: (frozenset({"I_in"}), names)),
            (memory("GlobalBuffer", sorted(names)), lambda held: (names - held["MainMemory"], names)),
            (memory("LocalBuffer", sorted(names)), lambda held: (names, frozenset())),
            (compute(), None),
        )
    )
    shared = frozenset({"I"})
    einsum = EinsumProblem("I", {"m": 2, "d": 2}, accesses, shared, shared, (path,), is_copy=True)
    assert all_texts(einsum) == ["M:I M:I_in m d", "M:I_in m d G:I m d"]


def test_equal_fanout_makes_the_outer_of_two_consecutive_holders_redundant() -> None:
    def path(must: frozenset[str], fanout: int) -> ToyPath:
        dimension = (SpatialDimension("Z", fanout, frozenset(), frozenset()),)
        a = frozenset({"A", "O"})
        return ToyPath(
            (
                (memory("MainMemory", ["A", "O"]), lambda held: (a, a)),
                (memory("GlobalBuffer", ["A", "O"]), lambda held: (must, frozenset({"A"}))),
                (memory("LocalBuffer", ["A", "O"], spatial=dimension), lambda held: (frozenset({"A"}), frozenset())),
                (compute(), None),
            )
        )

    def count(must: frozenset[str], fanout: int) -> int:
        accesses = (tensor("A", "m"), tensor("O", "m", output=True))
        none: frozenset[str] = frozenset()
        einsum = EinsumProblem("E", {"m": 4}, accesses, none, none, (path(must, fanout),))
        return len(templates(einsum, MapperOptions()))

    assert count(frozenset(), 1) == 1  # bypassed only
    assert count(frozenset(), 2) == 2
    assert count(frozenset({"A"}), 1) == 1  # must be held


def test_persistent_backing_holders_stand_in_the_first_group() -> None:
    names = frozenset({"A", "W", "O"})
    accesses = (tensor("A", "m k"), tensor("W", "k n", persistent=True), tensor("O", "m n", output=True))
    path = ToyPath(
        (
            (memory("MainMemory", sorted(names)), lambda held: (names - {"W"}, frozenset())),
            (memory("GlobalBuffer", sorted(names)), lambda held: (frozenset({"W"}), frozenset())),
            (memory("Register", sorted(names)), lambda held: (frozenset({"W"}), frozenset())),
            (compute(), None),
        )
    )
    none: frozenset[str] = frozenset()
    einsum = EinsumProblem("E", {"m": 2, "k": 2, "n": 2}, accesses, none, none, (path,))
    assert all_texts(einsum) == ["M:A M:O G:W k n R:W m"]


def test_a_partially_relevant_variable_takes_the_first_place_in_turn() -> None:
    names = frozenset({"I", "W", "O"})
    accesses = (tensor("I", "p+r"), tensor("W", "r"), tensor("O", "p", output=True))
    path = ToyPath(
        (
            (memory("MainMemory", sorted(names)), lambda held: (names, frozenset())),
            (memory("GlobalBuffer", sorted(names)), lambda held: (frozenset({"I"}), frozenset())),
            (compute(), None),
        )
    )
    none: frozenset[str] = frozenset()
    einsum = EinsumProblem("Conv", {"p": 4, "r": 2}, accesses, none, none, (path,))
    assert all_texts(einsum) == ["M:I M:O M:W p r G:I p r", "M:I M:O M:W p r G:I r p"]


def test_spatial_loops_stand_below_the_array_and_reduce_only_held_outputs() -> None:
    problem = matmuls(4, 4, 4, fanout=array(), unfused=True)
    assert "M:T0 M:T1 M:W0 m n0 n1 M N0 N1" in all_texts(problem.einsums[0])
    chain = matmuls(4, 4, 4, 4, fanout=array())
    # T1 is held in GlobalBuffer, above the array: n0, which reduces it, may be spatial
    assert "M:T0 M:W0 m n1 G:T1 m n0 n1 M N0 N1" in all_texts(chain.einsums[0])


def test_spatial_loops_that_constraints_forbid_are_removed() -> None:
    reuse = matmuls(4, 4, 4, fanout=array(reuse=frozenset({"T0"})), unfused=True)
    assert "M:T0 M:T1 M:W0 m n0 n1 N1" in all_texts(reuse.einsums[0])
    bound = (LoopBound(frozenset({"m", "n0"}), "<=", 1),)
    bounded = matmuls(4, 4, 4, fanout=array(loop_bounds=bound), unfused=True)
    assert "M:T0 M:T1 M:W0 m n0 n1 N1" in all_texts(bounded.einsums[0])


def test_no_refetch_and_no_resend_remove_temporal_loops() -> None:
    names = frozenset({"A", "O"})
    accesses = (tensor("A", "m"), tensor("O", "n", output=True))
    none: frozenset[str] = frozenset()

    def found(**holding: Any) -> list[str]:
        path = ToyPath(
            (
                (memory("MainMemory", sorted(names)), lambda held: (names, frozenset())),
                (memory("GlobalBuffer", sorted(names), **holding), lambda held: (frozenset({"A"}), frozenset())),
                (compute(), None),
            )
        )
        return all_texts(EinsumProblem("E", {"m": 2, "n": 2}, accesses, none, none, (path,)))

    assert found() == ["M:A M:O m G:A n"]
    # n below GlobalBuffer resends A: forbidden, and so n would not be looped over at all
    assert found(no_resend_to_below=frozenset({"A"})) == []
    assert found(no_refetch_from_above=frozenset({"A"})) == ["M:A M:O m G:A n"]


def test_tolls_are_placed_but_hold_nothing() -> None:
    names = frozenset({"A", "O"})
    accesses = (tensor("A", "m"), tensor("O", "m", output=True))
    toll = attrs.evolve(memory("Toll", sorted(names)), kind=ComponentKind.TOLL)
    path = ToyPath(
        (
            (memory("MainMemory", sorted(names)), lambda held: (frozenset({"A"}), frozenset())),
            (toll, lambda held: (names, frozenset())),  # O is not above it: nothing to charge
            (memory("GlobalBuffer", sorted(names)), lambda held: (frozenset({"O"}), frozenset())),
            (compute(), None),
        )
    )
    none: frozenset[str] = frozenset()
    einsum = EinsumProblem("E", {"m": 2}, accesses, none, none, (path,))
    assert all_texts(einsum) == ["M:A m T:A G:O m"]


def test_a_tensor_that_no_memory_may_hold_is_named() -> None:
    accesses = (tensor("A", "m"), tensor("O", "m", output=True))
    only = frozenset({"A"})
    path = ToyPath(((memory("MainMemory", ["A", "O"]), lambda held: (only, only)), (compute(), None)))
    none: frozenset[str] = frozenset()
    with pytest.raises(NoValidMappingError, match="tensor O in any memory"):
        templates(EinsumProblem("E", {"m": 2}, accesses, none, none, (path,)), MapperOptions())


def test_tile_sizes() -> None:
    assert tile_chains(4, 1, imperfect=False) == [(1,)]
    assert tile_chains(4, 3, imperfect=False) == [(1, 1, 1), (2, 1, 1), (2, 2, 1), (4, 1, 1), (4, 2, 1), (4, 4, 1)]
    # bound 7: 7, 4, 3, 2 or 1 trips
    assert tile_chains(7, 2, imperfect=True) == [(n, 1) for n in range(1, 8)]


def test_counts_by_hand() -> None:
    """Elementwise O[m] = A[m], m = 4, all in MainMemory: GlobalBuffer holds nothing, A, O or both
    (A and O: no loop fits between, so the order counts once): four templates. One loop each."""
    accesses = {"E": [tensor("A", "m"), tensor("O", "m", output=True)]}
    counts = count_pmappings(simple({"m": 4}, accesses))
    assert counts == {"E": PmappingCounts(templates=4, total=4, valid=4, kept=4)}
    tight = count_pmappings(simple({"m": 4}, accesses, size=8))
    assert tight == {"E": PmappingCounts(templates=4, total=4, valid=3, kept=3)}
    # with a dimension of 2, one spatial loop follows the temporal one: m = 4 x 1, 2 x 2 and 1 x 4 (too wide)
    wide = (SpatialDimension("X", 2, frozenset(), frozenset(), min_usage=1.0),)
    usage = count_pmappings(simple({"m": 4}, accesses, fanout=wide))
    assert usage == {"E": PmappingCounts(templates=4, total=12, valid=8, kept=4)}


def test_min_usage_goes_from_the_inside_out() -> None:
    dimensions = (
        SpatialDimension("X", 4, frozenset(), frozenset(), min_usage=0.5),
        SpatialDimension("Y", 4, frozenset(), frozenset(), min_usage=1.0),
    )
    inner = SpatialDimension("Z", 4, frozenset(), frozenset(), min_usage=0.5)
    components = (
        Component("Outer", ComponentKind.CONTAINER, spatial=dimensions),
        Component("Inner", ComponentKind.CONTAINER, spatial=(inner,)),
        compute(),
    )
    none: frozenset[str] = frozenset()
    einsum = EinsumProblem("E", {"m": 4}, (), none, none, ())
    keys = ("Outer", "X"), ("Outer", "Y"), ("Inner", "Z")

    def kept(*usages: tuple[float, float, float], copy: bool = False) -> list[bool]:
        template = Template(attrs.evolve(einsum, is_copy=copy), components, ())
        return min_usage_filter(template, [dict(zip(keys, u, strict=True)) for u in usages])

    # Z first: the third falls short; X: both reach a half; Y: none is full, the fuller stays
    assert kept((0.5, 0.25, 0.5), (1.0, 0.5, 0.75), (1.0, 1.0, 0.25)) == [False, True, False]
    assert kept((0.25, 1, 0.25), (0.25, 0.5, 0.25)) == [True, False]
    assert kept((0.5, 0.25, 0.5), (1.0, 0.5, 0.75), copy=True) == [True, True]


def test_limits_compare_each_value_or_the_product() -> None:
    assert compare([2, 2], "<=", 2)
    assert not compare([2, 2], "product<=", 2)
    assert compare([], "==", 4)
    assert not compare([], "product==", 4)


def test_fused_loops_that_run_count() -> None:
    def most_fused(options: MapperOptions) -> int:
        problem = matmuls(4, 4, 4, 4, options=options)
        found = exhaustive_pmappings(problem)["Matmul1"]
        return max(p.evaluation.backing["T1"].depth for p in found)

    assert most_fused(MapperOptions()) == 2
    assert most_fused(MapperOptions(max_fused_loops=1)) == 1
    assert most_fused(MapperOptions(max_fused_loops=0)) == 0


def test_options_that_ask_for_less_are_refused() -> None:
    with pytest.raises(FFError, match="max_pmapping_templates"):
        count_pmappings(matmuls(2, 2, 2, options=MapperOptions(max_pmapping_templates_per_einsum=5)))
