"""Holders that save nothing: without their templates the search finds the same."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from ffcore.explore.default import DefaultExplorer
from ffcore.explore.reuse import equal
from ffcore.explore.reuse.bypass import useful
from ffcore.results import Pmappings
from ffcore.spec import Spec
from ffcore.spec.problem import EinsumProblem, MapperOptions, Metric, Problem
from ffcore.templates import HolderChoice, einsum_choices
from tests.array_problems import array_problem
from tests.oracle.compare import Point, fast, reference, same, seeded
from tests.twice_problems import twice_problem

NORM = """
workload:
  rank_sizes: {{M: {m}, N: {n}, K: {k}, H: {h}}}
  bits_per_value: {{All: 8}}
  einsums:
{einsums}
renames:
  einsums:
  - name: default
    tensor_accesses:
    - {{name: output, source: Outputs, expected_count: 1}}
    - {{name: input, source: Inputs}}
    - {{name: weight, source: Nothing}}
"""
CHAINS = [
    ["B[m, n] = A[m, n]", "C[m, n] = B[m, n] * S[m]"],
    ["MU[m] = A[m, n]", "B[m, n] = A[m, n] * MU[m]", "C[m, n] = B[m, n]"],
    ["B[m, n] = A[m, n] * S[n]", "R[m, n] = A[m, n] + B[m, n]"],
    ["R[m, n] = A[m, n] + G[m, n] * S[m] * T[n]"],
    ["B[m, n] = A[m, n]", "C[m, k] = B[m, n] * W[n, k]"],
    ["O[m] = S[H: m + n] * A[m, n]"],
    ["B[m, n] = A[m, n]", "O[m] = S[H: m + n] * B[m, n]"],
]
ARCH = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {{keep: {dram}, may_keep: All}}
    actions:
    - {{name: read, energy: 8, throughput: {slow}}}
    - {{name: write, energy: 9, throughput: {slow}}}
{middle}
  - !Compute
    name: MAC
    actions: [{{name: compute, energy: 1, throughput: 1}}]
"""
MEMORY = """  - !Memory
    name: {name}
    size: {size}
{spatial}    leak_power: {leak}
    tensors: {{keep: {keep}, may_keep: {may}{rule}}}
    actions:
    - {{name: read, energy: {energy}, throughput: {fast}}}
    - {{name: write, energy: {energy}, throughput: {fast}}}{more}
"""
RULES = [
    ", no_refetch_from_above: Inputs",
    ", tile_shape: [{expression: All.rank_variables, operator: '<=', value: 4}]",
]
MORE = ["\n    skip_initial_output_write: False", "\n    bits_per_value: {A: 4}"]


def norm_problem(seed: int, folder: Path) -> Problem:
    """A random chain with tensors that every rank variable indexes, on two to four memories."""
    source = random.Random(f"norm {seed}")
    memories = []
    for place in range(source.choice([1, 2, 2, 3])):
        spatial = ""
        if source.random() < 0.4:
            reuse = source.choice(["All", "Outputs", "Nothing"])
            least = source.choice([""] * 7 + [", min_usage: 1"])
            spatial = f"    spatial: [{{name: X, fanout: {source.choice([2, 3, 4])}, may_reuse: {reuse}{least}}}]\n"
        memories.append(
            MEMORY.format(
                name=f"L{place}",
                size=source.choice(["inf", 8 * 40, 8 * 12, 8 * 6]),
                spatial=spatial,
                leak=source.choice([0, 0.5]),
                keep=source.choice(
                    ["Nothing", "~DRAM.tensors", "Nothing", f"L{place - 1}.tensors" if place else "Nothing"]
                ),
                may=source.choice(["All", "All", "~A", "Outputs"]),
                rule=source.choice([""] * 14 + RULES),
                energy=source.choice([0, 0.5, 2]),
                fast=source.choice(["inf", 2, 0.5]),
                more=source.choice([""] * 14 + MORE),
            )
        )
    if source.random() < 0.3:
        memories.insert(
            source.randrange(len(memories) + 1),
            "  - !Container\n    name: P\n    spatial: [{name: Y, fanout: 4, may_reuse: All}]\n",
        )
    dram = source.choice(["~Intermediates", "~Intermediates", "All"])
    arch = ARCH.format(dram=dram, slow=source.choice([0.5, 1, 4]), middle="".join(memories))
    sizes = {v: source.choice([1, 2, 3, 4, 6, 5]) for v in "mnk"}
    sizes["h"] = sizes["m"] + sizes["n"] - 1
    einsums = "\n".join(f'  - {{einsum: "{text}"}}' for text in source.choice(CHAINS))
    (folder / "a.yaml").write_text(arch)
    (folder / "w.yaml").write_text(NORM.format(einsums=einsums, **sizes))
    problem = Spec.from_yaml(folder / "a.yaml", folder / "w.yaml").problem()
    metrics = source.choice([Metric.ENERGY | Metric.LATENCY, Metric.ENERGY | Metric.LATENCY, Metric.ENERGY])
    asked: list[bool | frozenset[str]] = [False, False, frozenset({"m"}), True]
    imperfect = source.choice(asked)
    return attrs.evolve(
        problem,
        options=attrs.evolve(
            problem.options,
            metrics=metrics,
            explore_imperfect_temporal_loops=imperfect,
            explore_imperfect_spatial_loops=imperfect,
        ),
    )


