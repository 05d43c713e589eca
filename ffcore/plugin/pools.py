"""Calls spread over processes: forked ones, or ones that share nothing. What comes of each is told as it comes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from multiprocessing.connection import Connection, wait
from typing import Any

import attrs

from ffcore.plugin.processes import Worker, may_fork, packed, start

Outcome = tuple[int, bool, Any]  # number of a call, whether it went well, its result or what it raised

EVERY = 0.2  # seconds between progress callbacks while waiting
ATTEMPTS = 3  # at a call whose worker dies: what kills each of them is the call


@attrs.define(eq=False)
class Deaths:
    """Which calls killed how many workers."""

    of: dict[int, int] = attrs.Factory(dict)

    def check(self, number: int, worker: Worker) -> None:
        """Note one; raise ``BrokenExecutor`` for one too many."""
        self.of[number] = self.of.get(number, 0) + 1
        if self.of[number] >= ATTEMPTS:
            raise BrokenExecutor(f"a worker ended with exit code {worker.process.exitcode}")


@attrs.define(eq=False)
class Forked:
    """Calls by forked workers, each of which takes the next one when it is done with one."""

    fn: Callable[..., Any]
    calls: Sequence[tuple[Any, ...]]
    n_jobs: int
    _following: Any = attrs.field(init=False)
    _workers: dict[Connection, Worker] = attrs.Factory(dict)
    _in_hand: dict[Connection, int] = attrs.Factory(dict)
    _deaths: Deaths = attrs.Factory(Deaths)

    def outcomes(self, meanwhile: Callable[[], None] | None) -> Generator[Outcome, None, None]:
        """What workers send, as it comes; they are ended with the generator."""
        unfinished = set(range(len(self.calls)))
        self._following = multiprocessing.get_context("fork").Value("q", 0)
        try:
            for _ in range(min(self.n_jobs, len(self.calls))):
                self._start(())
            while unfinished:
                if not self._workers:  # one of them died between taking a call and saying so
                    self._start(tuple(unfinished))
                for reader in wait(list(self._workers), EVERY if meanwhile else None):
                    assert isinstance(reader, Connection)
                    outcome = self._received(reader)
                    if outcome is not None:
                        unfinished.discard(outcome[0])
                        yield outcome
                if meanwhile is not None:
                    meanwhile()
        finally:
            for worker in self._workers.values():
                worker.end()

    def _start(self, first: tuple[int, ...]) -> None:
        if not may_fork():
            raise BrokenExecutor("a worker ended, and forking another one is no longer safe")
        worker = start(_take_calls, self.fn, self.calls, first, self._following)
        self._workers[worker.connection] = worker

    def _received(self, reader: Connection) -> Outcome | None:
        """An outcome, if it is one. A worker that died is replaced by one that begins with what it was at."""
        try:
            number, fine, value = reader.recv()
        except (EOFError, ConnectionResetError):
            worker = self._workers.pop(reader)
            worker.process.join()
            reader.close()
            if (number := self._in_hand.pop(reader, None)) is not None:
                self._deaths.check(number, worker)
                self._start((number,))
            return None
        if fine is None:
            self._in_hand[reader] = number
            return None
        self._in_hand.pop(reader, None)
        return number, fine, value


def _take_calls(
    connection: Connection,
    fn: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    first: Sequence[int],
    following: Any,
) -> None:
    """What a forked worker does: ``first``, then whatever nobody has taken yet."""

    def numbers() -> Iterator[int]:
        yield from first
        while True:
            with following.get_lock():
                number = following.value
                following.value += 1
            if number >= len(calls):
                return
            yield number

    for number in numbers():
        connection.send((number, None, None))  # taken
        _answer(connection, number, fn, calls[number])


@attrs.define(eq=False)
class Sent:
    """Calls by workers that share nothing, each of which is sent the next one when it is done with one.

    ``pool``: workers that have nothing to do; they are taken from there, and put back.
    """

    fn: Callable[..., Any]
    calls: Sequence[tuple[Any, ...]]
    n_jobs: int
    pool: list[Worker]
    _busy: dict[Connection, tuple[Worker, int]] = attrs.Factory(dict)
    _deaths: Deaths = attrs.Factory(Deaths)

    def outcomes(self, meanwhile: Callable[[], None] | None) -> Generator[Outcome, None, None]:
        """What workers send, as it comes; those that are busy are ended with the generator."""
        waiting = list(range(len(self.calls)))[::-1]
        try:
            while waiting or self._busy:
                while waiting and len(self._busy) < self.n_jobs:
                    if (refused := self._send(waiting.pop())) is not None:
                        yield refused
                for reader in wait(list(self._busy), EVERY if meanwhile else None):
                    assert isinstance(reader, Connection)
                    worker, number = self._busy.pop(reader)
                    try:
                        outcome = reader.recv()
                    except (EOFError, ConnectionResetError):
                        worker.process.join()
                        reader.close()
                        self._deaths.check(number, worker)
                        waiting.append(number)
                        continue
                    self.pool.append(worker)
                    if waiting and (refused := self._send(waiting.pop())) is not None:  # before anybody looks at it
                        yield refused
                    yield outcome
                if meanwhile is not None:
                    meanwhile()
        finally:
            for worker, _ in self._busy.values():
                worker.end()

    def _send(self, number: int) -> Outcome | None:
        """Have a worker make a call; what is wrong with one that cannot be sent."""
        call = packed((self.fn, self.calls[number]))
        if call is None:
            said = f"{self.fn!r} and what it is given must be of importable modules, to be sent to another process"
            return number, False, TypeError(said)
        while True:
            worker = self.pool.pop() if self.pool else start(_make_calls)
            try:
                worker.connection.send(number)
                worker.connection.send_bytes(call)
            except OSError:  # it has died while it had nothing to do
                worker.end()
                continue
            self._busy[worker.connection] = worker, number
            return None


def _make_calls(connection: Connection) -> None:
    """What a worker that shares nothing does: whatever it is sent, until its parent has gone."""
    while True:
        try:
            number = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            fn, call = connection.recv()
        except Exception as error:  # what it needs cannot be imported here
            connection.send((number, False, error))
        else:
            _answer(connection, number, fn, call)


def _answer(connection: Connection, number: int, fn: Callable[..., Any], call: tuple[Any, ...]) -> None:
    try:
        result = number, True, fn(*call)
    except Exception as error:  # raised again where the results are read
        result = number, False, error
    try:
        connection.send(result)
    except MemoryError as error:  # there is no room for what is sent
        connection.send((number, False, MemoryError(str(error))))
