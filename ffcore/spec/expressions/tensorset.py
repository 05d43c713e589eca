"""Sets of tensors or of rank variables, as set expressions see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

Self = TypeVar("Self", bound="NameSet")


class TensorInfo(Protocol):
    """What a set expression may know of one tensor."""

    @property
    def rank_variables(self) -> frozenset[str]: ...

    @property
    def bits_per_value(self) -> float: ...


class NameSet:
    """An immutable set of names within a universe."""

    __slots__ = ("names",)
    names: frozenset[str]

    def __and__(self: Self, other: object) -> Self:
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError


class RankVariableSet(NameSet):
    """Rank variables of one Einsum; ``~`` complements within them."""

    def __init__(self, names: Iterable[str], universe: Iterable[str]) -> None:
        raise NotImplementedError


class TensorSet(NameSet):
    """Tensors of one Einsum; ``~`` complements within the Einsum."""

    def __init__(self, names: Iterable[str], universe: Mapping[str, TensorInfo]) -> None:
        raise NotImplementedError
