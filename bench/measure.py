"""Running one program as a whole process: wall time, CPU time and peak memory, with a time limit."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

_SAMPLE = 0.05  # seconds between two looks at the memory of all processes together
OK, LIMIT, FAILED = "ok", "limit", "failed"


@attrs.frozen
class Measured:
    """One run of a program. Times in seconds; memory is that of the process and its children together.

    Where /proc does not tell how much processes share, it is the largest of any one of them.
    """

    status: str  # OK, LIMIT (stopped at the time limit) or FAILED (exit code other than 0)
    wall: float
    cpu: float
    peak_bytes: int
    stdout: str
    stderr: str


def measure(
    command: Sequence[str | Path], *, limit: float, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Measured:
    """Run ``command`` with ``env`` added to the environment; stop it after ``limit`` seconds.

    Only the process started here, and its own children, are stopped. Raises ``OSError`` if it cannot start.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,  # so that its children can be stopped with it
        )
        try:
            code, late, usage, together = _wait(process.pid, start + limit)
        except BaseException:  # Ctrl-C: leave nothing running
            _stop(process.pid)
            process.wait()
            raise
        wall = time.perf_counter() - start
        process.returncode = code  # reaped by us; Popen must not wait for it again
        out.seek(0)
        err.seek(0)
        return Measured(
            LIMIT if late else OK if code == 0 else FAILED,
            wall,
            usage.ru_utime + usage.ru_stime,
            max(together, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)),  # macOS counts bytes, Linux KiB
            out.read(),
            err.read(),
        )


def _wait(pid: int, deadline: float) -> tuple[int, bool, resource.struct_rusage, int]:
    """(exit code, stopped at the deadline, usage of the process and its children, their bytes together)."""
    late = False
    pause = 0.001
    together, sample = 0, 0.0
    while True:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), late, usage, together
        if time.perf_counter() > sample:
            together = max(together, _bytes(pid))
            sample = time.perf_counter() + _SAMPLE
        if not late and time.perf_counter() > deadline:
            late = True
            _stop(pid)
        time.sleep(pause)
        pause = min(0.01, 1.2 * pause)


def _bytes(pid: int) -> int:
    """Memory of a process and its descendants now, shared pages counted once; 0 where it cannot be told."""
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total = int(line.split()[1]) * 1024
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended, or there is no /proc
        return total
    return total + sum(_bytes(int(child)) for child in children)


def _stop(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # ended by itself in the meantime
        os.killpg(pid, signal.SIGKILL)
