"""The joiner against the exhaustive mapper, and each of its prunes against a join without it."""

from __future__ import annotations

from threading import Event

import attrs
import numpy as np
import pytest

from ffcore import plugin
from ffcore.errors import NoValidMappingError
from ffcore.explore.explorer import explore
from ffcore.mapper.nothing import check_explored
from ffcore.mapping.nest import Nest
from ffcore.model.mapping import evaluate_joint
from ffcore.pmappings.set import JoinedMapping, PmappingSet
from ffcore.spec import Spec
from ffcore.threads import Threads
from ffcore_ffm_joiner import kernels as kernels_module
from ffcore_ffm_joiner import threads as threads_module
from ffcore_ffm_joiner.arrays import Memo, distinct, pack
from ffcore_ffm_joiner.columns import StateShape
from ffcore_ffm_joiner.compatibility import Extent, Source, sources
from ffcore_ffm_joiner.fold import Fold
from ffcore_ffm_joiner.graph import build
from ffcore_ffm_joiner.kernels import Ints, Limits, join_rows, least_costs, pareto
from ffcore_ffm_joiner.prefilter import coarse, loops_agree, ordered, within_bounds
from ffcore_ffm_joiner.rounds import join_all
from ffcore_ffm_joiner.target import Target
from ffcore_ffm_joiner.threads import join_by_threads

NONE, ONE = StateShape(0, 0), StateShape(1, 1)  # memories, levels
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


def everything(found: PmappingSet) -> tuple[list[Source], list[Ints]]:
    """The Einsums and all rows of each."""
    return sources(found.einsums, Extent.OWN), [np.arange(len(e.rows)) for e in found.einsums]


def test_bounds_and_partners_drop_rows() -> None:
    found = pmappings("160")
    once = Memo()
    einsums, start = everything(found)
    known = 1.1 * np.array([(m.energy, m.latency) for m in join_all(found)[0]])
    cheap, target = coarse(einsums, once), Target().with_known(known)
    first = within_bounds(einsums, cheap, start, target, once)
    second = loops_agree(einsums, first, once)
    assert 0 < sum(map(len, second)) < sum(map(len, first)) < sum(map(len, start))


def test_orders_of_a_block_are_all_made() -> None:
    found = pmappings("inf")
    einsums, start = everything(found)
    rows = found.einsums[0].rows
    two = [i for i in range(len(rows)) if (rows.loops[i] != 0).sum() == 2 and rows.blocks[i, 0] == rows.blocks[i, 1]]
    assert two, "the problem has a block of two loops"
    loops = {tuple(x) for x in ordered(einsums[0], start[0], Memo()).loops.tolist()}
    for i in two:
        first, second = rows.loops[i, :2].tolist()
        assert any(x[0] == first for x in loops)
        swapped = [x for x in loops if x[0] == second and x[1]]
        assert swapped, "the other order is made too"


def whole_fold(found: PmappingSet) -> Fold:
    """The fold of all rows."""
    once = Memo()
    einsums, start = everything(found)
    return Fold.of(einsums, [ordered(s, r, once) for s, r in zip(einsums, start, strict=True)], once, Threads())


def test_edges_agree_on_every_shared_tensor() -> None:
    fold = whole_fold(pmappings("inf"))
    first, second = build(fold.faces, fold.tensors, Memo())
    assert first.live == ("T1",)
    own = fold.faces[1].ids[:, fold.faces[1].tensors.index("T1")]
    nodes = first.edges.nodes[:, 0]
    agreeing = {(a, b) for a in range(len(nodes)) for b in range(len(own)) if nodes[a] == own[b]}
    assert 0 < len(agreeing) < len(nodes) * len(own)
    assert set(zip(second.edges.left.tolist(), second.edges.right.tolist(), strict=True)) == agreeing


@pytest.mark.parametrize("shape", [NONE, ONE, StateShape(3, 4)])
def test_each_column_has_one_meaning(shape: StateShape) -> None:
    """And compiled code is told the same columns."""
    levels, first, block, opened, peaks = shape.kernel
    columns = [0, 1]  # energy and latency
    for m in range(shape.memories):
        start = first + m * block
        assert (shape.beside(m), shape.opened(m).start, shape.peaks(m).start) == (start, start + opened, start + peaks)
        assert (shape.fresh(m), shape.dying(m)) == (shape.opened(m), shape.peaks(m))
        columns += [start, *range(shape.width)[shape.opened(m)], *range(shape.width)[shape.peaks(m)]]
        assert len(range(shape.width)[shape.peaks(m)]) == levels
    assert columns == list(range(shape.width))


