"""Whole mappings as lists of parts: do they match, do they fit, what do they cost (semantics, section 4)?

The same rules as `ffcore.model.mapping`, on numbers prepared once for each pmapping, so that a search can ask many
thousand times a second. What a search reports is evaluated by the model again (`confirm`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs

from ffcore.plugin import (
    FITS,
    SAME,
    JoinedMapping,
    MappingError,
    Metric,
    Nest,
    Objectives,
    Problem,
    broken_constraints,
    evaluate_joint,
)
from ffcore_simanneal.parts import Key, Part


def score_of(metrics: Metric, energy: float, latency: float) -> float:
    """The one number that is minimised: energy (J) or latency (s) if asked for alone, else their product (J·s)."""
    return Objectives.of(metrics).score(energy, latency)


@attrs.frozen(eq=False)
class _Join:
    """Joining one Einsum to all before it: which shared tensors (by number) bear on what."""

    left_later: tuple[int, ...]  # touched before and after
    right_later: tuple[int, ...]  # touched by it and after
    left: tuple[int, ...]  # touched before, and by it or after
    right: tuple[int, ...]  # touched by it


@attrs.define(eq=False)
class Joint:
    """The Einsums of a problem in order, and which of them touch each shared tensor (by number)."""

    problem: Problem
    names: tuple[str, ...] = attrs.field(init=False)  # shared tensors
    users: tuple[tuple[int, ...], ...] = attrs.field(init=False)  # per shared tensor
    tensors: tuple[tuple[int, ...], ...] = attrs.field(init=False)  # per Einsum, in the order of its parts' keys
    _joins: tuple[_Join, ...] = attrs.field(init=False)
    _untouched: tuple[tuple[tuple[int, bool], ...], ...] = attrs.field(init=False)
    _common_memo: dict[tuple[int, ...], list[list[int]]] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        users: dict[str, list[int]] = {}
        for place, einsum in enumerate(self.problem.einsums):
            for name in einsum.names:
                users.setdefault(name, []).append(place)
        shared = {t: places for t, places in users.items() if len(places) > 1}
        self.names = tuple(shared)
        self.users = tuple(tuple(places) for places in shared.values())
        number = {name: i for i, name in enumerate(self.names)}
        self.tensors = tuple(tuple(number[t.name] for t in e.tensors if t.name in number) for e in self.problem.einsums)
        # Per Einsum, the shared tensors that it does not touch, and whether they wait for a later user.
        self._untouched = tuple(
            tuple((t, users[0] < e < users[-1]) for t, users in enumerate(self.users) if e not in users)
            for e in range(len(self.problem.einsums))
        )
        self._joins = tuple(self._join(right) for right in range(1, len(self.problem.einsums)))

    def _join(self, right: int) -> _Join:
        def those(wanted: Callable[[tuple[int, ...]], bool]) -> tuple[int, ...]:
            return tuple(t for t, users in enumerate(self.users) if wanted(users))

        return _Join(
            those(lambda users: users[0] < right < users[-1]),
            those(lambda users: right in users and users[-1] > right),
            those(lambda users: users[0] < right <= users[-1]),
            those(lambda users: right in users),
        )

    def score(self, parts: Sequence[Part]) -> float:
        energy = latency = 0.0
        for part in parts:
            energy += part.energy
            latency += part.latency
        return score_of(self.problem.options.metrics, energy, latency)

    def keys(self, parts: Sequence[Part]) -> list[Key]:
        """The key of each shared tensor, of parts that agree on them."""
        result: list[Key | None] = [None] * len(self.users)
        for part, tensors in zip(parts, self.tensors, strict=True):
            for t, key in zip(tensors, part.keys, strict=True):
                result[t] = key
        return result  # type: ignore[return-value]  # every shared tensor has users

    def out_of_order(self, keys: Sequence[Key]) -> bool:
        """Does some join ask for loops that the nests joined so far cannot carry on?"""
        for join in self._joins:
            if join.left_later:
                deepest = max((keys[t].depth for t in join.right_later), default=0)
                if max(keys[t].depth for t in join.left_later) > deepest:
                    return True
            left: tuple[int, ...] = ()
            for t in join.left:
                if len(keys[t].trips) > len(left):
                    left = keys[t].trips
            if left:
                right: tuple[int, ...] = ()
                for t in join.right:
                    if len(keys[t].trips) > len(right):
                        right = keys[t].trips
                if left != right and any(a != b for a, b in zip(left, right, strict=False)):
                    return True
        return False

    def excess(self, parts: Sequence[Part]) -> float:
        """0 if every memory can hold what it must, else the sum of ln(peak / size) over memories too small."""
        keys = self.keys(parts)
        shares, places, halos = self._shares(parts)
        commons = self._commons(keys)
        levels = [key.level for key in keys]
        opened = [(other, m, by_depth) for other, part in enumerate(parts) for m, by_depth in part.open]
        peaks = [0.0] * len(parts[0].own)
        for running, part in enumerate(parts):
            totals = list(part.own)
            common = commons[running]
            for other, m, by_depth in opened:
                if other != running:
                    d = common[other]
                    totals[m] += by_depth[d] if d < len(by_depth) else by_depth[-1]
            for t, between in self._untouched[running]:
                place = places[t]
                if place >= 0 and (between or self._stays(t, levels[t], common)):
                    totals[place] += shares[t]
            for t in halos:
                if t in self.tensors[running] and places[t] >= 0:
                    totals[places[t]] += self._halo(parts, keys, common, running, t)
            for m, total in enumerate(totals):
                if total > peaks[m]:
                    peaks[m] = total
        return sum(math.log(peak) if peak < math.inf else 1e3 for peak in peaks if peak > FITS)

    def _stays(self, t: int, level: int, common: Sequence[int]) -> bool:
        """Does some user of a tensor keep it while the running Einsum has these loops in common with each?"""
        for f in self.users[t]:  # noqa: SIM110 - this is the innermost loop of a search
            if level < common[f]:
                return True
        return False

    def _shares(self, parts: Sequence[Part]) -> tuple[list[float], list[int], list[int]]:
        """Per shared tensor the largest share that a user sees, its memory, and those seen differently."""
        shares, places = [-1.0] * len(self.users), [-1] * len(self.users)
        halos = []
        for part, tensors in zip(parts, self.tensors, strict=True):
            for t, share, place in zip(tensors, part.shares, part.places, strict=True):
                before = shares[t]
                if share != before:
                    if before >= 0 and t not in halos:
                        halos.append(t)
                    if share > before:
                        shares[t] = share
                places[t] = place
        return shares, places, halos

    def _halo(self, parts: Sequence[Part], keys: Sequence[Key], common: Sequence[int], running: int, t: int) -> float:
        """What more of tensor ``t`` stays than the running Einsum itself sees of it."""
        own = parts[running].shares[self.tensors[running].index(t)]
        users, level = self.users[t], keys[t].level
        between = users[0] < running < users[-1]
        most = own
        for f in users:
            if f != running and (between or level < common[f]):
                most = max(most, parts[f].shares[self.tensors[f].index(t)])
        return most - own

    def _commons(self, keys: Sequence[Key]) -> list[list[int]]:
        """Per running Einsum, the loops that it shares with each other one: the least over the joins between."""
        joins = (0, *(max([keys[t].depth for t in join.left], default=0) for join in self._joins))
        if joins not in self._common_memo:
            self._common_memo[joins] = [_common(joins, running) for running in range(len(joins))]
        return self._common_memo[joins]


def _common(joins: Sequence[int], running: int) -> list[int]:
    common = [0] * len(joins)
    for place in range(running - 1, -1, -1):
        common[place] = min(joins[place + 1 : running + 1])
    for place in range(running + 1, len(joins)):
        common[place] = min(joins[running + 1 : place + 1])
    return common


def confirm(problem: Problem, nests: Sequence[Nest], parts: Sequence[Part]) -> JoinedMapping | None:
    """The mapping as the model evaluates it; None if the model finds it invalid or dearer than the search did."""
    try:
        joint = evaluate_joint(problem, nests)
        broken = any(broken_constraints(e, n) for e, n in zip(problem.einsums, nests, strict=True))
    except MappingError:
        return None
    energy, latency = joint.total_energy, joint.total_latency
    metrics = problem.options.metrics
    claimed = score_of(metrics, sum(p.energy for p in parts), sum(p.latency for p in parts))
    if broken or not joint.fits or abs(score_of(metrics, energy, latency) - claimed) > SAME * abs(claimed):
        return None
    return JoinedMapping(energy, latency, tuple(nests))
