"""Sets of tensors or of rank variables, as set expressions see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Protocol, TypeVar

SetT = TypeVar("SetT", bound="NameSet")


class TensorInfo(Protocol):
    """What a set expression may know of one tensor."""

    @property
    def rank_variables(self) -> frozenset[str]: ...

    @property
    def bits_per_value(self) -> float: ...


class NameSet:
    """An immutable set of names within a universe, in the order of the universe.

    Operators: ``& | - ^ ~`` (``~`` complements within the universe), ``== < <= > >=`` (as for sets),
    truth, ``len``, ``in`` (a name or a set of names) and iteration (over names). Calling it gives
    itself, since older files write ``All()``.
    """

    __ff_attributes__: tuple[str, ...] = ()
    names: frozenset[str]
    universe: Mapping[str, Any]

    def __init__(self, names: Iterable[str], universe: Mapping[str, Any]) -> None:
        self.names = frozenset(names)
        self.universe = universe
        strangers = self.names - universe.keys()
        if strangers:
            raise ValueError(f"{', '.join(sorted(strangers))} not in {', '.join(universe) or 'an empty universe'}")

    def _like(self: SetT, names: Iterable[str]) -> SetT:
        return type(self)(names, self.universe)

    def _names_of(self, other: object) -> frozenset[str] | None:
        """Names of the other operand; None if it is no set of the same kind."""
        convert = getattr(type(other), "__ff_set__", None)
        if convert is not None:
            other = convert(other)
        if not isinstance(other, type(self)):
            return None
        if other.universe is not self.universe and other.universe.keys() != self.universe.keys():
            raise ValueError(f"the sets {self} and {other} belong to different Einsums")
        return other.names

    def __and__(self: SetT, other: object) -> SetT:
        names = self._names_of(other)
        return NotImplemented if names is None else self._like(self.names & names)

    def __or__(self: SetT, other: object) -> SetT:
        names = self._names_of(other)
        return NotImplemented if names is None else self._like(self.names | names)

    def __sub__(self: SetT, other: object) -> SetT:
        names = self._names_of(other)
        return NotImplemented if names is None else self._like(self.names - names)

    def __xor__(self: SetT, other: object) -> SetT:
        names = self._names_of(other)
        return NotImplemented if names is None else self._like(self.names ^ names)

    def __invert__(self: SetT) -> SetT:
        return self._like(self.universe.keys() - self.names)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (set, frozenset)):
            return self.names == other
        return isinstance(other, NameSet) and self.names == other.names

    def __hash__(self) -> int:
        return hash(self.names)

    def __le__(self, other: object) -> bool:
        names = self._names_of(other)
        return NotImplemented if names is None else self.names <= names

    def __lt__(self, other: object) -> bool:
        names = self._names_of(other)
        return NotImplemented if names is None else self.names < names

    def __ge__(self, other: object) -> bool:
        names = self._names_of(other)
        return NotImplemented if names is None else self.names >= names

    def __gt__(self, other: object) -> bool:
        names = self._names_of(other)
        return NotImplemented if names is None else self.names > names

    def __bool__(self) -> bool:
        return bool(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.universe if name in self.names)

    def __contains__(self, item: object) -> bool:
        return item.names <= self.names if isinstance(item, NameSet) else item in self.names

    def __call__(self: SetT) -> SetT:
        return self

    def __str__(self) -> str:
        return "{" + ", ".join(self) + "}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self!s})"

    def members(self: SetT) -> tuple[SetT, ...]:
        """The members as sets of one, which is what iterating in an expression gives."""
        return tuple(self._like((name,)) for name in self)


class RankVariableSet(NameSet):
    """Rank variables of one Einsum; ``~`` complements within the Einsum's rank variables."""

    def __init__(self, names: Iterable[str], universe: Iterable[str]) -> None:
        super().__init__(names, universe if isinstance(universe, Mapping) else dict.fromkeys(universe))


class TensorSet(NameSet):
    """Tensors of one Einsum; ``~`` complements within the Einsum.

    ``universe`` maps the name of each of the Einsum's tensors to what is known of it.
    """

    __ff_attributes__ = ("tensors", "rank_variables", "bits_per_value")
    universe: Mapping[str, TensorInfo]

    @property
    def tensors(self) -> TensorSet:
        """The set itself: ``MainMemory.tensors`` and ``MainMemory`` are the same in a set expression."""
        return self

    @cached_property
    def rank_variables(self) -> RankVariableSet:
        """Union of the members' rank variables, within those of the whole Einsum."""
        within = dict.fromkeys(v for info in self.universe.values() for v in sorted(info.rank_variables))
        return RankVariableSet((v for name in self.names for v in self.universe[name].rank_variables), within)

    @property
    def bits_per_value(self) -> float:
        """Bits per value of the only member; ValueError unless the set has exactly one."""
        if len(self.names) != 1:
            raise ValueError(f"bits_per_value needs a set of exactly one tensor, this one is {self}")
        return self.universe[next(iter(self.names))].bits_per_value
