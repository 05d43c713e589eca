"""Searching for what would be valid: lifting limits one by one, within a budget of time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import attrs

from ffcore.diagnose.cause import Cause, CauseKind
from ffcore.diagnose.constraints import Constraint
from ffcore.errors import LimitError
from ffcore.explore.limits import Limits
from ffcore.spec.problem import Problem


@attrs.frozen
class Usage:
    """What some valid mapping needs: bits in each memory at its fullest, and the Einsum that runs then."""

    bits: dict[str, float]
    running: dict[str, str]


Probe = Callable[[Problem], Usage | None]  # a valid mapping of a problem, or None if there is none


_ENOUGH = 1.0  # s for one search, once it has found something
_PATIENCE = 5.0, 1 / 12  # s for one search that has found nothing, or this share of all if that is more
_HURRIED = 0.4  # of both, where something is known already


@attrs.define
class Budget:
    """Seconds that a diagnosis may take; the search that is running when they end is finished.

    A search that takes too long has no answer. From then on the budget is spent and nothing more is searched: what is
    asked next would take as long. ``scale``: how many times longer than for one Einsum a search may be.
    """

    seconds: float
    scale: float = 1.0
    unsure: bool = False  # a question was left without an answer
    _start: float = attrs.Factory(time.monotonic)

    @property
    def spent(self) -> bool:
        return self.unsure or time.monotonic() - self._start >= self.seconds

    def hurry(self) -> None:
        """From now on a search may take little time: something can be said without it."""
        self.scale = min(self.scale, _HURRIED)

    @property
    def limits(self) -> Limits:
        """Those of one search; the diagnosis of a problem in which time is no matter is not hurried."""
        if self.seconds == math.inf:
            return Limits.within(math.inf, math.inf)
        patience = max(_PATIENCE[0], _PATIENCE[1] * self.seconds)
        return Limits.within(_ENOUGH * self.scale, patience * self.scale)

    def ask(self, probe: Callable[[Problem, Limits], Usage | None], job: Problem) -> Usage | None:
        """What the probe finds in a job; None if nothing is valid, or, with `unsure`, if that is not known in time."""
        if self.unsure:
            return None
        try:
            return probe(job, self.limits)
        except LimitError:
            self.unsure = True
            return None


def without(problem: Problem, lifted: Sequence[Constraint]) -> Problem:
    """The problem without the given constraints."""
    for constraint in lifted:
        problem = constraint.lift(problem)
    return problem


@attrs.frozen
class Culprits:
    """Constraints that leave nothing. ``any_one``: they clash, lifting one is enough; else all must go."""

    constraints: tuple[Constraint, ...]
    any_one: bool

    def __str__(self) -> str:
        texts = [c.text for c in self.constraints]
        if len(texts) == 1:
            return f"ruled out by {texts[0]}"
        if self.any_one:
            return f"ruled out by {'; '.join(texts)}: lifting one of these is enough"
        return f"ruled out by {'; '.join(texts)}: all of these would have to go"

    def cause(self, what: str, einsum: str, *, tight: bool) -> Cause:
        """The cause of what is the matter; ``tight``: without the constraints some memory is too small still."""
        small = ", and some memory is too small as well" if tight else ""
        message = f"{what}; {self}{small}"
        return Cause(CauseKind.CONSTRAINT, message, einsum, (), (), self.constraints, self.any_one, also_small=tight)

    def way_out(self, problem: Problem) -> Problem:
        """The problem with as much lifted as gives it a mapping."""
        return without(problem, self.constraints[:1] if self.any_one else self.constraints)


def culprits(
    problem: Problem, tiers: Sequence[Sequence[Constraint]], valid: Callable[[Problem], bool], budget: Budget
) -> Culprits | None:
    """The constraints of the first tier of which one alone, if lifted, would leave something valid.

    If no single constraint is enough: a set from which none can be left out. None if lifting all of
    them does not help either, or time runs out.
    """
    for tier in tiers:
        enough = []
        for constraint in tier:
            if budget.spent:
                break
            if valid(without(problem, [constraint])):
                enough.append(constraint)
        if enough:
            return Culprits(tuple(enough), True)
    every = [c for tier in tiers for c in tier]
    if budget.spent or not every or not valid(without(problem, every)):
        return None
    kept = list(every)
    for constraint in reversed(every):  # the general ones are given back first
        fewer = [c for c in kept if c != constraint]
        if not budget.spent and valid(without(problem, fewer)):
            kept = fewer
    return Culprits(tuple(kept), False)
