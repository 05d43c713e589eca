"""Memories whose instances divide the places of an Array: what they hold, and every link that values pass.

The count knows nothing of loops: it puts each value at the first place of its instance's part, and walks.
"""

from __future__ import annotations

import random
from itertools import product

import pytest

import ffcore as ff
from ffcore.errors import FFError, SpecError
from ffcore.mapper.ffm import Metrics
from ffcore.mapping.nest import Holder, Nest, Spatial
from ffcore.mapping.paths import MappingError
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.types import ActionKey
from ffcore.spec.problem import EinsumProblem
from tests.model.test_networks import EXAMPLES, MATMULS, hops_of, shared


def flat(*mapping: str, **sizes: int) -> ff.Spec:
    given = {"N_EINSUMS": 1, "M": 8, "KN": 8, "M_TILE": 4, "MAC_TILE": 2, **sizes}
    return ff.Spec.from_yaml(EXAMPLES / "flat.yaml", MATMULS, *(EXAMPLES / f"{m}.yaml" for m in mapping), **given)


@shared
def test_instances_that_divide_an_array_send_values_to_their_part_of_it() -> None:
    spec = flat("one_matmul_to_flat")
    spec.arch.nodes["Scratchpad"].tensors.keep = spec.arch.nodes["Scratchpad"].tensors.may_keep = "All"
    found = ff.evaluate_mapping(spec).evaluations[0].evaluations[0]
    # 4 x 4 places: T0 along columns from their first row, T1 along rows, W0 within each of four squares of 2 x 2.
    assert hops_of(found) == {"NoC": (3 * 512, 3 * 512, 4 * 4 * 64)}
    bits = {(r.tensor, r.component): r.bits for r in found.reservations}
    assert bits["T0", "RowBuffer"] == bits["T1", "ColumnBuffer"] == 32 / 4 * 8
    assert bits["W0", "DistributedBuffer"] == 64 / 4 * 8
    assert found.actions[ActionKey("MainMemory", "T0", "read")].total == 512
    assert found.latency == {"RowBuffer": 128, "DistributedBuffer": 384}


@shared
def test_the_default_search_refuses_them_and_exhaustion_finds_what_can_be() -> None:
    spec = flat(M=2, KN=2)
    spec.mapper.ffm.metrics = Metrics.ENERGY
    with pytest.raises(FFError, match=r"spread over an !Array \(ColumnBuffer, DistributedBuffer, RowBuffer\)"):
        ff.map_workload_to_arch(spec, n_jobs=1)
    spec.mapper.explorer = spec.mapper.joiner = "exhaustive"
    for name in ("GlobalBuffer", "Scratchpad"):  # fewer choices
        spec.arch.nodes[name].enabled = False
    found = ff.map_workload_to_arch(spec, n_jobs=1)
    evaluation = found.evaluations[0]
    # 24 values of 8 bits pass the first buffers at 5 J a bit each way, with 8 computes of 1 J.
    assert found.energy() >= 3 * 4 * 8 * 5 + 8
    assert evaluation.fits


SPREAD = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 0, throughput: inf}, {name: write, energy: 0, throughput: inf}]
  - !Array
    name: Grid
    spatial: [{name: X, fanout: 12}, {name: Y, fanout: 8}]
    nodes:
    - !Memory
      name: Buffer
      size: inf
      area: 1
      tensors: {keep: All}
      spatial: [{name: X, fanout: GX}, {name: Y, fanout: GY}]
      actions: [{name: read, energy: 0, throughput: inf}, {name: write, energy: 0, throughput: inf}]
    - !Network
      name: NoC
      actions: [{name: hop, energy: 1, throughput: 1}]
  - !Compute
    name: MAC
    area: 1
    actions: [{name: compute, energy: 0, throughput: inf}]
workload:
  iteration_space_shape: {a: 0 <= a < SA, b: 0 <= b < SB}
  bits_per_value: {All: 1}
  einsums:
  - name: E
    tensor_accesses:
    - {name: A, projection: [a]}
    - {name: B, projection: [b]}
    - {name: W, projection: [a, b]}
    - {name: Z, projection: [b], output: True}
