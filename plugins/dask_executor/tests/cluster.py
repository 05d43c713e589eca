"""A real scheduler with workers, processes of their own on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

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


@pytest.fixture(autouse=True, scope="module")
def no_thread_stays() -> Iterator[None]:
    """distributed keeps some for good, and those of clients that never came to be; no later test could fork."""
    yield
    if "distributed" not in sys.modules:
        return
    from distributed import Future, utils

    for _, runner in [*utils.LoopRunner._all_loops.values()]:
        runner.stop()
    utils._offload_executor.shutdown()
    utils._offload_executor = ThreadPoolExecutor(1, "Dask-Offload")
    if Future._cb_executor is not None:
        Future._cb_executor.shutdown()
        Future._cb_executor = None
    deadline = time.monotonic() + WAIT
    while threading.active_count() > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [t.name for t in threading.enumerate()] == ["MainThread"]
