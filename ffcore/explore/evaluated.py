"""How many evaluations each Einsum's pmappings stand for, where searches are compared."""

from __future__ import annotations

from ffcore.explore.reuse.equal import members_of
from ffcore.pmappings.set import PmappingSet


def evaluated_alone(pmappings: PmappingSet) -> dict[str, int]:
    """Per Einsum, the evaluations of a search that drops pmappings only for others of equal compatibility.

    The exact explorer's own prunes are of that kind: whatever it drops, another pmapping of the same compatibility
    is at least as good. What it saves beyond that is the exploration of equal Einsums: the first one's result
    serves all of them, and their count is 0. Here each of them has the first one's count, since a search that
    samples an Einsum's pmappings has to find them for every Einsum.
    """
    keys = [member.kind for member in members_of(e.einsum for e in pmappings.einsums)]
    most: dict[int, int] = {}
    for key, einsum in zip(keys, pmappings.einsums, strict=True):
        most[key] = max(most.get(key, 0), einsum.stats.evaluated)
    return {e.einsum.name: e.stats.evaluated or most[key] for key, e in zip(keys, pmappings.einsums, strict=True)}
