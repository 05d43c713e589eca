"""Each prune of the explorer, on and off: the same Pareto-optimal pmappings, and the kernels by brute force."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from ffcore import plugin
from ffcore.errors import NoValidMappingError, SpecError
from ffcore.explore.explorer import explore
from ffcore.explore.search import beat as beat_module
from ffcore.explore.search import kernels
from ffcore.explore.search import labels as labels_module
from ffcore.explore.search import outline as outline_module
from ffcore.explore.search import rows as rows_module
from ffcore.explore.search import spread as spread_module
from ffcore.explore.search.bookings import Column, columns_of
from ffcore.explore.search.judging import Around, Rivals
from ffcore.explore.search.kernels import union_prime
from ffcore.explore.search.lattice import Lattice
from ffcore.explore.search.lists import Lists
from ffcore.explore.search.points import Points
from ffcore.explore.search.ranges import Ranges
from ffcore.numbers import divisors, prime_factors
from ffcore.pmappings.arrays import Bools, Floats, Ints
from ffcore.pmappings.pareto import pareto_mask
from ffcore.spec import Spec
from ffcore.spec.problem import Problem
from ffcore.templates import Template
from tests.array_problems import array_problem
from tests.examples import examples
from tests.odd_problems import odd_problem
from tests.oracle_problems import OracleProblem, oracle_problems
from tests.twice_problems import twice_problem

ARCH = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    actions: [{name: read, energy: 10, throughput: MAIN}, {name: write, energy: 10, throughput: MAIN}]
    tensors: {keep: ~Intermediates, may_keep: All}
  - !Memory
    name: Buffer
    size: SIZE
    leak_power: LEAK
    actions: [{name: read, energy: 2, throughput: BUFFER}, {name: write, energy: 3, throughput: inf}]
    tensors: {keep: ~Main.tensors, may_keep: All}
  - !Memory
    name: Local
    spatial: [{name: Z, fanout: OUTER, may_reuse: REUSE}]
    size: LOCAL
    skip_initial_output_write: SKIPS
    actions: [{name: read, energy: 1, throughput: NEAR}, {name: write, energy: 1, throughput: NEAR}]
    tensors: {keep: KEEP}
  - !Container
    name: Array
    spatial: [{name: X, fanout: INNER, may_reuse: All, min_usage: MIN}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""
PLAIN = {
    "MAIN": "16",
    "SIZE": "256",
    "BUFFER": "64",
    "NEAR": "64",
    "LOCAL": "96",
    "OUTER": "2",
    "INNER": "4",
    "REUSE": "Nothing",
    "MIN": "0",
    "KEEP": "Outputs",
    "LEAK": "0",
    "SKIPS": "true",
}
CHAIN = """
workload:
  rank_sizes: {M: 4, A: 2, B: 4, C: 2}
  bits_per_value: {All: 8}
  einsums: ["T1[m,b] = T0[m,a] * W0[a,b]", "T2[m,c] = T1[m,b] * W1[b,c]"]
"""
ATTENTION = """
workload:
  rank_sizes: {M: 4, P: 4, E: 2, F: 2}
  bits_per_value: {All: 8}
  einsums: ["S[m,p] = Q[m,e] * K[p,e]", "A[m,f] = S[m,p] * V[p,f]"]
"""
CONVOLUTION = """
workload:
  rank_sizes: {I: 6, O: 4, C: 2}
  bits_per_value: {All: 8}
  einsums:
  - name: Conv
    tensor_accesses:
    - {name: In, projection: {I: p + r, C: c}}
    - {name: W, projection: {R: r, C: c}}
    - {name: Out, projection: {O: p}, output: True}
    iteration_space_shape: [0 <= r < 3]
"""


Change = Callable[[pytest.MonkeyPatch], None]
Front = list[set[tuple[object, ...]]]


def fronts(problem: Problem) -> Front:
    """Per Einsum, the (compatibility, values) of all rows, rounded against the order of additions."""
    result = []
    for e in explore(problem):
        rows = e.rows
        keys = np.concatenate([rows.loops, rows.blocks, rows.depth, rows.memory], axis=1)
        values = [tuple(float(f"{x:.10g}") for x in v) for v in rows.values.tolist()]
        result.append(set(zip(map(tuple, keys.tolist()), values, strict=True)))
    return result


@st.composite
def two_fanouts(draw: st.DrawFn) -> Problem:
    """Problems with spatial loops at two levels, a holder between them."""
    text = draw(st.sampled_from([CHAIN, CONVOLUTION, ATTENTION]))
    arch = ARCH
    for name, options in {
        "MAIN": ["16", "inf"],
        "BUFFER": ["64", "inf"],
        "NEAR": ["4", "16", "inf"],
        "SIZE": ["128", "256", "512"],
        "LOCAL": ["48", "96"],
        "OUTER": ["2", "4"],
        "INNER": ["2", "3", "4"],
        "REUSE": ["All", "Nothing", "Nothing", "Nothing", "Outputs"],
        "MIN": ["0", "0", "1"],
        "KEEP": ["Outputs", "Inputs - Intermediates", "Nothing"],
        "LEAK": ["0", "3"],
        "SKIPS": ["true", "false"],
    }.items():
        arch = arch.replace(name, draw(st.sampled_from(options)))
    try:
        return Spec.from_string(arch + text).problem()
    except SpecError:
        reject()


def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates that are the same above a cut are not solved at once."""
    above = outline_module.Outline.above
    monkeypatch.setattr(outline_module.Outline, "above", lambda self: (above(self), id(self)))