def everything(_: EinsumProblem, choices: Sequence[HolderChoice], options: MapperOptions) -> Sequence[HolderChoice]:
    """Nothing is dropped, whatever the ``options``."""
    return tuple(choices)


def dropped(problem: Problem) -> int:
    """How many choices of holders the search leaves out."""
    found = 0
    for einsum in problem.einsums:
        choices = einsum_choices(einsum)
        found += len(choices) - len(useful(einsum, choices, problem.options))
    return found


def compare(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> list[Point]:
    """The Pareto set; it is the same where nothing is dropped."""
    ours = fast(problem)
    with monkeypatch.context() as patch:
        patch.setattr(equal, "useful", everything)
        assert same(ours, fast(problem))
    return ours


def test_all_of_the_mapspace_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out is in the mapspace, and counted as if it had been explored."""
    counted = 0
    for seed in range(30):
        problem = norm_problem(seed, tmp_path)
        if not dropped(problem) or any(e.imperfect for e in problem.einsums):
            continue
        with monkeypatch.context() as patch:
            patch.setattr(equal, "useful", everything)
            whole = Pmappings(DefaultExplorer().explore(problem), problem)
            expected = whole.total_pmappings(), whole.valid_pmappings()
        ours = Pmappings(DefaultExplorer().explore(problem), problem)
        assert (ours.total_pmappings(), ours.valid_pmappings()) == expected
        assert len(ours.set.einsums[0].templates) <= len(whole.set.einsums[0].templates)
        counted += 1
    assert counted > 4


MANY = 130  # choices of an Einsum's holders of which all templates take long


@pytest.mark.parametrize("seeds", [range(24), pytest.param(range(24, 300), marks=pytest.mark.slow)])
def test_norms(seeds: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [norm_problem(seed, tmp_path) for seed in seeds]
    pruned = [p for p in drawn if dropped(p) and max(len(einsum_choices(e)) for e in p.einsums) < MANY]
    assert 3 * len(pruned) > len(seeds)
    assert 4 * sum(bool(compare(problem, monkeypatch)) for problem in pruned) > len(seeds)


def others(seeds: range) -> Iterator[Problem]:
    """Problems of the oracle of which something is dropped."""
    for seed in seeds:
        for problem in (seeded(seed), array_problem(seed), twice_problem(seed)):
            if problem is not None and dropped(problem):
                yield problem


@pytest.mark.parametrize("seeds", [range(16), pytest.param(range(16, 400), marks=pytest.mark.slow)])
def test_random_problems(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 8 * sum(bool(compare(problem, monkeypatch)) for problem in others(seeds)) > len(seeds)


def memory(name: str, size: object, keep: str, may: str, energy: float) -> str:
    """A memory without rules, as fast as anything."""
    fixed = {"spatial": "", "leak": 0, "rule": "", "more": "", "fast": "inf"}
    return MEMORY.format(name=name, size=size, keep=keep, may=may, energy=energy, **fixed)


@pytest.mark.parametrize(
    ("einsum", "size", "keep", "may"),
    [
        ("O[m] = S[H: m + n] * A[m, n]", 24, "Nothing", "S"),
        ("O[m, n] = A[m, n] * S[n]", "inf", "L1.tensors", "Nothing"),
    ],
)
def test_what_keeps_two_holders_apart_stays(
    einsum: str, size: object, keep: str, may: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A between two holders of S: without it they would be redundant, so that no mapping has both."""
    memories = [("L1", "inf", "Nothing", "S", 1), ("L2", "inf", "Nothing", "A", 0), ("L3", size, keep, may, 0.01)]
    middle = "".join(memory(*own) for own in memories)
    (tmp_path / "a.yaml").write_text(ARCH.format(dram="All", slow="inf", middle=middle))
    sizes = {"m": 4, "n": 4, "k": 1, "h": 7}
    (tmp_path / "w.yaml").write_text(NORM.format(einsums=f'  - {{einsum: "{einsum}"}}', **sizes))
    problem = Spec.from_yaml(tmp_path / "a.yaml", tmp_path / "w.yaml").problem()
    assert same(compare(problem, monkeypatch), reference(problem))


@pytest.mark.parametrize("seed", range(3))
def test_exhaustive(seed: int, tmp_path: Path) -> None:
    """Also against the mapper that lists everything, on the smallest."""
    for attempt in range(seed * 100, seed * 100 + 100):
        problem = norm_problem(attempt, tmp_path)
        small = all(max(e.bounds.values()) <= 4 and len(e.tensors) < 4 for e in problem.einsums)
        if small and len(problem.einsums[0].paths) == 1 and dropped(problem) and not problem.einsums[0].imperfect:
            assert same(fast(problem), reference(problem))
            return
    raise AssertionError("none is small")
