"""``python -m bench [NAME...]``: run benchmarks, print each row as it is done, save tables and plot.

Every job is a whole process, first with no compiled kernels cached (cold), then with all of them (warm, the fastest of
``--repeat``). Results of benchmarks that are not run this time are kept.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from bench import report
from bench.jobs import BENCHES, TINY, Sizes
from bench.measure import FAILED
from bench.run import ROOT, Row, run


def main() -> int:
    """Run what the arguments ask for. Exit code 1 if a program failed; a time limit is no failure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("bench", nargs="*", help=f"which ones (default: all): {', '.join(BENCHES)}")
    parser.add_argument("--limit", type=float, default=300, help="seconds for one run of one job (default 300)")
    parser.add_argument("--repeat", type=int, default=3, help="warm runs of each job (default 3)")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, to try the programs out")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.bench if name not in BENCHES]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    if arguments.repeat < 1 or arguments.limit <= 0:
        parser.error("--repeat must be at least 1, --limit above 0")
    signal.signal(signal.SIGTERM, _leave)
    sizes = TINY if arguments.tiny else Sizes()
    results = report.load(arguments.out / "latest.json")
    failed = False
    for name in [n for n in BENCHES if n in arguments.bench or not arguments.bench]:
        rows: list[Row] = []
        where = report.environment()
        for job in BENCHES[name](sizes):
            for row in run(job, limit=arguments.limit, repeat=arguments.repeat):
                print(one_line(row), flush=True)
                rows.append(row)
        failed = failed or any(row.status == FAILED for row in rows)
        results[name] = (where, rows)
        report.save({n: results[n] for n in BENCHES if n in results}, arguments.out)
    print(f"\ntables: {arguments.out / 'latest.md'}; rows: {arguments.out / 'latest.json'}")
    return 1 if failed else 0


def _leave(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that the program being measured is stopped too."""
    raise SystemExit(128 + number)


def one_line(row: Row) -> str:
    """A row as it is printed while the benchmark runs."""
    words = [f"{row.bench:9} {row.job:50} {row.mode:8} {row.status:6} {row.wall:8.2f} s"]
    words += [f"{phase} {seconds:.3f}" for phase, seconds in row.phases.items()]
    if row.evaluated is not None:
        words.append(f"{row.evaluated:,} evaluated, {row.pareto_rows:,} Pareto rows, {row.mappings} mappings")
    if row.peak_bytes is not None:
        words.append(f"{row.peak_bytes / 2**20:.0f} MiB")
    if row.met is not None:
        words.append("goal met" if row.met else "GOAL MISSED")
    return "  ".join([*words, row.note])


if __name__ == "__main__":
    sys.exit(main())
