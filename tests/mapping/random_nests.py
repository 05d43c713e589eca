"""Random valid nests, and random mappings made of nests that fit together. Seeded by the caller."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ffcore.mapping.nest import Holder, Nest, NestNode, Spatial, Temporal
from ffcore.model.constraints import check_nest
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.mapping import mismatch
from ffcore.model.types import NestEvaluation
from ffcore.spec.problem import EinsumProblem, Problem
from tests.model.problems import FakePath, compute, container, dimension, einsum, memory, tensor, toll

Candidate = tuple[Nest, NestEvaluation]


def three_levels(names: list[tuple[str, ...]], bounds: dict[str, int]) -> Problem:
    """Einsums given as tuples (name, ``T m k``, ...; the last tensor is the output) on three memories and a toll."""
    uses: dict[str, int] = {}
    for _, *accesses in names:
        for access in accesses:
            uses[access.split()[0]] = uses.get(access.split()[0], 0) + 1
    einsums = []
    for name, *accesses in names:
        tensors = [tensor(*a.split(), output=a == accesses[-1]) for a in accesses]
        path = FakePath(
            (
                memory("MM", tensors, read=10, write=9),
                memory("GB", tensors, read=3, write=2, read_s=0.5),
                toll("Bus", tensors, energy=0.25),
                container("Array", dimension("X", 2, [t.name for t in tensors])),
                memory("LB", tensors, spatial=[dimension("Z", 2)], read=1, write=1),
                compute(),
            )
        )
        own = {v: bounds[v] for t in tensors for r in t.ranks for v, _ in r.terms}
        shared = [t.name for t in tensors if uses[t.name] > 1]
        einsums.append(einsum(name, own, tensors, path, shared))
    return Problem(tuple(einsums))


def chain() -> Problem:
    """A, B, C in a chain; W2 is read by A and C."""
    return three_levels(
        [
            ("A", "T0 m k", "W2 k l", "T1 m l"),
            ("B", "T1 m l", "W1 l n", "T2 m n"),
            ("C", "T2 M:p N:q", "W2 K:q L:r", "T3 p r"),
        ],
        {"m": 4, "k": 2, "l": 2, "n": 2, "p": 4, "q": 2, "r": 2},
    )


def diamond() -> Problem:
    """T1 is read by B and C, and C reads B's output as well."""
    return three_levels(
        [("A", "T0 m k", "W0 k l", "T1 m l"), ("B", "T1 m l", "W1 l n", "T2 m n"), ("C", "T1 m l", "T2 m n", "T3 l n")],
        {"m": 4, "k": 2, "l": 2, "n": 2},
    )


def random_nest(e: EinsumProblem, rng: random.Random) -> Nest:
    """Any sequence of holders and loops; most are invalid."""
    nodes: list[NestNode] = []
    for t in e.tensors:
        levels = [rng.random() < 0.5, rng.random() < 0.5, rng.random() < 0.15, rng.random() < 0.3]
        names = [n for n, on in zip(("MM", "GB", "Bus", "LB"), levels, strict=True) if on]
        nodes += [Holder(t.name, n) for n in (names or ["MM"])]
    nodes.sort(key=lambda n: (["MM", "GB", "Bus", "LB"].index(n.component), rng.random()))  # type: ignore[union-attr]
    if rng.random() < 0.3:
        i, j = rng.randrange(len(nodes)), rng.randrange(len(nodes))
        nodes[i], nodes[j] = nodes[j], nodes[i]
    for variable, bound in e.bounds.items():
        tiles = [1]
        while rng.random() < 0.5:
            tiles.insert(0, rng.choice([t for t in range(1, bound + 1) if t % tiles[0] == 0]))
        places = sorted(rng.randrange(len(nodes) + 1) for _ in tiles)
        for tile, place in reversed(list(zip(tiles, places, strict=True))):
            spatial = [Spatial(variable, tile, "Array", "X"), Spatial(variable, tile, "LB", "Z")]
            nodes.insert(place, rng.choice([Temporal(variable, tile)] * 3 + spatial))
    return Nest(e.name, "MAC", tuple(nodes))


def candidates(e: EinsumProblem, rng: random.Random, tries: int) -> list[Candidate]:
    nests = [random_nest(e, rng) for _ in range(tries)]
    return [(n, evaluate_nest(e, n)) for n in nests if not check_nest(e, n)]


def random_mappings(problem: Problem, seed: int, tries: int, count: int) -> Iterator[list[Candidate]]:
    """Up to ``count`` mappings, those with fused loops first."""
    rng = random.Random(seed)
    pools = [candidates(e, rng, tries) for e in problem.einsums]
    found: list[list[Candidate]] = []

    def key(candidate: Candidate, tensors: frozenset[str]) -> object:
        return tuple(
            (t, r.component, tuple(x.key for x in r.loops))
            for t, r in sorted(candidate[1].backing.items())
            if t in tensors
        )

    partial: list[list[Candidate]] = [[c] for c in pools[0]]
    for place in range(1, len(pools)):
        before = frozenset(t for e in problem.einsums[:place] for t in e.tensor)
        joined: list[list[Candidate]] = []
        links = before & frozenset(problem.einsums[place].tensor)
        index: dict[object, list[Candidate]] = {}
        for c in pools[place]:
            index.setdefault(key(c, links), []).append(c)
        for left in partial:
            merged = {t: r for c in left for t, r in c[1].backing.items()}
            wanted = tuple((t, merged[t].component, tuple(x.key for x in merged[t].loops)) for t in sorted(links))
            matches = index.get(wanted, [])
            joined += [[*left, c] for c in rng.sample(matches, min(3, len(matches)))]
        joined.sort(key=lambda m: -sum(r.level for c in m for r in c[1].backing.values()))
        half = joined[: count // 2]
        partial = half + rng.sample(joined[count // 2 :], min(count, max(0, len(joined) - count // 2)))
    found = [m for m in partial if mismatch(problem, [c[1] for c in m]) is None]
    yield from found[:count]
