"""Einsums that read a tensor with several projections: by hand, by brute force, and on random problems as the
exhaustive mapper has them, whose rules of what one backing holder allows are its own.

Numbers in the failure message reproduce a problem: ``twice_problem(number)``, ``twice_text(number).text``.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from functools import cache

import pytest

import ffcore as ff
from ffcore.errors import NoValidMappingError, SpecError
from ffcore.mapping.check import check_mapping
from ffcore.mapping.convert import nests_to_tree, tree_to_nests
from ffcore.mapping.dialect import from_yaml, to_yaml
from ffcore.model.default import DefaultModel
from ffcore.model.evaluate import evaluate_nest
from ffcore.pmappings.set import JoinedMapping
from ffcore.spec.einsum_text import parse_index
from ffcore.spec.problem import EinsumProblem, Problem, RankExpression, union_of
from ffcore_exhaustive.accesses import allowed_above
from ffcore_exhaustive.pmappings import exhaustive_pmappings
from tests.api.test_counts import check_counts
from tests.oracle.compare import TOLERANCE, dominated, joined, objectives, reference, same, unmatched
from tests.twice_problems import twice_problem

BATCH = 5
BATCHES = [b if b < 2 else pytest.param(b, marks=pytest.mark.slow) for b in range(60)]


def batch_of(number: int) -> list[tuple[int, Problem]]:
    made = [(seed, twice_problem(seed)) for seed in range(number * BATCH, (number + 1) * BATCH)]
    return [(seed, problem) for seed, problem in made if problem is not None]


@cache
def found(seed: int) -> list[JoinedMapping]:
    """The mappings of a problem that the fast path finds."""
    problem = twice_problem(seed)
    assert problem is not None
    return joined(problem)


@pytest.mark.parametrize("batch", BATCHES)
def test_same_pareto_set_as_the_exhaustive_mapper(batch: int) -> None:
    """And each mapping costs, written down and read again, what the search said."""
    for seed, problem in batch_of(batch):
        mappings = found(seed)
        ours = sorted(objectives(problem, m.energy, m.latency) for m in mappings)
        expected = reference(problem)
        assert dominated(ours) == [], seed
        assert same(ours, expected), (seed, unmatched(ours, expected), unmatched(expected, ours))
        for mapping in mappings:
            text = to_yaml(nests_to_tree(problem, mapping.nests))
            tree = from_yaml(text)
            check_mapping(problem, tree)
            joint = DefaultModel().evaluate(problem, tree_to_nests(problem, tree))  # refuses broken constraints
            assert joint.overflows == (), (seed, text)
            said = objectives(problem, mapping.energy, mapping.latency)
            told = objectives(problem, joint.total_energy, joint.total_latency)
            assert told == pytest.approx(said, rel=TOLERANCE, abs=0), (seed, text)


def test_the_problems_are_varied() -> None:
    numbered = list(itertools.chain(*map(batch_of, range(5))))
    problems = [p for _, p in numbered]
    assert {len(p.einsums) for p in problems} == {1, 2, 3}
    twice = [e for p in problems for e in p.einsums if e.accesses]
    assert any(e.accesses.keys() & e.intermediates for e in twice)
    assert any(e.accesses.keys() & e.shared for e in twice)
    assert any(len(own) > 2 for e in twice for own in e.accesses.values())
    assert any(t.union.loops for e in twice for t in e.tensors if t.union is not None)
    assert sum(bool(found(seed)) for seed, _ in numbered) > 15


def test_what_is_read_twice_is_split_where_it_pays() -> None:
    """Else the problems above would show little of loops above a backing holder of several accesses."""
    split = 0
    for seed, problem in itertools.chain(*map(batch_of, range(5))):
        for mapping in found(seed):
            nests = dict(zip(problem.einsum, mapping.nests, strict=True))
            for einsum in (e for e in problem.einsums if e.accesses.keys() & e.intermediates):
                split += any(r.loops for r in [evaluate_nest(einsum, nests[einsum.name]).backing["X"]])
    assert split > 1


@pytest.mark.parametrize("batch", [pytest.param(b, marks=pytest.mark.slow) if b else b for b in range(12)])
def test_counts_are_those_of_the_exhaustive_mapper(batch: int) -> None:
    for _, problem in batch_of(batch):
        if not any(e.imperfect for e in problem.einsums) and problem.options.force_memory_hierarchy_order:
            check_counts(problem)


# ---- what the backing holder keeps, by brute force


def values_of(einsum: EinsumProblem, name: str, start: dict[str, int], size: dict[str, int]) -> set[tuple[int, ...]]:
    """The values of an access that a tile of the iteration space reads, as a set of indices."""
    variables = list(einsum.bounds)
    ranks = einsum.tensor[name].ranks
    read = set()
    for point in itertools.product(*(range(start[v], start[v] + size[v]) for v in variables)):
        at = dict(zip(variables, point, strict=True))
        read.add(tuple(sum((-c if v in r.falling else c) * at[v] for v, c in r.terms) + r.constant for r in ranks))
    return read


@pytest.mark.parametrize("batch", [pytest.param(b, marks=pytest.mark.slow) if b else b for b in range(12)])
def test_no_value_comes_twice_into_the_backing_holder(batch: int) -> None:
    """Under the loops that pmappings have above the backing holder of several accesses, each turn needs other values
    than all others, and what is booked has room for what is needed."""
    looked_at = 0
    for seed, problem in itertools.chain(*map(batch_of, range(2 * batch, 2 * batch + 2))):
        for own in (e for e in problem.einsums if e.accesses and not e.tensor["X"].persistent):
            (accesses,) = own.accesses.values()
            pmappings = exhaustive_pmappings(problem, [own.name])[own.name]
            split = [p.evaluation.backing["X"] for p in pmappings if p.evaluation.backing["X"].loops]
            for backing in random.Random(seed).sample(split, min(10, len(split))):
                loops = [(x.variable, x.trips, x.tile) for x in backing.loops]
                _check_turns(own, accesses, loops, backing.bits / own.tensor["X"].bits_per_value)
                looked_at += 1
    assert looked_at > 5 or batch


def _check_turns(
    einsum: EinsumProblem, accesses: Sequence[str], loops: Sequence[tuple[str, int, int]], kept: float
) -> None:
    seen: set[tuple[int, ...]] = set()
    for turn in itertools.product(*(range(trips) for _, trips, _ in loops)):
        start, size = dict.fromkeys(einsum.bounds, 0), dict(einsum.bounds)
        for (variable, _, tile), number in zip(loops, turn, strict=True):
            start[variable] += number * tile
            size[variable] = min(tile, einsum.bounds[variable] - start[variable])
        # Digits of one rank are indices of their own: all accesses must have the same.
        ranks = {tuple(r.rank for r in einsum.tensor[a].ranks) for a in accesses}
        if len(ranks) == 1:
            needed = set().union(*(values_of(einsum, a, start, size) for a in accesses))
            assert not needed & seen, (loops, turn)
            assert len(needed) <= kept * (1 + 1e-9)
            seen |= needed


WAYS = [
    ("M: m", "M: n", 6),  # 4 and 6 values from the same place on
    ("M: m", "M: n + 4", 10),  # beside each other
    ("M: m", "M: n + 5", 10),  # with a gap of one that nobody needs
    ("M: m + r", "M: m", 6),  # a window and its residual: 0 to 5, and 0 to 3
    ("M: 2*m", "M: n", 7),  # 0, 2, 4, 6 and 0 to 5
    ("M: 2*m + 3*r", "M: m", 12),  # 0 2 4 6, 3 5 7 9, 6 8 10 12 and 0 to 3
    ("M: m - r + 2", "M: m", 6),  # 0 to 5, and 0 to 3
]


@pytest.mark.parametrize(("one", "other", "values"), WAYS)
def test_the_union_of_a_rank(one: str, other: str, values: int) -> None:
    text = f"""
