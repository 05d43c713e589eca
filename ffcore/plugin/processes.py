"""Processes that make calls: the one place that starts any.

Where it is safe they are forked, in milliseconds, with all that the parent has. Elsewhere (beside other threads, as in
Jupyter) they come from a server that has loaded the search, and are sent what they need: calls must then be fit for
pickling. They never run the script that called us again, so that it needs no ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from types import ModuleType
from typing import Any

import attrs

LOADED = ("ffcore.explore.search.solve", "ffcore.model.default")
"""What the server of processes has loaded before it is asked for one."""

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
_MAIN = b"__main__"
_starting = threading.Lock()


def may_fork() -> bool:
    """Is forking this process safe? Not where other threads may hold a lock for ever, nor on some systems."""
    here = multiprocessing.current_process()
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1 and not here.daemon


@attrs.frozen(eq=False)
class Worker:
    """A process that was started, and our end of the line to it."""

    connection: Connection
    process: BaseProcess

    def end(self) -> None:
        """End it, whatever it is doing."""
        self.process.terminate()
        self.process.join()
        self.connection.close()


def start(work: Callable[..., None], *args: Any) -> Worker:
    """A new process that runs ``work(connection, *args)``, where ``connection`` leads to us.

    Ctrl-C is the parent's business there: it ends its workers. Raises what pickling raises where it cannot be forked.
    """
    ours, theirs = multiprocessing.Pipe()
    if may_fork():
        process = multiprocessing.get_context("fork").Process(target=_forked, args=(work, theirs, args), daemon=True)
        # What arrives meanwhile is held back: a worker must not see it with its parent's handlers, which speak to
        # people.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        theirs.close()  # the worker's is now the only one, so that its end can be told
        return Worker(ours, process)
    with _starting, _without_main():
        served = _server().Process(target=_served, args=(work, theirs, args, dict(os.environ)), daemon=True)
        served.start()
    theirs.close()
    return Worker(ours, served)


def _server() -> Any:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LOADED))
    return context


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are started here do not run the main script again: nothing that they are sent stands there."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _forked(work: Callable[..., None], connection: Connection, args: Sequence[Any]) -> None:
    leave_interrupts_to_the_parent()
    work(connection, *args)


def _served(
    work: Callable[..., None], connection: Connection, args: Sequence[Any], environment: Mapping[str, str]
) -> None:
    os.environ.clear()  # the server's is as old as it is
    os.environ.update(environment)
    leave_interrupts_to_the_parent()
    work(connection, *args)


def leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal; a worker goes on, and its parent ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)


def packed(call: object) -> bytes | None:
    """A call as it is sent to another process; None where that one could not make it.

    It could not if something has no name to be found by, such as a lambda, or stands in the main script.
    """
    try:
        data = bytes(ForkingPickler.dumps(call))
    except MemoryError:
        raise
    except Exception:  # whatever the objects in it raise
        return None
    return None if _MAIN in data else data
