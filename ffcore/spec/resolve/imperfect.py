"""``explore_imperfect_*_loops``: what is written there, and which rank variables ``auto`` means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ffcore.errors import SpecError, suggest
from ffcore.numbers import divisors, prime_factors
from ffcore.spec.problem import Component, EinsumProblem
from ffcore.spec.resolve.nodes import Fields

AUTO = "auto"
IMPERFECT = ("explore_imperfect_temporal_loops", "explore_imperfect_spatial_loops")

_IDLE = 0.1  # share of a fanout that perfect factors may leave idle
_SMOOTH = 7  # greatest prime factor of a bound that perfect factors do justice to
_MOST = 1 << 20  # bounds from which on tiles have no number in a loop's code
_WORDS: dict[str, bool | str] = {AUTO: AUTO, "all": True, "none": False}
_LIST = re.compile(r"(\[)?\s*([A-Za-z_]\w*\s*(?:,\s*[A-Za-z_]\w*\s*)*)?(?(1)\])")  # [m, k], or without brackets

Asked = bool | str | frozenset[str]


def asked_for(fields: Fields, name: str, variables: Iterable[str]) -> Asked:
    """True, False, `AUTO` or rank variables. Raises SpecError for anything else, and for names of no rank variable."""
    value, known = getattr(fields.node, name), sorted(set(variables))
    if isinstance(value, str):
        if value.strip().lower() in _WORDS:
            return _WORDS[value.strip().lower()]
        listed = _LIST.fullmatch(value.strip())
        names = [word.strip() for word in (listed.group(2) or "").split(",") if word.strip()] if listed else []
        if listed and (listed.group(1) or len(names) > 1 or (names[:1] and names[0] in known)):
            value = names
    if not isinstance(value, list | tuple | set | frozenset):
        return fields.truth(name)
    for word in value:
        if word not in known:
            message = f"there is no rank variable {word!r} (there are: {', '.join(known)})"
            raise SpecError.one(message, fields.place(name), suggest(str(word), known))
    return frozenset(str(word) for word in value)


def automatic(einsums: Sequence[EinsumProblem]) -> frozenset[str]:
    """Rank variables that perfect factors do not do justice to.

    Those whose bound has a prime factor above 7, and those that could fill more of some fanout that they may run
    across: by perfect factors, more than a tenth of what their bound could fill stays idle. None where the search
    cannot take part of them: inside expressions with another variable, under laws of plugins, or where memories need
    not keep their order.
    """
    compound = {v for e in einsums for t in e.tensors for v in t.compound}
    found = {v for e in einsums for v in _of_einsum(e)}
    out = {v for e in einsums for v, bound in e.bounds.items() if bound >= _MOST}
    out |= {v for e in einsums if e.law is not None for v in e.bounds}
    out |= {v for e in einsums for c in _components(e) if c.holding is not None for v in _unordered(e, c)}
    return frozenset(found - compound - out)


def _unordered(einsum: EinsumProblem, component: Component) -> Iterable[str]:
    ordered = component.holding is None or component.holding.force_memory_hierarchy_order
    return () if ordered else einsum.bounds


def _of_einsum(einsum: EinsumProblem) -> Iterable[str]:
    components = _components(einsum)
    for v, bound in einsum.bounds.items():
        if prime_factors(bound)[-1:] > (_SMOOTH,) or any(_idles(einsum, c, v) for c in components):
            yield v


def _idles(einsum: EinsumProblem, component: Component, variable: str) -> bool:
    bound = einsum.bounds[variable]
    for dimension in component.spatial:
        if variable in einsum.spatial_candidates(dimension, einsum.tensor):
            most = max(1, min(bound, int(dimension.most)))
            if max(d for d in divisors(bound) if d <= most) < (1 - _IDLE) * most:
                return True
    return False


def _components(einsum: EinsumProblem) -> list[Component]:
    """The components of all paths, everything that may be held being held."""
    found = []
    for path in einsum.paths:
        held: dict[str, frozenset[str]] = {}
        for index, name in enumerate(path.names):
            component = path.component(index, held)
            found.append(component)
            if component.holding is not None:
                held[name] = component.holding.must | component.holding.may
    return found
