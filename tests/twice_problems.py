"""Random small problems with Einsums that read a tensor with several projections; the exhaustive mapper takes about a
second or less.

Beside `tests.oracle_problems` and `tests.array_problems`, whose seeds stay as they are, and with their architectures.
"""

from __future__ import annotations

import itertools
import random
import re
import warnings
from collections.abc import Sequence
from functools import lru_cache

import attrs

from ffcore.errors import NoValidMappingError, SpecError, SpecWarning
from ffcore.spec.einsum_text import parse_index
from ffcore.spec.problem import INFINITY, Metric, Problem
from ffcore_exhaustive.pmappings import perfect_only
from ffcore_exhaustive.templates import templates
from ffcore_exhaustive.tiles import count_tile_choices
from tests import array_problems, oracle_problems
from tests.oracle_problems import Chooser, OracleProblem, SeededChooser, _Access, _einsum, _workload

MOST = 2_000  # tile choices of all Einsums together, before any limit

KINDS = ("gram", "gram", "gram", "window", "window", "heads", "three", "square")


def twice_problem(seed: int) -> Problem | None:
    """The problem of that number, always the same: the first of a sequence that is small enough.

    None if it is refused at once because no memory may keep some tensor.
    """
    return _found(seed)[1]


def twice_text(seed: int) -> OracleProblem:
    """What `twice_problem` is made from, but for its options."""
    return _found(seed)[0]


@lru_cache(maxsize=256)
def _found(seed: int) -> tuple[OracleProblem, Problem | None]:
    for attempt in itertools.count():
        choose = SeededChooser(random.Random(f"twice {seed} {attempt}"))
        oracle = _generate(choose)
        problem = _problem(oracle, choose)
        if problem is None or _is_small(problem):
            return oracle, problem
    raise AssertionError


