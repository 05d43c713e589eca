"""``python -m tests.fuzz N``: run mutants up to the Nth, keep how they ended, and go on where the last run stopped.

Into ``out/fuzz``: ``outcomes.csv`` (number, kind, outcome, exit code, seconds), ``table.md`` and ``defects/``.
``python -m tests.fuzz --only 17`` runs one mutant, keeps its files and prints what it says.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz.drive import keep, make_seeds, outcomes
from tests.fuzz.outcome import DEFECT, RIGHT


def main() -> int:
    """Exit code 1 if there is a defect."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("number", type=int, nargs="?", default=100_000, help="mutants to have run in the end")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="where results are kept")
    parser.add_argument("--only", type=int, nargs="+", help="run these mutants again")
    parser.add_argument("--kinds", default="", help="of these kinds only (numbers then mean other mutants)")
    parser.add_argument("--start", type=int, default=0, help="begin here")
    given = parser.parse_args()
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ffcore-fuzz-") as temporary:
        folder = Path(temporary)
        seeds = make_seeds(folder)
        work = folder / "work"
        if given.only:
            for outcome in outcomes(given.only, work, seeds, given.kinds):
                print(json.dumps(outcome.as_data(), indent=1))
                print(outcome.said)
                keep(outcome, work, out / "again")
            return 0
        log = out / "outcomes.csv"
        first = max((int(row[0]) for row in _rows(log)), default=given.start - 1) + 1
        with log.open("a", newline="", buffering=1) as file:
            writer = csv.writer(file)
            for outcome in outcomes(range(first, given.number), work, seeds, given.kinds):
                row = (outcome.number, outcome.kind, outcome.name, outcome.code, f"{outcome.seconds:.2f}")
                writer.writerow(row)
                if outcome.name == DEFECT:
                    print(f"{outcome.number} ({outcome.kind}): {outcome.said[:300]}", flush=True)
                    keep(outcome, work, out / "defects")
                if outcome.number % 500 == 499:
                    file.flush()
                    (out / "table.md").write_text(table(log))
        shutil.rmtree(work, ignore_errors=True)
    text = table(log)
    (out / "table.md").write_text(text)
    print(text)
    return int(any(row[2] == DEFECT for row in _rows(log)))


def _rows(log: Path) -> list[list[str]]:
    if not log.is_file():
        return []
    with log.open(newline="") as file:
        return [row for row in csv.reader(file) if len(row) == 5]


def table(log: Path) -> str:
    """Mutants by kind and outcome."""
    counts = Counter((row[1], row[2]) for row in _rows(log))
    kinds = sorted({kind for kind, _ in counts})
    lines = ["| kind | " + " | ".join([*RIGHT, DEFECT]) + " | all |", "|---" * (len(RIGHT) + 3) + "|"]
    for kind in [*kinds, "all"]:
        own = [sum(n for (k, o), n in counts.items() if o == name and kind in (k, "all")) for name in (*RIGHT, DEFECT)]
        lines.append(f"| {kind} | " + " | ".join(f"{n:,}" for n in [*own, sum(own)]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
