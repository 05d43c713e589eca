"""How far an exploration is, counted where the work is done: by this process, its threads, or workers forked from it.

The counts are in memory that forked workers share with their parent, so that it can look at them while it waits. A
spawned process counts in a copy of its own: of its Einsums no more is known than that they are done. Whoever counts is
also told when to end: nobody waits any more, time is up, or there is too little memory.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Callable, Sequence

import attrs
import numpy as np

from ffcore.errors import FFError, MemoryLimitError, TimeLimitError
from ffcore.explore.limits import Limits, time_text

EVERY = 0.1  # seconds between progress reports, for which counts are summed
POLL = 0.05  # seconds between measurements of the memory in use

_TEMPLATES, _EVALUATED = 0, 1


class StoppedError(FFError):
    """Nobody waits for this exploration any more."""


class Tally:
    """Counts of several Einsums that are explored at once, and their limits.

    ``templates``: how many each of them has. ``report`` is called now and then by the thread that made the tally, while
    it explores an Einsum itself. ``names``: of the Einsums, for messages.
    """

    def __init__(
        self,
        templates: Sequence[int],
        report: Callable[[], None] | None = None,
        limits: Limits | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self.all_templates = tuple(templates)
        self.report = report
        self.limits = Limits() if limits is None else limits
        self.names = tuple(names)
        self._owner = _here()
        n = len(templates)
        memory = mmap.mmap(-1, 8 * (4 * n + 1))  # anonymous and shared
        words = np.frombuffer(memory, np.int64)
        self._stopped, self.counts = words[:1], words[1 : 2 * n + 1].reshape(-1, 2)
        self._begun = words[2 * n + 1 : 3 * n + 1]
        self._shares = np.frombuffer(memory, np.float64)[3 * n + 1 :]

    def __reduce__(self) -> tuple[type[Tally], tuple[tuple[int, ...], None, Limits, tuple[str, ...]]]:
        return Tally, (self.all_templates, None, self.limits, self.names)

    @property
    def templates(self) -> int:
        """Templates that are done."""
        return int(self.counts[:, _TEMPLATES].sum())

    @property
    def evaluated(self) -> int:
        """Evaluations so far; for an Einsum in work, as of a moment ago."""
        return int(self.counts[:, _EVALUATED].sum())

    @property
    def share(self) -> float | None:
        """The share of the work that is done; Einsums count by their templates. None if there is nothing to do."""
        everything = sum(self.all_templates)
        if not everything:
            return None
        whole = np.asarray(self.all_templates, np.float64)
        return float(np.maximum(self.counts[:, _TEMPLATES], self._shares * whole).sum() / everything)

    def slot(self, number: int) -> EinsumProgress:
        """What the explorer of Einsum ``number`` counts with."""
        return EinsumProgress(self, number)

    def finish(self, number: int, evaluated: int) -> None:
        """An Einsum is done, whoever did it."""
        self.counts[number] = self.all_templates[number], evaluated

    def stop(self) -> None:
        """Have threads that still explore give up at the next pulse."""
        self._stopped[0] = 1

    def allot(self, number: int) -> float:
        """When Einsum ``number``, which begins now, is to end.

        Those that have not begun share the time that is left, each as much as the others, so many at once as there are
        workers: what one of them leaves over is for the rest.
        """
        soft = self.limits.soft
        if soft == float("inf"):
            return soft
        now, waiting = time.monotonic(), int((self._begun == 0).sum())
        self._begun[number] = 1
        return now + (soft - now) * min(1.0, self.limits.workers / max(1, waiting))

    @property
    def stopped(self) -> bool:
        return bool(self._stopped[0])

    @property
    def at_home(self) -> bool:
        """Is this the thread that made the tally?"""
        return _here() == self._owner


@attrs.define(eq=False)
class EinsumProgress:
    """The counts of one Einsum, and what its explorer asks now and then: may I go on, and how much room is there?

    The explorer sets ``has_rows`` when it has found something: from then on it may be ended without loss.
    """

    tally: Tally
    number: int
    has_rows: bool = False
    soft: float = float("inf")  # when to end what has rows, by time.monotonic()
    _next: float = 0.0
    _polled: float = 0.0

    def stop(self) -> None:
        """Nobody waits any more: whoever explores is told so at the next pulse."""
        self.tally.stop()

    def begin(self) -> None:
        """The Einsum is taken in hand."""
        self.tally.counts[self.number, _TEMPLATES] = 0
        self.soft = self.tally.allot(self.number)

    def begin_again(self) -> None:
        """What was found of the Einsum is dropped; no less of the work is done."""
        self.tally.counts[self.number, _TEMPLATES] = 0
        self.has_rows = False

    def template_done(self, evaluated: Callable[[], int]) -> None:
        """Count a template. Raises as `pulse` does, but for time only if there are more templates."""
        counts = self.tally.counts
        counts[self.number, _TEMPLATES] += 1
        more = counts[self.number, _TEMPLATES] < self.tally.all_templates[self.number]
        self._look(evaluated, in_time=bool(more))

    def pulse(self, evaluated: Callable[[], int], done: float) -> None:
        """To be called many times a second, between two steps of the work, also within a template.

        ``done``: the share of the Einsum's work that is done; where it falls, as work is begun again, nobody is told.
        Raises ``StoppedError`` when nobody
        waits for the exploration any more, ``TimeLimitError`` when the Einsum's time is up (an explorer that has rows
        returns them), ``MemoryLimitError`` when the process has more memory than it may.
        """
        self.tally._shares[self.number] = max(done, self.tally._shares[self.number])
        self._look(evaluated, in_time=True)

    def room(self) -> float:
        """Bytes that may still be allocated before the limit of memory; infinite without one."""
        return self.tally.limits.room()

    def out_of_memory(self) -> MemoryLimitError:
        """The error for an allocation that was refused."""
        return self.tally.limits.out_of_memory(self._doing)

    @property
    def _doing(self) -> str:
        return f"exploring Einsum {self._name}"

    @property
    def _name(self) -> str:
        return self.tally.names[self.number] if self.tally.names else str(self.number)

    def _look(self, evaluated: Callable[[], int], *, in_time: bool) -> None:
        tally, now = self.tally, time.monotonic()
        if tally.stopped:
            raise StoppedError("the exploration was stopped")
        if in_time and now >= (self.soft if self.has_rows else tally.limits.hard):
            raise TimeLimitError(
                f"the time limit of {time_text(tally.limits.seconds)} ended the search before a mapping of Einsum "
                f"{self._name} was found; raise mapper.ffm.time_limit (--time-limit), or constrain what runs across "
                "the array (reuse, loop_bounds, min_usage)"
            )
        if now >= self._polled:
            self._polled = now + POLL
            tally.limits.check_memory(self._doing)
        if now >= self._next:
            self._next = now + EVERY
            tally.counts[self.number, _EVALUATED] = evaluated()
            if tally.report is not None and tally.at_home:
                tally.report()


def _here() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()
