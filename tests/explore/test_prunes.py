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
from ffcore.explore import kernels
from ffcore.explore import outline as outline_module
from ffcore.explore import rows as rows_module
from ffcore.explore import spatial as spatial_module
from ffcore.explore import suffix as suffix_module
from ffcore.explore.explorer import explore
from ffcore.explore.kernels import Bools, Floats, Ints, pareto_mask, union_prime
from ffcore.explore.lattice import Lattice
from ffcore.explore.numbers import divisors, prime_factors
from ffcore.explore.spatial import SpatialChoice
from ffcore.spec import Spec
from ffcore.spec.problem import Problem
from ffcore.templates import Template
from tests.oracle_problems import OracleProblem, oracle_problems

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
    """Problems with spatial loops at two levels, a holder between them: choices may be merged in one step or two."""
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


def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inner and outer spatial loops' choices are merged together."""
    merges = outline_module._merges
    monkeypatch.setattr(outline_module, "_merges", lambda template, edges: merges(template, edges)[:1])


def unmerged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each spatial choice is solved by itself."""
    monkeypatch.setattr(outline_module, "_merges", lambda template, edges: ())


def open_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """States that no prefix can use are kept."""
    outline = outline_module.Outliner.outline

    def open_outline(self: outline_module.Outliner, template: Template) -> outline_module.Outline:
        found = outline(self, template)
        return attrs.evolve(found, closed=tuple(frozenset() for _ in found.closed))

    monkeypatch.setattr(outline_module.Outliner, "outline", open_outline)


def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that templates have in common are solved again for each."""

    class Forgetful(dict):  # type: ignore[type-arg]
        def get(self, key: object, default: object = None) -> object:
            return default

    make = suffix_module.SuffixSolver.__init__

    def init(self: suffix_module.SuffixSolver, *args: object, **kwargs: object) -> None:
        make(self, *args, **kwargs)  # type: ignore[arg-type]
        self._memo = Forgetful()

    monkeypatch.setattr(suffix_module.SuffixSolver, "__init__", init)


def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that overflow a memory are kept until rows are made, and no memory's column is forgotten."""

    def add(labels: tuple[Ints, Floats, Ints], bank: Floats, entries: Ints, limits: Floats, forgotten: Bools) -> object:
        return kernels.add_costs(labels, bank, entries, np.full_like(limits, np.inf), np.zeros_like(forgotten))

    monkeypatch.setattr(suffix_module, "add_costs", add)


def dominated_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels are united by brute force, and none is left out because another is better."""

    def union(
        offsets: Ints, values: Floats, origin: Ints, stride: int, smaller: Ints, last_only: bool = False
    ) -> tuple[Ints, Floats, Ints, int]:
        size = len(smaller)
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
        return starts, values[rows], origin[rows], len(rows)

    monkeypatch.setattr(suffix_module, "union_prime", union)


def dominated_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chain's rows are compared with others only when all templates' rows are there."""
    make = kernels.template_rows

    def rows(
        labels: tuple[Ints, Floats], chains: tuple[Ints, Floats, Floats], *rest: object
    ) -> tuple[Ints, Ints, Floats]:
        offsets, values = labels
        bottom, addend, opened = chains
        found: list[tuple[Ints, Ints, Floats]] = []
        for i, state in enumerate(bottom):
            for label in range(offsets[state], offsets[state + 1]):  # one label at a time has no rival
                one = np.array([0, 1]), values[label : label + 1]
                own = make(one, (np.zeros(1, np.int64), addend[i : i + 1], opened[i : i + 1]), *rest)  # type: ignore[arg-type]
                found.append((own[0] + i, own[1] + label, own[2]))
        none = make(labels, (bottom[:0], addend[:0], opened[:0]), *rest)  # type: ignore[arg-type]
        chain, label_of, out = (np.concatenate(columns) for columns in zip(none, *found, strict=True))
        return chain, label_of, out

    monkeypatch.setattr(rows_module, "template_rows", rows)


