"""``python -m tests.docs.refresh PAGE...``: outputs that a page shows become what its commands and Python print now.

For use after a change of what is printed; read the difference before it is committed. What a ``…`` left out stays out:
a shown text that ended in one keeps its number of lines, lines that still agree stay as they are.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.docs.blocks import ROOT, Block, page_blocks, same, sessions
from tests.docs.running import Page


def renewed(shown: list[str], got: list[str]) -> list[str]:
    """``got``, cut as ``shown`` is; ``shown`` itself where it still holds."""
    if same(shown, got):
        return shown
    while got and not got[-1].strip():
        got = got[:-1]
    blurred = [line for line in shown if "…" in line and line.strip() != "…"]
    lines = [next((old for old in blurred if same([old], [line])), line) for line in got]
    cut = next((i for i, line in enumerate(shown) if line.strip() == "…"), len(lines))
    if cut < len(lines) and same([*lines[:cut], *shown[cut:]], got):
        return [*lines[:cut], *shown[cut:]]
    return [*lines[:cut], *(["…"] if cut < len(lines) else [])]


class Refresh(Page):
    """Runs a page as the tests do and notes what its blocks should say."""

    def __init__(self, blocks: list[Block], folder: Path) -> None:
        super().__init__(blocks, folder)
        self.texts: dict[int, str] = {}  # by first line of the block

    def console(self, block: Block) -> None:
        found: list[str] = []
        for command, shown in sessions(block.text):
            done = self.execute(command)
            got = [line.rstrip() for line in (done.stdout + done.stderr).splitlines()]
            found += [f"$ {command}", *(renewed(shown, got) if shown else [])]
        if "\\\n" not in block.text:  # broken lines would not come back as they were
            self.texts[block.line] = "".join(f"{line}\n" for line in found)

    def output(self, block: Block) -> None:
        lines = renewed(block.text.splitlines(), [line.rstrip() for line in self.printed.splitlines()])
        self.texts[block.line] = "".join(f"{line}\n" for line in lines)


def refreshed(page: str, text: str, blocks: list[Block], folder: Path) -> str:
    """``text`` of the page with what its blocks print now; runs in ``folder``, the current one."""
    run = Refresh(blocks, folder)
    run.run()
    lines = text.splitlines(keepends=True)
    for block in reversed(blocks):
        if block.line in run.texts:
            start = block.line - 1
            indent = lines[start - 1][: len(lines[start - 1]) - len(lines[start - 1].lstrip())]
            new = [indent + line if line.strip() else line for line in run.texts[block.line].splitlines(keepends=True)]
            lines[start : start + len(block.text.splitlines())] = new
    return "".join(lines)


def main(pages: Sequence[str]) -> Iterator[str]:
    """Rewrite the pages; yields those that changed."""
    for page in pages:
        path = (ROOT / page).resolve()
        name = str(path.relative_to(ROOT))
        text = path.read_text()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            new = refreshed(name, text, page_blocks(name), Path(folder))
            os.chdir(ROOT)
        if new != text:
            path.write_text(new)
            yield name


if __name__ == "__main__":
    for changed in main(sys.argv[1:]):
        print(changed)
