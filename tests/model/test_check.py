"""Each constraint that a nest can break, named in a sentence."""

from __future__ import annotations

import attrs
import pytest

from ffcore.mapping.nest import Holder, Nest, NestNode, Spatial, Temporal
from ffcore.model.constraints import check_nest
from ffcore.spec.problem import EinsumProblem, LoopBound, TileShape
from tests.model.problems import FakePath, compute, container, dimension, einsum, memory, tensor, toll

ABZ = (tensor("A", "m", "k"), tensor("B", "k", "n"), tensor("Z", "m", "n", output=True))
BOUNDS = {"m": 4, "k": 6, "n": 5}
X = dimension("X", 4, "ABZ")


def hold(component: str, *tensors: str) -> tuple[Holder, ...]:
    return tuple(Holder(t, component) for t in tensors)


ALL = hold("MM", *"ABZ")
LOOPS = (Temporal("m", 1), Temporal("k", 1), Temporal("n", 1))
SPREAD = (*ALL, Spatial("m", 1, "Array", "X"), *hold("LB", "A"), *LOOPS[1:])


def problem(dim: object = X, **lb: object) -> EinsumProblem:
    local = {"may": "AB", **lb}
    parts = (
        memory("MM", ABZ, must=["Z"]),
        toll("T", ABZ),
        container("Array", dim),  # type: ignore[arg-type]
        memory("LB", ABZ, **local),  # type: ignore[arg-type]
        compute(),
    )
    return einsum("E", BOUNDS, ABZ, FakePath(parts))


def check(p: EinsumProblem, *nodes: NestNode) -> list[str]:
    return [s.removeprefix("Einsum E: ") for s in check_nest(p, Nest("E", "MAC", nodes))]


@pytest.mark.parametrize("nodes", [(*ALL, *LOOPS), SPREAD, (*ALL, *hold("T", "A"), *LOOPS)])
def test_valid(nodes: tuple[NestNode, ...]) -> None:
    assert check(problem(), *nodes) == []


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((*hold("MM", *"AB"), *hold("LB", "Z"), *LOOPS), "MM must keep Z"),
        ((*ALL, *hold("LB", "Z"), *LOOPS), "LB may not keep Z"),
        ((*hold("LB", "A"), *ALL, *LOOPS), "A in LB stands above A in MM, out of order"),
        ((*ALL, *hold("LB", "A"), *hold("LB", "A"), *LOOPS), "A in LB stands above A in LB, out of order"),
        ((*hold("T", "A"), *hold("MM", *"BZ"), *hold("LB", "A"), *LOOPS), "no memory keeps A above the toll T"),
        ((*ALL, Temporal("n", 3), *LOOPS), None),
        ((*ALL, LOOPS[0], LOOPS[1], Temporal("n", 4), Temporal("n", 3), LOOPS[2]),
         "the tile 3 of an inner loop over n does not divide its extent"),
        ((*hold("MM", *"AB"), Temporal("k", 1), *hold("MM", "Z"), LOOPS[0], LOOPS[2]),
         "a loop over k stands above the first memory of Z, which k does not index alone"),
        ((Spatial("m", 1, "Array", "X"), *ALL, *LOOPS[1:]),
         "the spatial loop over m of Array stands above A in MM, an outer component"),
        ((*ALL, Spatial("n", 1, "Array", "X"), *LOOPS[:2]), "dimension X of Array is used 5 wide, but its fanout is 4"),
    ],
)  # fmt: skip
def test_broken(nodes: tuple[NestNode, ...], message: str | None) -> None:
    found = check(problem(), *nodes)
    assert found == [] if message is None else message in found


def test_replicating_an_unheld_input_is_fine() -> None:
    spread = (*hold("MM", *"AZ"), Spatial("m", 1, "Array", "X"), *hold("LB", "B"), *LOOPS[1:])
    assert check(problem(), *spread) == []