def _problem(oracle: OracleProblem, choose: Chooser) -> Problem | None:
    try:
        with warnings.catch_warnings():  # windows reach beyond what is written
            warnings.simplefilter("ignore", SpecWarning)
            problem = oracle.problem()
    except SpecError as error:
        if "no memory may keep tensor" not in str(error):
            raise
        return None
    both = Metric.ENERGY | Metric.LATENCY
    imperfect = choose.chance(4) and "hierarchy_order: False" not in oracle.text
    options = attrs.evolve(
        problem.options,
        metrics=choose.choice([both, both, both, both, Metric.ENERGY, Metric.LATENCY, Metric.ENERGY_DELAY_PRODUCT]),
        max_fused_loops=choose.choice([INFINITY, INFINITY, 0, 1, 2]),
        max_fused_loops_per_rank_variable=choose.choice([1, 2, INFINITY]),
        explore_imperfect_temporal_loops=imperfect and choose.choice([True, False]),
        explore_imperfect_spatial_loops=imperfect and choose.choice([True, False]),
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
            if choices > MOST:
                return False
    return True


def _generate(choose: Chooser) -> OracleProblem:
    kind = choose.choice(KINDS)
    workload, n_einsums = _twice(choose, kind)
    if choose.chance(2):
        arch = _tight(choose)
    elif choose.chance(2):
        arch = array_problems._arch(choose, two=n_einsums > 1)
    else:
        arch = oracle_problems._arch(choose, n_einsums, n_einsums > 1 or kind == "three")
    return OracleProblem(kind, arch, workload, array_problems._mapper(choose))


def _tight(choose: Chooser) -> str:
    """A small buffer below a memory that is dear, so that what Einsums share is split where it can be."""
    spatial = f"{{name: U, fanout: {choose.choice([2, 3])}, may_reuse: {choose.choice(['All', 'Nothing'])}}}"
    throughput = choose.choice(["inf", "8", "16"])
    main = choose.choice(["keep: ~Intermediates, may_keep: Nothing", "keep: ~Intermediates, may_keep: All"])
    return f"""
arch:
  nodes:
  - !Memory
    name: MainMemory
    size: inf
    tensors: {{{main}}}
    actions: [{{name: read, energy: 100, throughput: inf}}, {{name: write, energy: 100, throughput: inf}}]
  - !Memory
    name: GlobalBuffer
    size: {8 * choose.choice([4, 6, 8, 10, 12, 16, 20, 24])}
    tensors: {{keep: {choose.choice(["~MainMemory.tensors", "All"])}, may_keep: All}}
    actions: [{{name: read, energy: 1, throughput: {throughput}}}, {{name: write, energy: 2, throughput: inf}}]
    spatial: [{spatial if choose.chance(3) else ""}]
  - !Compute
    name: MAC
    spatial: [{spatial if choose.chance(3) else ""}]
    actions: [{{name: compute, energy: 1, throughput: 1}}]
"""


def _twice(choose: Chooser, kind: str) -> tuple[str, int]:
    """(text, number of Einsums): the Einsum alone, behind one that writes what it reads twice, before another one."""
    bounds: dict[str, int] = {}
    reads, written, weight = _READS[kind](choose, bounds)
    accesses = [_Access("X", r) for r in reads]
    if weight:
        accesses.insert(choose.choice([0, 1, len(accesses)]), _Access("WT", weight))
    accesses.append(_Access("Y", written, output=True))
    einsums = [_einsum("Twice", accesses, "WT" if weight else "Nothing", "X")]
    whole = _whole(kind, reads, dict(bounds))
    if whole is not None and choose.chance(2):
        _whole(kind, reads, bounds)
        einsums.insert(0, _before(choose, whole, bounds))
    if whole is not None and choose.chance(3):
        _whole(kind, reads, bounds)
        einsums.append(_reading_again(choose, kind, whole, bounds))
    elif choose.chance(4):
        after = [_Access("Y", written), _Access("Z", written, output=True)]
        einsums.append(_einsum("After", after, "Nothing", "Y"))
    # Of what several Einsums share, spatial loops above persistent holders may differ where a memory has a fanout.
    persistent = choose.choice(["X", "X", "Y"]) if len(einsums) == 1 and choose.chance(4) else ""
    return _workload(choose, {}, einsums, persistent, bounds=bounds), len(einsums)


def _gram(choose: Chooser, bounds: dict[str, int]) -> tuple[list[str], str, str]:
    """Rows times rows: ``X[m, k] * X[n, k]``; both over all rows, or one over some of them."""
    bounds |= {"m": choose.choice([2, 3, 4]), "k": choose.choice([1, 2, 4, 6])}
    bounds["n"] = bounds["m"] if choose.chance(2) else choose.choice([2, 3, 4])
    return ["{M: m, K: k}", "{M: n, K: k}"], choose.choice(["[m, n]", "[m, n, k]"]), choose.choice(["", "", "[k]"])


def _window(choose: Chooser, bounds: dict[str, int]) -> tuple[list[str], str, str]:
    """A window and its residual."""
    bounds |= {"m": choose.choice([2, 3, 4, 6]), "k": choose.choice([1, 2, 3]), "r": choose.choice([1, 2, 3])}
    wide = choose.choice(["m + r", "m + r", "2*m + r", "m + 2*r", "m - r + 2"])
    narrow = choose.choice(["m", "m", "m + 1", "2*m"])
    return [f"{{M: {wide}, K: k}}", f"{{M: {narrow}, K: k}}"], "[m, k]", choose.choice(["", "[r]", "[r, k]"])


def _heads(choose: Chooser, bounds: dict[str, int]) -> tuple[list[str], str, str]:
    """Heads and channels that are one rank: ``X[C: 4*h + k] * X[C: 4*h + g]``, perhaps with room between heads."""
    bounds |= {v: choose.choice([1, 2, 3]) for v in "mkhg"}
    step = max(bounds["k"], bounds["g"]) + choose.choice([0, 0, 1])
    other = f"{step + choose.choice([0, 0, 0, 1])}*h + g"
    return [f"{{M: m, C: {step}*h + k}}", f"{{M: m, C: {other}}}"], choose.choice(["[m, h, k, g]", "[h, k, g]"]), ""


def _three(choose: Chooser, bounds: dict[str, int]) -> tuple[list[str], str, str]:
    bounds |= {v: choose.choice([1, 2, 3]) for v in "mnjk"}
    third = choose.choice(["{M: m, K: j}", "{M: j, K: k}"])
    return ["{M: m, K: k}", "{M: n, K: k}", third], choose.choice(["[m, n]", "[m, n, j]"]), ""


def _square(choose: Chooser, bounds: dict[str, int]) -> tuple[list[str], str, str]:
    """A matrix times itself, or with its transpose: no rank is indexed alike."""
    bounds |= {v: choose.choice([1, 2, 3, 4]) for v in "mk"}
    if choose.chance(2):
        return ["{M: m, K: k}", "{M: k, K: m}"], choose.choice(["[m, k]", "[m]"]), ""
    bounds |= {"n": choose.choice([1, 2, 3]), "b": choose.choice([1, 2, 3])}
    return ["{B: b, M: m, K: k}", "{B: b, M: k, K: n}"], "[b, m, n]", ""


_READS = {"gram": _gram, "window": _window, "heads": _heads, "three": _three, "square": _square}


def _whole(kind: str, reads: Sequence[str], bounds: dict[str, int]) -> str | None:
    """How an Einsum indexes the tensor that sees each value once, and all that are read; adds bounds of its variables.

    None where some values in between are not read: what shares a tensor in part is another matter.
    """
    if kind == "heads":
        step, other = (re.findall(r"(\d+)\*h", read)[0] for read in reads)
        bounds["j"] = max(bounds["k"], bounds["g"])
        return f"{{M: m, C: {step}*h + j}}" if step == other else None
    found: dict[str, set[int]] = {}
    for read in reads:
        for rank, index in re.findall(r"(\w+): ([^,}]+)", read):
            terms, constant = parse_index(index)
            ranges = [[c * i for i in range(bounds[v])] for v, c in terms]
            found.setdefault(rank, set()).update(sum(point) + constant for point in itertools.product(*ranges))
    if any(values != set(range(len(values))) for values in found.values()):
        return None
    bounds |= {f"{rank.lower()}0": len(values) for rank, values in found.items()}
    return "{" + ", ".join(f"{rank}: {rank.lower()}0" for rank in found) + "}"


def _before(choose: Chooser, whole: str, bounds: dict[str, int]) -> str:
    """An Einsum that writes what the next one reads twice."""
    bounds["d"] = choose.choice([1, 2])
    first = "m" if "h + j" in whole else "m0"
    made = [_Access("T0", f"[{first}, d]"), _Access("X", whole, output=True)]
    return _einsum("Before", made, "Nothing", "T0")


def _reading_again(choose: Chooser, kind: str, whole: str, bounds: dict[str, int]) -> str:
    """One that reads it once more, or twice too."""
    accesses = [_Access("X", whole)]
    if kind == "gram" and choose.chance(2):
        accesses.append(_Access("X", "{M: n, K: k0}"))
        return _einsum("Again", [*accesses, _Access("Z", "[m0, n]", output=True)], "Nothing", "X")
    written = re.sub(r"(\w+):", r"Z\1:", whole)
    return _einsum("Again", [*accesses, _Access("Z", written, output=True)], "Nothing", "X")
