"""What a call costs beyond its work: calls that wait a while, by two workers of each executor.

python -m bench.executors [--calls 100 1000] [--seconds 0.05] [--executors forks processes dask]

Calls sleep, so that what else runs on the machine matters little. Printed: seconds for all calls, the share of twice
the speed of one process, and what a call costs beyond its work (ms).
"""

from __future__ import annotations

import argparse
import time

from ffcore import plugin
from ffcore.plugin import as_completed

WORKERS = 2


def measured(name: str, calls: int, seconds: float) -> float:
    """Seconds that so many calls take, by workers that have started."""
    with plugin.get("executor", name, n_jobs=WORKERS) as executor:
        list(as_completed(executor, time.sleep, [(0.0,)] * 4 * WORKERS))
        begun = time.perf_counter()
        list(as_completed(executor, time.sleep, [(seconds,)] * calls))
        return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--executors", nargs="+", default=["forks", "processes", "dask"])
    given = parser.parse_args()
    print("executor   calls  seconds  share  ms a call")
    for name in given.executors:
        for calls in given.calls:
            took = measured(name, calls, given.seconds)
            ideal = calls * given.seconds / WORKERS
            print(
                f"{name:9} {calls:6} {took:8.2f} {ideal / took:6.1%} {1e3 * (took - ideal) / calls:10.2f}", flush=True
            )


if __name__ == "__main__":
    main()
