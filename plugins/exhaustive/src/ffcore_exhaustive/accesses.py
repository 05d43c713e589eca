"""Tensors that an Einsum reads with several projections: what their one backing holder asks for, by definition.

Each access is a tensor of its own, with holders of its own; the outermost of them are one holder. A loop above it must
not make any value come twice, nor take values of one access apart from those of another at the same place.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ffcore.plugin import EinsumProblem, RankExpression, Tensor


def several(einsum: EinsumProblem) -> list[list[Tensor]]:
    """The accesses of each tensor that has more than one, the first one first."""
    found: dict[str, list[Tensor]] = {}
    for tensor in einsum.tensors:
        found.setdefault(tensor.access_of or tensor.name, []).append(tensor)
    return [own for own in found.values() if len(own) > 1]


def backed_in_one_place(einsum: EinsumProblem, backing: Callable[[str], int]) -> bool:
    """Does the same memory back all accesses of each tensor?"""
    return all(len({backing(t.name) for t in own}) == 1 for own in several(einsum))


def backed_together(einsum: EinsumProblem, order: list[str]) -> bool:
    """Do the backing holders of all accesses of each tensor follow one another?

    ``order``: the tensors of the backing holders that loops may stand between, and ``""`` for any other holder.
    """
    for own in several(einsum):
        places = [order.index(t.name) for t in own if t.name in order]
        if places and places != list(range(places[0], places[0] + len(own))):
            return False
    return True


def allowed_above(einsum: EinsumProblem, name: str) -> frozenset[str]:
    """Rank variables that a loop above the backing holder of a tensor may be over.

    Of one with several accesses: it stands alone in the same rank in each of them, with equal coefficient and constant
    (which the rank's name tells), and is in no rank that they do not have in common.
    """
    own = next((own for own in several(einsum) if any(t.name == name for t in own)), [])
    if not own:
        return einsum.tensor[name].directly_indexed_by
    return frozenset(v for v in einsum.bounds if _alike(v, own))


def _alike(variable: str, accesses: list[Tensor]) -> bool:
    places: list[dict[str, object]] = []
    for tensor in accesses:
        found: dict[str, object] = {}
        for rank in tensor.ranks:
            if any(v == variable for v, _ in rank.terms):
                found[rank.rank] = rank.terms, rank.constant, rank.falling, _digits(tensor, rank)
        places.append(found)
    alone = any(len(r.terms) == 1 and r.terms[0][0] == variable for r in accesses[0].ranks)
    return alone and all(found == places[0] for found in places)


def _digits(tensor: Tensor, rank: RankExpression) -> list[str]:
    """The digits of the rank that this one is a digit of: ``C/4`` and ``C/1`` of ``C``."""

    def of(name: str) -> str:
        return re.split(r"[/+-]", name)[0]

    return sorted(r.rank for r in tensor.ranks if of(r.rank) == of(rank.rank))
