"""What the tests of executors have them do: functions that any process can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np


def square(number: int) -> int:
    return number * number


def fails_at_two(number: int) -> int:
    if number == 2:
        raise ValueError("not two")
    return number


def dies_once(folder: str, number: int) -> int:
    """Call 1 kills its process, the first time."""
    marker = Path(folder) / "died"
    if number == 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def dies(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def pid_after(folder: str, number: int) -> int:
    """The process; each call waits until there is a file ``go``."""
    while not (Path(folder) / "go").exists():
        time.sleep(0.02)
    return os.getpid()


def made(number: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.full(2_000_000, float(number))


def total(values: np.ndarray, number: int) -> float:  # type: ignore[type-arg]
    return float(values.sum()) + number


def value_of(name: str) -> str | None:
    return os.environ.get(name)


class Stoppable:
    """An argument that can be told that nobody waits."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True


def until_stopped(what: Stoppable, number: int) -> None:
    (Path(what.folder) / f"begun{number}").touch()
    while not what.stopped:
        time.sleep(0.02)
    (Path(what.folder) / f"stopped{number}").touch()