def misfits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spatial choices whose smallest tiles overflow are tried all the same."""
    fitting = spatial_module.SpatialMenu.fitting

    def all_of_class(self: spatial_module.SpatialMenu, template: Template) -> tuple[spatial_module.SpatialTable, Ints]:
        table, numbers = fitting(self, template)
        if len(numbers):
            numbers = next(c for c in table.classes if numbers[0] in c)
        return table, numbers

    monkeypatch.setattr(spatial_module.SpatialMenu, "fitting", all_of_class)


PRUNES = [flat, unmerged, open_variables, forgetful, unlimited, dominated_labels, dominated_rows, misfits]


def same_without_each(problem: Problem) -> None:
    expected = fronts(problem)
    for change in PRUNES:
        with pytest.MonkeyPatch.context() as monkeypatch:
            change(monkeypatch)
            assert fronts(problem) == expected, change.__name__


UNHURRIED = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@settings(max_examples=6, suppress_health_check=UNHURRIED)
@given(two_fanouts())
def test_pmappings_with_two_fanouts_are_the_same_without_each_prune(problem: Problem) -> None:
    same_without_each(problem)


@settings(max_examples=60, suppress_health_check=UNHURRIED)
@given(oracle_problems())
def test_pmappings_of_random_problems_are_the_same_without_each_prune(drawn: OracleProblem) -> None:
    try:
        problem = drawn.problem()
    except SpecError:
        reject()
    assume(not problem.options.explore_imperfect_temporal_loops and not problem.options.explore_imperfect_spatial_loops)
    same_without_each(problem)


def test_both_ways_of_merging_occur() -> None:
    """Else the tests above would show nothing."""
    arch = ARCH
    for name, value in PLAIN.items():
        arch = arch.replace(name, value)
    problem = Spec.from_string(arch + CHAIN).problem()
    with pytest.MonkeyPatch.context() as monkeypatch:
        merged: list[int] = []
        merge = suffix_module.SuffixSolver._merged

        def counted(self: suffix_module.SuffixSolver, *args: object) -> object:
            merged.append(self.level)
            return merge(self, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(suffix_module.SuffixSolver, "_merged", counted)
        assert all(fronts(problem))
    assert set(merged) == {0, 1}


def joined(problem: Problem) -> list[tuple[float, float]]:
    try:
        found = plugin.get("joiner", "ffm").join(problem, plugin.get("explorer", "default").explore(problem))
    except NoValidMappingError:
        return []
    return [(m.energy, m.latency) for m in found]


def all_tracked(problem: Problem) -> Problem:
    return attrs.evolve(problem, options=attrs.evolve(problem.options, combine_runs=True))


@settings(max_examples=15, suppress_health_check=UNHURRIED)
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
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=14))
def test_union_keeps_the_front_of_all_divisors(labels: list[tuple[int, ...]]) -> None:
    """States are the divisors of 12; a label may move to every multiple of its state."""
    values = divisors(12)
    rows = sorted(labels)
    data = np.array([r[1:] for r in rows], np.float64).reshape(-1, 3)
    fronts_before = pareto_mask(np.array([r[0] for r in rows], np.int64), data)
    rows = [r for r, keep in zip(rows, fronts_before, strict=True) if keep]
    data = np.array([r[1:] for r in rows], np.float64).reshape(-1, 3)
    offsets = np.searchsorted([r[0] for r in rows], np.arange(7)).astype(np.int64)
    origin = np.arange(len(rows))
    lattice = Lattice.build(_einsum(12), SpatialChoice((), ()))
    assert lattice.values == (values,)
    for smaller in lattice.smaller(0):
        offsets, data, origin, _ = union_prime(offsets, data, origin, 1, smaller)
    for state, value in enumerate(values):
        reachable = {r[1:] for r in rows if value % values[r[0]] == 0}
        best = {
            a
            for a in reachable
            if not any(b != a and all(x <= y for x, y in zip(b, a, strict=True)) for b in reachable)
        }
        got = {tuple(int(x) for x in row) for row in data[offsets[state] : offsets[state + 1]].tolist()}
        assert got == best
        for row in range(offsets[state], offsets[state + 1]):
            assert tuple(int(x) for x in data[row]) == rows[int(origin[row])][1:]


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
