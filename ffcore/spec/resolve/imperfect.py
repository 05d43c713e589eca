"""``explore_imperfect_*_loops``: what is written there, and which rank variables ``auto`` means."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from ffcore.errors import SpecError, suggest
from ffcore.numbers import divisors, prime_factors
from ffcore.spec.problem import MOST_SIZES, MOST_STATES, Component, ComponentKind, EinsumProblem
from ffcore.spec.resolve.nodes import Fields

AUTO = "auto"
IMPERFECT = ("explore_imperfect_temporal_loops", "explore_imperfect_spatial_loops")

_IDLE = 0.1  # share of a fanout that perfect factors may leave idle
_SMOOTH = 7  # greatest prime factor of a bound that perfect factors do justice to
Asked: TypeAlias = bool | str | frozenset[str]

_WORDS: Mapping[str, Asked] = {AUTO: AUTO, "all": True, "true": True, "none": False, "false": False}
_LIST = re.compile(r"(\[)?\s*([A-Za-z_]\w*\s*(?:,\s*[A-Za-z_]\w*\s*)*)?(?(1)\])")  # [m, k], or without brackets


def is_auto(written: object) -> bool:
    """Does an option leave it to the sizes?"""
    return isinstance(written, str) and written.strip().lower() == AUTO


def asked_for(fields: Fields, name: str, variables: Iterable[str]) -> Asked:
    """True, False, `AUTO` or rank variables. Raises SpecError for anything else, and for names of no rank variable."""
    value, known = getattr(fields.node, name), sorted(set(variables))
    if isinstance(value, str):
        word = value.strip()
        if word.lower() in _WORDS:
            return _WORDS[word.lower()]
        # One word alone may also be a variable of the spec, which holds True or False.
        if word and (listed := _LIST.fullmatch(word)) and (word in known or word not in fields.scope):
            value = [name.strip() for name in (listed[2] or "").split(",") if name.strip()]
    if not isinstance(value, list | tuple | set | frozenset):
        return fields.truth(name)
    for word in value:
        if word not in known:
            message = f"there is no rank variable {word!r} (there are: {', '.join(known)})"
            raise SpecError.one(message, fields.place(name), suggest(str(word), known))
    return frozenset(str(word) for word in value)


def automatic(einsums: Sequence[EinsumProblem]) -> frozenset[str]:
    """Rank variables that perfect factors do not do justice to.

    Those whose bound has a prime factor above 7, those of which perfect factors leave more than a tenth of some fanout
    idle that their bound could fill, and those that could run across a component in a tenth fewer steps. None where the
    search cannot take part of them: inside expressions with another variable, where memories need not keep their order,
    or where an Einsum's tiles would be too many to number.
    """
    compound = {v for e in einsums for t in e.tensors for v in t.compound}
    seen = [(e, _components(e)) for e in einsums]
    found = {v for e, paths in seen for v in _of_einsum(e, paths)}
    out = {v for e in einsums for v, bound in e.bounds.items() if bound >= MOST_SIZES}
    out |= {v for e, paths in seen for path in paths if _unordered(e, path) for v in e.bounds}
    chosen = frozenset(found - compound - out)
    for einsum in einsums:
        chosen = _numbered(einsum, chosen)
    return chosen


def _numbered(einsum: EinsumProblem, chosen: frozenset[str]) -> frozenset[str]:
    """Without the variables of the largest bounds, if the Einsum has more tiles than can be numbered."""
    for v in sorted(chosen & einsum.bounds.keys(), key=lambda v: (-einsum.bounds[v], v)):
        if math.prod(n + 1 if w in chosen else len(divisors(n)) for w, n in einsum.bounds.items()) < MOST_STATES:
            break
        chosen -= {v}
    return chosen


def _unordered(einsum: EinsumProblem, path: Sequence[Component]) -> bool:
    """May spatial loops stand above a memory further out?

    Memories need not keep their order where that is allowed, and where they back a persistent tensor: its holder stands
    above all loops. What the first memory has to keep is backed there.
    """
    memories = [(i, c.holding) for i, c in enumerate(path) if c.kind is ComponentKind.MEMORY and c.holding is not None]
    if not all(holding.force_memory_hierarchy_order for _, holding in memories):
        return True
    persistent = {t.name for t in einsum.tensors if t.persistent}
    inside = memories and persistent - memories[0][1].must
    return bool(inside) and any(c.spatial for c in path[: memories[-1][0] + 1])


def _of_einsum(einsum: EinsumProblem, paths: Sequence[Sequence[Component]]) -> Iterable[str]:
    arrays = [_fanouts(einsum, component) for components in paths for component in components if component.spatial]
    for v, bound in einsum.bounds.items():
        if prime_factors(bound)[-1:] > (_SMOOTH,) or any(_idles(bound, fanouts[v]) for fanouts in arrays):
            yield v


def _fanouts(einsum: EinsumProblem, component: Component) -> dict[str, list[int]]:
    """Per rank variable, the most trips of each dimension of a component that it may run across."""
    found: dict[str, list[int]] = {v: [] for v in einsum.bounds}
    for dimension in component.spatial:
        for v in einsum.spatial_candidates(dimension, einsum.tensor, einsum.tensor):
            found[v].append(int(dimension.most))
    return found


def _idles(bound: int, fanouts: Sequence[int]) -> bool:
    """Do divisors leave more than a tenth of a dimension idle that the bound could fill?

    Or do they take more steps than all dimensions of a component together need, by more than a tenth of them?
    """
    if any(_fullest(bound, (own,)) < (1 - _IDLE) * min(bound, own) for own in fanouts):
        return True
    needed = -(-bound // max(1, math.prod(fanouts)))
    return needed < (1 - _IDLE) * bound / _fullest(bound, tuple(fanouts))


@lru_cache(maxsize=4096)
def _fullest(bound: int, fanouts: tuple[int, ...]) -> int:
    """The most instances that loops with perfect factors fill."""
    if not fanouts:
        return 1
    return max(d * _fullest(bound // d, fanouts[1:]) for d in divisors(bound) if d <= max(1, fanouts[0]))


def _components(einsum: EinsumProblem) -> list[list[Component]]:
    """The components of each path, everything that may be held being held."""
    found: list[list[Component]] = []
    for path in einsum.paths:
        found.append([])
        held: dict[str, frozenset[str]] = {}
        for index, name in enumerate(path.names):
            component = path.component(index, held)
            found[-1].append(component)
            if component.holding is not None:
                held[name] = component.holding.must | component.holding.may
    return found
