"""Genetic and random search over unpruned pmappings."""

from __future__ import annotations

import attrs

from ffcore_simanneal.moves import neighbour
from ffcore_simanneal.repair import repair
from ffcore_simanneal.search import Space, State


@attrs.frozen
class Breeding:
    """``population``: mappings kept. ``rivals``: of so many the best becomes a parent. ``crossover``: share of children
    of two parents. ``mutation``: chance of each further random move of a child, one at least without crossover."""

    population: int = 40
    rivals: int = 3
    crossover: float = 0.5
    mutation: float = 0.5


def breed(space: Space, options: Breeding) -> None:
    """Spend the space's budget: each child takes the place of the worst, if it is better and new."""
    members: list[State] = []
    while len(members) < options.population and not space.meter.done():
        state = space.start()
        if state is not None:
            members.append(state)
    members.sort(key=lambda state: state.cost)
    while members and not space.meter.done():
        child = _child(space, options, members)
        if child is None:
            space.meter.charge(1)
            continue
        if child.cost < members[-1].cost and all(child.cost != other.cost for other in members):
            members[-1] = child
            members.sort(key=lambda state: state.cost)


def _child(space: Space, options: Breeding, members: list[State]) -> State | None:
    mother = _parent(space, options, members)
    parts = list(mother.parts)
    crossed = False
    if len(parts) > 1 and space.source.random() < options.crossover:
        father = _parent(space, options, members)
        # A run of neighbouring Einsums agrees with itself; the Einsums around it are repaired.
        size = space.source.randint(1, len(parts) - 1)
        start = space.source.randrange(len(parts) - size + 1)
        for place in range(start, start + size):
            parts[place] = father.parts[place]
        repaired = repair(space.joint, parts, list(range(start, start + size)), space.draw)
        if repaired is None:
            return None
        parts, crossed = repaired, True
    while not crossed or space.source.random() < options.mutation:
        moved = neighbour(space, parts)
        if moved is None:
            space.meter.charge(1)
            return None
        parts, crossed = moved, True
    return space.judge(parts)


def _parent(space: Space, options: Breeding, members: list[State]) -> State:
    """The best of a few; members are sorted."""
    return members[min(space.source.randrange(len(members)) for _ in range(options.rivals))]


def wander(space: Space) -> None:
    """Spend the space's budget on mappings drawn from nothing."""
    while not space.meter.done():
        space.start()
