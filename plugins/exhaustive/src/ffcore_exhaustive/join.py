"""All joins of the Einsums' pmappings, folded from the left, and the Pareto set of the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from ffcore.plugin import EinsumProblem, Metric, Nest, Peak, Problem, Reservation
from ffcore_exhaustive.capacity import common_loops, occupancy, peaks, users_of_shared
from ffcore_exhaustive.compatibility import Compatibility, TensorCompatibility, Variant, permuted_nest, variants
from ffcore_exhaustive.pareto import pareto_front
from ffcore_exhaustive.pmappings import Pmapping
from ffcore_exhaustive.tiles import TOLERANCE


@attrs.frozen
class Solution:
    """A complete mapping. ``energy`` in J, ``latency`` in s; ``nests`` per Einsum, their fused
    loops in the order that they share; ``peaks``: the fullest moment of each memory."""

    energy: float
    latency: float
    nests: Mapping[str, Nest]
    peaks: Mapping[str, Peak]


@attrs.frozen
class Partial:
    """The first Einsums, joined. ``depths[i]`` is d of the join of Einsum i; ``live`` are the
    shared tensors that a later Einsum needs."""

    members: tuple[Variant, ...]
    depths: tuple[int, ...]
    live: Compatibility
    energy: float
    latency: float

    def reservations(self) -> list[tuple[Reservation, ...]]:
        return [m.pmapping.evaluation.reservations for m in self.members]


Judge = Callable[[Mapping[str, Nest]], tuple[float, float]]
"""(J, s) of a whole mapping, given as a nest for each Einsum."""


def exhaustive_join(
    problem: Problem,
    pmappings: Mapping[str, Sequence[Pmapping]],
    dominance: bool = False,
    judge: Judge | None = None,
) -> list[Solution]:
    """The exact Pareto set, in the problem's metrics, over all joins of the given pmappings.

    Nothing is dropped but what does not match or does not fit. With ``dominance`` (for problems
    that are too large otherwise), among pmappings of equal compatibility, and among joined ones
    of which every later Einsum sees the same, those are dropped that another equals or betters
    in energy, latency and the reservations of every level. With a ``judge`` its numbers count, which
    forbids ``dominance``: it may look at all of a mapping. Empty if nothing fits.
    """
    assert judge is None or not dominance
    users = users_of_shared(problem)
    partials: list[Partial] = []
    for index, einsum in enumerate(problem.einsums):
        choices = [v for p in _kept(einsum, pmappings[einsum.name], dominance) for v in variants(einsum, p)]
        partials = list(_extend(users, partials, choices, index))
        if dominance:
            partials = _undominated(users, partials, index)
    return _solutions(problem, [_judged(problem, p, judge) for p in partials] if judge else partials)


def _extend(
    users: Mapping[str, Sequence[int]], partials: Sequence[Partial], choices: Sequence[Variant], index: int
) -> Iterator[Partial]:
    """Every partial mapping joined with every pmapping of Einsum ``index`` that matches and fits."""
    live_after = {t for t, using in users.items() if using[0] <= index < using[-1]}
    if index == 0:
        for v in choices:
            live = tuple((t, c) for t, c in v.compatibility if t in live_after)
            energy, latency = v.pmapping.evaluation.total_energy, v.pmapping.evaluation.total_latency
            yield Partial((v,), (0,), live, energy, latency)
        return
    here = {t for t, using in users.items() if index in using}
    by_shared: dict[Compatibility, dict[Compatibility, list[Variant]]] = {}
    before = {t for t in here if users[t][0] < index}
    for v in choices:
        shared = tuple((t, c) for t, c in v.compatibility if t in before)
        by_shared.setdefault(shared, {}).setdefault(v.compatibility, []).append(v)
    for left in partials:
        shared = tuple((t, c) for t, c in left.live if t in here)
        for compatibility, group in by_shared.get(shared, {}).items():
            if not matches(left.live, compatibility, live_after):
                continue
            live = tuple(sorted((dict(left.live) | dict(compatibility)).items()))
            live = tuple((t, c) for t, c in live if t in live_after)
            depths = (*left.depths, max((c.depth for _, c in left.live), default=0))
            for right in group:
                joined = Partial(
                    (*left.members, right),
                    depths,
                    live,
                    left.energy + right.pmapping.evaluation.total_energy,
                    left.latency + right.pmapping.evaluation.total_latency,
                )
                if _fits(users, joined):
                    yield joined


def matches(left: Compatibility, right: Compatibility, live_after: set[str]) -> bool:
    """May ``right`` join ``left``, given that they agree on the tensors that they share?

    ``left``: the tensors of the left side that right or a later Einsum needs; ``right``: all
    shared tensors of the right; ``live_after``: the tensors that an Einsum after right needs.
    """
    deepest_left = _deepest(c for t, c in left if t in live_after)
    deepest_right = _deepest(c for t, c in right if t in live_after)
    if len(deepest_left) > len(deepest_right):
        return False
    pairs = zip(_deepest(c for _, c in left), _deepest(c for _, c in right), strict=False)
    return all(a == b for a, b in pairs)


def _deepest(tensors: Iterable[TensorCompatibility]) -> tuple[int, ...]:
    """Trip counts of the longest loop list."""
    return max((c.trips for c in tensors), key=len, default=())


def _fits(users: Mapping[str, Sequence[int]], partial: Partial) -> bool:
    """Does every memory hold what it must, while each of the joined Einsums runs? Later Einsums
    only add to it."""
    reservations = partial.reservations()
    return all(
        share <= 1 + TOLERANCE
        for e in range(len(reservations))
        for _, share in occupancy(users, reservations, partial.depths, e).values()
    )


# ---- the optional reduction


def _kept(einsum: EinsumProblem, pmappings: Sequence[Pmapping], dominance: bool) -> Sequence[Pmapping]:
    """The pmappings, without dominated ones if asked for.

    Compared are only pmappings with the same loops above every shared tensor, the same blocks (so
    the same variants), and reservations in the same memories at the same levels. What stands at or below the
    fused depth is alive only while the Einsum itself runs: one level.
    """
    if not dominance:
        return pmappings
    groups: dict[object, list[tuple[tuple[float, ...], Pmapping]]] = {}
    for p in pmappings:
        every = list(variants(einsum, p))
        depth = max((c.depth for _, c in every[0].compatibility), default=0)
        levels: dict[tuple[str, int], float] = {}
        for r in p.evaluation.reservations:
            at = r.component, min(r.level, depth)
            levels[at] = levels.get(at, 0.0) + r.share
        key = frozenset(v.compatibility for v in every), tuple(sorted(levels))
        vector = (p.evaluation.total_energy, p.evaluation.total_latency, *(levels[at] for at in sorted(levels)))
        groups.setdefault(key, []).append((vector, p))
    return [p for group in groups.values() for p in pareto_front(group)]


def _undominated(users: Mapping[str, Sequence[int]], partials: Sequence[Partial], index: int) -> list[Partial]:
    """The partial mappings without those that another one betters in all that is still to matter.

    With the same live tensors and loops, what later joins see of the Einsums so far is: what stays
    alive while a later Einsum runs, for each number of loops that it may share; and the fullest
    moment among the Einsums with which it would share as many. Live tensors' backing
    reservations are equal.
    """
    groups: dict[object, list[tuple[tuple[float, ...], Partial]]] = {}
    for p in partials:
        depth = max((c.depth for _, c in p.live), default=0)
        reach = [depth if e == index else min(depth, common_loops(p.depths, e, index)) for e in range(index + 1)]
        vector: dict[tuple[str, str, int], float] = {}
        for e in range(index + 1):
            for memory, (_, share) in occupancy(users, p.reservations(), p.depths, e).items():
                fullest = "fullest", memory, reach[e]
                vector[fullest] = max(vector.get(fullest, 0.0), share)
        for loops in range(depth + 1):
            for memory, share in _alive(users, p, [min(loops, r) for r in reach]).items():
                vector["alive", memory, loops] = share
        key = p.live, tuple(sorted(vector))
        groups.setdefault(key, []).append(((p.energy, p.latency, *(vector[k] for k in sorted(vector))), p))
    return [p for group in groups.values() for p in pareto_front(group)]


def _alive(users: Mapping[str, Sequence[int]], partial: Partial, shared_loops: Sequence[int]) -> dict[str, float]:
    """Share of each memory that the joined Einsums hold while a later one runs with which each
    shares the given number of loops; without live tensors, which the later one counts."""
    ignored = {t for t, _ in partial.live}
    result: dict[str, float] = {}
    for own, loops in zip(partial.reservations(), shared_loops, strict=True):
        for r in own:
            once = r.backing and r.tensor in users
            if r.level < loops and not (once and r.tensor in ignored):
                result[r.component] = result.get(r.component, 0.0) + r.share
                if once:
                    ignored.add(r.tensor)
    return result


# ---- results


def _solutions(problem: Problem, partials: Sequence[Partial]) -> list[Solution]:
    """The Pareto set of complete mappings in the chosen metrics, by energy."""
    scored = [(_objectives(problem, p), p) for p in partials]
    result = []
    for p in pareto_front(scored):
        nests = {e.name: permuted_nest(e, m) for e, m in zip(problem.einsums, p.members, strict=True)}
        result.append(Solution(p.energy, p.latency, nests, peaks(problem, p.reservations(), p.depths)))
    return sorted(result, key=lambda s: (s.energy, s.latency))


def _judged(problem: Problem, partial: Partial, judge: Judge) -> Partial:
    nests = {e.name: permuted_nest(e, m) for e, m in zip(problem.einsums, partial.members, strict=True)}
    energy, latency = judge(nests)
    return attrs.evolve(partial, energy=energy, latency=latency)


def _objectives(problem: Problem, partial: Partial) -> tuple[float, ...]:
    metrics = problem.options.metrics
    objectives: list[float] = []
    if Metric.ENERGY in metrics:
        objectives.append(partial.energy)
    if Metric.LATENCY in metrics:
        objectives.append(partial.latency)
    if Metric.ENERGY_DELAY_PRODUCT in metrics:
        objectives.append(partial.energy * partial.latency)
    if Metric.RESOURCE_USAGE in metrics:
        full = peaks(problem, partial.reservations(), partial.depths)
        objectives += [full[m].share if m in full else 0.0 for m in _memories(problem)]
    return tuple(objectives)


def _memories(problem: Problem) -> list[str]:
    return sorted({name for einsum in problem.einsums for path in einsum.paths for name in path.names})
