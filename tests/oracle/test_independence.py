"""What must not change an answer: who works on it, what things are called, the unit of energy."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from concurrent.futures import Executor

import attrs
import pytest

from ffcore import plugin
from ffcore.pmappings.set import JoinedMapping
from ffcore.spec.problem import Problem
from tests.examples import examples, first_few
from tests.oracle.compare import fast, joined, same, seeded, variant
from tests.oracle_problems import OracleProblem, random_problem

# Problems that have a mapping: most with several Einsums, some with several Pareto-optimal mappings.
SEEDS = [s for s in range(20_000, 20_000 + examples(10, 40)) if s % 5 != 4]


@pytest.fixture(scope="module", params=first_few(["forks", "threads", "serial", "processes"], 3))
def two_workers(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with plugin.get("executor", request.param, n_jobs=2) as executor:
        yield executor


def test_workers_change_nothing(two_workers: Executor) -> None:
    """Not even which of several equally good mappings is found."""
    found = 0
    for seed in SEEDS[: examples(5, 16)]:
        problem = seeded(seed)
        if problem is not None:
            alone = joined(problem)
            assert told(joined(problem, two_workers)) == told(alone), seed
            found += len(alone)
    assert found > 3


def told(mappings: list[JoinedMapping]) -> list[object]:
    return [(m.energy, m.latency, m.nests) for m in mappings]


def renamed(oracle: OracleProblem, source: random.Random) -> OracleProblem:
    """Einsums and tensors under other names, which sort in reverse, and the accesses of each Einsum shuffled."""
    text = oracle.workload
    names = sorted({*re.findall(r"- name: (\w+)", text), *re.findall(r"\{name: (\w+), projection", text)})
    new = {name: f"n{99 - i}_{name.lower()[::-1]}" for i, name in enumerate(names)}
    head, einsums = text.split("  einsums:\n")
    # Not behind a brace: ranks have names too.
    einsums = re.sub(r"\b(" + "|".join(names) + r")\b(?!:)", lambda m: new[m[1]], einsums)
    head = re.sub(r"(persistent_tensors: )(W0)", lambda m: m[1] + new[m[2]], head)
    lines = einsums.split("\n")
    accesses = [i for i, line in enumerate(lines) if line.startswith("    - {name: ")]
    for start in [i for i in accesses if i - 1 not in accesses]:
        block = [i for i in range(start, start + 8) if i in accesses and set(range(start, i)) <= set(accesses)]
        shuffled = source.sample([lines[i] for i in block], len(block))
        for i, line in zip(block, shuffled, strict=True):
            lines[i] = line
    return attrs.evolve(oracle, workload=head + "  einsums:\n" + "\n".join(lines))


def scaled(oracle: OracleProblem, factor: float) -> OracleProblem:
    """All energies and leakage ``factor`` times as large."""
    arch = re.sub(r"(energy|leak_power): ([-+.e\d]+)", lambda m: f"{m[1]}: {float(m[2]) * factor!r}", oracle.arch)
    return attrs.evolve(oracle, arch=arch)


def load(oracle: OracleProblem, like: Problem) -> Problem:
    return attrs.evolve(oracle.problem(), options=like.options)


def original(seed: int) -> tuple[OracleProblem, Problem] | None:
    problem = seeded(seed)
    return None if problem is None else (variant(random_problem(seed), random.Random(f"options {seed}")), problem)


def test_names_and_order_of_tensors_change_nothing() -> None:
    moved = 0
    for seed in SEEDS:
        pair = original(seed)
        if pair is None:
            continue
        other = load(renamed(pair[0], random.Random(seed)), pair[1])
        assert {e.name for e in other.einsums}.isdisjoint(e.name for e in pair[1].einsums)
        moved += [list(e.bounds) for e in other.einsums] != [list(e.bounds) for e in pair[1].einsums]
        assert same(fast(other), fast(pair[1])), seed
    assert moved > 3  # a shuffled Einsum meets its rank variables in another order


@pytest.mark.parametrize("factor", [8.0, 1e6])
def test_the_unit_of_energy_changes_nothing(factor: float) -> None:
    for seed in SEEDS:
        pair = original(seed)
        if pair is None:
            continue
        other = load(scaled(pair[0], factor), pair[1])
        expected = [(energy * factor, latency) for energy, latency in fast(pair[1])]
        assert same(fast(other), expected), seed
