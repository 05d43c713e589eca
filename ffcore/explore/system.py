"""How much memory this process has, and how much there is for it: read from the system, a moment ago and no longer."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def resident() -> float:
    """Bytes of memory that this process has."""
    try:
        return _pages(1)
    except OSError:  # no /proc: the most that it ever had
        import resource
        import sys

        unit = 1 if sys.platform == "darwin" else 1024
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def addresses_left() -> float:
    """Bytes that this process may still ask for before its own limit of addresses (``ulimit -v``); else infinite."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        return math.inf
    try:
        return max(0.0, soft - _pages(0))
    except OSError:
        return math.inf


def _pages(column: int) -> float:
    with open("/proc/self/statm", "rb") as file:
        return float(int(file.read().split()[column]) * os.sysconf("SC_PAGE_SIZE"))


def available(root: Path = _ROOT) -> float:
    """Bytes that processes may still take: of the machine, and within their control groups; infinite if unknown."""
    return min((_of_machine(root), *_of_groups(root)))


def _of_machine(root: Path) -> float:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return math.inf
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return float(found[0]) * 1024 if found else math.inf


def _of_groups(root: Path) -> Iterator[float]:
    """What each control group that this process is in has left, its parents too."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # Seen from inside of a container, the path may be one of the host, which is not there.
        folder = base / path.lstrip("/")
        for group in (folder, *folder.parents):
            yield _left_in(group, *names)
            if group == base:
                break


def _left_in(group: Path, limit: str, used: str, reclaimable: str) -> float:
    """What a group may still take; what it holds of files is given back when it is needed."""
    try:
        most = float((group / limit).read_text())  # "max" is no number
        taken = float((group / used).read_text())
        stat = dict(line.split(" ", 1) for line in (group / "memory.stat").read_text().splitlines())
        return max(0.0, most - taken + float(stat.get(reclaimable, 0)))
    except (OSError, ValueError):
        return math.inf
