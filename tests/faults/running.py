"""Running ``ff`` where something runs out, or is killed."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.fuzz import bases

JOB = ("--max-fused-loops", "1", "--jobs", "1", "--no-baseline")


def inputs(folder: Path) -> list[str]:
    """Files of a problem that is solved in milliseconds."""
    (folder / "a.yaml").write_text(bases.ARCH)
    (folder / "w.yaml").write_text(bases.WORKLOAD)
    return [str(folder / "a.yaml"), str(folder / "w.yaml")]


def limited(which: int, most: int) -> Callable[[], None]:
    """What sets a limit in a process that is about to begin."""
    return lambda: resource.setrlimit(which, (most, most))


def started(words: Sequence[str | Path]) -> subprocess.Popen[str]:
    """``ff``, not waited for; in a group of its own, so that workers can be ended with it."""
    command = [sys.executable, "-m", "ffcore.cli", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def under(words: Sequence[str | Path], limit: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    """``ff`` under a limit."""
    command = [sys.executable, "-m", "ffcore.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, preexec_fn=limit)


def answer(out: Path) -> list[tuple[float, float, str]]:
    """Energy, latency and mapping of each result in a folder."""
    found = json.loads((out / "results.json").read_text())["mappings"]
    return [(m["energy"], m["latency"], json.dumps(m["mapping"])) for m in found]


def points(out: Path) -> str:
    """The points of a sweep."""
    data = json.loads((out / "sweep.json").read_text())
    assert data["finished"]
    return json.dumps(data["points"], sort_keys=True)