def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that templates have in common are solved again for each."""

    class Forgetful(dict):  # type: ignore[type-arg]
        def __contains__(self, key: object) -> bool:
            return False

    make = labels_module.Labeller.__init__

    def init(self: labels_module.Labeller, *args: object, **kwargs: object) -> None:
        make(self, *args, **kwargs)  # type: ignore[arg-type]
        self._nodes = Forgetful()
        self._spaced = Forgetful()

    monkeypatch.setattr(labels_module.Labeller, "__init__", init)


def open_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """States that no loops further out can use are kept."""

    def none(template: Template) -> tuple[frozenset[str], ...]:
        return tuple(frozenset() for _ in range(len(template.blocks) + 1))

    monkeypatch.setattr(outline_module.Outliner, "_closed", staticmethod(none))


def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that overflow a memory are kept until rows are made, and no memory's column is forgotten."""

    def add(
        labels: tuple[Lists, Floats, Ints],
        into: Ints,
        bank: Floats,
        entries: Ints,
        limits: Floats,
        forgotten: Bools,
        *rest: object,
    ) -> object:
        limits = np.concatenate([limits[:2], np.full_like(limits[2:], np.inf)])  # key, energy: tiles ruled out
        return kernels.add_costs(labels, into, bank, entries, limits, np.zeros_like(forgotten), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(labels_module, "add_costs", add)


def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A label dominates another only where it is no greater in every column, pending ones too."""

    def rivals(self: Ranges, columns: tuple[Column, ...], dimension: object = None) -> Rivals:
        one = self.row(())
        which = np.full((6, 1 + len(columns)), one, np.int64)
        which[1] = 0
        return Rivals(np.arange(2, 2 + len(columns)), which, self._most, self._least, which)

    monkeypatch.setattr(Ranges, "rivals", rivals)
    unguarded(monkeypatch)  # a guard reads the groups


def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No label has to beat known mappings."""
    monkeypatch.setattr(beat_module, "WORTH", float("inf"))


def dominated_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels are united by brute force, and none is left out because another is better."""

    def union(
        given: Lists,
        values: Floats,
        origin: Ints,
        n: int,
        stride: int,
        smaller: Ints,
        around: object,
        last_only: bool = False,
    ) -> tuple[Lists, Floats, Ints, int]:
        size, offsets = len(smaller), given.offsets
        lists: list[list[int]] = []
        for state in range(len(offsets) - 1):
            coordinate = state // stride % size
            own = list(range(offsets[state], offsets[state + 1]))
            if smaller[coordinate] >= 0:
                own += lists[state + (smaller[coordinate] - coordinate) * stride]
            lists.append(sorted(own, key=lambda row: tuple(values[row])))  # kernels count on the order
        if last_only:
            lists = [own if state // stride % size == size - 1 else [] for state, own in enumerate(lists)]
        rows = np.array([r for own in lists for r in own], np.int64)
        starts = np.cumsum([0, *map(len, lists)]).astype(np.int64)
        return Lists(starts), values[rows], origin[rows], len(rows)

    monkeypatch.setattr(labels_module, "union_prime", union)


def dominated_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chain's rows are compared with others only when all templates' rows are there."""
    make = kernels.template_rows

    def rows(
        values: Floats, chains: tuple[tuple[Ints, Ints], Floats, Floats, Ints, Floats], *rest: object
    ) -> tuple[Ints, Ints, Floats]:
        (first, last), addend, scale, target, opened = chains
        found: list[tuple[Ints, Ints, Floats]] = []
        for i, ends in enumerate(zip(first, last, strict=True)):
            for label in range(*ends):  # one label at a time has no rival
                one, ends_of_one = values[label : label + 1], (np.zeros(1, np.int64), np.ones(1, np.int64))
                chain = ends_of_one, addend[i : i + 1], scale[i : i + 1], target, opened[i : i + 1]
                own = make(one, chain, *rest)  # type: ignore[arg-type]
                found.append((own[0] + i, own[1] + label, own[2]))
        none = make(values, ((first[:0], last[:0]), addend[:0], scale[:0], target, opened[:0]), *rest)  # type: ignore[arg-type]
        chain_of, label_of, out = (np.concatenate(columns) for columns in zip(none, *found, strict=True))
        return chain_of, label_of, out

    monkeypatch.setattr(rows_module, "template_rows", rows)


def in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops across a dimension are passed one after the other."""
    monkeypatch.setattr(spread_module, "_WAYS", 0)


def unshared(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of a rank variable counts for each dimension, as if loops across others did not use it up."""
    trips = Ranges._most_trips
    monkeypatch.setattr(Ranges, "_most_trips", lambda self, dimensions, _: trips(self, dimensions, False))


PRUNES = [
    apart,
    forgetful,
    open_variables,
    unlimited,
    strict,
    unguarded,
    dominated_labels,
    dominated_rows,
    in_turn,
    unshared,
]


def covered(front: Front, other: Front) -> bool:
    """Is each row of the one matched or bettered by one of equal compatibility of the other, but for rounding?"""
    for own, theirs in zip(front, other, strict=True):
        by_key: dict[object, list[tuple[float, ...]]] = {}
        for key, values in theirs:
            by_key.setdefault(key, []).append(values)  # type: ignore[arg-type]
        for key, values in own:
            rivals = by_key.get(key, [])
            if not any(all(y <= x + 1e-9 * abs(x) for x, y in zip(values, r, strict=True)) for r in rivals):  # type: ignore[call-overload]
                return False
    return True


def same_without_each(problem: Problem) -> None:
    with pytest.MonkeyPatch.context() as always:
        always.setattr(beat_module, "WORTH", 0)  # small problems have to beat known mappings too
        expected = fronts(problem)
        for change in PRUNES:
            with pytest.MonkeyPatch.context() as monkeypatch:
                change(monkeypatch)
                found = fronts(problem)
                assert covered(found, expected), change.__name__
                assert covered(expected, found), change.__name__


UNHURRIED = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@settings(max_examples=examples(2, 4), suppress_health_check=UNHURRIED)
@given(two_fanouts())
def test_pmappings_with_two_fanouts_are_the_same_without_each_prune(problem: Problem) -> None:
    same_without_each(problem)


@settings(max_examples=examples(4, 25), suppress_health_check=UNHURRIED)
@given(oracle_problems())
def test_pmappings_of_random_problems_are_the_same_without_each_prune(drawn: OracleProblem) -> None:
    try:
        problem = drawn.problem()
    except SpecError:
        reject()
    assume(not problem.options.explore_imperfect_temporal_loops and not problem.options.explore_imperfect_spatial_loops)
    same_without_each(problem)


@settings(max_examples=examples(4, 15), suppress_health_check=UNHURRIED, deadline=None)
@given(st.integers(0, 10_000))
def test_pmappings_on_random_arrays_are_the_same_without_each_prune(seed: int) -> None:
    problem = array_problem(seed)
    assume(problem is not None)
    assert problem is not None
    same_without_each(problem)


@pytest.mark.parametrize(
    "seed", [s if s < 8 and s != 3 else pytest.param(s, marks=pytest.mark.slow) for s in range(80)]
)
def test_pmappings_that_read_a_tensor_in_several_ways_are_the_same_without_each_prune(seed: int) -> None:
    problem = twice_problem(seed)
    if problem is None or any(e.imperfect for e in problem.einsums):
        pytest.skip("refused, or with imperfect factors")
    try:
        same_without_each(problem)
    except NoValidMappingError:
        pytest.skip("nothing fits")


@pytest.mark.parametrize("seed", [s if s < 8 else pytest.param(s, marks=pytest.mark.slow) for s in range(60)])
@pytest.mark.parametrize("n_einsums", [1, 2])
def test_pmappings_with_imperfect_factors_are_the_same_without_each_prune(seed: int, n_einsums: int) -> None:
    problem = odd_problem(seed, n_einsums)
    if problem is None or not any(e.imperfect for e in problem.einsums):
        pytest.skip("refused, or with perfect factors alone")
    try:
        same_without_each(problem)
    except NoValidMappingError:
        pytest.skip("nothing fits")


def joined(problem: Problem) -> list[tuple[float, float]]:
    try:
        found = plugin.get("joiner", "ffm").join(problem, plugin.get("explorer", "default").explore(problem))
    except NoValidMappingError:
        return []
    return [(m.energy, m.latency) for m in found]


def all_tracked(problem: Problem) -> Problem:
    return attrs.evolve(problem, options=attrs.evolve(problem.options, combine_runs=True))


@settings(max_examples=examples(4, 15), suppress_health_check=UNHURRIED)
@given(two_fanouts())
def test_memories_that_need_no_tracking_change_no_joined_mapping(problem: Problem) -> None:
    assert np.array(joined(problem)) == pytest.approx(np.array(joined(all_tracked(problem))))


def test_some_memories_need_no_tracking() -> None:
    arch = ARCH
    for name, value in PLAIN.items():
        arch = arch.replace(name, value)
    problem = Spec.from_string(arch + CHAIN).problem()
    few, every = (explore(p)[0].shape.memories for p in (problem, all_tracked(problem)))
    assert len(few) < len(every)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=14),
    st.booleans(),
)
def test_union_keeps_the_front_of_all_divisors(labels: list[tuple[int, ...]], sparse: bool) -> None:
    """States are the divisors of 12; a label may move to every multiple of its state."""
    values = divisors(12)
    rows = sorted(labels)
    data = np.array([r[1:] for r in rows], np.float64).reshape(-1, 3)
    fronts_before = pareto_mask(np.array([r[0] for r in rows], np.int64), data)
    rows = [r for r, keep in zip(rows, fronts_before, strict=True) if keep]
    data = np.array([r[1:] for r in rows], np.float64).reshape(-1, 3)
    data = np.concatenate([data[:, :1], data], axis=1)  # behind its key
    offsets = np.searchsorted([r[0] for r in rows], np.arange(7)).astype(np.int64)
    lists = Lists(offsets, np.arange(6) if sparse else None).filled()
    ones = np.ones((1, 6))
    which = np.zeros((6, 4), np.int64)
    rivals = Rivals(np.array([2, 3, 4]), which, ones, ones, which)
    origin = np.arange(len(rows))
    lattice = Lattice.build(_einsum(12))  # type: ignore[arg-type]
    assert lattice.values == (values,)
    for smaller in lattice.smaller(0):
        lists, data, origin, _ = union_prime(lists, data, origin, lattice.n, 1, smaller, lambda states: Around(rivals))
    first, last = lists.ends(np.arange(6))
    for state, value in enumerate(values):
        reachable = {r[1:] for r in rows if value % values[r[0]] == 0}
        best = {
            a
            for a in reachable
            if not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in reachable)
        }
        got = {tuple(int(x) for x in row[1:]) for row in data[first[state] : last[state]].tolist()}
        assert got == best
        for row in range(first[state], last[state]):
            assert tuple(int(x) for x in data[row][1:]) == rows[int(origin[row])][1:]