def test_unheld_outputs_are_not_reduced() -> None:
    p = einsum("E", BOUNDS, ABZ, FakePath((memory("MM", ABZ), container("Array", X), memory("LB", ABZ), compute())))
    nodes = (*hold("MM", *"AB"), Spatial("k", 2, "Array", "X"), *hold("LB", "Z"), *LOOPS)
    assert check(p, *nodes) == ["a loop over k stands above the first memory of Z, which k does not index alone"]


def test_reuse() -> None:
    assert check(problem(dimension("X", 4, "ABZ", reuse="A")), *SPREAD) == [
        "dimension X of Array: a loop over m breaks the reuse of A"
    ]


@pytest.mark.parametrize(
    ("operator", "value", "message"),
    [
        ("<=", 4, None),
        ("<", 4, "dimension X of Array: m runs 4, but must be < 4"),
        ("product==", 8, "dimension X of Array: the trips of m, k multiply to 4, but must be product== 8"),
    ],
)
def test_loop_bounds(operator: str, value: float, message: str | None) -> None:
    bound = LoopBound(frozenset("mk" if "product" in operator else "m"), operator, value)
    p = problem(dimension("X", 4, "ABZ", loop_bounds=(bound,)))
    assert check(p, *SPREAD) == ([] if message is None else [message])


def test_usage_scale() -> None:
    assert check(problem(dimension("X", 4, usage_scale=1.5)), *SPREAD) == [
        "dimension X of Array is used 4 wide (times usage_scale 1.5), but its fanout is 4"
    ]
    # the product counts: below 1 the scale leaves room for more loops than the fanout
    assert check(problem(dimension("X", 2, usage_scale=0.5)), *SPREAD) == []


def test_tile_shape() -> None:
    p = problem(tile_shape=(TileShape(frozenset("k"), "<=", 3),))
    assert check(p, *SPREAD) == ["tile_shape of LB for A: k has a tile of 6, but must be <= 3"]
    assert check(p, *ALL, Temporal("k", 3), *hold("LB", "A"), *LOOPS) == []


def test_no_refetch_and_no_resend() -> None:
    p = problem(no_refetch_from_above=frozenset("A"))
    assert check(p, *ALL, LOOPS[0], *hold("LB", "A"), *LOOPS[1:]) == []
    assert check(p, *ALL, LOOPS[2], *hold("LB", "A"), *LOOPS[:2]) == [
        "the loop over n fetches A of LB again, which no_refetch_from_above rules out"
    ]
    p = problem(no_resend_to_below=frozenset("A"))
    assert check(p, *ALL, LOOPS[2], *hold("LB", "A"), *LOOPS[:2]) == []
    assert check(p, *ALL, LOOPS[0], *hold("LB", "A"), *LOOPS[1:]) == [
        "the loop over n sends A of LB again, which no_resend_to_below rules out"
    ]


def test_tensor_order() -> None:
    p = problem(tensor_order_options=((frozenset("B"), frozenset("A")),))
    assert check(p, *ALL, *hold("LB", *"BA"), *LOOPS) == []
    assert check(p, *ALL, *hold("LB", *"AB"), *LOOPS) == [
        "LB keeps A, B in an order that tensor_order_options rules out"
    ]


def test_capacity_to_the_bit() -> None:
    nodes = (*ALL, *hold("LB", "A"), LOOPS[2], *LOOPS[:2])
    assert check(problem(size=192), *nodes) == []
    assert check(problem(size=191), *nodes) == ["LB is too small: 192 bits are needed, but it has 191"]


def test_a_nest_that_cannot_be_evaluated() -> None:
    assert check(problem(), *hold("MM", *"AB"), *LOOPS) == ["no memory holds tensor Z"]


def test_copies_may_drop_what_must_be_kept() -> None:
    tensors = (tensor("X", "m"), tensor("Y", "m", output=True))
    path = FakePath((memory("MM", tensors), memory("LB", tensors, must="XY"), compute()))
    p = einsum("E", {"m": 4}, tensors, path, is_copy=True)
    nodes = (*hold("MM", *"XY"), Temporal("m", 1))
    assert check(p, *nodes) == []
    assert check(attrs.evolve(p, is_copy=False), *nodes) == ["LB must keep X", "LB must keep Y"]
