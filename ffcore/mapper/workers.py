"""How much runs at once: the default number of jobs, and the executors made from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from ffcore import plugin
from ffcore.errors import MemoryLimitError, PluginError, SpecError
from ffcore.explore.limits import out_of_memory
from ffcore.phases import current_phase
from ffcore.plugin import ExecutorRecord
from ffcore.plugin.builtin import DEFAULT_EXECUTOR
from ffcore.plugin.given_options import check_options
from ffcore.plugin.records import loaded
from ffcore.system import cores

if TYPE_CHECKING:
    from ffcore.spec import Spec


TRUSTED = "FFCORE_TRUSTED_EXECUTORS"
"""Environment variable: executors, separated by commas, of which spec files may set all options."""

JOBS = "FFCORE_JOBS"
"""Environment variable: the number of jobs that run at once where nothing else says."""


@attrs.define
class Jobs:
    """The number of jobs that run at once where a call does not say; None: what `JOBS` says, or one for each core."""

    wanted: int | None = attrs.field(default=None)

    @wanted.validator
    def _positive(self, _: object, value: int | None) -> None:
        if value is not None and value < 1:
            raise ValueError(f"the number of parallel jobs must be at least 1, not {value}")

    @property
    def n(self) -> int:
        """Raises SpecError where the environment says nonsense."""
        if self.wanted is not None:
            return self.wanted
        said = os.environ.get(JOBS)
        if not said:
            return cores()
        if not (said.isascii() and said.isdecimal() and int(said)):
            raise SpecError.one(f"{JOBS}: expected a number of parallel jobs, at least 1, not {said!r}")
        return int(said)


DEFAULT_JOBS = Jobs()
"""What `set_n_parallel_jobs` sets; nothing else changes it, and results do not depend on it."""


def set_n_parallel_jobs(n: int | None = None, print_message: bool = True) -> None:
    """From now on run ``n`` jobs at once (None: what ``FFCORE_JOBS`` says, or one for each core).

    Raises ValueError for less than one.
    """
    DEFAULT_JOBS.wanted = n
    if print_message:
        print(f"ffcore runs {DEFAULT_JOBS.n} parallel jobs")


@contextmanager
def workers(spec: Spec, n_jobs: int | None = None, executor: Any = None) -> Iterator[Executor | None]:
    """The executor that does parallel work: ``executor`` itself, which its owner shuts down, or a new one.

    ``executor`` may also be what a plugin makes an executor of (`ExecutorRecord`), such as a client of a cluster. A new
    one is of the kind that the spec names (``forks`` by default), with its options, and is shut down at the end. With
    one job, and no kind named, there is none: all work is done in the calling thread. Raises MemoryLimitError when
    worker processes die again and again, or memory runs out anywhere in the body, and what the executor raises where
    its workers are out of reach.
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
def _made(spec: Spec, n_jobs: int | None, executor: Any) -> Iterator[Executor | None]:
    if executor is not None:
        yield _as_executor(executor)
        return
    count = n_jobs or DEFAULT_JOBS.n
    name = spec.mapper.executor
    if name is None and count == 1 and not spec.mapper.executor_options:
        yield None
        return
    options = executor_options(spec)
    made = plugin.get("executor", name or DEFAULT_EXECUTOR, n_jobs=count, **options)
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


def executor_options(spec: Spec) -> dict[str, Any]:
    """The options of the executor that a spec means.

    Raises SpecError for those that it does not have, and for those of a spec file that could have it run code.
    """
    options = dict(spec.mapper.executor_options)
    name = spec.mapper.executor or DEFAULT_EXECUTOR
    place = spec.mapper.place_of("executor_options")
    check_options("executor", name, options, lambda _: place)
    from_file = spec.mapper.position_of("executor_options") is not None
    if options and from_file and name not in os.environ.get(TRUSTED, "").split(","):
        record = plugin.current_manager().record("executor", name)
        for option in record.trusted if isinstance(record, ExecutorRecord) else ():
            if option in options:
                raise SpecError.one(
                    f"a spec file may not set {option!r} of the executor {name!r}, which decides who can "
                    f"run code here: give it yourself (--executor {name} --executor-option {option}=...), or trust "
                    f"files with {TRUSTED}={name}",
                    place,
                )
    return options


def _as_executor(given: Any) -> Executor:
    """An executor, as it is or made of an object that a plugin knows. Raises PluginError for anything else."""
    if isinstance(given, Executor):
        return given
    classes = {f"{c.__module__}:{c.__qualname__}" for c in type(given).__mro__}
    for record in plugin.records("executor"):
        if isinstance(record, ExecutorRecord) and record.wrapper is not None and classes & {*record.wraps}:
            made: Executor = loaded(record.wrapper)(given)
            return made
    known = [name for r in plugin.records("executor") if isinstance(r, ExecutorRecord) for name in r.wraps]
    also = f", or a {' or '.join(known)}" if known else ""
    raise PluginError(f"executor must be a concurrent.futures.Executor{also}, not {given!r}")
