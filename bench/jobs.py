"""What is measured: each benchmark is a list of jobs, each job one command run as a whole process.

Goals (seconds of wall time, bytes) are those of issue 3 on two cores; a job without a goal is there for the picture.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence

import attrs

COLD, WARM = "cold", "warm"  # compiled kernels: none cached (a first run), all cached
GB = 10**9
CONSTRAINED, FREE = "tpu_v4i_like_constrained", "tpu_v4i_like"


@attrs.frozen
class Sizes:
    """How large the workloads are; the defaults are the real thing."""

    workload: str = "gpt3_6.7B"  # of all benchmarks but the chain
    parameters: Mapping[str, int] = attrs.field(default={"BATCH_SIZE": 4, "N_TOKENS": 4096})
    long_parameters: Mapping[str, int] = attrs.field(default={"BATCH_SIZE": 64, "N_TOKENS": 65536})
    chain_lengths: tuple[int, ...] = (2, 8, 32, 128, 256)
    chain_extent: int = 4096  # M and KN of a chain


_TWO_MATMULS = {"N_EINSUMS": 2, "M": 8, "KN": 8}
TINY = Sizes("matmuls", _TWO_MATMULS, _TWO_MATMULS, (2,), 8)
"""For the tests: every program runs, no number means anything."""


@attrs.frozen
class Job:
    """One command to measure. ``x``: its place on the plot's axis; ``steps``: it reports several results."""

    bench: str
    name: str
    command: tuple[str, ...]
    goals: Mapping[str, float] = attrs.field(factory=dict)  # mode -> seconds
    memory_goal: float = math.inf  # bytes
    modes: tuple[str, ...] = (COLD, WARM)
    x: float = 0
    steps: bool = False


def map_command(arch: str, workload: str, parameters: Mapping[str, int], *options: str) -> tuple[str, ...]:
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
    goals: dict[str, dict[str, float]] = {"2": {WARM: 5, COLD: 15}, "inf": {WARM: 10}}
    return [
        Job(
            "gpt3",
            f"{arch}, {loops} fused loops",
            map_command(arch, sizes.workload, sizes.parameters, "--max-fused-loops", loops),
            goals.get(loops, {}),
            GB if loops in goals else math.inf,
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


BENCHES: Mapping[str, Callable[[Sizes], Sequence[Job]]] = {
    "startup": startup,
    "chain": chain,
    "gpt3": gpt3,
    "gpt3_long": gpt3_long,
    "session": session,
}

TITLES: Mapping[str, str] = {
    "startup": "Starting up",
    "chain": "A chain of N matmuls, M = K = N = 4096, on tpu_v4i_like_constrained",
    "gpt3": "GPT-3 6.7B, batch 4, 4096 tokens",
    "gpt3_long": "GPT-3 6.7B, batch 64, 65,536 tokens",
    "session": "One change in a running session (GPT-3 6.7B on tpu_v4i_like_constrained, 2 fused loops)",
}
