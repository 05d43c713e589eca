"""Hands numbers to child processes, and notes how each mutant ended; what kills or hangs a child is a defect too."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from tests.fuzz import bases
from tests.fuzz.child import invoke
from tests.fuzz.outcome import DEFECT, Outcome

WAIT = 150  # s for one mutant, on a busy machine: processor time is what counts, and a child ends by itself
EACH = 4000  # mutants of one child


def make_seeds(folder: Path) -> Path:
    """Run the small problem and a sweep of it; returns the file that tells children where they are."""
    (folder / "a.yaml").write_text(bases.ARCH)
    (folder / "w.yaml").write_text(bases.WORKLOAD)
    files = [str(folder / "a.yaml"), str(folder / "w.yaml")]
    run, sweep = folder / "run", folder / "sweep"
    small = ["--max-fused-loops", "1", "--jobs", "1"]
    _done(["map", *files, "--out", str(run), *small, "--no-baseline"])
    _done(["sweep", *files, "--vary", "arch.nodes.Buffer.size=100,200", "--out", str(sweep), "--jobs", "1"])
    mappings = json.loads((run / "results.json").read_text())["mappings"]
    points = json.loads((sweep / "sweep.json").read_text())["points"]
    data = {
        "run": str(run),
        "sweep": str(sweep),
        "results": [[m["energy"], m["latency"]] for m in mappings],
        "points": [[p["energy"], p["latency"]] for p in points],
    }
    (folder / "seeds.json").write_text(json.dumps(data))
    return folder / "seeds.json"


def _done(words: list[str]) -> None:
    code, _, said = invoke(words)
    if code:
        raise RuntimeError(f"ff {' '.join(words)}: {said}")


class Child:
    """A process that runs mutants."""

    def __init__(self, work: Path, seeds: Path, kinds: str) -> None:
        self.work = work
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the child
        command = [sys.executable, "-m", "tests.fuzz.child", str(work), str(seeds), kinds]
        # Bytecode of a plugin would be a file that nobody asked for.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(work), "PYTHONDONTWRITEBYTECODE": "1"}
        root = Path(__file__).parent.parent.parent
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
            cwd=root,
        )
        self._answer(WAIT)

    def ask(self, number: int) -> Outcome:
        """Run a mutant. A child that does not answer is ended; that is a defect."""
        pipe = self.process.stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):
            pipe.write(f"{number}\n")
            pipe.flush()
        line = self._answer(WAIT)
        if line.startswith("{"):
            return Outcome(**json.loads(line))
        self.process.kill()
        code = self.process.wait()
        self.log.seek(0)
        kind = _kind(self.work / f"{number}.json")
        return Outcome(DEFECT, kind, f"the process ended with {code}: {self.log.read()[-3000:]}", code, number)

    def _answer(self, seconds: float) -> str:
        pipe: IO[str] | None = self.process.stdout
        assert pipe is not None
        ready, _, _ = select.select([pipe], [], [], seconds)
        return pipe.readline() if ready else ""

    @property
    def gone(self) -> bool:
        return self.process.poll() is not None

    def close(self) -> None:
        """End the child, which waits for a number."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


def _kind(file: Path) -> str:
    return str(json.loads(file.read_text())["kind"]) if file.is_file() else "?"


def outcomes(numbers: Sequence[int], work: Path, seeds: Path, kinds: str = "") -> Iterator[Outcome]:
    """How each mutant ends, in order, by one child after the other."""
    child: Child | None = None
    try:
        for count, number in enumerate(numbers):
            if child is not None and (child.gone or count % EACH == 0):
                child.close()
                child = None
            if child is None:
                child = Child(work, seeds, kinds)
            yield child.ask(number)
    finally:
        if child is not None:
            child.close()


def outcomes_of_all(numbers: Sequence[int], work: Path, seeds: Path, jobs: int = 1) -> list[Outcome]:
    """The same by some children at once."""
    with ThreadPoolExecutor(jobs) as pool:
        shares = [numbers[i::jobs] for i in range(jobs)]
        found = pool.map(lambda share: list(outcomes(share, work, seeds)), shares)
        return [outcome for share in found for outcome in share]


def keep(outcome: Outcome, work: Path, defects: Path) -> None:
    """Move the files of a defect, with what was said, to where they stay."""
    target = defects / str(outcome.number)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in (str(outcome.number), f"{outcome.number}.json"):
        if (work / name).exists():
            shutil.move(work / name, target / name)
    (target / "outcome.json").write_text(json.dumps(outcome.as_data(), indent=1))
