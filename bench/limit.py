"""What is left of an exploration: evaluations, nanoseconds each, and the share of compiled code.

``python -m bench.limit`` explores GPT-3 6.7B in this process, in one thread, kernels warm, and prints a table.
The four kernels are all of the compiled code; numpy's share is not told from that of Python.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import attrs

import ffcore as ff
from bench.jobs import CONSTRAINED, FREE, Sizes
from ffcore.explore.explorer import explore
from ffcore.explore.search import kernels
from ffcore.pmappings import pareto

KERNELS = {"_union": kernels, "_add": kernels, "_rows": kernels, "_fronts": pareto}
"""Compiled loops, and the module that calls each."""
REPEAT = 3


@attrs.define
class Clock:
    """Seconds spent in each kernel."""

    seconds: dict[str, float] = attrs.Factory(lambda: dict.fromkeys(KERNELS, 0.0))
    calls: int = 0


@attrs.frozen
class Limit:
    """One exploration: seconds in all and in kernels, and what was made."""

    job: str
    seconds: float
    kernels: Mapping[str, float]
    calls: int
    evaluated: int
    rows: int

    @property
    def cells(self) -> tuple[str, ...]:
        compiled = sum(self.kernels.values())
        return (
            self.job,
            f"{self.seconds:.2f} s",
            f"{self.evaluated:,}",
            f"{self.seconds / self.evaluated * 1e9:.0f} ns",
            f"{compiled / self.evaluated * 1e9:.0f} ns",
            f"{compiled / self.seconds:.0%}",
            f"{self.calls:,}",
            f"{self.rows:,}",
        )


HEAD = ("job", "explore", "evaluated", "each", "each, in kernels", "in kernels", "kernel calls", "Pareto rows")


@contextmanager
def timed() -> Iterator[Clock]:
    """Kernels measured while they run."""
    clock = Clock()

    def wrap(name: str) -> Callable[..., Any]:
        kernel = getattr(KERNELS[name], name)

        def call(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = kernel(*arguments)
            clock.seconds[name] += time.perf_counter() - start
            clock.calls += 1
            return result

        return call

    with ExitStack() as stack:
        for name, module in KERNELS.items():
            stack.enter_context(mock.patch.object(module, name, wrap(name)))
        yield clock


def measure(arch: str, loops: float, workload: str, parameters: Mapping[str, int], repeat: int = REPEAT) -> Limit:
    """The fastest of some explorations."""
    spec = ff.Spec.from_yaml(arch, workload, jinja_parse_data=parameters)
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY | ff.mapper.FFM.Metrics.LATENCY
    spec.mapper.ffm.max_fused_loops = loops
    problem = spec.problem()
    explore(problem)  # compiles, and fills what is cached
    best: Limit | None = None
    for _ in range(repeat):
        with timed() as clock:
            start = time.perf_counter()
            found = explore(problem)
            seconds = time.perf_counter() - start
        if best is None or seconds < best.seconds:
            evaluated, rows = sum(e.stats.evaluated for e in found), sum(len(e.rows) for e in found)
            tokens = f"{parameters['N_TOKENS']:,} tokens, " if "N_TOKENS" in parameters else ""
            best = Limit(f"{arch}, {tokens}{loops:g} fused loops", seconds, clock.seconds, clock.calls, evaluated, rows)
    assert best is not None
    return best


def main() -> None:
    """Print the table, in Markdown."""
    sizes = Sizes()
    print("| " + " | ".join(HEAD) + " |")
    print("|---" * len(HEAD) + "|")
    for arch in (CONSTRAINED, FREE):
        for loops in (2, float("inf")):
            print("| " + " | ".join(measure(arch, loops, sizes.workload, sizes.parameters).cells) + " |", flush=True)
    print("| " + " | ".join(measure(CONSTRAINED, 2, sizes.workload, sizes.long_parameters).cells) + " |")


if __name__ == "__main__":
    main()
