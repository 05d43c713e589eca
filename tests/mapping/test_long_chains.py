"""What keeps long chains linear: tensors alive, the order in which nodes are placed, and how often one is looked at."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffcore.mapping.convert import nests_to_tree, tree_to_nests
from ffcore.mapping.nest import Holder, Nest, Temporal
from ffcore.mapping.paths import deepest_alive
from ffcore.mapping.placement import Rest
from ffcore.model.mapping import evaluate_joint
from tests.model.problems import matmul_chain

SPANS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 3)), max_size=12)


@given(SPANS)
def test_deepest_of_the_tensors_alive(drawn: list[tuple[int, int, int]]) -> None:
    spans = [(min(a, b), max(a, b), depth) for a, b, depth in drawn]
    expected: list[int | None] = []
    for place in range(8):
        alive = [i for i, (first, last, _) in enumerate(spans) if first < place <= last]
        expected.append(max(alive, key=lambda i: (spans[i][2], -i), default=None))
    assert deepest_alive(8, spans) == expected


def fused_in_pairs(count: int) -> list[Nest]:
    """T1, T3, ... stay in GlobalBuffer below a loop over m that the two Einsums share; the others go through memory."""
    nests = []
    for i in range(count):
        kept = f"T{i + 1 - i % 2}"
        given = [t for t in (f"T{i}", f"W{i}", f"T{i + 1}") if t != kept]
        outer = (*(Holder(t, "MainMemory") for t in given), Temporal("m", 1), Holder(kept, "GlobalBuffer"))
        nests.append(Nest(f"Matmul{i}", "MAC", (*outer, Temporal(f"n{i}", 1), Temporal(f"n{i + 1}", 1))))
    return nests


@pytest.mark.parametrize("count", [4, 32])
def test_nodes_are_looked_at_once_per_einsum(count: int) -> None:
    problem, nests = matmul_chain(count, 4, 4), fused_in_pairs(count)
    with mock.patch.object(Rest, "gap", autospec=True, side_effect=Rest.gap) as looked:
        tree = nests_to_tree(problem, nests)
    assert looked.call_count <= 8 * count
    assert tree_to_nests(problem, tree) == tuple(nests)


def test_each_pair_keeps_only_its_own_tiles() -> None:
    """T1 is T0's pair's alone: while Matmul2 runs, nothing of it is left."""
    problem = matmul_chain(8, 4, 4)
    joint = evaluate_joint(problem, fused_in_pairs(8))
    usage = {einsum: bits for (einsum, memory), bits in joint.usage.items() if memory == "GlobalBuffer"}
    assert set(usage.values()) == {4 * 8.0}
    assert len(usage) == 8
