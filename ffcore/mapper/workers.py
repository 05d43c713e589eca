"""How much runs at once: the default number of jobs, and the executors made from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from ffcore import plugin
from ffcore.errors import MemoryLimitError
from ffcore.explore.limits import out_of_memory
from ffcore.phases import current_phase
from ffcore.plugin.builtin import DEFAULT_EXECUTOR

if TYPE_CHECKING:
    from ffcore.spec import Spec


@attrs.define
class Jobs:
    """The number of jobs that run at once where a call does not say; None: as many as there are cores."""

    wanted: int | None = attrs.field(default=None)

    @wanted.validator
    def _positive(self, _: object, value: int | None) -> None:
        if value is not None and value < 1:
            raise ValueError(f"the number of parallel jobs must be at least 1, not {value}")

    @property
    def n(self) -> int:
        return self.wanted or os.cpu_count() or 1


DEFAULT_JOBS = Jobs()
"""What `set_n_parallel_jobs` sets; nothing else changes it, and results do not depend on it."""


def set_n_parallel_jobs(n: int | None = None, print_message: bool = True) -> None:
    """From now on run ``n`` jobs at once (None: one for each core). Raises ValueError for less than one."""
    DEFAULT_JOBS.wanted = n
    if print_message:
        print(f"ffcore runs {DEFAULT_JOBS.n} parallel jobs")


@contextmanager
def workers(spec: Spec, n_jobs: int | None = None, executor: Executor | None = None) -> Iterator[Executor | None]:
    """The executor that does parallel work: ``executor`` itself, which its owner shuts down, or a new one.

    A new one is of the kind that the spec names (``forks`` by default) and is shut down at the end. With one job, and
    no kind named, there is none: all work is done in the calling thread. Raises MemoryLimitError when a worker process
    dies, or memory runs out anywhere in the body.
    """
    try:
        with _made(spec, n_jobs, executor) as pool:
            yield pool
    except MemoryError:
        doing = _DOING.get(current_phase(), "mapping")
    else:
        return
    raise out_of_memory(doing)  # outside of the handler: what it held may go


_DOING = {"explore": "exploring", "join": "joining", "spec": "reading the spec", "templates": "making templates"}


@contextmanager
def _made(spec: Spec, n_jobs: int | None, executor: Executor | None) -> Iterator[Executor | None]:
    if executor is not None:
        yield executor
        return
    count = n_jobs or DEFAULT_JOBS.n
    name = spec.mapper.executor
    if name is None and count == 1:
        yield None
        return
    made = plugin.get("executor", name or DEFAULT_EXECUTOR, n_jobs=count)
    try:
        yield made
    except BrokenExecutor as error:
        made.shutdown(wait=False, cancel_futures=True)
        raise MemoryLimitError(
            "a worker process ended unexpectedly, most likely because memory ran out; try again with one job "
            "(--jobs 1), which needs less"
        ) from error
    except BaseException:  # Ctrl-C too: what has not begun need not run
        made.shutdown(wait=False, cancel_futures=True)
        raise
    made.shutdown()
