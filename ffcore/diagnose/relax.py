"""Problems with something taken away: costs, capacities, constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice

import attrs

from ffcore.spec.problem import (
    INFINITY,
    Component,
    ComponentKind,
    EinsumProblem,
    Held,
    Metric,
    PathProblem,
    Problem,
)
from ffcore.templates.holders import holder_choices

Change = Callable[[Component], Component]
_CHOICES = 64  # choices of holders looked at to see what constraints a component has


@attrs.define(eq=False)
class ChangedPath:
    """A path whose components are as another path's, but for one change."""

    path: PathProblem
    change: Change
    _memo: dict[int, tuple[Component, Component]] = attrs.Factory(dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.path.names

    def component(self, index: int, held: Held) -> Component:
        """The changed component; memoised as the path below memoises."""
        plain = self.path.component(index, held)
        known = self._memo.get(id(plain))
        if known is None or known[0] is not plain:
            known = self._memo[id(plain)] = (plain, self.change(plain))
        return known[1]


def with_components(problem: Problem, change: Callable[[EinsumProblem, Component], Component]) -> Problem:
    """The problem with every component of every path changed."""

    def einsum_with(einsum: EinsumProblem) -> EinsumProblem:
        return attrs.evolve(einsum, paths=tuple(ChangedPath(p, partial(change, einsum)) for p in einsum.paths))

    return attrs.evolve(problem, einsums=tuple(map(einsum_with, problem.einsums)))


def costless(problem: Problem) -> Problem:
    """The problem with all energies, latencies and leaks zero: only what is valid is left to find.

    A search on it keeps one row where the real one keeps a Pareto front, and finds something exactly
    when the real one does: costs never make a mapping invalid.
    """

    def free(einsum: EinsumProblem, component: Component) -> Component:
        actions = tuple(attrs.evolve(a, energy=0.0) for a in component.actions)
        return attrs.evolve(component, actions=actions, latency=())

    options = attrs.evolve(problem.options, metrics=Metric.ENERGY, combine_runs=False)
    options = attrs.evolve(options, time_limit=INFINITY, memory_limit=INFINITY)  # a diagnosis has a budget of its own
    einsums = tuple(attrs.evolve(e, leaks=()) for e in problem.einsums)
    return with_components(attrs.evolve(problem, einsums=einsums, options=options), free)


def with_sizes(problem: Problem, sizes: Mapping[str, float]) -> Problem:
    """The problem with the named memories resized (bits, the same for every Einsum)."""

    return with_components(problem, _Resize(sizes)) if sizes else problem


@attrs.frozen
class _Resize:
    """A class, so that it can be sent to another process."""

    sizes: Mapping[str, float]

    def __call__(self, einsum: EinsumProblem, component: Component) -> Component:
        size = self.sizes.get(component.name)
        return component if size is None else attrs.evolve(component, size=size)


def evaluated_components(problem: Problem) -> Iterator[tuple[EinsumProblem, Component]]:
    """Every component as some choices of holders see it (all may be held, nothing more than must, and others)."""
    for einsum in problem.einsums:
        for path in einsum.paths:
            for greedy in (True, False):
                held: dict[str, frozenset[str]] = {}
                for index, name in enumerate(path.names):
                    component = path.component(index, held)
                    if component.holding is not None:
                        held[name] = component.holding.must | (component.holding.may if greedy else frozenset())
                    yield einsum, component
            for choice in islice(holder_choices(einsum, path), _CHOICES):
                yield from ((einsum, component) for component in choice.components)


def limited_memories(problem: Problem) -> dict[str, float]:
    """Memories of finite size, outermost first: the smallest size (bits) that any Einsum sees."""
    sizes: dict[str, float] = {}
    for _, component in evaluated_components(problem):
        if component.kind is ComponentKind.MEMORY and component.size < INFINITY:
            sizes[component.name] = min(component.size, sizes.get(component.name, INFINITY))
    return sizes
