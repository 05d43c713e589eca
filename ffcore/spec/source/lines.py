"""From a place in rendered text back to the line of the file it came from.

Jinja may drop, repeat and move lines. So markers, made of characters that no file may hold, are put
at the start of each line of the template before it is rendered, and taken out afterwards.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import attrs
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

if TYPE_CHECKING:
    from ffcore.spec.source.sandbox import Meter

OPEN, CLOSE = "\ue000", "\ue001"  # around "file:line", numbers both
TOKEN_OPEN, TOKEN_CLOSE = "\ue002", "\ue003"  # around the number of an included value
RESERVED = re.compile("[\ue000-\ue003]")

_MARK = re.compile(f"{OPEN}([0-9]+):([0-9]+){CLOSE}")
# Text captured by these is a value, to be compared and computed with: markers would spoil it.
_CAPTURES = frozenset({"set", "filter", "call", "macro"})


@attrs.frozen
class RenderedText:
    """Text without markers, and where each stretch of it came from."""

    text: str
    _starts: list[int]
    _origins: list[tuple[int, int]]

    def origin(self, index: int) -> tuple[int, int]:
        """(number of the file, line) of the character at ``index``."""
        return self._origins[max(bisect.bisect_right(self._starts, index) - 1, 0)]


def mark(file: int, line: int) -> str:
    """The marker that says: what follows is from this line of this file."""
    return f"{OPEN}{file}:{line}{CLOSE}"


def unmark(marked: str, file: int) -> RenderedText:
    """Take out the markers; ``file`` is the number of the file that was rendered."""
    starts, origins, parts = [0], [(file, 1)], []
    length = end = 0
    for found in _MARK.finditer(marked):
        piece = marked[end : found.start()]
        parts.append(piece)
        length += len(piece)
        end = found.end()
        origin = (int(found[1]), int(found[2]))
        if starts[-1] == length:
            origins[-1] = origin
        else:
            starts.append(length)
            origins.append(origin)
    parts.append(marked[end:])
    return RenderedText("".join(parts), starts, origins)


class LineMarkers(Extension):
    """Puts the markers in, while Jinja reads a template named by its file's number."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Before: ``"a\\nb"`` from line 7 of file 0. After: ``"<0:7>a\\n<0:8>b"``."""
        meter: Meter = self.environment.meter  # type: ignore[attr-defined]
        return self._marked(list(meter.tokens(stream)), int(stream.name or 0))

    @staticmethod
    def _marked(tokens: list[Token], file: int) -> Iterator[Token]:
        captured = 0
        for position, token in enumerate(tokens):
            if token.type == "block_begin":
                captured += _capture_change(tokens, position + 1)
            if captured:
                yield token
            elif token.type == "data":
                lines = token.value.split("\n")
                text = "\n".join(mark(file, token.lineno + n) + line for n, line in enumerate(lines))
                yield Token(token.lineno, "data", text)
            else:
                yield token
                if token.type == "variable_end":
                    yield Token(token.lineno, "data", mark(file, token.lineno))


def _capture_change(tokens: list[Token], position: int) -> int:
    """+1 where the block tag whose name is at ``position`` starts capturing its text, -1 where that ends."""
    name = tokens[position].value if position < len(tokens) else ""
    if name.startswith("end") and name[3:] in _CAPTURES:
        return -1
    if name not in _CAPTURES:
        return 0
    if name != "set":
        return 1
    for token in tokens[position:]:
        if token.type == "assign":
            return 0
        if token.type == "block_end":
            break
    return 1
