"""The pages of the documentation and the code blocks on them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CHANGELOG.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]

NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
"""Stands on the line above a block that no test runs, and says why; names in it are checked all the same."""

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<language>[\w+-]*)(?P<rest>.*)$")
_TITLE = re.compile(r'title="([^"]+)"')


@attrs.frozen
class Block:
    """One fenced block. ``line`` counts from 1 and is that of its first line of text; ``title`` names a file."""

    page: str
    line: int
    language: str
    title: str
    text: str
    reason: str  # why it is not run; "" for nearly all

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def page_blocks(page: str) -> list[Block]:
    """The blocks of a page of the clone, in order."""
    return parse(page, (ROOT / page).read_text())


def parse(page: str, text: str) -> list[Block]:
    """The fenced blocks of markdown text, indented ones too. Raises ValueError for a fence that is never closed."""
    found = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        number += 1
        if opening is None:
            continue
        start, before = number, lines[number - 2] if number > 1 else ""
        close = re.compile(rf"^ *{re.escape(opening['fence'])}[`~]* *$")
        while number < len(lines) and not close.match(lines[number]):
            number += 1
        if number == len(lines):
            raise ValueError(f"{page}:{start}: this block is never closed")
        indent = len(opening["indent"])
        body = "".join(f"{line[indent:]}\n" for line in lines[start:number])
        number += 1
        title, reason = _TITLE.search(opening["rest"]), NOT_RUN.search(before)
        name = title[1] if title else ""
        found.append(Block(page, start + 1, opening["language"], name, body, reason[1] if reason else ""))
    return found


def sessions(text: str) -> list[tuple[str, list[str]]]:
    """(command, lines shown below it) of a ``console`` block; a command may go on after a backslash."""
    found: list[tuple[str, list[str]]] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command = command[:-1] + next(lines).strip()
            found.append((command, []))
        elif found:
            found[-1][1].append(line.rstrip())
        else:
            raise ValueError(f"a console block starts with a command after '$ ', not with {line!r}")
    return found


def commands(block: Block) -> list[str]:
    """The commands of a ``console`` or ``sh`` block, without comments."""
    if block.language == "console":
        return [command for command, _ in sessions(block.text)]
    joined = block.text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if shlex.split(line, comments=True)]


def same(shown: list[str], got: list[str]) -> bool:
    """Whether the lines shown are those got, where ``…`` stands for anything: on a line of its own, for any lines.

    Empty lines at the end do not count.
    """
    pattern = []
    for line in _stripped(shown):
        if line.strip() == "…":
            pattern.append(r"(?:[^\n]*\n)*")
        else:
            pattern.append(".*".join(re.escape(part) for part in line.split("…")) + r"\n")
    return re.fullmatch("".join(pattern), "".join(f"{line}\n" for line in _stripped(got))) is not None


def _stripped(lines: list[str]) -> list[str]:
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines
