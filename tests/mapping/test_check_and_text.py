"""`check_mapping` names each misfit with its line; `mapping_text` shows the loop nest."""

from __future__ import annotations

import pytest

from ffcore.errors import SpecError
from ffcore.mapping.check import check_mapping
from ffcore.mapping.convert import nests_to_tree
from ffcore.mapping.dialect import from_yaml
from ffcore.mapping.text import mapping_text
from ffcore.mapping.tree import Compute, MappingTree, Nested, Storage, Temporal, Toll
from tests.mapping.test_round_trip import pair
from tests.model.problems import matmul_chain

GOOD = """\
mapping:
  nodes:
  - !Storage {tensors: [T0, W0, W1, T2], component: MainMemory}
  - !Temporal {rank_variable: m, tile_shape: 2}
  - !Storage {tensors: [T1], component: GlobalBuffer}
  - !Sequential
    nodes:
    - !Nested
      nodes:
      - !Temporal {rank_variable: m, tile_shape: 1}
      - !Temporal {rank_variable: n0, tile_shape: 1}
      - !Temporal {rank_variable: n1, tile_shape: 1}
      - !Compute {einsum: Matmul0, component: MAC}
    - !Nested
      nodes:
      - !Temporal {rank_variable: m, tile_shape: 1}
      - !Temporal {rank_variable: n1, tile_shape: 1}
      - !Temporal {rank_variable: n2, tile_shape: 1}
      - !Compute {einsum: Matmul1, component: MAC}
"""
FUSED = "  - !Temporal {rank_variable: m, tile_shape: 2}\n"


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        check_mapping(matmul_chain(2, 8, 4), from_yaml(text, "m"))
    return str(caught.value).split("\n")


def test_good() -> None:
    check_mapping(matmul_chain(2, 8, 4), from_yaml(GOOD))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("einsum: Matmul1,", "einsum: Matmull,", "m:19: mapping.nodes[3].nodes[1].nodes[3]: there is no Einsum "
         "'Matmull'; did you mean 'Matmul1'?"),
        ("einsum: Matmul1,", "einsum: Matmul0,", "Einsum Matmul0 is mapped twice"),
        ("einsum: Matmul1,", "einsum: Matmul0,", "no !Compute for Einsum Matmul1"),
        ("      - !Compute {einsum: Matmul1, component: MAC}\n", "", "this path ends without a !Compute"),
        ("[T1]", "[T1, V]", "m:5: mapping.nodes[2]: there is no tensor 'V'"),
        ("[T1], component: Glob", "[T1], component: glob", "m:5: mapping.nodes[2]: there is no memory on the way to "
         "MAC 'globalBuffer'; did you mean 'GlobalBuffer'?"),
        ("component: MAC}\n    - ", "component: MAX}\n    - ", "there is no compute that runs Einsum Matmul0 'MAX'; "
         "did you mean 'MAC'?"),
        ("[T1]", "[]", "no memory holds tensor T1 of Einsum Matmul0"),
        ("rank_variable: n2", "rank_variable: nn2", "m:18: mapping.nodes[3].nodes[1].nodes[2]: there is no rank "
         "variable of Einsum Matmul1 'nn2'; did you mean 'n2'?"),
        ("rank_variable: n2, tile_shape: 1", "rank_variable: n2, tile_shape: 2", "m:19: mapping.nodes[3].nodes[1]."
         "nodes[3]: Einsum Matmul1 leaves work undone: the innermost tile of n2 is 2, not 1"),
        ("rank_variable: n2, tile_shape: 1", "rank_variable: n2, tile_shape: 9", "the loop over n2 of Einsum Matmul1 "
         "has tile 9, more than the extent above it, 4"),
        (FUSED, FUSED.replace("2", "8") + FUSED.replace("2", "5") + FUSED, "the loop over m of Einsum Matmul0 has "
         "tile 5, which does not divide the 8 above it"),
        (FUSED, FUSED.replace(": m", ": {Matmul0: m, Matmul3: m}"), "m:4: mapping.nodes[1]: there is no Einsum below "
         "'Matmul3'"),
        (FUSED, FUSED.replace(": 2", ": {Matmul0: 2}"), "the loop has no tile_shape for Einsum Matmul1"),
        (FUSED, FUSED.replace("!Temporal {", "!Spatial {component: MAC, name: X, "), "m:4: mapping.nodes[1]: there is "
         "no spatial dimension of MAC 'X' (there are: none)"),
        (FUSED, FUSED.replace("!Temporal {", "!Spatial {component: Array, name: X, "), "m:4: mapping.nodes[1]: there "
         "is no component on the path of Einsum Matmul0 'Array'"),
        ("  - !Storage {tensors: [T1]", "  - !Toll {tensors: [T1]", "there is no toll on the way to MAC"),
    ],
)  # fmt: skip
def test_misfits(before: str, after: str, message: str) -> None:
    assert before in GOOD
    assert any(message in p for p in problems(GOOD.replace(before, after, 1))), problems(GOOD.replace(before, after, 1))


def test_a_tensor_that_nobody_below_uses() -> None:
    text = GOOD.replace("    - !Nested\n      nodes:\n", "    - !Nested\n      nodes:\n"
                        "      - !Storage {tensors: [W1], component: GlobalBuffer}\n", 1)  # fmt: skip
    assert problems(text) == ["m:10: mapping.nodes[3].nodes[0].nodes[0]: no Einsum below uses tensor W1 (Matmul0)"]


def test_branches_out_of_order() -> None:
    swapped = GOOD.replace("Matmul0", "?").replace("Matmul1", "Matmul0").replace("?", "Matmul1")
    swapped = swapped.replace("n0", "?").replace("n2", "n0").replace("?", "n2")
    assert problems(swapped) == [
        "m:19: mapping.nodes[3].nodes[1].nodes[3]: Einsum Matmul0 must run before Matmul1, as in the workload"
    ]


def test_a_shared_tensor_below_loops_that_are_not_shared() -> None:
    """Each branch has its own loop over m and its own T1 inside: the second would find the last tile only."""
    own = FUSED + "  - !Storage {tensors: [T1], component: GlobalBuffer}\n"
    own = own.replace("  - ", "      - ")
    text = GOOD.replace(FUSED, "").replace("  - !Storage {tensors: [T1], component: GlobalBuffer}\n", "")
    text = text.replace("    - !Nested\n      nodes:\n", "    - !Nested\n      nodes:\n" + own)
    assert problems(text) == [
        "m:17: mapping.nodes[1].nodes[1].nodes[1]: Einsums Matmul0 and Matmul1 share tensor T1, "
        "but not all the loops above its first memory"
    ]


def test_text() -> None:
    assert (
        mapping_text(from_yaml(GOOD), matmul_chain(2, 8, 4))
        == """\
[T0 W0 W1 T2] in MainMemory
for m in 4 (tile 2)
  [T1] in GlobalBuffer
  Sequential
    1:
      for m in 2 (tile 1)
        for n0 in 4 (tile 1)
          for n1 in 4 (tile 1)
            compute Matmul0 on MAC
    2:
      for m in 2 (tile 1)
        for n1 in 4 (tile 1)
          for n2 in 4 (tile 1)
            compute Matmul1 on MAC"""
    )


def test_text_without_a_problem_and_per_einsum() -> None:
    problem, nests = pair()
    mapping = nests_to_tree(problem, nests)
    assert "for {A: m, B: p} in 3 (tile 2)" in mapping_text(mapping, problem)
    assert "for {A: m, B: p} (tile 2)" in mapping_text(mapping)
    spatial = from_yaml("mapping: {nodes: [!Spatial {rank_variable: m, tile_shape: 1, component: Array, name: X}]}")
    assert mapping_text(spatial) == "for m (tile 1) across Array.X"


def test_holders_that_no_loop_separates_are_one_line_each_memory():
    mapping = MappingTree(
        (
            Storage(("A",), "Main"),
            Nested((Storage(("B",), "Buffer"), Storage(("C",), "Main"), Toll(("B",), "Buffer"))),
            Storage(("D",), "Main", einsums=("E",)),
            Temporal("m", 1),
            Storage(("E",), "Main"),
            Compute("E", "MAC"),
        )
    )
    assert mapping_text(mapping).splitlines() == [
        "[A C] in Main",
        "[B] in Buffer",
        "[B] through Buffer",
        "[D] in Main (for E)",
        "for m (tile 1)",
        "  [E] in Main",
        "  compute E on MAC",
    ]
    assert mapping_text(MappingTree((Storage(("A",), "Main"),))) == "[A] in Main"
