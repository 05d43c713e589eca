"""What is measured: each benchmark is a list of jobs, each job one command run as a whole process.

Goals (seconds of wall time, bytes) are those of issues 3 and 10 on two cores; a job without a goal is there for the
picture.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence

import attrs

COLD, WARM = "cold", "warm"  # compiled kernels: none cached (a first run), all cached
MB, GB = 10**6, 10**9
CONSTRAINED, FREE = "tpu_v4i_like_constrained", "tpu_v4i_like"
PERFECT = "--imperfect", "none"  # so that results of all versions are of one mapspace
INPUTS = "bench/inputs"  # from the root of the clone, where jobs run


@attrs.frozen
class Sizes:
    """How large the workloads are; the defaults are the real thing."""

    workload: str = "gpt3_6.7B"  # of all benchmarks but the chain
    parameters: Mapping[str, int] = attrs.field(default={"BATCH_SIZE": 4, "N_TOKENS": 4096})
    long_parameters: Mapping[str, int] = attrs.field(default={"BATCH_SIZE": 64, "N_TOKENS": 65536})
    chain_lengths: tuple[int, ...] = (2, 8, 32, 128, 256)
    chain_extent: int = 4096  # M and KN of a chain
    most: float = math.inf  # no number that a job on a free array sets is larger
    growth: tuple[int, int] = (65536, 65536)  # extent of the matmul, the largest fanout


_TWO_MATMULS = {"N_EINSUMS": 2, "M": 8, "KN": 8}
TINY = Sizes("matmuls", _TWO_MATMULS, _TWO_MATMULS, (2,), 8, 4, (64, 256))
"""For the tests: every program runs, no number means anything."""


@attrs.frozen
class Job:
    """One command to measure. ``x``: its place on the plot's axis; ``steps``: it reports several results."""

    bench: str
    name: str
    command: tuple[str, ...]
    goals: Mapping[str, float] = attrs.field(factory=dict)  # mode -> seconds
    memory_goal: float = math.inf  # bytes
    beyond_imports: bool = False  # the goals do not count the time of the imports
    modes: tuple[str, ...] = (COLD, WARM)
    x: float = 0
    steps: bool = False


def map_command(arch: str, workload: str, parameters: Mapping[str, object], *options: str) -> tuple[str, ...]:
    """``ff map`` of this clone, both metrics, JSON on stdout."""
    settings = [word for name, value in parameters.items() for word in ("--set", f"{name}={value}")]
    return (
        *(sys.executable, "-m", "ffcore.cli", "map", arch, workload),
        *settings,
        *("--metrics", "energy,latency", "--format", "json"),
        *options,
    )


def gpt3(sizes: Sizes) -> list[Job]:
    """(a) GPT-3 6.7B on both TPUs, by the number of fused loops."""
    two = {CONSTRAINED: 1.0, FREE: 2.0}
    return [
        Job(
            "gpt3",
            f"{arch}, {loops} fused loops",
            map_command(arch, sizes.workload, sizes.parameters, "--max-fused-loops", loops),
            {WARM: two[arch]} if loops == "2" else {WARM: 10} if loops == "inf" else {},
            GB if loops in ("2", "inf") else math.inf,
            beyond_imports=loops == "2",
        )
        for arch in (CONSTRAINED, FREE)
        for loops in ("0", "1", "2", "inf")
    ]


def chain(sizes: Sizes) -> list[Job]:
    """(b) Chains of N matmuls: time should be linear in N."""
    longest = 256
    return [
        Job(
            "chain",
            f"N = {n}",
            map_command(CONSTRAINED, "matmuls", {"N_EINSUMS": n, "M": sizes.chain_extent, "KN": sizes.chain_extent}),
            {WARM: 20} if n == longest else {},
            x=n,
        )
        for n in sizes.chain_lengths
    ]


def session(sizes: Sizes) -> list[Job]:
    """(c) One change at a time in a running Python session."""
    command = (sys.executable, "-m", "bench.session", sizes.workload, json.dumps(dict(sizes.parameters)))
    return [Job("session", "session", command, {WARM: 2}, modes=(WARM,), steps=True)]


