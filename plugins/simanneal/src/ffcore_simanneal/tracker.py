"""What a search gives back: its best mapping and how it got there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import attrs

from ffcore.plugin import (
    DefaultModel,
    JoinedMapping,
    Line,
    MappingEntry,
    Mappings,
    NoValidMappingError,
    Problem,
    xy_plot,
)
from ffcore_simanneal.budget import Budget, Sample


@attrs.frozen
class Outcome:
    """What one search (island) found: improvements in order, what it spent, its best mapping."""

    samples: tuple[Sample, ...]
    evaluations: float
    seconds: float
    best: JoinedMapping | None


@attrs.frozen(slots=False)
class Tracker:
    """The course of a search and its result.

    ``score``: of the best mapping, ``inf`` if there is none: energy (J) or latency (s) if that alone was asked for,
    else their product (J·s). ``evaluations``: pmappings looked at. ``seconds``: wall time of the search, its
    workers' start included. ``unit``:
    evaluations that count as one in ``history``; ``score_target``: the score that counts as one there.
    """

    joiner: str
    problem: Problem
    samples: tuple[Sample, ...]
    evaluations: float
    seconds: float
    best: JoinedMapping | None
    unit: float = 1.0
    score_target: float | None = None

    @property
    def score(self) -> float:
        return self.samples[-1].score if self.samples else math.inf

    @cached_property
    def history(self) -> list[tuple[float, float]]:
        """(evaluations so far, best score so far) at each improvement, in units of ``unit`` and ``score_target``."""
        return [(s.evaluations / self.unit, s.score / self._one) for s in self.samples]

    @cached_property
    def seconds_history(self) -> list[tuple[float, float]]:
        """The same by seconds of wall time."""
        return [(s.seconds, s.score / self._one) for s in self.samples]

    @cached_property
    def mappings(self) -> Mappings:
        """The best mapping, evaluated by the model. Raises ``NoValidMappingError`` if none was found."""
        best = self.joined()[0]
        return Mappings([MappingEntry(self.problem, best.nests, DefaultModel().evaluate)])

    def joined(self) -> list[JoinedMapping]:
        """The best mapping, as joiners return it. Raises ``NoValidMappingError`` if none was found."""
        if self.best is None:
            raise NoValidMappingError(
                f"the joiner {self.joiner!r} found no mapping that fits in {self.evaluations:.0f} evaluations and "
                f"{self.seconds:.1f} s; that does not mean that there is none: give it more, or ask the joiner 'ffm'"
            )
        return [self.best]

    @property
    def _one(self) -> float:
        return 1.0 if self.score_target is None else self.score_target

    def plot(self) -> str:
        """``history`` as SVG: best score so far over evaluations, logarithmic."""
        points = [(x, y) for x, y in self.history if x > 0 and y > 0]
        if points:
            points.append((max(self.evaluations / self.unit, points[-1][0]), points[-1][1]))
        score = "best score" if self.score_target is None else "best score, in multiples of the target"
        across = "evaluations" if self.unit == 1 else "evaluations, in multiples of the exact mapper's"
        return xy_plot(f"{self.joiner}: {score}", [Line(self.joiner, 1, tuple(points))], across, steps=True)

    def _repr_svg_(self) -> str:
        return self.plot()

    def __repr__(self) -> str:
        spent = f"{self.evaluations:.0f} evaluations, {self.seconds:.1f} s"
        return f"{self.joiner}: best score {self.score:.6g} after {spent}"


def merge(outcomes: Sequence[Outcome], budget: Budget, seconds: float) -> Outcome:
    """Islands as one search, as though each had done one evaluation in turn; the first of equal scores wins.

    It ends where the first island (the lowest number, of several) reaches the target of ``budget``: what others did
    after that is not counted, so that the result depends on the islands alone, and not on how many ran at a time.
    ``seconds``: wall time of all, which improvements share in by what islands had spent until then.
    """
    evaluations = _lockstep([o.evaluations for o in outcomes])
    clock = _lockstep([o.seconds for o in outcomes])
    pace = seconds / total if (total := clock(math.inf)) > 0 else 0.0
    samples: list[Sample] = []
    best: JoinedMapping | None = None
    last = 0.0
    found = [(s.evaluations, i, s) for i, o in enumerate(outcomes) for s in o.samples]
    for spent, i, sample in sorted(found, key=lambda item: item[:2]):
        if samples and sample.score >= samples[-1].score:
            continue
        last = max(last, min(seconds, clock(sample.seconds) * pace))  # islands run at different speeds
        samples.append(Sample(evaluations(spent), last, sample.score))
        best = outcomes[i].best  # at last that of the island with the best score, which is its last
        if budget.reached(sample.score):
            return Outcome(tuple(samples), samples[-1].evaluations, seconds, best)
    return Outcome(tuple(samples), evaluations(math.inf), seconds, best)


def _lockstep(totals: Sequence[float]) -> Lockstep:
    return Lockstep(tuple(totals))


@attrs.frozen
class Lockstep:
    """What all islands together have spent when one of them has spent ``x``."""

    totals: tuple[float, ...]

    def __call__(self, x: float) -> float:
        return sum(min(x, total) for total in self.totals)
