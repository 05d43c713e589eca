"""The joiner against the exhaustive mapper, and each of its prunes against a join without it."""

from __future__ import annotations

import numpy as np
import pytest

from ffcore import plugin
from ffcore.errors import FFError, NoValidMappingError
from ffcore.explore.explorer import explore
from ffcore.join.types import PmappingSet
from ffcore.model.joint import evaluate_joint
from ffcore.spec import Spec
from ffcore_ffm_joiner import fold as fold_module
from ffcore_ffm_joiner.fold import Fold, join_all
from ffcore_ffm_joiner.graph import build
from ffcore_ffm_joiner.kernels import Constants, Limits, join_rows
from ffcore_ffm_joiner.keys import Detail, number_tensors
from ffcore_ffm_joiner.narrow import Selection, ordered, with_partners, within_bounds

ARCH = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    actions: [{name: read, energy: 10, throughput: 4}, {name: write, energy: 10, throughput: 4}]
    tensors: {keep: ~Intermediates, may_keep: All}
  - !Memory
    name: Buffer
    size: SIZE
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
    tensors: {keep: ~Main.tensors, may_keep: All}
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""
CHAIN = """
workload:
  rank_sizes: {M: 4, A: 6, B: 4, C: 2}
  bits_per_value: {All: 8}
  einsums: ["T1[m,b] = T0[m,a] * W0[a,b]", "T2[m,c] = T1[m,b] * W1[b,c]"]
"""


def pmappings(size: str) -> PmappingSet:
    problem = Spec.from_string(ARCH.replace("SIZE", size) + CHAIN).problem()
    return PmappingSet(problem, explore(problem))


def front(found: PmappingSet) -> list[tuple[float, float]]:
    joiner = plugin.get("joiner", "ffm")
    return [(m.energy, m.latency) for m in joiner.join(found.problem, found)]


@pytest.mark.parametrize("size", ["96", "160", "320", "inf"])
def test_the_same_front_as_the_exhaustive_mapper(size: str) -> None:
    problem = pmappings(size).problem
    every = plugin.get("explorer", "exhaustive").explore(problem)
    expected = [(m.energy, m.latency) for m in plugin.get("joiner", "exhaustive").join(problem, every)]
    ours = front(pmappings(size))
    assert len(ours) == len(expected)
    for one, other in zip(sorted(ours), sorted(expected), strict=True):
        assert one == pytest.approx(other, rel=1e-12)


@pytest.mark.parametrize("size", ["96", "160", "320"])
def test_mappings_evaluate_to_what_the_join_says_and_fit(size: str) -> None:
    found = pmappings(size)
    for mapping in plugin.get("joiner", "ffm").join(found.problem, found):
        evaluation = evaluate_joint(found.problem, mapping.nests)
        assert (evaluation.total_energy, evaluation.total_latency) == pytest.approx(
            (mapping.energy, mapping.latency), rel=1e-12
        )
        assert evaluation.fits