def test_a_row_that_overflows_is_left_out() -> None:
    """Left leaves 0.5 open and 0.4 stays alive, 0.9 in all; right needs 0.05 or 0.2."""
    limits = Limits(np.zeros((1, 2)), np.zeros((0, 2)), np.full(3, np.inf))
    left = np.array([[1.0, 1.0, 0.9, 0.5, 0.9]])
    right = np.array([[1.0, 1.0, 0.05, 0.0, 0.0], [0.5, 1.0, 0.2, 0.0, 0.0]])
    values, who, combined = join_rows(left, right, np.array([[0, 1, 0, 2, 0, 0, 0]]), limits, ONE, False)
    assert combined == 2
    assert who.tolist() == [[0, 0, 0]]
    assert values[0, :2].tolist() == [2.0, 2.0]
    assert values[0, 4] == pytest.approx(0.95)  # the peak while right runs


def test_a_small_buffer_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows whether the combinations are pruned two at a time or all at once."""
    source = np.random.default_rng(0)
    left, right = (np.round(source.random((n, 5)), 1) * [1, 1, 0.6, 0.6, 0.6] for n in (40, 30))
    pairs = np.array([[0, 20, 0, 10, 0, 0, 0], [20, 40, 10, 11, 0, 0, 0], [0, 40, 11, 30, 2, 0, 0]])
    limits = Limits(np.zeros((3, 2)), np.zeros((0, 2)), np.full(3, np.inf))
    at_once = join_rows(left, right, pairs, limits, ONE, False)
    monkeypatch.setattr(kernels_module, "_CHUNK", 2)
    step_by_step = join_rows(left, right, pairs, limits, ONE, False)
    assert at_once[2] == step_by_step[2] == 20 * 10 + 20 + 40 * 19
    assert set(at_once[1][:, 2].tolist()) == {0, 2}
    for node in (0, 2):
        one, other = (
            sorted(map(tuple, found[0][found[1][:, 2] == node].tolist())) for found in (at_once, step_by_step)
        )
        assert one == other


def test_threads_join_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row by row, whatever nodes each of them has; and when one is told to stop, all do."""
    monkeypatch.setattr(threads_module, "_WORTH_IT", 1)
    source = np.random.default_rng(7)
    left, right = source.integers(0, 9, (40, 5)).astype(float), source.integers(0, 9, (30, 5)).astype(float)
    left[:, 2:] /= 10
    right[:, 2:] /= 10
    pairs = np.array([[3 * k, 3 * k + 8, 2 * k, 2 * k + 9, node, 0, 0] for node in range(6) for k in range(10)])
    limits = Limits(np.zeros((6, 2)), np.zeros((0, 2)), np.full(3, np.inf))
    alone = join_rows(left, right, pairs, limits, ONE, False)
    for count in (1, 2, 3, 50):
        with Threads(count) as threads:
            values, who, combined = join_by_threads(threads, left, right, pairs, limits, ONE, False)
        assert (values == alone[0]).all()
        assert (who == alone[1]).all()
        assert combined == alone[2]
    stop = Event()
    stop.set()
    with pytest.raises(InterruptedError):
        join_rows(left, right, pairs, limits, ONE, False, stop)


@pytest.mark.parametrize("seed", range(20))
def test_pareto_by_brute_force(seed: int) -> None:
    source = np.random.default_rng(seed)
    values = source.integers(0, 4, (60, 3)).astype(float)
    group = np.sort(source.integers(0, 5, 60))
    kept = pareto(values, group)
    for g in range(5):
        rows = {tuple(v) for v in values[group == g].tolist()}
        best = {a for a in rows if not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in rows)}
        own = [tuple(v) for v in values[(group == g) & kept].tolist()]
        assert len(own) == len(set(own))
        assert set(own) == best


@pytest.mark.parametrize("seed", range(20))
def test_rows_that_are_known_to_be_a_front_are_not_compared_again(seed: int) -> None:
    """The same rows stay, in whatever portions they come."""
    source = np.random.default_rng(seed)
    values = source.integers(0, 6, (80, 3)).astype(float)
    whole = values[pareto(values, np.zeros(80, np.int64))]
    left = np.zeros((0, 3))
    for portion in np.array_split(values, 5):
        both = np.concatenate([left, portion])
        left = both[pareto(both, np.zeros(len(both), np.int64), len(left))]
    assert sorted(map(tuple, left.tolist())) == sorted(map(tuple, whole.tolist()))


