"""Random small problems with prime and odd bounds, under imperfect factors; the exhaustive mapper takes about a second.

Beside `tests.oracle_problems` and `tests.array_problems`, whose seeds stay as they are, and with their architectures.
"""

from __future__ import annotations

import itertools
import random
from functools import lru_cache

import attrs

from ffcore.errors import NoValidMappingError, SpecError
from ffcore.spec.problem import INFINITY, Metric, Problem
from ffcore_exhaustive.pmappings import perfect_only
from ffcore_exhaustive.templates import templates
from ffcore_exhaustive.tiles import count_tile_choices
from tests import array_problems, oracle_problems
from tests.oracle_problems import Chooser, OracleProblem, SeededChooser, _Access, _einsum, _matmul, _workload

MOST = 12_000  # tile choices of all Einsums together, before any limit: about a second of exhaustive search
ODD = (1, 2, 3, 5, 7, 9, 10, 11, 13, 17)


def odd_problem(seed: int, n_einsums: int | None = None) -> Problem | None:
    """The problem of that number, always the same: the first of a sequence that is small enough.

    None if it is refused at once because no memory may keep some tensor.
    """
    return _found(seed, n_einsums)[1]


def odd_text(seed: int, n_einsums: int | None = None) -> OracleProblem:
    """What `odd_problem` is made from, but for its options."""
    return _found(seed, n_einsums)[0]


@lru_cache(maxsize=64)
def _found(seed: int, n_einsums: int | None) -> tuple[OracleProblem, Problem | None]:
    for attempt in itertools.count():
        choose = SeededChooser(random.Random(f"odd {seed} {n_einsums} {attempt}"))
        oracle = _generate(choose, n_einsums)
        problem = _problem(oracle, choose)
        if problem is None or (_is_small(problem) and any(e.imperfect for e in problem.einsums)):
            return oracle, problem
    raise AssertionError


def _generate(choose: Chooser, n_einsums: int | None) -> OracleProblem:
    n = n_einsums or choose.choice([1, 1, 2, 2, 3])
    kind = choose.choice({1: ["matmul", "matmul", "conv"], 2: ["chain", "chain", "copy"], 3: ["chain", "copy"]}[n])
    workload = {"matmul": _chain, "chain": _chain, "conv": _convolution, "copy": _copy}[kind](choose, n)
    if choose.chance(2) and n < 3:
        arch = array_problems._arch(choose, two=n > 1)
    else:
        arch = oracle_problems._arch(choose, n, False)
    # Imperfect factors are not offered where spatial loops stand above a memory further out.
    arch = arch.replace("force_memory_hierarchy_order: False", "force_memory_hierarchy_order: True")
    return OracleProblem(kind, arch, workload, "mapper: {metrics: [energy, latency]}\n")


def _problem(oracle: OracleProblem, choose: Chooser) -> Problem | None:
    try:
        problem = oracle.problem()
    except SpecError as error:
        if "no memory may keep tensor" not in str(error):
            raise
        return None
    variables = sorted({v for e in problem.einsums for v in e.bounds})
    some = frozenset(v for v in variables if choose.chance(2))
    both = Metric.ENERGY | Metric.LATENCY
    options = attrs.evolve(
        problem.options,
        metrics=choose.choice([both, both, both, both, Metric.ENERGY, Metric.LATENCY, Metric.ENERGY_DELAY_PRODUCT]),
        max_fused_loops=choose.choice([INFINITY, INFINITY, 0, 1, 2]),
        max_fused_loops_per_rank_variable=choose.choice([1, 1, 2, INFINITY]),
        explore_imperfect_temporal_loops=choose.choice([True, True, some, False]),
        explore_imperfect_spatial_loops=choose.choice([True, False, some]),
    )
    return attrs.evolve(problem, options=options)


def _is_small(problem: Problem) -> bool:
    choices, fixed = 0, perfect_only(problem)
    for einsum in problem.einsums:
        try:
            found = templates(einsum, problem.options)
        except NoValidMappingError:
            return True
        for template in found:
            choices += count_tile_choices(template, problem.options, fixed)
            if choices > (MOST if len(problem.einsums) == 1 else MOST // 3):
                return False
    return True


# ---- workloads


def _size(choose: Chooser, n: int) -> int:
    return choose.choice([s for s in ODD if s < 20 - 4 * n])


def _chain(choose: Chooser, n: int) -> str:
    sizes = {"M": _size(choose, n), **{f"N{i}": _size(choose, n) for i in range(n + 1)}}
    persistent = choose.choice(["W0", "weight"]) if choose.chance(5) else ""
    instances = "\n    n_instances: 3" if choose.chance(6) else ""
    return _workload(choose, sizes, [_matmul(i, instances) for i in range(n)], persistent)


def _copy(choose: Chooser, n: int) -> str:
    """A copy brings in what one or two matmuls read."""
    sizes = {name: _size(choose, n) for name in ("M", "N0", "N1", "N2")}
    accesses = [_Access("T_in", "[m, n0]"), _Access("T0", "[m, n0]", output=True)]
    copy = _einsum("In", accesses, "Nothing", "T_in", "\n    is_copy_operation: True")
    return _workload(choose, sizes, [copy, *(_matmul(i) for i in range(n - 1))])


def _convolution(choose: Chooser, n: int) -> str:
    """One-dimensional, with channels and filters: rank variables inside expressions keep perfect factors."""
    p, r = choose.choice([2, 3, 5]), choose.choice([1, 2, 3])
    sizes = {"X": p + r - 1, "C": _size(choose, 2), "P": p, "R": r, "F": _size(choose, 3)}
    accesses = [
        _Access("T1", "{X: p + r, C: c}"),
        _Access("WR", "[r, c, f]"),
        _Access("T2", "[p, f]", output=True),
    ]
    return _workload(choose, sizes, [_einsum("Conv", accesses, "WR", "T1")])
