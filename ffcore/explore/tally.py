"""How far an exploration is, counted where the work is done: by this process, its threads, or workers forked from it.

The counts are in memory that forked workers share with their parent, so that it can look at them while it waits. A
spawned process counts in a copy of its own: of its Einsums no more is known than that they are done.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Callable, Sequence

import attrs
import numpy as np

from ffcore.errors import FFError

EVERY = 0.1  # s between two looks at the clock's doing: counts are summed and told no more often

_TEMPLATES, _EVALUATED = 0, 1


class StoppedError(FFError):
    """Nobody waits for this exploration any more."""


class Tally:
    """Counts of several Einsums that are explored at once.

    ``templates``: how many each of them has. ``report`` is called now and then by the thread that made the tally, while
    it explores an Einsum itself.
    """

    def __init__(self, templates: Sequence[int], report: Callable[[], None] | None = None) -> None:
        self.all_templates = tuple(templates)
        self.report = report
        self._owner = _here()
        words = np.frombuffer(mmap.mmap(-1, 8 * (2 * len(templates) + 1)), np.int64)  # anonymous and shared
        self._stopped, self.counts = words[:1], words[1:].reshape(-1, 2)

    def __reduce__(self) -> tuple[type[Tally], tuple[tuple[int, ...]]]:
        return Tally, (self.all_templates,)

    @property
    def templates(self) -> int:
        """Templates that are done."""
        return int(self.counts[:, _TEMPLATES].sum())

    @property
    def evaluated(self) -> int:
        """Evaluations so far; for an Einsum in work, as of a moment ago."""
        return int(self.counts[:, _EVALUATED].sum())

    def slot(self, number: int) -> Slot:
        """What the explorer of Einsum ``number`` counts with."""
        return Slot(self, number)

    def finish(self, number: int, evaluated: int) -> None:
        """An Einsum is done, whoever did it."""
        self.counts[number] = self.all_templates[number], evaluated

    def stop(self) -> None:
        """Have threads that still explore give up at the next template."""
        self._stopped[0] = 1

    @property
    def stopped(self) -> bool:
        return bool(self._stopped[0])

    @property
    def at_home(self) -> bool:
        """Is this the thread that made the tally?"""
        return _here() == self._owner


@attrs.define(eq=False)
class Slot:
    """The counts of one Einsum."""

    tally: Tally
    number: int
    _next: float = 0.0

    def template_done(self, evaluated: Callable[[], int]) -> None:
        """Count a template. Raises `StoppedError` when the exploration has been given up."""
        counts = self.tally.counts
        counts[self.number, _TEMPLATES] += 1
        if self.tally.stopped:
            raise StoppedError("the exploration was stopped")
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY
            counts[self.number, _EVALUATED] = evaluated()
            if self.tally.report is not None and self.tally.at_home:
                self.tally.report()


def _here() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()
