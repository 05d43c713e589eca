"""Random small problems, as YAML text, on which the exhaustive mapper takes about a second or less.

`random_problem(seed)` is a plain seeded generator; `oracle_problems()` is the same as a hypothesis
strategy, which shrinks towards fewer Einsums, smaller bounds and plainer architectures.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import attrs
from hypothesis import strategies as st

if TYPE_CHECKING:
    from ffcore.spec import Spec
    from ffcore.spec.problem import Problem

T = TypeVar("T")


@attrs.frozen
class OracleProblem:
    """The text of one problem; ``kind`` names the workload's shape."""

    kind: str
    arch: str
    workload: str
    mapper: str

    @property
    def text(self) -> str:
        return f"{self.arch}\n{self.workload}\n{self.mapper}"

    def write(self, folder: Path) -> list[Path]:
        """Save the three files; returns their paths, fit for ``Spec.from_yaml``."""
        paths = []
        for name in ("arch", "workload", "mapper"):
            path = folder / f"{name}.yaml"
            path.write_text(getattr(self, name))
            paths.append(path)
        return paths

    def spec(self) -> Spec:
        from ffcore.spec import Spec

        with tempfile.TemporaryDirectory() as folder:
            return Spec.from_yaml(*self.write(Path(folder)))

    def problem(self) -> Problem:
        return self.spec().problem()


class Chooser(Protocol):
    """Where the generator takes its decisions from; the first option is the plainest."""

    def choice(self, options: Sequence[T]) -> T: ...

    def chance(self, one_in: int) -> bool: ...


@attrs.frozen
class SeededChooser:
    source: random.Random

    def choice(self, options: Sequence[T]) -> T:
        return self.source.choice(options)

    def chance(self, one_in: int) -> bool:
        return self.source.randrange(one_in) == one_in - 1


@attrs.frozen
class DrawingChooser:
    draw: st.DrawFn

    def choice(self, options: Sequence[T]) -> T:
        return self.draw(st.sampled_from(list(options)))

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(0, one_in - 1)) == one_in - 1


def random_problem(seed: int, kind: str | None = None) -> OracleProblem:
    """The problem of that number, always the same; ``kind`` fixes its shape."""
    return generate(SeededChooser(random.Random(seed)), kind)


@st.composite
def oracle_problems(draw: st.DrawFn, kind: str | None = None) -> OracleProblem:
    """Hypothesis strategy for small problems."""
    return generate(DrawingChooser(draw), kind)


def generate(choose: Chooser, kind: str | None = None) -> OracleProblem:
    kind = kind or choose.choice([*KINDS, "chain", "chain"])
    workload, n_einsums, wide = KINDS[kind](choose)
    return OracleProblem(kind, _arch(choose, n_einsums, wide), workload, _mapper(choose))


# ---- workloads: each returns (text, number of Einsums, whether the Einsums have many rank variables)


@attrs.frozen
class _Access:
    name: str
    projection: str  # YAML, such as "[m, k]"
    output: bool = False
    extra: str = ""  # further YAML fields

    def text(self) -> str:
        output = ", output: True" if self.output else ""
        return f"    - {{name: {self.name}, projection: {self.projection}{output}{self.extra}}}"


def _einsum(name: str, accesses: Sequence[_Access], weight: str, source: str, extra: str = "") -> str:
    """One Einsum's YAML; ``weight``, ``source`` and the output get the usual names."""
    output = next(a.name for a in accesses if a.output)
    return "\n".join(
        [
            f"  - name: {name}{extra}",
            "    tensor_accesses:",
            *(a.text() for a in accesses),
            f"    renames: {{weight: {weight}, input: {source}, output: {output}}}",
        ]
    )


def _workload(
    choose: Chooser,
    sizes: dict[str, int],
    einsums: Sequence[str],
    persistent: str = "",
    bounds: dict[str, int] | None = None,
) -> str:
    """``sizes`` of ranks, ``bounds`` of rank variables."""
    bits = choose.choice(["{All: 8}", "{All: 8}", "{Intermediates: 16, Other: 8}"])
    lines = ["workload:", "  rank_sizes: {" + ", ".join(f"{r}: {n}" for r, n in sizes.items()) + "}"]
    if bounds is not None:
        lines.append("  iteration_space_shape: {" + ", ".join(f"{v}: {n}" for v, n in bounds.items()) + "}")
    lines.append(f"  bits_per_value: {bits}")
    if persistent:
        lines.append(f"  persistent_tensors: {persistent}")
    return "\n".join([*lines, "  einsums:", *einsums]) + "\n"


def _instances(choose: Chooser) -> str:
    return "\n    n_instances: " + str(choose.choice([2, 3])) if choose.chance(8) else ""


