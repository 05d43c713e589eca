"""Tensors as Einsums access them, with their index expressions; and what a field's texts name.

A part of what `ffcore.spec.problem` shows to later stages, which import it from there.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs

NAMES = "names"
"""Key of a field's metadata: what its texts name (`Named`)."""


class Named(enum.Enum):
    """What the texts in a field are, where Einsums that differ in nothing else are equal."""

    LABEL = "label"  # the value's own name
    TENSORS = "tensors"
    VARIABLES = "rank variables"


LABEL = {NAMES: Named.LABEL}
TENSORS = {NAMES: Named.TENSORS}
VARIABLES = {NAMES: Named.VARIABLES}


class Relevance(enum.Enum):
    """How a rank variable bears on a tensor (semantics, section 3)."""

    IRRELEVANT = "irrelevant"  # absent
    RELEVANT = "relevant"  # the only variable in the expression of each rank that it appears in
    PARTIAL = "partial"  # one of several in some rank (``p + r``)


def rank_values(terms: Sequence[tuple[Any, int]], extents: Any) -> Any:
    """How many values of a rank the expression ``sum(coefficient * variable)`` reaches (semantics, section 3).

    ``extents[variable]``: how many values each variable takes: a number, or an array. Only values that are reached
    count: with a stride larger than the kernel there are gaps between them. Of more than two terms, all from the
    first to the last.

    >>> rank_values([("p", 2), ("r", 1)], {"p": 4, "r": 1})  # 0, 2, 4, 6
    4
    >>> rank_values([("p", 2), ("r", 1)], {"p": 4, "r": 3})  # 0 to 8
    9
    """
    if len(terms) == 1:
        return extents[terms[0][0]]
    if len(terms) == 2:
        (v, a), (w, b) = terms
        common = math.gcd(a, b)
        reached, other = extents[v], extents[w]
        return reached * other - _over(reached - b // common) * _over(other - a // common)
    return sum(c * (extents[v] - 1) for v, c in terms) + 1


def _over(number: Any) -> Any:
    """The number, or 0 if it is negative."""
    twice = number + abs(number)
    return twice // 2 if isinstance(twice, int) else twice / 2


_MOST_LISTED = 1_000_000
"""Values of a rank that are looked at one by one."""


@attrs.frozen
class RankExpression:
    """One rank of a tensor, indexed by ``sum(coefficient * variable) + constant``.

    ``flat``: one digit of an index of mixed radix, see `digits`.
    """

    rank: str = attrs.field(metadata=LABEL)
    terms: tuple[tuple[str, int], ...] = attrs.field(metadata=VARIABLES)  # (rank variable, coefficient > 0)
    constant: int = 0
    flat: bool = False
    # Variables that are subtracted: ``p - r`` reaches as many values as ``p + r``.
    falling: tuple[str, ...] = attrs.field(default=(), metadata=VARIABLES)

    def tile(self, sizes: Mapping[str, int]) -> int:
        """Values of the rank that variables with these extents reach."""
        values: int = rank_values(self.terms, sizes) if self.terms else 1
        return values

    @property
    def index(self) -> tuple[frozenset[tuple[str, int]], frozenset[str], int]:
        """What tells it from other expressions of the rank: the order of terms does not."""
        return frozenset(self.terms), frozenset(self.falling), self.constant

    def values(self, bounds: Mapping[str, int]) -> range | frozenset[int]:
        """The values that it reaches; all from the first to the last where there are more than two terms (see
        `rank_values`), or too many to list."""
        signed = [(v, -c if v in self.falling else c) for v, c in self.terms]
        low = self.constant + sum(c * (bounds[v] - 1) for v, c in signed if c < 0)
        high = self.constant + sum(c * (bounds[v] - 1) for v, c in signed if c > 0)
        if len(signed) == 1:
            return range(low, high + 1, self.terms[0][1])
        many = math.prod(bounds[v] for v, _ in signed) > _MOST_LISTED
        if len(signed) != 2 or many or self.tile(bounds) == high - low + 1:
            return range(low, high + 1)
        (v, a), (w, b) = signed
        return frozenset(self.constant + a * x + b * y for x in range(bounds[v]) for y in range(bounds[w]))

    def reach(self, bounds: Mapping[str, int]) -> int:
        """The size that the rank must have: the greatest index, plus 1."""
        return sum(c * (bounds[v] - 1) for v, c in self.terms if v not in self.falling) + self.constant + 1

    def digits(self, bounds: Mapping[str, int]) -> tuple[RankExpression, ...]:
        """The expression as the ranks that it stands for.

        One of mixed radix, in which each coefficient is larger than all that the terms with smaller ones can reach
        together, never overlaps: each of its variables is a rank of its own. before: ``C: 4*h + f`` with 4 values of
        f; after: ``C/4: h``, ``C/1: f``. A variable that stands alone is one whatever its coefficient is.

        Loops of two Einsums are over the same part of a tensor only where they step alike, so a rank with another
        coefficient or constant is another rank: ``C: c + 1`` is ``C+1: c``, and ``C: 2*c`` is ``C/2: c``.
        """
        shift = f"{self.constant:+d}" if self.constant else ""
        if not self.terms:
            return (RankExpression(self.rank, ()),)
        if len(self.terms) == 1:
            ((v, c),) = self.terms
            step = f"/{c}" if c > 1 else ""
            return (RankExpression(f"{self.rank}{step}{shift}", ((v, 1),)),)
        if self.falling:
            return (self,)
        ascending = sorted(self.terms, key=lambda term: term[1])
        reached = 0
        if len({c for _, c in self.terms}) < len(self.terms):
            return (self,)  # a window, also where one of its variables has a single value
        for v, c in ascending:
            if c <= reached:
                return (self,)
            reached += c * (bounds[v] - 1)
        if len({v for v, _ in self.terms}) < len(self.terms):
            return (self,)
        return tuple(RankExpression(f"{self.rank}/{c}{shift}", ((v, 1),), flat=True) for v, c in reversed(ascending))


@attrs.frozen
class Union:
    """What the one backing holder keeps of a tensor that an Einsum reads with several projections.

    Loops above that holder may be over ``loops`` only, so that all other rank variables are whole there: of the ranks
    that not all accesses index alike it keeps every value that any of them needs, whatever the tile sizes are.
    """

    ranks: tuple[RankExpression, ...]  # those that all accesses index alike
    others: int  # values of all other ranks; 0 for an access after the first, whose values the first one's share holds
    loops: frozenset[str] = attrs.field(metadata=VARIABLES)


@attrs.frozen
class Tensor:
    """One tensor as one Einsum accesses it.

    Of one that it reads with several projections, each is a tensor of its own: the first has the tensor's name, others
    are called ``X@2``, ``X@3`` and name it in ``access_of``.
    """

    name: str = attrs.field(metadata=LABEL)
    ranks: tuple[RankExpression, ...]
    output: bool
    bits_per_value: float
    persistent: bool = False
    access_of: str | None = attrs.field(default=None, metadata=TENSORS)
    union: Union | None = None  # of each access, where there are several
    times: int = 1  # of what is `kept`: each value of its ranks stands for so many

    @property
    def base(self) -> str:
        """The name of the tensor that this is an access of."""
        return self.access_of or self.name

    @cached_property
    def kept(self) -> Tensor:
        """The tensor as its backing holder keeps it: of several accesses, the first has the union of all."""
        if self.union is None:
            return self
        return attrs.evolve(self, ranks=self.union.ranks, times=self.union.others, union=None)

    @property
    def split_by(self) -> frozenset[str]:
        """Rank variables that a loop above the backing holder may be over: each of its turns needs other values."""
        return self.directly_indexed_by if self.union is None else self.union.loops

    @cached_property
    def variables(self) -> frozenset[str]:
        return frozenset(v for r in self.ranks for v, _ in r.terms)

    @cached_property
    def fully_relevant(self) -> frozenset[str]:
        return self.variables - self.partially_relevant

    @cached_property
    def partially_relevant(self) -> frozenset[str]:
        return frozenset(v for r in self.ranks if len(r.terms) > 1 for v, _ in r.terms)

    @cached_property
    def compound(self) -> frozenset[str]:
        """Variables inside expressions with another one: their tiles stay perfect factors."""
        return frozenset(v for r in self.ranks if len(r.terms) > 1 or r.flat for v, _ in r.terms)

    @cached_property
    def directly_indexed_by(self) -> frozenset[str]:
        """Variables that stand alone in some rank: looping over them recomputes nothing."""
        return frozenset(r.terms[0][0] for r in self.ranks if len(r.terms) == 1)

    def relevance(self, variable: str) -> Relevance:
        if variable in self.partially_relevant:
            return Relevance.PARTIAL
        return Relevance.RELEVANT if variable in self.variables else Relevance.IRRELEVANT

    def tile_values(self, sizes: Mapping[str, int]) -> int:
        """Values in the tile that the given rank-variable tile sizes select."""
        result = 1
        for rank in self.ranks:
            result *= rank.tile(sizes)
        return result

    def whole(self, bounds: Mapping[str, int]) -> int:
        """Values of the whole tensor, as far as its Einsum needs it; of an access after the first, none."""
        return self.kept.tile_values(bounds) * self.kept.times

    def ranks_of(self, variable: str) -> tuple[str, ...]:
        """Ranks of the tensor that ``variable`` indexes alone."""
        return tuple(r.rank for r in self.ranks if len(r.terms) == 1 and r.terms[0][0] == variable)


def union_of(projections: Sequence[Sequence[RankExpression]], bounds: Mapping[str, int]) -> Union:
    """What several projections of one tensor need together, as the first one's backing holder keeps it.

    ``projections``: the ranks of each access as they are written, not yet `RankExpression.digits`. Rank by rank, all
    values that any access reaches: ``X[m, k]`` and ``X[n, k]`` with 4 values of m and 6 of n need 6 of the first rank.
    Digits of an index of mixed radix are ranks of their own where all accesses have the same.
    """
    alike: list[RankExpression] = []
    unlike: list[tuple[RankExpression, ...]] = []
    for first in projections[0]:
        written = tuple(next(r for r in own if r.rank == first.rank) for own in projections)
        digits = [{d.rank: d for d in r.digits(bounds)} for r in written]
        parts = [tuple(own[name] for own in digits) for name in digits[0]] if _same_keys(digits) else [written]
        for part in parts:
            if len({e.index for e in part}) > 1:
                unlike.append(part)
            else:
                alike.append(part[0])
    others = math.prod(_number_of_values(part, bounds) for part in unlike)
    alone = {r.terms[0][0] for r in alike if len(r.terms) == 1}
    return Union(tuple(alike), others, frozenset(alone - {v for part in unlike for r in part for v, _ in r.terms}))


def _same_keys(tables: Sequence[Mapping[str, object]]) -> bool:
    return all(own.keys() == tables[0].keys() for own in tables)


def _number_of_values(expressions: Sequence[RankExpression], bounds: Mapping[str, int]) -> int:
    """Values of a rank that any of the expressions reaches, all rank variables being whole.

    Where there are gaps and too many values to list, gaps count as well.
    """
    found = [e.values(bounds) for e in expressions]
    gaps = any(isinstance(own, frozenset) or own.step > 1 for own in found)
    # A range of more than 2**63 values has no len().
    number = sum(len(own) if isinstance(own, frozenset) else (own.stop - own.start) // own.step for own in found)
    if gaps and number <= _MOST_LISTED:
        return len(set[int]().union(*found))
    whole = [
        range(min(own), max(own) + 1) if isinstance(own, frozenset) else range(own[0], own[-1] + 1) for own in found
    ]
    count, end = 0, min(own.start for own in whole)
    for own in sorted(whole, key=lambda r: r.start):
        count += max(0, own.stop - max(own.start, end))
        end = max(end, own.stop)
    return count
