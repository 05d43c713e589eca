"""``python -m bench.update_docs``: put the latest tables into docs/performance.md, between its two marks."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.run import ROOT

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
PICTURE = ("](chain.svg)", "](../bench/results/chain.svg)")


def updated(page: str, tables: str) -> str:
    """``page`` with ``tables`` between the marks. Raises ``ValueError`` where a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must hold {BEGIN} and, further down, {END}")
    return f"{before}{BEGIN}\n{tables.replace(*PICTURE).strip()}\n{END}{after}"


def main(root: Path = ROOT) -> int:
    """Update the page. Exit code 1 where there are no results or no marks."""
    page = root / "docs" / "performance.md"
    tables = root / "bench" / "results" / "latest.md"
    try:
        page.write_text(updated(page.read_text(), tables.read_text()))
    except (OSError, ValueError) as error:
        print(f"{error}; run `make bench` first if there are no results", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