def _matmul(i: int, extra: str = "") -> str:
    accesses = [
        _Access(f"T{i}", f"[m, n{i}]"),
        _Access(f"W{i}", f"[n{i}, n{i + 1}]"),
        _Access(f"T{i + 1}", f"[m, n{i + 1}]", output=True),
    ]
    return _einsum(f"Matmul{i}", accesses, f"W{i}", f"T{i}", extra)


def _chain(choose: Chooser) -> tuple[str, int, bool]:
    n = choose.choice([1, 2, 2, 3, 3, 4])
    bounds = [1, 2, 3, 4, 6, 8] if n <= 2 else [1, 2, 3, 4] if n == 3 else [2, 3, 2]
    sizes = {"M": choose.choice(bounds), **{f"N{i}": choose.choice(bounds) for i in range(n + 1)}}
    persistent = choose.choice(["W0", "weight"]) if choose.chance(5) else ""
    return _workload(choose, sizes, [_matmul(i, _instances(choose)) for i in range(n)], persistent), n, False


def _attention(choose: Chooser) -> tuple[str, int, bool]:
    sizes = {"B": 1, "M": choose.choice([2, 3, 4]), "H": choose.choice([1, 2]), "E": choose.choice([1, 2])}
    sizes |= {"P": sizes["M"], "F": sizes["E"]}
    qk = [
        _Access("Q", "[b, m, h, e]"),
        _Access("K", "{B: b, M: p, H: h, E: e}"),
        _Access("QK", "[b, m, p, h]", output=True),
    ]
    softmax = [_Access("QK", "[b, m, p, h]"), _Access("S", "[b, m, p, h]", output=True)]
    av = [
        _Access("S", "[b, m, p, h]"),
        _Access("V", "{B: b, M: p, H: h, F: f}"),
        _Access("AV", "[b, m, h, f]", output=True),
    ]
    einsums = [
        _einsum("QK", qk, "K", "Q"),
        _einsum("SM", softmax, "Nothing", "QK"),
        _einsum("AV", av, "V", "S"),
    ]
    return _workload(choose, sizes, einsums), 3, True


def _diamond(choose: Chooser) -> tuple[str, int, bool]:
    bounds = [1, 2, 3, 4]
    sizes = {"M": choose.choice(bounds), "D": choose.choice(bounds), "E": choose.choice(bounds)}
    sizes["G"] = sizes["E"]
    a = [_Access("X", "[m, d]"), _Access("WA", "[d, e]"), _Access("A", "[m, e]", output=True)]
    c = [_Access("A", "[m, e]"), _Access("WC", "[e, g]"), _Access("C", "[m, g]", output=True)]
    s = [_Access("A", "[m, e]"), _Access("C", "{M: m, G: e}"), _Access("O", "[m, e]", output=True)]
    einsums = [_einsum("A", a, "WA", "X"), _einsum("C", c, "WC", "A"), _einsum("S", s, "C", "A")]
    return _workload(choose, sizes, einsums), 3, False


def _copy_first(choose: Chooser) -> tuple[str, int, bool]:
    """A copy brings in what one or two matmuls read."""
    bounds = [2, 3, 4]
    sizes = {"M": choose.choice(bounds), "D": choose.choice(bounds), "E": choose.choice([1, *bounds])}
    copy = [_Access("X_in", "[m, d]"), _Access("X", "[m, d]", output=True)]
    a = [_Access("X", "[m, d]"), _Access("WA", "[d, e]"), _Access("A", "[m, e]", output=True)]
    b = [_Access("X", "[m, d]"), _Access("WB", "[d, e]"), _Access("B", "[m, e]", output=True)]
    einsums = [_einsum("I", copy, "Nothing", "X_in", "\n    is_copy_operation: True"), _einsum("A", a, "WA", "X")]
    if choose.chance(2):
        einsums.append(_einsum("B", b, "WB", "X"))
    persistent = "weight" if choose.chance(4) else ""
    return _workload(choose, sizes, einsums, persistent), len(einsums), False


