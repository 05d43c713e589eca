"""Mappings as points of energy and latency, and which of them to look at closely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from ffcore.results.mappings import Mappings

MAX_DETAILS = 50
"""Of how many mappings a report shows everything: more than that nobody looks at, and files grow large."""


@attrs.frozen
class Point:
    """One mapping as a whole: J, s."""

    number: int
    energy: float
    latency: float

    @property
    def edp(self) -> float:
        """Energy-delay product in J·s."""
        return self.energy * self.latency


def points_of(mappings: Mappings) -> tuple[Point, ...]:
    """Energy and latency of each mapping."""
    return tuple(Point(i, e.total_energy, e.total_latency) for i, e in enumerate(mappings.evaluations))


def best_of(points: Iterable[Point]) -> Point:
    """The point of least energy-delay product, the first of equal ones."""
    return min(points, key=lambda p: p.edp)


def chosen(points: Sequence[Point], most: int = MAX_DETAILS) -> list[int]:
    """At most ``most`` of the points (at least 3), by number: the best ones and others evenly along the front."""
    if len(points) <= most:
        return list(range(len(points)))
    best = {best_of(points).number, *(min(points, key=key).number for key in (_energy, _latency))}
    others = [p.number for p in sorted(points, key=_latency) if p.number not in best]
    room = most - len(best)
    return sorted(best | {others[(i * len(others)) // room] for i in range(room)})


def _energy(point: Point) -> float:
    return point.energy


def _latency(point: Point) -> float:
    return point.latency