workload:
  iteration_space_shape: {{m: 4, n: 6, r: 3, k: 2}}
  bits_per_value: {{All: 1}}
  einsums: ["Y[m, n, r] = X[{one}, K: k] * X[{other}, K: k] * W[n, r]"]
"""
    einsum = ff.Spec.from_string(ARCH + text).problem().einsums[0]
    needed: set[int] = set()
    for index in (one, other):
        terms, constant = parse_index(index.removeprefix("M: "))
        ranges = [range(0, c * einsum.bounds[v], c) for v, c in terms]
        needed |= {sum(point) + constant for point in itertools.product(*ranges)}
    assert len(needed) == values
    assert einsum.tensor["X"].whole(einsum.bounds) == 2 * values
    assert einsum.tensor["X@2"].whole(einsum.bounds) == 0


def test_ranks_of_many_values_are_counted_without_listing_them() -> None:
    """As if there were no gaps: more is kept than needed, never less."""
    bounds = {"p": 10**7, "q": 10**7, "r": 10**7}
    odd, every, window = (
        [RankExpression("X", terms)] for terms in ((("p", 3),), (("q", 1),), (("q", 5), ("r", 10**20)))
    )
    assert union_of([odd, every], bounds).others == 3 * (10**7 - 1) + 1
    assert union_of([every, window], bounds).others == 5 * (10**7 - 1) + 10**20 * (10**7 - 1) + 1


def test_digits_of_one_rank_are_split_one_by_one() -> None:
    """``4*h + k`` and ``4*h + g``: a loop over h may stand above; below it 3 of the 4 channels are needed."""
    ranks = [[RankExpression("C", (("h", 4), (v, 1)))] for v in "kg"]
    union = union_of(ranks, {"h": 2, "k": 2, "g": 3})
    assert ([r.rank for r in union.ranks], union.others, union.loops) == (["C/4"], 3, frozenset("h"))
    ranks[1] = [RankExpression("C", (("h", 5), ("g", 1)))]
    union = union_of(ranks, {"h": 2, "k": 2, "g": 3})  # 0 1 4 5 and 0 1 2 5 6 7
    assert (union.ranks, union.others, union.loops) == ((), 7, frozenset())


# ---- by hand

ARCH = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 10, throughput: inf}, {name: write, energy: 10, throughput: inf}]
  - !Memory
    name: Buffer
    size: 6
    tensors: {keep: X, may_keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""
GRAM = """
workload:
  iteration_space_shape: {m: 4, n: 4, k: 2}
  bits_per_value: {All: 1}
  einsums: ["G[m, n] = X[m, k] * X[n, k]"]
