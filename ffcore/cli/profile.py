"""Where the time went, phase by phase."""

from __future__ import annotations

import sys
from collections.abc import Mapping


def profile_table(seconds: Mapping[str, float], counts: Mapping[str, int] | None = None) -> str:
    """A table of the seconds of each phase, the counts, and the peak memory of the largest process so far."""
    total = sum(seconds.values())
    lines = [f"{'phase':10} {'seconds':>9} {'share':>6}"]
    for name, used in (*seconds.items(), ("total", total)):
        lines.append(f"{name:10} {used:9.3f} {used / total if total else 0:6.1%}")
    lines += [f"{name.replace('_', ' ')}: {count:,}" for name, count in (counts or {}).items()]
    lines.append(f"peak memory: {_peak_bytes() / 2**20:.0f} MiB")
    return "\n".join(lines)


def _peak_bytes() -> int:
    import resource

    largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return largest if sys.platform == "darwin" else largest * 1024  # macOS counts bytes, Linux KiB
