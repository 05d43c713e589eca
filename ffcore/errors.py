"""Errors that a user meets: each says in one sentence what is wrong, where, and what to do.

Everything that ffcore raises on bad input derives from `FFError`; any other exception that
escapes is a bug of ours.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import attrs


class SpecWarning(UserWarning):
    """Something in a spec is valid, and hardly meant."""


class FFError(Exception):
    """Base of all errors that tell the user what to change."""


class LimitError(FFError):
    """A limit of time or memory ended the work before there was a result."""


class TimeLimitError(LimitError):
    """Time is up."""


class MemoryLimitError(LimitError):
    """Memory has run out, or what may be used of it."""


class PluginError(FFError):
    """A plugin is missing, broken, or conflicts with another one."""


class ExecutorError(FFError):
    """What runs the work is out of reach: nothing is wrong with the work."""


_UNPRINTABLE = frozenset(["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])  # control, format, surrogate, private, line ends


def is_printable(char: str) -> bool:
    """Is it shown as itself: no control character, none that turns the direction of text, no half of one?"""
    return unicodedata.category(char) not in _UNPRINTABLE and char not in "\ufffe\uffff"


def first_unprintable(text: str, but: str = "") -> str:
    """The first character that is not printable, nor one of ``but``, by its number; empty if there is none.

    >>> first_unprintable("6\\u202e4")
    'U+202E'
    """
    if text.isprintable():
        return ""
    return next((f"U+{ord(c):04X}" for c in text if c not in but and not is_printable(c)), "")


def printable(text: str) -> str:
    """The text with escapes for what a terminal might obey; ends of lines and tabs stay.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in "\n\t" or is_printable(c) else ascii(c)[1:-1] for c in text)


@attrs.frozen
class Position:
    """A place in a file of the user; ``line`` counts from 1, ``field`` is a dotted path."""

    file: str
    line: int
    field: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        text = f"{place}: {self.field}" if self.field else place
        return printable(text.replace("\n", "\\n"))

    def __deepcopy__(self, memo: object) -> Position:
        return self  # nothing of it can change, and a spec has thousands

    def with_field(self, field: str) -> Position:
        """The same place, named by the spec field that it sets."""
        return Position(self.file, self.line, field)


@attrs.frozen
class SpecProblem:
    """One thing that is wrong with a spec; ``suggestion`` is a name that was probably meant."""

    message: str
    position: Position | None = None
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f"{self.position}: " if self.position is not None else ""
        message = self.message if len(self.message) <= LONGEST else f"{self.message[:LONGEST]}..."
        hint = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{place}{printable(message)}{hint}"


SHOWN = 20
"""Problems that are printed: the same mistake may stand in a thousand places."""


def first(texts: Sequence[str], what: str) -> list[str]:
    """The first `SHOWN`, and how many more ``what`` there are."""
    more = [f"and {len(texts) - SHOWN:,} more {what}"] if len(texts) > SHOWN else []
    return [*texts[:SHOWN], *more]


COLLECTED = 1000
"""Problems after which no more are looked for."""

LONGEST = 2000
"""Characters of a message that are printed: names and lists of them may be of any length."""


class SpecError(FFError):
    """One or many problems of a spec; ``str()`` prints one line for each of the first `SHOWN`."""

    def __init__(self, problems: Sequence[SpecProblem]) -> None:
        if not problems:
            raise ValueError("a SpecError needs at least one problem")
        self.problems: tuple[SpecProblem, ...] = tuple(problems)
        super().__init__(self.problems)  # as the only argument, so that it survives pickling

    @classmethod
    def one(cls, message: str, position: Position | None = None, suggestion: str | None = None) -> SpecError:
        """The error that has a single problem."""
        return cls([SpecProblem(message, position, suggestion)])

    def __str__(self) -> str:
        lines = [str(p) for p in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            least = "at least " if len(self.problems) >= COLLECTED else ""
            lines.append(f"and {least}{len(self.problems) - SHOWN:,} more")
        return "\n".join(lines)


class ErrorCollector:
    """Gathers problems, so that a user sees all of them at once. With the `COLLECTED`th it raises them.

    >>> errors = ErrorCollector()
    >>> with errors.catch():
    ...     raise SpecError.one("unknown field", suggestion="size")
    >>> len(errors)
    1
    """

    def __init__(self) -> None:
        self._problems: dict[SpecProblem, None] = {}  # in order, each once

    @property
    def problems(self) -> list[SpecProblem]:
        """Those noted so far."""
        return list(self._problems)

    def __len__(self) -> int:
        return len(self._problems)

    def add(self, message: str, position: Position | None = None, suggestion: str | None = None) -> None:
        """Note one problem (a repeated one counts once)."""
        self._append(SpecProblem(message, position, suggestion))

    def extend(self, error: SpecError) -> None:
        """Note all problems of ``error``."""
        for problem in error.problems:
            self._append(problem)

    @contextmanager
    def catch(self) -> Iterator[None]:
        """Collect a SpecError that the block raises, and go on after the block."""
        try:
            yield
        except SpecError as error:
            self.extend(error)

    def raise_if_any(self) -> None:
        """Raise a SpecError with all problems noted so far, if there are any."""
        if self._problems:
            raise SpecError(self.problems)

    def _append(self, problem: SpecProblem) -> None:
        self._problems.setdefault(problem)
        if len(self._problems) >= COLLECTED:
            raise SpecError(self.problems)


class NoValidMappingError(FFError):
    """No mapping satisfies the constraints.

    ``einsum``: the Einsum that has none ("" if joining failed); ``memory``: the memory that is too
    small ("" if the constraints themselves are at odds); ``needed_bits``: the least that would fit there.
    """

    def __init__(self, message: str, einsum: str = "", memory: str = "", needed_bits: float | None = None) -> None:
        self.message = message
        self.einsum = einsum
        self.memory = memory
        self.needed_bits = needed_bits
        super().__init__(message, einsum, memory, needed_bits)

    def __str__(self) -> str:
        return self.message


_LIKE = 500
"""Candidates that are compared letter by letter: a workload may have thousands of names, and a thousand mistakes."""


def suggest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like ``name``, or None if none is near (upper and lower case count as near)."""
    names = sorted({c for c in candidates if c != name})
    same = [c for c in names if c.casefold() == name.casefold()]
    if same:
        return same[0]
    alike = [c for c in names if 2 * len(c) >= len(name) and len(c) <= 2 * len(name)]
    if len(name) > _LIKE or len(alike) > _LIKE:
        alike = [c for c in alike if c[:1] == name[:1]][:_LIKE] if len(name) <= _LIKE else []
    close = difflib.get_close_matches(name, alike, n=1, cutoff=0.6)
    return close[0] if close else None
