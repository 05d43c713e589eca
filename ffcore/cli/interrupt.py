"""Ctrl-C and SIGTERM: a command ends at once, wherever it is, and says what is known."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_AGAIN = 0.02  # s after which a KeyboardInterrupt that was swallowed is raised again


class Interrupts:
    """Whether the command was asked to end."""

    def __init__(self) -> None:
        self.happened = False
        self._held = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if the command was asked to end; somebody may have swallowed the first one."""
        if self.happened:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Signals within the body are ignored: what is known is being written, which takes no time."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def arrived(self, *_: int | FrameType | None) -> None:
        """The signal handler."""
        if self._held:
            return
        self.happened = True
        raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """SIGINT and SIGTERM raise KeyboardInterrupt in the body, once more where it gets lost.

    Python drops an exception that is raised in a destructor or in a callback from C (as LLVM makes while it compiles),
    and prints a traceback. Outside of the main thread nothing is set: signals are not for other threads.
    """
    state = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return
    hook = sys.unraisablehook

    def swallowed(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        else:
            hook(unraisable)

    wanted = {signal.SIGINT: state.arrived, signal.SIGTERM: state.arrived}
    if hasattr(signal, "setitimer"):
        sys.unraisablehook = swallowed
        wanted[signal.SIGALRM] = state.arrived
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield state
    finally:
        if signal.SIGALRM in before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        sys.unraisablehook = hook
