"""Random small problems whose data moves over networks: those of the other generators, with Networks put in.

The other generators' seeds stay as they are.
"""

from __future__ import annotations

import random
import re

import attrs

from ffcore.errors import SpecError
from ffcore.spec.problem import Problem
from tests.array_problems import random_array_problem
from tests.oracle.compare import variant
from tests.oracle_problems import OracleProblem, random_problem


def random_network_problem(seed: int) -> OracleProblem:
    """The problem of that number, always the same; every third is one of `tests.oracle_problems`."""
    source = random.Random(f"networks {seed}")
    if seed % 3:
        return networked(random_array_problem(seed), source)
    return networked(variant(random_problem(seed), source), source)


def network_problem(seed: int) -> Problem | None:
    """The same, as numbers. None if it is refused at once because no memory may keep some tensor."""
    oracle = random_network_problem(seed)
    try:
        problem = oracle.problem()
    except SpecError as error:
        if "no memory may keep tensor" not in str(error):
            raise
        return None
    fixed = attrs.evolve(problem.options, explore_imperfect_temporal_loops=False, explore_imperfect_spatial_loops=False)
    return attrs.evolve(problem, options=fixed)


def networked(oracle: OracleProblem, source: random.Random) -> OracleProblem:
    """The problem with one or two Networks at random places of its architecture, below the main memory."""
    head, main, *nodes = re.split(r"\n+(?=  - !)", oracle.arch.rstrip("\n"))
    for number in range(source.choice([1, 1, 2])):
        # Above what has a fanout, mostly: elsewhere networks may have nothing to do.
        good = [i for i, node in enumerate(nodes) if "fanout" in node] or [len(nodes) - 1]
        place = source.choice(good) if source.random() < 0.7 else source.randrange(len(nodes))
        nodes.insert(place, _network(source, f"Net{number}"))
    return attrs.evolve(oracle, arch="\n".join([head, main, *nodes]) + "\n")


def _network(source: random.Random, name: str) -> str:
    fields = [
        f"energy: {source.choice(['0', '1.0e-13', '2.3e-13', '4.1e-12'])}",
        f"latency: {source.choice(['0', '0', '1.0e-9', '3.0e-8'])}",
        f"throughput: {source.choice(['inf', '1.0e+9', '2.7e+9', '8.1e+10'])}",
    ]
    lines = [f"  - !Network\n    name: {name}\n    area: 0\n    leak_power: {source.choice(['0', '0', '1.0e-4'])}"]
    if source.random() < 0.4:
        lines.append("    topology: all_to_all")
    if source.random() < 0.3:
        total = [
            "max_hops * 2.0e-9",
            "max_hops * 1.0e-9 + max_link_traffic / 3.0e+9",
            "2 * actions[0].latency * max_hops",
        ]
        lines.append(f"    total_latency: {source.choice(total)}")
    if source.random() < 0.3:
        lines.append(f"    bits_per_action: {source.choice([8, 32])}")
    if source.random() < 0.2:
        lines.append("    bits_per_value: {output: 32, Other: 4}")
    if source.random() < 0.15:
        lines.append(f"    spatial: [{{name: N, fanout: {source.choice([2, 3])}}}]")
    return "\n".join([*lines, f"    actions: [{{name: hop, {', '.join(fields)}}}]"])
