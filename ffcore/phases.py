"""Where a job's time goes: seconds of wall time by phase.

Whoever wants to know records; whoever works says which phase it is in. Without a recording, ``phase`` does nothing::

    with recording() as clock:
        with phase("explore"):
            ...
    clock.seconds   # {"explore": 1.2}
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Clock:
    """Seconds of each phase, in the order in which phases began; time in an inner phase is not the outer one's."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.current = ""
        """The innermost phase that is open; between phases the last one; the innermost that an exception ended."""
        self._inner = [0.0]  # per open phase, the seconds that belong to phases within it

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Book the wall time of the body on ``name``; a name used again adds up."""
        self.seconds.setdefault(name, 0.0)
        self._inner.append(0.0)
        outer = self.current if len(self._inner) > 2 else name
        self.current = name
        start = time.perf_counter()
        try:
            yield
            self.current = outer
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] += elapsed - self._inner.pop()
            self._inner[-1] += elapsed


# Of the current thread or task: worker threads have none, so that a clock is never used by two threads at once.
_clock: ContextVar[Clock | None] = ContextVar("ffcore_clock", default=None)


@contextmanager
def recording() -> Iterator[Clock]:
    """Record the phases of the body. Within another recording it is that one: its clock is yielded again."""
    current = _clock.get()
    if current is not None:
        yield current
        return
    clock = Clock()
    token = _clock.set(clock)
    try:
        yield clock
    finally:
        _clock.reset(token)


@contextmanager
def unrecorded() -> Iterator[None]:
    """Book nothing of the body, whatever phases it says it is in: all of it belongs to the phase around it."""
    token = _clock.set(None)
    try:
        yield
    finally:
        _clock.reset(token)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Book the wall time of the body on ``name`` in the current recording, if there is one."""
    clock = _clock.get()
    if clock is None:
        yield
        return
    with clock.phase(name):
        yield


def current_phase() -> str:
    """The innermost phase that is open in the current recording; empty where there is none."""
    clock = _clock.get()
    return "" if clock is None else clock.current