def test_a_group_larger_than_the_room_left_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are kept leave less room than the next left row's combinations take."""
    monkeypatch.setattr(kernels_module, "_CHUNK", 2)
    left = np.array([[0.0, 0.0], [100.0, -100.0]])
    right = np.stack([np.arange(10.0), -np.arange(10.0)], axis=1)
    pairs = np.array([[0, 2, 0, 4, 0, 0, 0], [0, 2, 0, 10, 0, 0, 0]])
    limits = Limits(np.zeros((1, 2)), np.zeros((0, 2)), np.full(3, np.inf))
    values, _, combined = join_rows(left, right, pairs, limits, NONE, False)
    assert combined == 28
    assert len(values) == 20


def test_rows_that_do_not_fit_beside_what_rests_bound_nothing() -> None:
    """The cheap row takes 0.9 of the memory, the other one 0.2; a tensor of 0.3 rests there, or nothing."""
    values = np.array([[1.0, 1.0, 0.9, 0.0], [3.0, 2.0, 0.2, 0.0]])
    offsets, slopes = np.array([0, 2]), np.array([2.0, 0.5])
    found = least_costs(values, offsets, np.array([0, 0, 0]), np.array([[0.0], [0.3], [0.9]]), np.array([2]), slopes)
    assert found.tolist() == [[1.0, 1.0, 3.0, 1.5], [3.0, 2.0, 8.0, 3.5], [np.inf] * 4]


@pytest.mark.parametrize("seed", range(20))
def test_packed_numbers_tell_rows_apart(seed: int) -> None:
    source = np.random.default_rng(seed)
    table = source.integers(0, 3, (200, 4)) * source.choice([1, 2**20, 2**40], 4)
    first, inverse = distinct(pack(list(table.T), len(table)))
    _, expected = np.unique(table, axis=0, return_inverse=True)
    assert (table[first][inverse] == table).all()
    assert len(first) == expected.max() + 1


def test_a_buffer_too_small_says_which() -> None:
    """T1 may only be kept in a buffer of 4 bits; one of its values takes 8."""
    arch = ARCH.replace("SIZE", "4").replace("keep: ~Intermediates, may_keep: All", "keep: ~Intermediates")
    problem = Spec.from_string(arch + CHAIN).problem()
    found = plugin.get("explorer", "default").explore(problem)
    assert found.without == ("Matmul0",) or len(found.without) == 2
    with pytest.raises(NoValidMappingError, match="Buffer") as caught:
        check_explored(problem, found)
    assert caught.value.memory == "Buffer"


def test_known_mappings_are_real() -> None:
    found = pmappings("160")
    fold = whole_fold(found)
    best = front(found)
    for column in (0, 1):
        known = fold.near(column, Target()).values[:, :2]
        assert len(known)
        for energy, latency in known.tolist():
            assert any(e <= energy * (1 + 1e-12) and t <= latency * (1 + 1e-12) for e, t in best)


def known(found: PmappingSet, *costs: tuple[float, float]) -> list[tuple[float, float, tuple[str, ...]]]:
    """The front where mappings of such costs are known, with the Einsums of their nests: none of ours has this one."""
    nests = (Nest("known", "MAC", ()),)
    given = attrs.evolve(found, known=tuple(JoinedMapping(e, t, nests) for e, t in costs))
    joined = plugin.get("joiner", "ffm").join(found.problem, given)
    return [(m.energy, m.latency, tuple(nest.einsum for nest in m.nests)) for m in joined]


@pytest.mark.parametrize("size", ["96", "160", "320"])
def test_known_mappings_are_returned_unless_they_are_bettered(size: str) -> None:
    found = pmappings(size)
    best = front(found)
    ours = tuple(e.einsum.name for e in found.einsums)
    worse = [(1.01 * e, 1.01 * t) for e, t in best]
    assert known(found, *worse) == [(*costs, ours) for costs in best]
    assert known(found, *best) == [(*costs, ("known",)) for costs in best]
    better = (0.5 * best[0][0], best[-1][1])
    assert known(found, better) == [(*better, ("known",))]
