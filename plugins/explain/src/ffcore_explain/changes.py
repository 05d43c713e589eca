"""Whether two problems are the same to a search."""

from __future__ import annotations

from ffcore.plugin import Problem, members_of


def same_problem(one: Problem, other: Problem) -> bool:
    """Do both have the same mappings at the same costs? True only if that is certain."""
    if one.options != other.options or len(one.einsums) != len(other.einsums):
        return False
    for a, b in zip(one.einsums, other.einsums, strict=True):
        names = [(e.name, tuple(e.bounds), tuple(t.name for t in e.tensors), e.shared) for e in (a, b)]
        if names[0] != names[1]:
            return False
    count = len(one.einsums)
    kinds = [member.kind for member in members_of((*one.einsums, *other.einsums))]
    return kinds[:count] == kinds[count:]
