"""What an exploration may take of time and memory, and what is said where that does not do."""

from __future__ import annotations

import math
import os
import socket
import time
from typing import Any

import attrs

from ffcore.errors import MemoryLimitError, TimeLimitError
from ffcore.spec.problem import MapperOptions
from ffcore.system import addresses_left, available, cores, resident
from ffcore.units import Dimension, format_quantity

SHARE = 0.8
"""Of the time limit, for the exploration: the rest is the join's. Of the memory that is available, without a limit."""

PATIENCE = 10.0
"""Seconds past the time limit that are given to what has nothing to show yet, or is still compiling."""


@attrs.frozen
class Limits:
    """Until when Einsums are explored, and with how much memory.

    An Einsum that has pmappings ends at ``soft``, one that has none at ``hard`` (by ``time.monotonic()``, which all
    processes of a machine share; sent to another one, they are moments by its clock). ``memory`` is for all processes
    together (bytes); those that are forked from this one begin with its ``base`` and divide the rest. On another
    machine, unless it was asked for, it is what is available there.
    """

    soft: float = math.inf
    hard: float = math.inf
    memory: float = math.inf
    workers: int = 1  # that explore at once: threads, or processes
    seconds: float = math.inf  # the time limit, for people
    stated: bool = False  # the memory limit was asked for
    base: float = attrs.field(factory=resident)
    home: int = attrs.field(factory=os.getpid)

    @classmethod
    def of(cls, options: MapperOptions, workers: int = 1) -> Limits:
        """Those of a search that begins now, by so many workers at once."""
        now, most, base = time.monotonic(), options.memory_limit, resident()
        stated = most < math.inf
        if not stated:
            most = base + SHARE * min(available(), addresses_left())  # never less than there is already
        seconds = options.time_limit
        return cls(now + SHARE * seconds, now + seconds + PATIENCE, most, workers, seconds, stated, base)

    @classmethod
    def of_join(cls, options: MapperOptions, explored: float) -> Limits:
        """Those of a join that begins now, after an exploration that took so many seconds."""
        limits, seconds = cls.of(options), options.time_limit
        if seconds == math.inf:
            return limits
        end = time.monotonic() + max((1 - SHARE) * seconds, seconds - explored)
        return attrs.evolve(limits, soft=end, hard=end + PATIENCE)

    @classmethod
    def within(cls, enough: float, seconds: float) -> Limits:
        """Those of a quick question that is asked now: what has rows ends after ``enough`` seconds, all after more."""
        now = time.monotonic()
        return attrs.evolve(cls.of(MapperOptions()), soft=now + enough, hard=now + seconds, seconds=seconds)

    def __reduce__(self) -> tuple[Any, ...]:
        wall = time.time() - time.monotonic()
        fields = attrs.asdict(self) | {"soft": self.soft + wall, "hard": self.hard + wall}
        return _received, (fields, socket.gethostname())

    @property
    def own(self) -> float:
        """Bytes that this process may have."""
        if self.workers == 1 or os.getpid() == self.home:
            return self.memory
        return self.base + (self.memory - self.base) / self.workers

    def of_workers(self, workers: int) -> Limits:
        """The same for so many workers that begin now."""
        return attrs.evolve(self, workers=workers, base=resident())

    def check_time(self) -> None:
        """Raise TimeLimitError if time is up while templates are made."""
        if time.monotonic() >= self.hard:
            raise TimeLimitError(
                f"the time limit of {time_text(self.seconds)} ended the search while templates were made; raise "
                "mapper.ffm.time_limit (--time-limit), or let fewer memories choose (tensors: less in may_keep, more "
                "in keep)"
            )

    def room(self) -> float:
        """Bytes that one more worker of this process may allocate now."""
        left = min(self.own - resident(), addresses_left())
        return max(0.0, left / (self.workers if os.getpid() == self.home else 1))

    def check_memory(self, doing: str) -> None:
        """Raise MemoryLimitError if this process has more than it may; ``doing``: 'exploring Einsum QK'."""
        held = resident()
        if held > self.own:
            raise MemoryLimitError(self._said(doing, held))

    def out_of_memory(self, doing: str) -> MemoryLimitError:
        """The error for an allocation that was refused."""
        return MemoryLimitError(self._said(doing, resident()))

    def _said(self, doing: str, held: float) -> str:
        limit = f"the limit is {_size(self.memory)}"
        if not self.stated:
            limit += f", {100 * SHARE:g} % of what is available"
        if self.own < self.memory:
            limit += f", of which {_size(self.own)} are for each of {self.workers} jobs"
        if held <= self.own:
            limit = f"the system gave no more ({limit})"
        jobs = ", or run one job at a time (--jobs 1)" if self.workers > 1 else ""
        return (
            f"memory ran out while {doing}: {_size(held)} are in use and {limit}; constrain what runs across the array "
            "(reuse, loop_bounds, min_usage), lower mapper.ffm.max_fused_loops, raise mapper.ffm.memory_limit "
            f"(--memory-limit){jobs}"
        )


def _received(fields: dict[str, Any], host: str) -> Limits:
    """Limits that were sent by a process of ``host``, whose moments are by the clock on the wall."""
    wall = time.time() - time.monotonic()
    limits = Limits(**(fields | {"soft": fields["soft"] - wall, "hard": fields["hard"] - wall}))
    if host == socket.gethostname():
        return limits
    base, workers = resident(), min(limits.workers, cores())
    memory = limits.memory if limits.stated else base + SHARE * min(available(), addresses_left())
    return attrs.evolve(limits, memory=memory, base=base, workers=workers, home=0)


def out_of_memory(doing: str) -> MemoryLimitError:
    """The error for an allocation that was refused where no limits are at hand."""
    return Limits.of(MapperOptions()).out_of_memory(doing)


def time_text(seconds: float) -> str:
    """A time limit, for people."""
    return format_quantity(seconds, Dimension.TIME)


def _size(size: float) -> str:
    return format_quantity(8 * size, Dimension.SIZE)
