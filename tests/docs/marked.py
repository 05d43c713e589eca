"""Pages of which a part is made: between two marks, by ``python -m tests.docs.NAME PAGE``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path


def put_between(page: str, begin: str, end: str, text: str) -> str:
    """``page`` with the text between its marks. Raises ValueError where a mark is missing."""
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError(f"the page must hold {begin} and, further down, {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def run(reference: Callable[[], str], updated: Callable[[str], str], words: Sequence[str]) -> None:
    """Print the text, or put it into the page that the command line's words name."""
    if not words:
        print(reference())
        return
    path = Path(words[0])
    path.write_text(updated(path.read_text()))
