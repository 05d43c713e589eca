"""Names that expressions see, each evaluated when it is first used; cycles are found on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import attrs

from ffcore.errors import Position, SpecError


@attrs.define(eq=False)
class Trace:
    """What is being evaluated at the moment, outermost first."""

    running: list[Lazy] = attrs.field(factory=list)


@attrs.define(eq=False)
class Lazy:
    """A value computed on first use. A failure is remembered too, so that it is reported once."""

    label: str  # for messages: "GlobalBuffer.size"
    position: Position | Callable[[], Position | None] | None
    compute: Callable[[], object]
    trace: Trace
    done: bool = False
    value: object = None
    error: SpecError | None = None

    def get(self) -> object:
        """The value. Raises SpecError for a cycle and for whatever is wrong with the expression."""
        if self.error is not None:
            raise self.error
        if self.done:
            return self.value
        running = self.trace.running
        if self in running:
            chain = [lazy.label for lazy in running[running.index(self) :]]
            place = self.position() if callable(self.position) else self.position
            raise SpecError.one(f"cyclic expressions: {' -> '.join([*chain, self.label])}", place)
        running.append(self)
        try:
            self.value = self.compute()
        except SpecError as error:
            self.error = error
            raise
        finally:
            running.pop()
        self.done = True
        return self.value


class Scope(Mapping[str, object]):
    """Names and their values, the names of the outer scope included.

    While a name is being evaluated, the same name means that of the outer scope if there is one, so that
    a rename ``input: input`` or a field ``size: size`` can refer to what is further out.
    """

    def __init__(self, own: Mapping[str, object], outer: Mapping[str, object] | None = None) -> None:
        self._own = own
        self._outer: Mapping[str, object] = outer if outer is not None else {}

    def __getitem__(self, name: str) -> object:
        if name not in self._own:
            return self._outer[name]
        found = self._own[name]
        if not isinstance(found, Lazy):
            return found
        running = found.trace.running
        if running and running[-1] is found and name in self._outer:
            return self._outer[name]
        return found.get()

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._outer

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (name for name in self._outer if name not in self._own)

    def __len__(self) -> int:
        return sum(1 for _ in self)
