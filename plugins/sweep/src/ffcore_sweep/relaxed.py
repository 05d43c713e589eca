"""A problem that is no harder than any of several: what its best mapping costs bounds them all.

Exact: larger memories leave every mapping valid, smaller energies, times and leakages make none dearer, and nothing
else may differ. Where something else does there is no such problem; nor where a ``min_usage`` prefers other spatial
loops in larger memories. What depends on a size, such as an energy, is taken from whichever has the least.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ffcore.plugin import (
    Action,
    Component,
    EinsumProblem,
    Held,
    PathProblem,
    Problem,
    einsum_choices,
    evaluated_components,
    free_sizes,
)
from ffcore_sweep.needs import Needs
from ffcore_sweep.restrict import Preferences, prefers_alike


class NotComparableError(Exception):
    """The problems differ in more than what only ever makes them harder."""


def relaxed(problems: Sequence[Problem]) -> Problem:
    """The problem. Raises `NotComparableError`, perhaps only when a component of it is looked at."""
    first = problems[0]
    loops = max(p.options.max_fused_loops for p in problems)
    options = {repr(attrs.evolve(p.options, max_fused_loops=loops)) for p in problems}
    if len(options) > 1 or len({len(p.einsums) for p in problems}) > 1:
        raise NotComparableError
    einsums = [_einsum(own) for own in zip(*(p.einsums for p in problems), strict=True)]
    found = attrs.evolve(
        first,
        einsums=tuple(einsums),
        options=attrs.evolve(first.options, max_fused_loops=loops),
        spec_hash="|".join(["relaxed", *dict.fromkeys(p.spec_hash for p in problems)]),
    )
    if any(d.min_usage > 0 for _, c in evaluated_components(first) for d in c.spatial):
        _check_preferences(found, problems)
    return found


def _check_preferences(found: Problem, problems: Sequence[Problem]) -> None:
    """Raise `NotComparableError` where ``min_usage`` prefers other loops in the memories of one of the problems."""
    sizes = [[dict(free_sizes(einsum_choices(e))) for e in p.einsums] for p in (found, *problems)]
    if all(own == sizes[0] for own in sizes):
        return
    for number, need in enumerate(Needs().of_problem(found)):
        preferences = Preferences.of(need.templates, need.options, need.sizes)
        largest = preferences.at(need.sizes)
        for own in sizes[1:]:
            if own[number].keys() != need.sizes.keys() or not prefers_alike(preferences.at(own[number]), largest):
                raise NotComparableError


def _einsum(einsums: Sequence[EinsumProblem]) -> EinsumProblem:
    first = einsums[0]
    same = [attrs.evolve(e, paths=(), leaks=()) for e in einsums]
    if any(e != same[0] for e in same) or first.law is not None or any(_shape(e) != _shape(first) for e in einsums):
        raise NotComparableError
    paths = tuple(_RelaxedPath(own) for own in zip(*(e.paths for e in einsums), strict=True))
    leaks = tuple(
        attrs.evolve(own[0], power=min(leak.power for leak in own))
        for own in zip(*(e.leaks for e in einsums), strict=True)
    )
    return attrs.evolve(first, paths=paths, leaks=leaks)


def _shape(einsum: EinsumProblem) -> object:
    """What paths there are, and what leaks, but how much."""
    return [p.names for p in einsum.paths], [attrs.evolve(leak, power=0.0) for leak in einsum.leaks]


@attrs.define(eq=False)
class _RelaxedPath:
    """A path whose components are no harder than those of any of several paths."""

    paths: tuple[PathProblem, ...]
    _memo: dict[tuple[int, ...], tuple[tuple[Component, ...], Component]] = attrs.Factory(dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.paths[0].names

    def component(self, index: int, held: Held) -> Component:
        """The relaxed component; memoised as the paths memoise."""
        own = tuple(path.component(index, held) for path in self.paths)
        key = tuple(map(id, own))
        if key not in self._memo:
            self._memo[key] = own, _component(own)
        return self._memo[key][1]


def _component(own: Sequence[Component]) -> Component:
    first = own[0]
    plain = [attrs.evolve(c, size=first.size, actions=_plain(c), latency=()) for c in own]
    if any(c != plain[0] for c in plain):
        raise NotComparableError
    actions = tuple(
        attrs.evolve(same[0], energy=min(a.energy for a in same))
        for same in zip(*(c.actions for c in own), strict=True)
    )
    return attrs.evolve(first, size=max(c.size for c in own), actions=actions, latency=_latency(own))


def _plain(component: Component) -> tuple[Action, ...]:
    return tuple(attrs.evolve(action, energy=0.0) for action in component.actions)


def _latency(own: Sequence[Component]) -> tuple[dict[str, float], ...]:
    """Forms that are no greater than any component's; none, which takes no time, where theirs are not alike."""
    shapes = {tuple(tuple(form) for form in c.latency) for c in own}
    if len(shapes) > 1:
        return ()
    return tuple(
        {action: min(form[action] for form in forms) for action in forms[0]}
        for forms in zip(*(c.latency for c in own), strict=True)
    )
