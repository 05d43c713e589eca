"""How much memory and how many cores this process has, and what there is for it: read from the system, just now."""

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


def cores(root: Path = _ROOT) -> int:
    """Processor cores that this process may run on: in a container or a job of a cluster, often not all there are.

    A quota of time (docker's ``--cpus``) counts as so many cores, one more for what is left of one.
    """
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = (_quota(group, newer) for group, newer in _groups(root, "cpu"))
    return min([number, *(max(1, math.ceil(quota)) for quota in quotas if quota is not None)])


def _quota(group: Path, newer: bool) -> float | None:
    """The share of time that a group may take, in cores; None if nothing is said."""
    try:
        if newer:
            quota, period = (group / "cpu.max").read_text().split()  # "max" is no number
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        share = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None  # -1: no quota


def _of_groups(root: Path) -> Iterator[float]:
    """What each control group that this process is in has left, its parents too."""
    for group, newer in _groups(root, "memory"):
        if newer:
            yield _left_in(group, "memory.max", "memory.current", "inactive_file")
        else:
            yield _left_in(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _groups(root: Path, controller: str) -> Iterator[tuple[Path, bool]]:
    """The control groups that this process is in, their parents too, and whether they are of the second version."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base = root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            base = root / "sys/fs/cgroup" / controller
        else:
            continue
        # Seen from inside of a container, the path may be one of the host, which is not there.
        folder = base / path.lstrip("/")
        for group in (folder, *folder.parents):
            yield group, not controllers
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
