"""``python -m tests.soak N``: N random specs through map, evaluate, explain and report in one process.

Prints the memory as it goes, into ``out/soak/memory.csv`` too. Exit code 1 where memory grows past the first hundred,
or where a file, a worker, a thread, an open file or a temporary folder stays behind.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.soak.soak import soak


def main() -> int:
    """See above."""
    out = Path("out/soak")
    out.mkdir(parents=True, exist_ok=True)
    found = soak(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, out / "memory.csv", print)
    print(found.told())
    return int(bool(found.wrong()))


if __name__ == "__main__":
    raise SystemExit(main())
