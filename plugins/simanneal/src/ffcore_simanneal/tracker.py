"""What a search gives back: its best mapping and how it got there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import attrs

from ffcore.errors import NoValidMappingError
from ffcore.join.types import JoinedMapping
from ffcore.model.parts import DefaultModel
from ffcore.render.convergence import Line, convergence
from ffcore.results.mappings import MappingEntry, Mappings
from ffcore.spec.problem import Problem
from ffcore_simanneal.budget import Sample


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
    else their product (J·s). ``evaluations``: pmappings looked at. ``seconds``: wall time of the search. ``unit``:
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
        return convergence(f"{self.joiner}: {score}", [Line(self.joiner, 1, tuple(points), False)], across)

    def _repr_svg_(self) -> str:
        return self.plot()

    def __repr__(self) -> str:
        spent = f"{self.evaluations:.0f} evaluations, {self.seconds:.1f} s"
        return f"{self.joiner}: best score {self.score:.6g} after {spent}"


def merge(outcomes: Sequence[Outcome], at_once: int) -> Outcome:
    """Islands as one search, as though each had done one evaluation in turn; the first of equal scores wins.

    ``at_once``: how many ran at the same time. A search that reaches its target ends the whole one. Depends on
    the islands only, not on which of them was done first.
    """
    evaluations = _lockstep([o.evaluations for o in outcomes])
    seconds = _lockstep([o.seconds for o in outcomes])
    parallel = max(1, min(at_once, len(outcomes)))
    found = sorted(
        (evaluations(s.evaluations), i, seconds(s.seconds) / parallel, s.score)
        for i, o in enumerate(outcomes)
        for s in o.samples
    )
    samples: list[Sample] = []
    last = 0.0
    for spent, _, when, score in found:
        if not samples or score < samples[-1].score:
            last = max(last, when)  # islands run at different speeds
            samples.append(Sample(spent, last, score))
    best = min(
        (o for o in outcomes if o.best is not None), key=lambda o: o.samples[-1].score, default=None
    )
    return Outcome(
        tuple(samples),
        sum(o.evaluations for o in outcomes),
        sum(o.seconds for o in outcomes) / parallel,
        None if best is None else best.best,
    )


def _lockstep(totals: Sequence[float]) -> Lockstep:
    return Lockstep(tuple(totals))


@attrs.frozen
class Lockstep:
    """What all islands together have spent when one of them has spent ``x``."""

    totals: tuple[float, ...]

    def __call__(self, x: float) -> float:
        return sum(min(x, total) for total in self.totals)
