"""A bound holds or it does not: one rule for ``loop_bounds`` and ``tile_shape``, whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import ffcore as ff
from ffcore.cli.main import app
from ffcore.errors import NoValidMappingError
from ffcore.model.constraints import check_nest
from ffcore.spec.problem import ALL_OPERATORS, Bound, LoopBound, Problem, SpatialDimension, TileShape
from tests.examples import examples, first_few
from tests.model.problems import FakePath, compute, container, dimension, einsum, memory, tensor
from tests.oracle.compare import fast, joined, reference, same

NONE: frozenset[str] = frozenset()
MK = frozenset("mk")


@pytest.mark.parametrize(
    ("operator", "holds"),
    [("==", {2}), ("!=", {1, 4}), ("<", {1}), ("<=", {1, 2}), (">", {4}), (">=", {2, 4})],
)
def test_operators(operator: str, holds: set[int]) -> None:
    plain, product = Bound(MK, operator, 2), Bound(MK, f"product{operator}", 2)
    assert {n for n in (1, 2, 4) if plain.allows((n,))} == holds
    assert {n for n in (1, 2, 4) if product.allows((n,))} == holds
    assert plain.allows((2, 4)) == (holds >= {2, 4})
    assert product.allows((2, 2)) == (4 in holds)
    assert not plain.of_product
    assert product.of_product


@pytest.mark.parametrize("kind", [LoopBound, TileShape])
@pytest.mark.parametrize("operator", ALL_OPERATORS)
def test_the_empty_case(kind: type[Bound], operator: str) -> None:
    """A plain operator speaks of no number; the product of none is 1."""
    for value in (0, 1, 2):
        bound = kind(MK, operator, value)
        assert bound.allows(()) == (not bound.of_product or bound.allows((1,)))


def test_bounds_that_remove_loops() -> None:
    removing = {(op, v) for op in ALL_OPERATORS for v in (0, 1, 2) if LoopBound(MK, op, v).removes_loops}
    assert removing == {("==", 1), ("<=", 1), ("product==", 1), ("product<=", 1)}


ABZ = (tensor("A", "m", "k"), tensor("B", "k", "n"), tensor("Z", "m", "n", output=True))


def candidates(held: str, **fields: object) -> str:
    array = dimension("X", 4, "ABZ", **fields)  # type: ignore[arg-type]
    parts = (memory("MM", ABZ), container("Array", array), compute())
    return "".join(einsum("E", {"m": 4, "k": 6, "n": 5}, ABZ, FakePath(parts)).spatial_candidates(array, set(held)))


def test_candidates() -> None:
    assert candidates("ABZ") == "mkn"
    assert candidates("AB") == "mn"  # Z is held further in: nothing would add up what k splits
    assert candidates("ABZ", reuse=frozenset("A")) == "n"
    assert candidates("ABZ", loop_bounds=(LoopBound(frozenset("m"), "product<=", 1),)) == "kn"
    assert candidates("ABZ", loop_bounds=(LoopBound(frozenset("m"), ">=", 2),)) == "mkn"


def test_usage() -> None:
    d = SpatialDimension("X", 3, NONE, NONE, min_usage=0.6, usage_scale=1.1)
    assert d.usage(2) == pytest.approx(2.2 / 3)
    assert d.most == 2
    assert [d.rank(n) for n in (1, 2, 3)] == [d.usage(1), 0.6, 0.6]
    assert SpatialDimension("X", 10, NONE, NONE, usage_scale=0.1).most == 100
    # With more than is there, full use would not be known to be full (guards compare it with known mappings).
    assert SpatialDimension("X", 16, NONE, NONE).most == 16
    assert SpatialDimension("X", 3, NONE, NONE, min_usage=0.333333333333).rank(1) == 0.333333333333


ARRAY = """arch:
  nodes:
  - !Memory
    name: MM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Memory
    name: LB
    size: inf
    tensors: {keep: Nothing, may_keep: All, TILES}
    actions: [{name: read, energy: 0.1, throughput: inf}, {name: write, energy: 0.1, throughput: inf}]
  - !Container
    name: A
    spatial:
    - {name: x, fanout: 4, SPATIAL}
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 0, throughput: 1}]
workload:
  rank_sizes: {M: 4, K: 4, N: 2}
  bits_per_value: {All: 1}
  einsums:
  - {einsum: "Y[m,n] = X[m,k] * W[k,n]"}
  - {einsum: "Z[m] = Y[m,n]"}
mapper: {metrics: [energy, latency]}
"""


def text(spatial: str, tiles: str = "") -> str:
    return ARRAY.replace("SPATIAL", spatial).replace(", TILES", f", {tiles}" if tiles else "")


def bound(expression: str, operator: str, value: float) -> str:
    return f'{{expression: "{expression}", operator: "{operator}", value: {value}}}'


def checked(problem: Problem) -> int:
    """Mappings found; the search and the exhaustive mapper agree, and the model accepts each."""
    found = joined(problem)
    assert same(fast(problem), reference(problem))
    for mapping in found:
        for e, nest in zip(problem.einsums, mapping.nests, strict=True):
            assert check_nest(e, nest) == []
    return len(found)


BOUNDED = [("m | k", "reuse: W, "), ("k", ""), ("m | k", ""), ("k", "reuse: W, ")]


@pytest.mark.parametrize("operator", ALL_OPERATORS)
@pytest.mark.parametrize(("variables", "reuse"), first_few(BOUNDED, 2))
def test_what_the_search_finds_keeps_its_bounds(operator: str, variables: str, reuse: str) -> None:
    """For a loop that ``reuse`` removes and for a variable that one Einsum lacks, too."""
    found = 0
    for value in examples((1 if operator.endswith(">") else 2,), (1, 2)):
        limit = bound(variables, operator, value)
        found += checked(ff.Spec.from_string(text(f"{reuse}loop_bounds: [{limit}]")).problem())
    assert found or operator.startswith("product")


def test_a_bound_that_removes_a_loop_silences_others() -> None:
    for operator in ("<=", "product<="):
        limits = f"{bound('m', operator, 1)}, {bound('m | k', '>=', 2)}"
        problem = ff.Spec.from_string(text(f"loop_bounds: [{limits}]")).problem()
        assert checked(problem)


def test_a_product_over_nothing_is_one() -> None:
    """The second Einsum has no k, so that nothing across the array can multiply to 4."""
    with pytest.raises(NoValidMappingError, match="Z"):
        ff.map_workload_to_arch(ff.Spec.from_string(text(f"loop_bounds: [{bound('k', 'product==', 4)}]")))
    assert checked(ff.Spec.from_string(text(f"loop_bounds: [{bound('k', '==', 4)}]")).problem())


@pytest.mark.parametrize("operator", ALL_OPERATORS)
@pytest.mark.parametrize("variables", ["m | n", "k"])
def test_tile_shapes(operator: str, variables: str) -> None:
    """Also where the memory may hold a tensor that none of the variables indexes."""
    for value in examples((2,), (1, 2)):
        shape = f"tile_shape: [{bound(variables, operator, value)}]"
        checked(ff.Spec.from_string(text("reuse: Y", shape)).problem())


def test_the_command_line_accepts_its_own_mapping(tmp_path: Path) -> None:
    """A bound over {m, k} where ``reuse`` removes k's loop: the evaluation refused what the search had found."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(text(f"reuse: W, loop_bounds: [{bound('m | k', '>=', 2)}]"))
    result = CliRunner().invoke(app, ["map", str(spec), "--jobs", "1"])
    assert result.exit_code == 0, result.output
    assert "guarantee: optimal" in result.output
