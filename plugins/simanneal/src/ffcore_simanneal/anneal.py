"""Simulated annealing over unpruned pmappings."""

from __future__ import annotations

import math

import attrs

from ffcore_simanneal.moves import neighbour
from ffcore_simanneal.search import Space, State

_SAMPLED = 40  # moves by which the initial temperature is set


@attrs.frozen
class Annealing:
    """The schedule.

    ``restarts``: the budget is cut into this many cycles and one more. The first and every second one after it
    starts from a random mapping, the others from the best so far, at ``reheat`` times the initial temperature.
    ``acceptance``: share of the worsening moves that the initial temperature of a cycle accepts. ``cooling``:
    final over initial temperature; in between it falls geometrically with the share of the cycle's budget spent.
    """

    restarts: int = 3
    acceptance: float = 0.3
    cooling: float = 1e-4
    reheat: float = 0.1


def anneal(space: Space, options: Annealing) -> None:
    """Spend the space's budget.

    The cost is ln(score) plus a penalty for memories that are too small: a difference of costs is a relative
    change of the score, whatever its unit, and a mapping that does not fit may be passed through but never counts.
    """
    cycles = options.restarts + 1
    cycle = 0
    while not space.meter.done():
        # without a limit in evaluations or time only the target ends the search: one cycle after another
        end = min(cycle + 1, cycles) / cycles
        best = space.best
        again = cycle % 2 == 1 and best is not None
        state = best if again else space.start()
        if state is not None:
            _cycle(space, options, state, options.reheat if again else 1.0, end)
        cycle += 1


def _cycle(space: Space, options: Annealing, state: State, heat: float, end: float) -> None:
    first = heat * _initial_temperature(space, state, options.acceptance)
    begin = space.meter.fraction()
    log_cooling = math.log(options.cooling)
    while not space.meter.done():
        spent = space.meter.fraction()
        if spent >= end and end < 1:
            return
        progress = (spent - begin) / (end - begin) if end > begin else 1.0
        temperature = first * math.exp(log_cooling * min(1.0, progress))
        parts = neighbour(space, state.parts)
        if parts is None:
            space.meter.charge(1)
            continue
        # Metropolis: the limit is drawn first, so that hopeless moves need not be judged in full
        limit = state.cost - temperature * math.log(1.0 - space.source.random())
        state = space.judge(parts, limit) or state


def _initial_temperature(space: Space, state: State, acceptance: float) -> float:
    """The temperature at which a worsening move of average size is accepted with this probability."""
    worse: list[float] = []
    for _ in range(_SAMPLED):
        if space.meter.done():
            break
        parts = neighbour(space, state.parts)
        moved = None if parts is None else space.judge(parts)
        if parts is None:
            space.meter.charge(1)
        if moved is not None and moved.cost > state.cost:
            worse.append(moved.cost - state.cost)
    mean = sum(worse) / len(worse) if worse else 1.0
    return mean / -math.log(acceptance)