"""
MAPPING = """
mapping:
  nodes:
  - !Storage {tensors: [G], component: DRAM}
  - !Temporal {rank_variable: LOOP, tile_shape: 1}
  - !Storage {tensors: [X], component: DRAM}
  - !Storage {tensors: [FIRST], component: Buffer}
  - !Temporal {rank_variable: n, tile_shape: 1}
  - !Storage {tensors: ['X@2'], component: Buffer}
  - !Temporal {rank_variable: OTHER, tile_shape: 1}
  - !Compute {einsum: G, component: MAC}
"""


def mapped(loop: str, first: str, other: str) -> ff.Mappings:
    text = MAPPING.replace("LOOP", loop).replace("FIRST", first).replace("OTHER", other)
    return ff.evaluate_mapping(ff.Spec.from_string(ARCH + GRAM + text))


def test_costs_by_hand() -> None:
    """The example of docs/howto/workload.md."""
    costs = mapped("k", "'X@1'", "m")
    parts = costs.energy(per_component=True, per_tensor=True, per_action=True)
    assert parts["DRAM", "X", "read"] == 10 * (4 * 2 + 4 * 2)  # each access fetches its 8 values once
    assert parts["Buffer", "X", "write"] == 4 * 2 + 4 * 2
    assert parts["Buffer", "X", "read"] == 2 * (4 * 4 * 2)  # two for each compute
    usage = costs.entries[0].evaluation.evaluations[0].reservations
    kept = {(r.tensor, r.component, r.bits) for r in usage if r.tensor == "X"}
    # Below the loop over k, DRAM holds a column once; in the Buffer the first access has all of it, the second a value.
    assert kept == {("X", "DRAM", 4.0), ("X", "Buffer", 4.0), ("X", "Buffer", 1.0)}


@pytest.mark.parametrize(
    ("loop", "first", "message"),
    [
        ("m", "'X@1'", "a loop over m may not stand above its first memory, as m does not index all of them alone"),
        ("k", "'X@2'", "Buffer must keep X\n"),
        ("k", "'X@3'", "there is no tensor 'X@3'"),
    ],
)
def test_mappings_that_split_the_accesses_differently_are_refused(loop: str, first: str, message: str) -> None:
    other = {"m": "k", "k": "m"}[loop]
    with pytest.raises(SpecError, match=message):
        mapped(loop, first, other)


def test_accesses_are_backed_in_one_place() -> None:
    text = MAPPING.replace("tensors: [X], component: DRAM", "tensors: ['X@1'], component: DRAM")
    text = text.replace("FIRST", "'X@1'").replace("LOOP", "k").replace("OTHER", "m")
    with pytest.raises(SpecError, match=r"the first memory of all of them \(X@1, X@2\) must be the same"):
        ff.evaluate_mapping(ff.Spec.from_string(ARCH + GRAM + text))


def test_what_rules_mappings_out_names_the_tensor() -> None:
    rules = "{keep: X, no_refetch_from_above: X, tile_shape: [{expression: X.rank_variables, operator: <=, value: 2}]}"
    spec = ff.Spec.from_string(ARCH.replace("{keep: X, may_keep: All}", rules) + GRAM)
    with pytest.raises(NoValidMappingError, match=r"no_refetch_from_above of Buffer \(X\); tile_shape of Buffer"):
        ff.map_workload_to_arch(spec, n_jobs=1)


@pytest.mark.parametrize("text", ["G[m, n] = X[M: m, K: k] * X[M: n, K: k]", "G[m, n] = X[m, k] * X[n, k]"])
def test_what_is_allowed_above(text: str) -> None:
    spec = ff.Spec.from_string(ARCH + GRAM.replace("G[m, n] = X[m, k] * X[n, k]", text))
    (einsum,) = spec.problem().einsums
    assert allowed_above(einsum, "X") == allowed_above(einsum, "X@2") == frozenset("k")
    assert einsum.tensor["X"].split_by == frozenset("k")
    assert einsum.tensor["G"].split_by == frozenset("mn")