@pytest.mark.parametrize("prune", ["within_bounds", "with_partners", "beaten"])
@pytest.mark.parametrize("size", ["96", "160", "320"])
def test_the_front_is_the_same_without_a_prune(size: str, prune: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pmappings(size)
    expected = front(found)
    off = {
        "within_bounds": lambda selections, best: list(selections),
        "with_partners": lambda selections, detail: list(selections),
        "beaten": lambda energy, latency, best: ~np.isfinite(energy),
    }
    monkeypatch.setattr(fold_module, prune, off[prune])
    assert np.array(front(found)) == pytest.approx(np.array(expected), rel=1e-12)


def test_bounds_and_partners_drop_rows() -> None:
    found = pmappings("160")
    start = [Selection(e, np.arange(len(e.rows))) for e in found.einsums]
    mappings, _ = join_all(found)
    best = np.array([(m.energy, m.latency) for m in mappings])
    kept = with_partners(within_bounds(start, best), Detail.LOOPS)
    assert 0 < sum(len(s.source) for s in kept) < sum(len(s.source) for s in start)


def test_orders_of_a_block_are_all_made() -> None:
    found = pmappings("inf")
    selection = Selection(found.einsums[0], np.arange(len(found.einsums[0].rows)))
    rows = selection.pmappings.rows
    two = [i for i in range(len(rows)) if (rows.loops[i] != 0).sum() == 2 and rows.blocks[i, 0] == rows.blocks[i, 1]]
    assert two, "the problem has a block of two loops"
    loops = {tuple(x) for x in ordered(selection).pmappings.rows.loops.tolist()}
    for i in two:
        first, second = rows.loops[i, :2].tolist()
        assert any(x[0] == first for x in loops)
        swapped = [x for x in loops if x[0] == second and x[1]]
        assert swapped, "the other order is made too"


def test_edges_agree_on_every_shared_tensor() -> None:
    found = pmappings("inf")
    selections = [ordered(Selection(e, np.arange(len(e.rows)))) for e in found.einsums]
    faces, tables = number_tensors([s.pmappings for s in selections], Detail.ORDER)
    first, second = build(faces, tables)
    assert first.live == ("T1",)
    for left, right in zip(second.left.tolist(), second.right.tolist(), strict=True):
        assert first.nodes[left, 0] == faces[1].ids[right, faces[1].tensors.index("T1")]
    every = {(a, b) for a in range(len(first.nodes)) for b in range(len(faces[1].ids))}
    agreeing = {(a, b) for a, b in every if first.nodes[a, 0] == faces[1].ids[b, faces[1].tensors.index("T1")]}
    assert set(zip(second.left.tolist(), second.right.tolist(), strict=True)) == agreeing


def test_a_row_that_overflows_is_left_out() -> None:
    """Left leaves 0.5 open and 0.4 stays alive; right needs 0.05 or 0.2."""
    constants = Constants(
        depth_in=np.array([0]),
        depth_out=np.array([0]),
        live=np.array([[0.4]]),
        fresh=np.zeros((1, 1, 1)),
        dying=np.zeros((1, 1, 1)),
        sizes=np.array([1.0]),
        levels=1,
    )
    limits = Limits(np.zeros((1, 2)), np.zeros((0, 2)), np.full(2, np.inf))
    left = (np.array([0, 1]), np.array([[1.0, 1.0, 0.5, 0.9]]))
    right = (np.array([0, 2]), np.array([[1.0, 1.0, 0.05, 0.0], [0.5, 1.0, 0.2, 0.0]]))
    pairs = (np.array([0]), np.array([0]), np.array([0, 1]))
    offsets, values, who, combined = join_rows(left, right, pairs, constants, limits, False)
    assert combined == 2
    assert who.tolist() == [[0, 0]]
    assert values[0, :2].tolist() == [2.0, 2.0]
    assert values[0, 3] == pytest.approx(0.95)  # the peak while right runs
    assert offsets.tolist() == [0, 1]


def test_a_buffer_too_small_says_which() -> None:
    """T1 may only be kept in a buffer of 4 bits; one of its values takes 8."""
    arch = ARCH.replace("SIZE", "4").replace("keep: ~Intermediates, may_keep: All", "keep: ~Intermediates")
    problem = Spec.from_string(arch + CHAIN).problem()
    with pytest.raises(NoValidMappingError, match="Buffer") as caught:
        front(PmappingSet(problem, plugin.get("explorer", "default").explore(problem).einsums))
    assert caught.value.memory == "Buffer"


def test_a_row_filter_is_refused() -> None:
    found = pmappings("inf")
    with pytest.raises(FFError, match="row filter"):
        plugin.get("joiner", "ffm").join(found.problem, found, row_filter=lambda rows: rows)


def test_known_mappings_are_real() -> None:
    found = pmappings("160")
    start = [Selection(e, np.arange(len(e.rows))) for e in found.einsums]
    known = Fold([ordered(s) for s in start]).known()
    best = front(found)
    assert len(known)
    for energy, latency in known.tolist():
        assert any(e <= energy * (1 + 1e-12) and t <= latency * (1 + 1e-12) for e, t in best)


@pytest.mark.parametrize("size", ["96", "160", "320"])
def test_the_front_is_the_same_without_known_mappings(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing known: neither the kernel nor the graph can leave a row out for its bound."""
    found = pmappings(size)
    expected = front(found)
    monkeypatch.setattr(Fold, "known", lambda self: np.zeros((0, 2)))
    assert np.array(front(found)) == pytest.approx(np.array(expected), rel=1e-12)