"""


def spec_of(gx: object, gy: object, a: int = 4, b: int = 4, above: str = "") -> ff.Spec:
    text = with_network_above(SPREAD, above == "two") if above else SPREAD
    text = text.replace("GX", str(gx)).replace("GY", str(gy)).replace("SA", str(a)).replace("SB", str(b))
    return ff.Spec.from_string(text)


def with_network_above(text: str, below: bool) -> str:
    """The network before the memory; with ``below``, another one in its old place."""
    first, rest = text.split("    - !Memory\n      name: Buffer\n")
    memory, after = rest.split("    - !Network\n")
    network, last = after.split("  - !Compute\n")
    noc = f"    - !Network\n{network}"
    other = noc.replace("NoC", "Inner") if below else ""
    return f"{first}{noc}    - !Memory\n      name: Buffer\n{memory}{other}  - !Compute\n{last}"


def nest_of(gx: int, gy: int, a: int, b: int, across: tuple[str, str], above: str = "") -> tuple[EinsumProblem, Nest]:
    spec = spec_of(gx, gy, a, b, above)
    assert (spec.areas()["Buffer"], spec.areas()["MAC"]) == (gx * gy, 12 * 8)
    (einsum,) = spec.problem().einsums
    holders = [Holder(t, memory) for memory in ("DRAM", "Buffer") for t in "ABWZ"]
    loops = [Spatial("a", 1, "Grid", across[0]), Spatial("b", 1, "Grid", across[1])]
    return einsum, Nest("E", "MAC", (*holders, *loops))


def walked(gx: int, gy: int, a: int, b: int, across: tuple[str, str]) -> dict[str, int]:
    """Tensor -> links that its values pass, each from the first place of its instance's part, along X and then Y."""
    passed: set[tuple[str, tuple[int, ...], tuple[int, int], tuple[int, int]]] = set()
    for i, j in product(range(a), range(b)):
        x, y = (i, j) if across == ("X", "Y") else (j, i)
        x0, y0 = x - x % (12 // gx), y - y % (8 // gy)
        for tensor, value in (("A", (i,)), ("B", (j,)), ("W", (i, j)), ("Z", (j,))):
            own = (*value, x0, y0)  # a value that two instances hold starts in both
            passed |= {(tensor, own, (k, y0), (k + 1, y0)) for k in range(x0, x)}
            passed |= {(tensor, own, (x, k), (x, k + 1)) for k in range(y0, y)}
    return {tensor: sum(p[0] == tensor for p in passed) for tensor in "ABWZ"}


def drawn(seed: int) -> tuple[int, int, int, int, tuple[str, str]]:
    """Instances along X and Y, trips of a and b, and what these run across."""
    chance = random.Random(seed)
    gx, gy = chance.choice([1, 2, 3, 4, 6, 12]), chance.choice([1, 2, 4, 8])
    across = chance.choice([("X", "Y"), ("Y", "X")])
    places = {"X": (12, 12 // gx), "Y": (8, 8 // gy)}
    spans = [places[name][1] for name in across]
    a, b = (
        chance.choice([n for n in range(1, places[name][0] + 1) if n <= span or n % span == 0])
        for name, span in zip(across, spans, strict=True)
    )
    return gx, gy, a, b, across


@pytest.mark.parametrize("seed", range(60))
def test_every_link_from_memories_that_are_spread(seed: int) -> None:
    gx, gy, a, b, across = drawn(seed)
    spans = [{"X": 12 // gx, "Y": 8 // gy}[name] for name in across]
    einsum, nest = nest_of(gx, gy, a, b, across)
    found = evaluate_nest(einsum, nest)
    hops = {key.tensor: n.total for key, n in found.actions.items() if key.action == "hop"}
    assert {t: hops.get(t, 0) for t in "ABWZ"} == walked(gx, gy, a, b, across)
    in_a, in_b = min(a, spans[0]), min(b, spans[1])
    bits = {r.tensor: r.bits for r in found.reservations if r.component == "Buffer"}
    assert bits == {"A": in_a, "B": in_b, "W": in_a * in_b, "Z": in_b}


def walked_to(gx: int, gy: int, a: int, b: int, across: tuple[str, str], apart: bool) -> dict[str, int]:
    """Tensor -> links that its values pass from the first place to their instances, along X and then Y.

    ``apart``: there is a link from each place to the next, else from each instance to the next.
    """
    passed: set[tuple[str, tuple[int, ...], tuple[int, int], tuple[int, int]]] = set()
    for i, j in product(range(a), range(b)):
        x, y = (i, j) if across == ("X", "Y") else (j, i)
        to_x, to_y = x // (12 // gx), y // (8 // gy)
        if apart:
            to_x, to_y = to_x * (12 // gx), to_y * (8 // gy)
        for tensor, value in (("A", (i,)), ("B", (j,)), ("W", (i, j)), ("Z", (j,))):
            passed |= {(tensor, value, (k, 0), (k + 1, 0)) for k in range(to_x)}
            passed |= {(tensor, value, (to_x, k), (to_x, k + 1)) for k in range(to_y)}
    return {tensor: sum(p[0] == tensor for p in passed) for tensor in "ABWZ"}


@pytest.mark.parametrize("above", ["one", "two"])
@pytest.mark.parametrize("seed", range(30))
def test_every_link_to_memories_that_are_spread(seed: int, above: str) -> None:
    """A network above them takes values to their instances; one below joins the places, if there is one."""
    gx, gy, a, b, across = drawn(seed)
    found = evaluate_nest(*nest_of(gx, gy, a, b, across, above))
    hops = {(key.component, key.tensor): n.total for key, n in found.actions.items() if key.action == "hop"}
    assert {t: hops.get(("NoC", t), 0) for t in "ABWZ"} == walked_to(gx, gy, a, b, across, above == "one")
    inner = walked(gx, gy, a, b, across) if above == "two" else dict.fromkeys("ABWZ", 0)
    assert {t: hops.get(("Inner", t), 0) for t in "ABWZ"} == inner


def test_the_busiest_link_carries_what_is_held_by_spread_memories_and_what_is_not() -> None:
    """All of it comes from the first place, over the same link along X."""
    spec = spec_of(2, 1, 12, 1, "one")
    spec.arch.nodes["Buffer"].tensors.keep, spec.arch.nodes["Buffer"].tensors.may_keep = "W", "W"
    (einsum,) = spec.problem().einsums
    holders = [*(Holder(t, "DRAM") for t in "ABWZ"), Holder("W", "Buffer")]
    found = evaluate_nest(einsum, Nest("E", "MAC", (*holders, Spatial("a", 1, "Grid", "X"))))
    # 6 values of W for the second instance, 11 of A, and one each of B and Z for all places.
    assert found.latency["NoC"] == 6 + 11 + 1 + 1


def test_two_loops_across_one_dimension_are_divided_by_their_strides() -> None:
    holders = [Holder(t, memory) for memory in ("DRAM", "Buffer") for t in "ABWZ"]

    def bits(a: int, b: int, gx: int) -> dict[str, float]:
        (own,) = spec_of(gx, 1, a, b).problem().einsums
        nest = Nest("E", "MAC", (*holders, Spatial("a", 1, "Grid", "X"), Spatial("b", 1, "Grid", "X")))
        return {r.tensor: r.bits for r in evaluate_nest(own, nest).reservations if r.component == "Buffer"}

    # b runs between neighbours: 4 instances of 3 places each hold half of b = 6, and one a.
    assert bits(2, 6, 4) == {"A": 1, "B": 3, "W": 3, "Z": 3}
    assert bits(4, 3, 2) == {"A": 2, "B": 3, "W": 6, "Z": 3}  # 2 instances of 6 places
    with pytest.raises(MappingError, match="is divided unevenly by the loop over a across X"):
        bits(3, 4, 2)


def test_parts_that_are_not_equal_and_what_says_more_are_refused() -> None:
    with pytest.raises(MappingError, match="is divided unevenly by the loop over a across X"):
        evaluate_nest(*nest_of(4, 1, 4, 1, ("X", "Y")))
    with pytest.raises(SpecError, match="5 instances along X do not divide Grid's 12"):
        spec_of(5, 1).problem()
    with pytest.raises(SpecError, match=r"Buffer is spread over !Array Grid: .* X says reuse"):
        spec_of("4, reuse: All", 1).problem()
    with pytest.raises(SpecError, match="V is none of the Array's"):
        spec_of("4}, {name: V, fanout: 2", 1).problem()
