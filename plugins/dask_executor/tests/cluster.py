"""A real scheduler with workers, processes of their own on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

ROOT = Path(__file__).parents[3]
WAIT = 60.0


@attrs.define
class Cluster:
    """To be used as a context; ``file`` is the scheduler's."""

    file: Path
    options: Sequence[str] = ()
    scheduler: Any = None
    workers: list[Any] = attrs.Factory(list)

    def __enter__(self) -> Cluster:
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *self.options)
        wait_for(self.file.exists)
        return self

    def __exit__(self, *_: object) -> None:
        for process in [self.scheduler, *self.workers]:
            process.kill()
            process.wait()

    def worker(self, environment: Mapping[str, str] | None = None) -> Any:
        """One more worker, which calls the scheduler when it is ready."""
        words = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--name", str(len(self.workers)), *self.options]
        self.workers.append(self._start("worker", *words, environment=environment))
        return self.workers[-1]

    def _start(self, what: str, *words: str, environment: Mapping[str, str] | None = None) -> Any:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(self.file), *words]
        env = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env, cwd=ROOT)


def wait_for(condition: Any) -> None:
    """Until it is true; fails after `WAIT` seconds."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.02)


def ff(*words: str | Path, **more: Any) -> Any:
    """``ff``, begun in a process of its own."""
    command = [sys.executable, "-m", "ffcore.cli", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
