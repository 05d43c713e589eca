"""How long a search may run, and the record of what it has found so far."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable

import attrs

from ffcore.plugin import ROUNDING, FFError


@attrs.frozen
class Budget:
    """Limits of one search; each may be left out.

    ``max_evaluations``: pmappings looked at. ``time_limit``: s of wall time. ``score_target``: the search stops when
    its best score is no worse. Raises ``FFError`` for a limit that is not finite and above 0.
    """

    max_evaluations: float | None = None
    time_limit: float | None = None
    score_target: float | None = None

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Budget):
            check_positive(field.name, getattr(self, field.name))

    def share(self, parts: int, at_once: int) -> Budget:
        """The budget of each of ``parts`` searches of which ``at_once`` run at the same time.

        Whole rounds: where the last one does not fill all workers, some of them wait.
        """
        evaluations, seconds = self.max_evaluations, self.time_limit
        return attrs.evolve(
            self,
            max_evaluations=None if evaluations is None else evaluations / parts,
            time_limit=None if seconds is None else seconds / math.ceil(parts / at_once),
        )

    def reached(self, score: float) -> bool:
        """Is a score as good as the target?"""
        return self.score_target is not None and score <= self.score_target * ROUNDING


class Ceiling:
    """Evaluations after which no island of a search need go on, as another one has reached the target by then.

    Threads and forked processes share it; a copy sent to another process knows of no limit, which costs time only.
    """

    def __init__(self) -> None:
        self._value = multiprocessing.RawValue("d", math.inf)

    @property
    def evaluations(self) -> float:
        return float(self._value.value)

    def lower(self, evaluations: float) -> None:
        self._value.value = min(self._value.value, evaluations)

    def __reduce__(self) -> tuple[type[Ceiling], tuple[()]]:
        return Ceiling, ()


def check_positive(name: str, value: float | None) -> None:
    """Raise ``FFError`` unless ``value`` is a number above 0, or None."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise FFError(f"{name} must be a number above 0, not {value!r}")
    if value == math.inf:
        raise FFError(f"{name} must be finite: a search that is not exact never knows that it is at the end")


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise ``FFError`` unless ``value`` is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise FFError(f"{name} must be a whole number of at least {least}, not {value!r}")


def check_share(name: str, value: float) -> None:
    """Raise ``FFError`` unless ``value`` lies between 0 and 1, both excluded."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise FFError(f"{name} must lie between 0 and 1, not be {value!r}")


@attrs.frozen
class Sample:
    """A new best score: after how many evaluations and seconds it was found."""

    evaluations: float
    seconds: float
    score: float


@attrs.define
class Meter:
    """Counts what a search spends and keeps its improvements.

    ``begun``: when, by the clock, its time began; None: now. ``ceiling``: see there.
    """

    budget: Budget
    clock: Callable[[], float] = time.perf_counter
    begun: float | None = None
    ceiling: Ceiling = attrs.Factory(Ceiling)
    evaluations: float = 0.0
    best: float = math.inf
    samples: list[Sample] = attrs.Factory(list)
    _start: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._start = self.clock() if self.begun is None else self.begun

    @property
    def seconds(self) -> float:
        return self.clock() - self._start

    def charge(self, evaluations: float) -> None:
        self.evaluations += evaluations

    def fraction(self) -> float:
        """Share of the budget that is spent, 0 to 1; 0 where only a target ends the search."""
        spent = 0.0
        if self.budget.max_evaluations is not None:
            spent = self.evaluations / self.budget.max_evaluations
        if self.budget.time_limit is not None:
            spent = max(spent, self.seconds / self.budget.time_limit)
        return min(spent, 1.0)

    def done(self) -> bool:
        """Is a limit reached?"""
        budget = self.budget
        if budget.max_evaluations is not None and self.evaluations >= budget.max_evaluations:
            return True
        if budget.reached(self.best) or self.evaluations >= self.ceiling.evaluations:
            return True
        return budget.time_limit is not None and self.seconds >= budget.time_limit

    def found(self, score: float) -> bool:
        """Note a valid mapping; is it the best so far?"""
        if score >= self.best:
            return False
        self.best = score
        self.samples.append(Sample(self.evaluations, self.seconds, score))
        return True
