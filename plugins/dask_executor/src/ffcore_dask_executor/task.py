"""What a worker of the cluster does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from ffcore.plugin import PluginError
from ffcore_dask_executor.same import Versions, difference, own_versions

POLL = 0.5
"""Seconds between two looks at whether anybody still waits."""


@attrs.frozen
class Call:
    """A call as it is sent: what is large of its arguments is sent apart, and None here."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    apart: tuple[int, ...]  # places of the arguments that are sent apart
    versions: Versions  # of those who sent it


def make(call: Call, *apart: Any) -> Any:
    """Make a call. Raises what it raises, PluginError in a worker that has come later and has other packages."""
    if call.versions != own_versions():
        raise PluginError(difference(call.versions, own_versions(), f"the Dask worker at {_address()}"))
    args = list(call.args)
    for place, value in zip(call.apart, apart, strict=True):
        args[place] = value
    with _stopped_when_nobody_waits(args):
        return call.fn(*args)


@contextmanager
def _stopped_when_nobody_waits(args: Sequence[Any]) -> Iterator[None]:
    """A call cannot be ended from outside: what can be told to stop is told so when the task was cancelled."""
    stops = [stop for arg in args if callable(stop := getattr(arg, "stop", None))]
    task = _task() if stops else None
    if task is None:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(POLL):
            if task.state in ("cancelled", "released", "forgotten"):
                for stop in stops:
                    stop()
                return

    watching = threading.Thread(target=watch, name="ffcore-dask-watch", daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()


def _task() -> Any:
    """The state of the task that this thread works at; None where there is no worker."""
    from distributed import get_worker, worker

    try:
        return get_worker().state.tasks.get(worker.thread_state.key)  # type: ignore[attr-defined]
    except (ValueError, AttributeError):
        return None


def _address() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return "?"
