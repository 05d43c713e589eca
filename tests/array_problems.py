"""Random small problems with free or oddly constrained arrays; the exhaustive mapper takes about a second or less.

Beside `tests.oracle_problems`, whose seeds stay as they are: arrays of one to three dimensions at one to three
components (memories, containers and computes have fanouts of their own), fanouts that are prime or larger than
the bounds, and every combination of what ``spatial`` may say.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from functools import lru_cache

import attrs

from ffcore.errors import NoValidMappingError, SpecError
from ffcore.spec.problem import ALL_OPERATORS, Problem
from ffcore_exhaustive.pmappings import perfect_only
from ffcore_exhaustive.templates import templates
from ffcore_exhaustive.tiles import count_tile_choices
from tests import perfect
from tests.oracle_problems import (
    Chooser,
    OracleProblem,
    SeededChooser,
    _Access,
    _einsum,
    _energy,
    _instances,
    _matmul,
    _workload,
    flattened,
    scatter,
)

MOST = 12_000  # tile choices of all Einsums together, before any limit: about a second of exhaustive search


def random_array_problem(seed: int) -> OracleProblem:
    """The problem of that number, always the same: the first of a sequence that is small enough."""
    return _found(seed)[0]


def array_problem(seed: int) -> Problem | None:
    """The same, as numbers. None if it is refused at once because no memory may keep some tensor."""
    return _found(seed)[1]


@lru_cache(maxsize=256)
def _found(seed: int) -> tuple[OracleProblem, Problem | None]:
    for attempt in itertools.count():
        oracle = _generate(SeededChooser(random.Random(f"array {seed} {attempt}")))
        problem = _problem(oracle)
        if problem is None or _is_small(problem):
            return oracle, problem
    raise AssertionError


def _problem(oracle: OracleProblem) -> Problem | None:
    try:
        return oracle.problem()
    except SpecError as error:
        if "no memory may keep tensor" not in str(error):
            raise
        return None


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
    kind = choose.choice(["one", "one", "two", "copy", "convolution", "convolution", "flattened", "scatter"])
    workload = _WORKLOADS[kind](choose)
    return OracleProblem(kind, _arch(choose, two=workload.count("- name: ") > 1), workload, _mapper(choose))


# ---- workloads


def _persistent(choose: Chooser, *names: str) -> str:
    return choose.choice([*names]) if choose.chance(6) else ""


def _one(choose: Chooser) -> str:
    sizes = {name: choose.choice([1, 2, 3, 4, 5, 6, 8, 12, 16]) for name in ("M", "N0", "N1")}
    return _workload(choose, sizes, [_matmul(0, _instances(choose))], _persistent(choose, "W0", "T0"))


def _two(choose: Chooser) -> str:
    sizes = {name: choose.choice([1, 2, 3, 4, 6]) for name in ("M", "N0", "N1", "N2")}
    return _workload(choose, sizes, [_matmul(i, _instances(choose)) for i in range(2)], _persistent(choose, "weight"))


def _copy(choose: Chooser) -> str:
    """A copy brings in what a matmul reads, or out what it writes."""
    sizes = {name: choose.choice([2, 3, 4]) for name in ("M", "N0", "N1")}
    if choose.chance(2):
        accesses = [_Access("T_in", "[m, n0]"), _Access("T0", "[m, n0]", output=True)]
        names = ("In", "T0", "T_in")
    else:
        accesses = [_Access("T1", "[m, n1]"), _Access("T_out", "[m, n1]", output=True)]
        names = ("Out", "T1", "T1")
    copy = _einsum(names[0], accesses, "Nothing", names[2], "\n    is_copy_operation: True")
    einsums = [copy, _matmul(0)] if names[0] == "In" else [_matmul(0), copy]
    return _workload(choose, sizes, einsums, _persistent(choose, "weight"))


def _convolution(choose: Chooser) -> str:
    """One-dimensional, with stride or dilation; perhaps channels; perhaps a pointwise layer before it."""
    p, r = choose.choice([2, 3, 4, 6]), choose.choice([1, 2, 3])
    stride, dilation = choose.choice([(1, 1), (1, 1), (2, 1), (1, 2), (3, 1)])
    index = "p + r" if (stride, dilation) == (1, 1) else f"{stride}*p + {dilation}*r"
    sizes = {"X": stride * (p - 1) + dilation * (r - 1) + 1, "C": choose.choice([1, 2, 3]), "P": p, "R": r}
    conv = [
        _Access("T1", f"{{X: {index}, C: c}}"),
        _Access("WR", choose.choice(["[r, c]", "[r]"])),
        _Access("T2", choose.choice(["[p, c]", "[p]"]), output=True),
    ]
    einsums = [_einsum("Conv", conv, "WR", "T1")]
    if choose.chance(4):
        sizes["D"] = choose.choice([1, 2])
        pointwise = [_Access("T0", "[x, d]"), _Access("WP", "[d, c]"), _Access("T1", "[x, c]", output=True)]
        einsums.insert(0, _einsum("Point", pointwise, "WP", "T0"))
    return _workload(choose, sizes, einsums, _persistent(choose, "weight"))


_WORKLOADS = {
    "one": _one,
    "two": _two,
    "copy": _copy,
    "convolution": _convolution,
    "flattened": lambda choose: flattened(choose)[0],
    "scatter": lambda choose: scatter(choose)[0],
}


# ---- spatial dimensions

_SETS = ("input", "weight", "output", "input | output", "All")
_VARIABLES = (
    "All.rank_variables",
    "output.rank_variables",
    "weight.rank_variables",
    "input.rank_variables - output.rank_variables",
    "All.rank_variables - weight.rank_variables",
)


def _bound(choose: Chooser) -> str:
    """A bound with any operator; one that asks for many trips asks for few, so that most problems have a solution."""
    operator = choose.choice(ALL_OPERATORS)
    if operator.endswith("<"):
        value = choose.choice([2, 3, 4])
    elif operator.endswith(">"):
        value = choose.choice([0, 1])
    else:
        value = choose.choice([1, 2, 3]) if operator.endswith("<=") else choose.choice([1, 1, 2])
    return f'{{expression: {choose.choice(_VARIABLES)}, operator: "{operator}", value: {value}}}'


def _dimension(choose: Chooser, name: str, free: bool) -> str:
    fields = [f"name: {name}", f"fanout: {choose.choice([2, 3, 4, 5, 6, 7, 12, 13, 16])}"]
    if choose.chance(4):
        fields.append("power_gateable: True")
    if not free:
        if choose.chance(3):
            fields.append(f"reuse: {choose.choice(_SETS[:4])}")
        if choose.chance(2):
            fields.append(f"may_reuse: {choose.choice([*_SETS, 'Nothing'])}")
        if choose.chance(2):
            fields.append(f"min_usage: {choose.choice([0.3, 0.5, 0.75, 1])}")
        if choose.chance(3):
            fields.append(f"usage_scale: {choose.choice([0.5, 0.3, 1.5, 2])}")
        if choose.chance(2):
            bounds = [_bound(choose) for _ in range(choose.choice([1, 1, 2]))]
            fields.append(f"loop_bounds: [{', '.join(bounds)}]")
    return "{" + ", ".join(fields) + "}"


def _spatial(choose: Chooser, names: str, free: bool) -> str:
    return "".join(f"\n    - {_dimension(choose, name, free)}" for name in names)


# ---- architectures


@attrs.frozen
class _Level:
    """A component below the main memory that may have a fanout."""

    kind: str
    name: str


_BUFFER, _ARRAY = _Level("Memory", "GlobalBuffer"), _Level("Container", "Array")
_LOCAL, _MAC = _Level("Memory", "LocalBuffer"), _Level("Compute", "MAC")
_SHAPES: Sequence[tuple[_Level, ...]] = (
    (_ARRAY, _MAC),
    (_MAC,),
    (_BUFFER, _MAC),
    (_BUFFER, _ARRAY, _MAC),
    (_ARRAY, _LOCAL, _MAC),
    (_LOCAL, _MAC),
    (_BUFFER, _LOCAL, _MAC),
    (_BUFFER, _ARRAY, _LOCAL, _MAC),
)


def _actions(choose: Chooser, unit: str, bandwidths: Sequence[str]) -> str:
    lines = ["    actions:"]
    for action in ("read", "write"):
        wide = f", bits_per_action: {choose.choice([16, 32])}" if choose.chance(8) else ""
        throughput = choose.choice(bandwidths)
        lines.append(f"    - {{name: {action}, energy: {_energy(choose, unit)}, throughput: {throughput}{wide}}}")
    return "\n".join(lines)


def _memory(choose: Chooser, name: str, size: str, unit: str, bandwidths: Sequence[str], rules: str) -> str:
    if choose.chance(8):
        operator = choose.choice(ALL_OPERATORS)
        value = 1 if operator.endswith(">") else choose.choice([1, 2, 4])
        rules += f', tile_shape: [{{expression: {choose.choice(_VARIABLES)}, operator: "{operator}", value: {value}}}]'
    lines = [
        f"  - !Memory\n    name: {name}\n    size: {size}\n    area: 0",
        f"    leak_power: {choose.choice(['0', '0', '1.0e-4', '0.003'])}",
        _actions(choose, unit, bandwidths),
        f"    tensors: {{{rules}}}",
    ]
    if choose.chance(4):
        lines.append("    skip_initial_output_write: False")
    if choose.chance(3):
        lines.append("    total_latency: max(a.n_calls / a.throughput for a in actions)")
    if choose.chance(8):
        lines.append(f"    bits_per_value: {choose.choice(['{weight: 4}', '{output: 32}', '{input: 16, Other: 8}'])}")
    return "\n".join(lines)


def _rules(choose: Chooser, level: _Level) -> tuple[str, str]:
    """(size, what is kept) of a memory below the main one."""
    if level == _BUFFER:
        size = str(8 * choose.choice([1000, 48, 32, 24, 16, 12, 8, 5]))
        keep = choose.choice(["All", "All", "Nothing", "output", "input | weight"])
        return size, f"keep: ~MainMemory.tensors, may_keep: {keep}"
    size = choose.choice(["8", "16", "24", "64", "8000"])
    return size, choose.choice(["keep: weight", "keep: output", "keep: Nothing, may_keep: All", "keep: input | output"])


def _toll(choose: Chooser) -> str:
    return (
        f"  - !Toll\n    name: Link\n    leak_power: 0\n    area: 0\n"
        f"    direction: {choose.choice(['up_and_down', 'up', 'down'])}\n"
        f"    actions:\n    - {{name: read, energy: {_energy(choose, 'e-13')}, throughput: {choose.choice(_SLOW)}}}\n"
        f"    tensors: {{{choose.choice(['keep: input | output', 'keep: All', 'keep: Nothing, may_keep: All'])}}}"
    )


_SLOW = ("inf", "1.0e+9", "2.7e+9", "4.1e+10")


def _dimensions(choose: Chooser, shape: Sequence[_Level], two: bool) -> dict[str, str]:
    """Names of the dimensions of each component: one to three components, up to three dimensions, four in all."""
    able = [level.name for level in shape]
    total = choose.choice([1, 2, 2, 3] if two else [1, 2, 2, 3, 3, 4])
    result: dict[str, str] = {}
    for name in "UVXY"[:total]:
        place = choose.choice([*able, *able, *result])
        if len(result.get(place, "")) < 3 and (place in result or len(result) < 3):
            result[place] = result.get(place, "") + name
    if choose.chance(12):
        result["MainMemory"] = "Z"  # instances of everything
    return result


def _arch(choose: Chooser, two: bool) -> str:
    shape = choose.choice(_SHAPES)
    dimensions, free = _dimensions(choose, shape, two), choose.chance(3)
    main = choose.choice(["keep: ~Intermediates, may_keep: All", "keep: All"])
    if choose.chance(6) and len(shape) > 1:
        main = "keep: ~(Intermediates | weight), may_keep: All"
    nodes = [_memory(choose, "MainMemory", "inf", "e-12", _SLOW, main)]
    nodes[0] += _own(choose, "MainMemory", dimensions, free)
    for i, level in enumerate(shape):
        if i == len(shape) // 2 and choose.chance(8):
            nodes.append(_toll(choose))
        if level.kind == "Memory":
            size, rules = _rules(choose, level)
            text = _memory(choose, level.name, size, "e-14" if level == _LOCAL else "e-13", _SLOW, rules)
        elif level.kind == "Container":
            text = f"  - !Container\n    name: {level.name}"
        else:
            copies = "\n    computes_copies: True" if choose.chance(4) else ""
            leak, speed = choose.choice(["0", "1.0e-4", "0.003"]), choose.choice(["1.0e+9", "1.0e+9", "2.0e+10"])
            skips = "\n    skip_initial_output_write: False" if choose.chance(6) else ""
            text = (
                f"  - !Compute\n    name: MAC\n    leak_power: {leak}\n    area: 0{copies}{skips}\n"
                f"    actions:\n    - {{name: compute, energy: {_energy(choose, 'e-13')}, throughput: {speed}}}"
            )
        nodes.append(text + _own(choose, level.name, dimensions, free))
    return "arch:\n  nodes:\n" + "\n\n".join(nodes) + "\n"


def _own(choose: Chooser, name: str, dimensions: dict[str, str], free: bool) -> str:
    if name in dimensions:
        return "\n    spatial:" + _spatial(choose, dimensions[name], free)
    return "\n    spatial: []" if name == "Array" else ""


def _mapper(choose: Chooser) -> str:
    both = "[energy, latency]"
    fields = [
        f"metrics: {choose.choice([both, both, both, '[energy]', '[latency]', '[energy_delay_product]'])}",
        f"max_fused_loops: {choose.choice(['inf', 'inf', 1, 2])}",
        f"max_fused_loops_per_rank_variable: {choose.choice([1, 'inf'])}",
        perfect.FIELDS,
    ]
    if choose.chance(6):
        fields.append("max_loops_per_spatial_dimension: 1")
    if choose.chance(8):
        fields.append("force_memory_hierarchy_order: False")
    return "mapper: {" + ", ".join(fields) + "}\n"
