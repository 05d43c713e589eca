"""Time per point of a sweep against its number of points, by each executor.

python -m bench.points [--points 10 100 1000] [--executors serial forks processes dask]

The points are small ones (two matmuls of 16³ on `simple`, over sizes and throughputs), so that what a point costs
beyond its search shows; each sweep is a whole process. Printed: seconds, ms a point, user CPU time and peak memory (of
the largest process).
"""

from __future__ import annotations

import argparse
import tempfile

from bench.sweep import run

FILES = ("simple", "matmuls", "--set", "N_EINSUMS=2", "--set", "M=16", "--set", "KN=16")
SIZES = 10


def words(points: int, executor: str, folder: str) -> list[str]:
    """A sweep of about so many points, which prints nothing of them."""
    throughputs = max(1, points // SIZES)
    sizes = ",".join(f"{n * 64}B" for n in range(1, SIZES + 1))
    vary = ["--vary", f"arch.nodes.GlobalBuffer.size={sizes}"]
    vary += ["--vary", f"arch.nodes.MainMemory.actions.read.throughput=1..{throughputs}"]
    jobs = ["--jobs", "1" if executor == "serial" else "2"]
    return ["sweep", *FILES, *vary, *jobs, "--executor", executor, "--out", folder]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--executors", nargs="+", default=["serial", "forks", "processes", "dask"])
    given = parser.parse_args()
    print("executor  points  seconds  ms a point   user s  peak MiB")
    for name in given.executors:
        for points in given.points:
            with tempfile.TemporaryDirectory() as folder:
                cost = run(*words(points, name, folder))
            each = 1e3 * cost.seconds / points
            print(
                f"{name:9} {points:6} {cost.seconds:8.1f} {each:11.1f} {cost.cpu:8.1f} {cost.peak / 2**20:9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