def _convolution(choose: Chooser) -> tuple[str, int, bool]:
    """A one-dimensional convolution, perhaps with stride or dilation, perhaps behind a pointwise layer."""
    p, r = choose.choice([2, 3, 4]), choose.choice([1, 2, 3])
    stride, dilation = choose.choice([(1, 1), (1, 1), (2, 1), (1, 2)])
    index = f"{stride}*p + {dilation}*r" if (stride, dilation) != (1, 1) else "p + r"
    sizes = {"X": stride * (p - 1) + dilation * (r - 1) + 1, "C": choose.choice([1, 2, 3]), "P": p, "R": r}
    conv = [
        _Access("T1", f"{{X: {index}, C: c}}"),
        _Access("WR", choose.choice(["[r, c]", "[r]"])),
        _Access("T2", "[p, c]", output=True),
    ]
    einsums = [_einsum("Conv", conv, "WR", "T1")]
    if choose.chance(2):
        sizes["D"] = choose.choice([1, 2, 3])
        pointwise = [_Access("T0", "[x, d]"), _Access("WP", "[d, c]"), _Access("T1", "[x, c]", output=True)]
        einsums.insert(0, _einsum("Point", pointwise, "WP", "T0"))
    return _workload(choose, sizes, einsums), len(einsums), len(einsums) > 1


def flattened(choose: Chooser) -> tuple[str, int, bool]:
    """One or two matmuls over heads and channels that are one rank, perhaps with room between heads."""
    small = [1, 2, 3, 4]
    bounds = {v: choose.choice(small) for v in "dhf"}
    sizes = {"M": choose.choice(small), "G": choose.choice(small)}
    index = f"{bounds['f'] + choose.choice([0, 0, 1])}*h + f"
    first = [
        _Access("X", "[m, d]"),
        _Access("WV", f"{{D: d, C: {index}}}"),
        _Access("Z", f"{{M: m, C: {index}}}", output=True),
    ]
    second = [
        _Access("Z", f"{{M: m, C: {index}}}"),
        _Access("WO", f"{{C: {index}, G: g}}"),
        _Access("Y", "[m, g]", True),
    ]
    einsums = [_einsum("V", first, "WV", "X")]
    if choose.chance(2):
        einsums.append(_einsum("P", second, "WO", "Z"))
    else:
        del sizes["G"]
    return _workload(choose, sizes, einsums, bounds=bounds), len(einsums), len(einsums) > 1


def scatter(choose: Chooser) -> tuple[str, int, bool]:
    """A transposed convolution, perhaps with gaps between what it writes, perhaps read by a pointwise layer."""
    i, r, stride = choose.choice([2, 3, 4]), choose.choice([1, 2, 3]), choose.choice([1, 2, 3])
    sizes = {"I": i, "R": r, "C": choose.choice([1, 2]), "W": stride * (i - 1) + r}
    up = [
        _Access("T0", "[i, c]"),
        _Access("WR", choose.choice(["[r, c]", "[r]"])),
        _Access("T1", f"{{W: {stride}*i + r, C: c}}" if choose.chance(2) else f"{{W: {stride}*i + r}}", output=True),
    ]
    einsums = [_einsum("Up", up, "WR", "T0")]
    if choose.chance(3):
        sizes["D"] = choose.choice([1, 2])
        index = "[w, c]" if "C: c" in up[2].projection else "[w]"
        point = [_Access("T1", index), _Access("WP", "[w, d]"), _Access("T2", "[w, d]", output=True)]
        einsums.append(_einsum("Point", point, "WP", "T1"))
    return _workload(choose, sizes, einsums), len(einsums), len(einsums) > 1


KINDS = {
    "chain": _chain,
    "attention": _attention,
    "diamond": _diamond,
    "copy": _copy_first,
    "convolution": _convolution,
    "flattened": flattened,
    "scatter": scatter,
}


# ---- architectures


def _energy(choose: Chooser, unit: str) -> str:
    return choose.choice(["1", "2.5", "3.7", "7.1", "0.3"]) + unit


def _actions(choose: Chooser, unit: str, bandwidths: Sequence[str]) -> str:
    lines = ["    actions:"]
    for action in ("read", "write"):
        throughput = choose.choice(bandwidths)
        lines.append(f"    - {{name: {action}, energy: {_energy(choose, unit)}, throughput: {throughput}}}")
    return "\n".join(lines)


def _leak(choose: Chooser) -> str:
    return choose.choice(["0", "0", "0", "1.0e-4", "0.003"])


def _memory(
    choose: Chooser, name: str, size: str, unit: str, bandwidths: Sequence[str], tensors: str, spatial: str = ""
) -> str:
    lines = [
        "  - !Memory",
        f"    name: {name}",
        f"    size: {size}",
        f"    leak_power: {_leak(choose)}",
        "    area: 0",
        _actions(choose, unit, bandwidths),
        f"    tensors: {{{tensors}}}",
    ]
    if choose.chance(4):
        lines.append("    total_latency: max(a.n_calls / a.throughput for a in actions)")
    if spatial:
        lines.append(f"    spatial: [{spatial}]")
    return "\n".join(lines)