def _einsum(bound: int) -> object:
    spec = Spec.from_string(
        "arch:\n  nodes:\n  - !Memory {name: M, size: inf, actions: [{name: read, energy: 1, throughput: inf}, "
        "{name: write, energy: 1, throughput: inf}]}\n  - !Compute {name: C, actions: "
        "[{name: compute, energy: 1, throughput: 1}]}\n"
        f"workload:\n  rank_sizes: {{M: {bound}}}\n  bits_per_value: {{All: 8}}\n  einsums: ['B[m] = A[m]']\n"
    )
    return spec.problem().einsums[0]


@given(st.integers(1, 5000))
def test_divisors_and_prime_factors(n: int) -> None:
    assert divisors(n) == tuple(d for d in range(1, n + 1) if n % d == 0)
    primes = prime_factors(n)
    assert all(n % p == 0 and all(p % q for q in range(2, int(p**0.5) + 1)) for p in primes)
    for p in primes:
        while n % p == 0:
            n //= p
    assert n == 1


def test_trips_across_dimensions_share_what_is_left_of_a_rank_variable() -> None:
    """Of bound 4, half done, loops across two dimensions of 4 run twice together, and of one of 16 as often."""
    arch = ARCH
    for name, value in {**PLAIN, "OUTER": "4"}.items():
        arch = arch.replace(name, value)
    problem = Spec.from_string(arch + CHAIN).problem()
    einsum, template = problem.einsums[0], explore(problem)[0].templates[0]
    columns = columns_of(einsum, template.components, True, ())
    (outer, inner) = [i for i, c in enumerate(columns.components) if c.spatial]
    lattice = Lattice.build(einsum)
    half = sum(lattice.strides[k] for k, v in enumerate(lattice.variables) if v == "m")  # its second divisor: 2
    ranges = Ranges(Points.of(lattice), columns)
    loops = [(outer, 0, "m"), (inner, 0, "m")]
    for signature, least in ([(loops[0], -1)], 1 / 2), ([(loop, -1) for loop in loops], 1 / 2):
        assert ranges.of(tuple(signature))[0][half] == least
    assert ranges.of(tuple((loop, -1) for loop in loops))[0][0] == 1 / 4