def startup(sizes: Sizes) -> list[Job]:
    """(d) What every use pays; the bare interpreter is there to compare with."""
    python = sys.executable
    goal = {WARM: 0.3}
    return [
        Job("startup", "python -c pass", (python, "-c", "pass"), modes=(WARM,)),
        Job("startup", "import ffcore", (python, "-c", "import ffcore"), goal, modes=(WARM,)),
        Job("startup", "ff --help", (python, "-m", "ffcore.cli", "--help"), goal, modes=(WARM,)),
    ]


def gpt3_long(sizes: Sizes) -> list[Job]:
    """(e) GPT-3 6.7B with many more tile sizes."""
    command = map_command(CONSTRAINED, sizes.workload, sizes.long_parameters, "--max-fused-loops", "2")
    return [Job("gpt3_long", f"{CONSTRAINED}, 2 fused loops", command, {WARM: 15})]


# -- arrays without rules (issue 10): the files are in bench/inputs


def on_array(
    sizes: Sizes,
    name: tuple[str, str],
    files: tuple[str, str],
    parameters: Mapping[str, int | str],
    seconds: float,
    memory: float = math.inf,
    flags: tuple[str, ...] = PERFECT,
) -> Job:
    """A job of bench/inputs. ``name``: of the benchmark and of the job; ``files``: architecture and workload."""
    bounded = {k: min(v, sizes.most) if isinstance(v, int) else v for k, v in parameters.items()}
    arch, workload = f"{INPUTS}/{files[0]}.arch.yaml", f"{INPUTS}/{files[1]}.workload.yaml"
    return Job(*name, map_command(arch, workload, bounded, *flags), {WARM: seconds}, memory)


def single(sizes: Sizes) -> list[Job]:
    """One matmul and one convolution."""
    goals = 2, 500 * MB
    layer = {"C": 128, "M": 256, "P": 56}
    return [
        on_array(sizes, ("single", "matmul, npu"), ("npu", "matmul"), {"M": 384, "K": 768, "N": 768}, *goals),
        on_array(sizes, ("single", "convolution of VGG"), ("conv_array", "conv"), layer, *goals),
    ]


def attention(sizes: Sizes) -> list[Job]:
    """Attention with and without fusion, short and long."""
    return [
        on_array(
            sizes,
            ("attention", f"L = {length:,}, DRAM keeps {keep}"),
            ("attention_array", "attention"),
            {"B": 64, "H": 12, "L": length, "E": 64, "KEEP": keep},
            *((10, GB) if length == 1024 else (30,)),
        )
        for length in (1024, 16384, 65536)
        for keep in ("All", "~Intermediates")
    ]


def bert(sizes: Sizes) -> list[Job]:
    """A whole encoder layer."""
    layer = {"TOKENS": 384, "HEADS": 12, "HEAD": 64, "MODEL": 768, "HIDDEN": 3072}
    return [on_array(sizes, ("bert", "BERT-base layer, npu"), ("npu", "bert_layer"), layer, 20, 1500 * MB)]


def gpt3_free(sizes: Sizes) -> list[Job]:
    """GPT-3 6.7B where nothing says what runs across the arrays."""
    arch = f"{INPUTS}/tpu_free.arch.yaml"
    return [
        Job(
            "gpt3_free",
            f"{loops} fused loops",
            map_command(arch, sizes.workload, sizes.parameters, "--max-fused-loops", loops),
            {WARM: 20},
            2 * GB,
        )
        for loops in ("2", "inf")
    ]


def chiplets(sizes: Sizes) -> list[Job]:
    """Layers like those of ResNet on three spatial levels: outputs per side, channels, stride."""
    return [
        on_array(
            sizes,
            ("chiplets", f"{p} x {p} x {c}, 3 x 3, stride {stride}"),
            ("chiplets", "conv"),
            {"C": c, "M": c, "P": p, "STRIDE": stride, "BITS": 8},
            5,
        )
        for p, c, stride in ((56, 64, 1), (28, 128, 1), (28, 128, 2), (7, 512, 1))
    ]


