"""``python -m bench.sweep``: one sweep against as many single runs, all as whole processes, in turn.

Prints, for each of two grids of 12 points on GPT-3 6.7B: wall time, user CPU time of all processes together, and peak
memory (of the largest process) of the sweep and of the single runs; their ratio; and that both gave the same numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import attrs

SIZES = tuple(f"{n}MiB" for n in (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192))
SIZE, LOOPS = "arch.nodes.GlobalBuffer.size", "mapper.ffm.max_fused_loops"
GRIDS = {
    "12 sizes": {SIZE: SIZES, LOOPS: ("2",)},
    "4 sizes x 3 limits on fused loops": {SIZE: ("8MiB", "32MiB", "64MiB", "128MiB"), LOOPS: ("0", "1", "2")},
}
TOLERANCE = 1e-12  # relative


@attrs.frozen
class Cost:
    """What processes took, and what they printed."""

    seconds: float  # wall time
    cpu: float  # s of user time
    peak: int  # bytes
    output: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=__doc__)
    parser.add_argument("--files", nargs="+", default=["tpu_v4i_like_constrained", "gpt3_6.7B"])
    parser.add_argument("--profile", action="store_true", help="print the phases of the sweeps too")
    given = parser.parse_args()
    for name, vary in GRIDS.items():
        print(f"{name}\n{report(given.files, vary, given.profile)}\n", flush=True)


def report(files: Sequence[str], vary: dict[str, tuple[str, ...]], profile: bool) -> str:
    """The table of one grid. Raises ValueError if the sweep's numbers are not those of the single runs."""
    with tempfile.TemporaryDirectory() as folder:
        options = [word for path, values in vary.items() for word in ("--vary", f"{path}={','.join(values)}")]
        once = [*files, *options, "--out", folder, "--format", "json", *(["--profile"] if profile else [])]
        whole = run("sweep", *once)
        explored = len(list((Path(folder) / "pmappings").glob("*.npz")))
    points = json.loads(whole.output)["points"]
    singles = []
    for values in product(*vary.values()):
        fields = [f"--spec={path}={bits(text)}" for path, text in zip(vary, values, strict=True)]
        singles.append(run("map", *files, "--format", "json", *fields))
    evaluated = 0
    for point, single in zip(points, singles, strict=True):
        alone = json.loads(single.output)
        evaluated += alone["stats"]["evaluated_pmappings"]
        check(point["mappings"], alone["mappings"])
    seconds, cpu = sum(s.seconds for s in singles), sum(s.cpu for s in singles)
    peak = max(s.peak for s in singles)
    return "\n".join(
        [
            f"{'':12} {'wall s':>8} {'user s':>8} {'peak MiB':>9}",
            f"{'sweep':12} {whole.seconds:8.1f} {whole.cpu:8.1f} {whole.peak / 2**20:9.0f}",
            f"{len(singles)} single runs {seconds:6.1f} {cpu:8.1f} {peak / 2**20:9.0f}",
            f"{'ratio':12} {whole.seconds / seconds:8.3f} {whole.cpu / cpu:8.3f}",
            f"explorations of Einsums kept by the sweep: {explored}; evaluations of the single runs: {evaluated:,}",
            f"same numbers at all {len(points)} points, to {TOLERANCE:g}",
        ]
    )


def bits(text: str) -> str:
    """A size in bits, as `ff map --spec` takes it; other values as they are."""
    from ffcore_sweep.axes import parse_value

    return str(parse_value(text))


def run(*arguments: str) -> Cost:
    """``ff`` of this clone as a process. Raises CalledProcessError when it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "ffcore.cli", *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(seconds, after.ru_utime - before.ru_utime, usage.ru_maxrss * 1024, output)


def check(ours: list[dict[str, float]], alone: list[dict[str, float]]) -> None:
    """Raise ValueError unless both hold the same energies and latencies."""
    pairs = [sorted((m["energy"], m["latency"]) for m in mappings) for mappings in (ours, alone)]
    same = len(pairs[0]) == len(pairs[1]) and all(
        abs(a - b) <= TOLERANCE * abs(b) for p, q in zip(*pairs, strict=True) for a, b in zip(p, q, strict=True)
    )
    if not same:
        raise ValueError(f"the sweep found {pairs[0]}, the single run {pairs[1]}")


if __name__ == "__main__":
    main()