def _dimension(choose: Chooser, name: str) -> str:
    fields = [f"name: {name}", f"fanout: {choose.choice([2, 3, 4])}"]
    reuse = choose.choice(
        ["may_reuse: All", "may_reuse: Nothing", "reuse: input", "reuse: output", "may_reuse: input", ""]
    )
    if reuse:
        fields.append(reuse)
    if choose.chance(4):
        fields.append(f"min_usage: {choose.choice([0.5, 1])}")
    if choose.chance(10):
        fields.append("power_gateable: True")
    if choose.chance(12):
        fields.append("usage_scale: 0.5")
    if choose.chance(10):
        bound = choose.choice(['"<=", value: 2', '"==", value: 1', '"product<=", value: 3'])
        fields.append(f"loop_bounds: [{{expression: output.rank_variables, operator: {bound}}}]")
    return "{" + ", ".join(fields) + "}"


def _sizes(choose: Chooser) -> str:
    """A tight capacity in bits."""
    return str(8 * choose.choice([1000, 96, 48, 32, 24, 16, 12, 8, 5, 3]))


def _arch(choose: Chooser, n_einsums: int, wide: bool) -> str:
    main = choose.choice(["keep: ~Intermediates, may_keep: All", "keep: ~Intermediates, may_keep: All", "keep: All"])
    if choose.chance(6):
        main = "keep: ~(Intermediates | weight), may_keep: All"
    elif choose.chance(8):
        main = "keep: ~Intermediates, may_keep: Nothing"  # nothing may fit; with one level, nothing is held
    nodes = [_memory(choose, "MainMemory", "inf", "e-12", ["inf", "2.0e+9", "4.1e+10"], main)]
    levels = choose.choice([1, 2, 2, 2, 3])
    small, spatial = not wide and n_einsums < 3, ""  # more memories and dimensions stay affordable
    if levels > 1:
        extra = ", no_refetch_from_above: weight" if choose.chance(12) else ""
        if choose.chance(15):
            extra += ', tile_shape: [{expression: output.rank_variables, operator: "<=", value: 2}]'
        keep = f"keep: ~MainMemory.tensors, may_keep: {choose.choice(['All', 'All', 'Nothing', 'output'])}{extra}"
        nodes.append(_memory(choose, "GlobalBuffer", _sizes(choose), "e-13", ["inf", "4.0e+10"], keep))
    if choose.chance(8):
        nodes.append(
            "  - !Toll\n    name: Link\n    leak_power: 0\n    area: 0\n"
            f"    direction: {choose.choice(['up_and_down', 'up', 'down'])}\n"
            f"    actions:\n    - {{name: read, energy: {_energy(choose, 'e-13')}, throughput: inf}}\n"
            "    tensors: {keep: input | output}"
        )
    if levels > 2:
        heavy = ["keep: input | output", "keep: weight"]
        light = [*heavy, "keep: weight, may_keep: input", "keep: Nothing, may_keep: output"]
        keep = choose.choice(light if small else heavy)
        spatial = _dimension(choose, "Z") if small and choose.chance(2) else ""
        nodes.append(_memory(choose, "LocalBuffer", _sizes(choose), "e-14", ["inf", "9.0e+10"], keep, spatial))
    if choose.chance(2) and not (levels > 2 and (spatial or not small)):
        dimensions = [_dimension(choose, "X")]
        if choose.chance(3) and levels < 3 and small:
            dimensions.append(_dimension(choose, "Y"))
        nodes.append("  - !Container\n    name: Array\n    spatial:\n" + "\n".join(f"    - {d}" for d in dimensions))
        if choose.chance(4):
            size = "weight.bits_per_value if weight else 0"
            nodes.append(_memory(choose, "Register", size, "e-15", ["inf"], "keep: weight"))
    copies = "\n    computes_copies: True" if choose.chance(4) else ""
    nodes.append(
        f"  - !Compute\n    name: MAC\n    leak_power: {_leak(choose)}\n    area: 0{copies}\n"
        f"    actions:\n    - {{name: compute, energy: {_energy(choose, 'e-13')}, throughput: 1.0e+9}}"
    )
    return "arch:\n  nodes:\n" + "\n\n".join(nodes) + "\n"


def _mapper(choose: Chooser) -> str:
    fields = ["metrics: [energy, latency]", f"max_fused_loops: {choose.choice(['inf', 'inf', 0, 1, 2])}"]
    fields.append(f"max_fused_loops_per_rank_variable: {choose.choice([1, 1, 2, 'inf'])}")
    fields.append(f"explore_imperfect_temporal_loops: {choose.chance(8)}")
    fields.append(f"explore_imperfect_spatial_loops: {choose.chance(12)}")
    if choose.chance(10):
        fields.append("force_memory_hierarchy_order: False")
    return "mapper: {" + ", ".join(fields) + "}\n"