def memories(sizes: Sizes) -> list[Job]:
    """Many memories that may all keep everything."""
    cubes = [
        ("GPU, 512³", "gpu", 512, 16, 20, 2 * GB),
        ("GPU, 4,096³", "gpu", 4096, 16, 20, 2 * GB),
        ("four memories, 4³", "four_memories", 4, 8, 2, math.inf),
        ("register files, 64³", "register_files", 64, 8, 2, math.inf),
    ]
    return [
        on_array(sizes, ("memories", name), (arch, "matmul"), {"M": n, "K": n, "N": n, "BITS": bits}, seconds, memory)
        for name, arch, n, bits, seconds, memory in cubes
    ]


def odd(sizes: Sizes) -> list[Job]:
    """Fanouts and sizes with few common factors."""
    return _odd(sizes, "odd", PERFECT)


def odd_auto(sizes: Sizes) -> list[Job]:
    """The same with imperfect factors, and a convolution of VGG on 14 x 12 PEs."""
    flags, layer = ("--imperfect", "auto"), {"C": 128, "M": 256, "P": 56}
    vgg = on_array(sizes, ("odd_auto", "convolution of VGG"), ("conv_array", "conv"), layer, 3, 500 * MB, flags)
    return [*_odd(sizes, "odd_auto", flags), vgg]


def _odd(sizes: Sizes, name: str, flags: tuple[str, ...]) -> list[Job]:
    arrays = "12x14", "3x5x7", "1000"
    matmuls = (13, 27, 55), (197, 1500, 50257), (50257, 1500, 1500)
    convolutions = (13, 27, 55), (27, 197, 13)
    jobs: list[tuple[str, str, dict[str, int | str]]] = []
    for fanouts in arrays:
        for m, k, n in matmuls:
            jobs.append((f"{fanouts}, {m} x {k} x {n}", "matmul", {"FANOUTS": fanouts, "M": m, "K": k, "N": n}))
        for c, m, p in convolutions:
            layer: dict[str, int | str] = {"FANOUTS": fanouts, "C": c, "M": m, "P": p, "BITS": 8}
            jobs.append((f"{fanouts}, conv {p} x {p}, {c} to {m} channels", "conv", layer))
    return [
        on_array(sizes, (name, job), ("free_array", workload), parameters, 10, flags=flags)
        for job, workload, parameters in jobs
    ]


def growth(sizes: Sizes) -> list[Job]:
    """How exploration grows with fanouts and equal dimensions."""
    command = (sys.executable, "-m", "bench.growth", *map(str, sizes.growth))
    return [Job("growth", "growth", command, modes=(WARM,), steps=True)]


BENCHES: Mapping[str, Callable[[Sizes], Sequence[Job]]] = {
    "startup": startup,
    "chain": chain,
    "gpt3": gpt3,
    "gpt3_long": gpt3_long,
    "session": session,
    "single": single,
    "attention": attention,
    "bert": bert,
    "gpt3_free": gpt3_free,
    "chiplets": chiplets,
    "memories": memories,
    "odd": odd,
    "odd_auto": odd_auto,
    "growth": growth,
}

TITLES: Mapping[str, str] = {
    "startup": "Starting up",
    "chain": "A chain of N matmuls, M = K = N = 4096, on tpu_v4i_like_constrained",
    "gpt3": "GPT-3 6.7B, batch 4, 4096 tokens",
    "gpt3_long": "GPT-3 6.7B, batch 64, 65,536 tokens",
    "session": "One change in a running session (GPT-3 6.7B on tpu_v4i_like_constrained, 2 fused loops)",
    "single": "Free arrays: one matmul, one convolution",
    "attention": "Free arrays: attention, B = 64, H = 12, E = 64",
    "bert": "Free arrays: a BERT layer",
    "gpt3_free": "Free arrays: GPT-3 6.7B, batch 4, 4096 tokens, on tpu_v4i_like without reuse and min_usage",
    "chiplets": "Free arrays: 16 chiplets x 16 PEs x 8 x 8",
    "memories": "Free arrays: many memories that may keep everything",
    "odd": "Free arrays: odd fanouts and sizes",
    "odd_auto": "Odd fanouts and sizes with imperfect factors",
    "growth": "Free arrays: growth of one exploration with the array",
}
