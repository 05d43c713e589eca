"""What an explanation says: optima with and without each limit, or reasons why nothing is valid."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from ffcore.plugin import Cause, Metric, Objectives, Position


class Goal(enum.StrEnum):
    """What a mapping can be best in."""

    EDP = "edp"  # J·s
    ENERGY = "energy"  # J
    LATENCY = "latency"  # s


def goals_of(metrics: Metric) -> tuple[Goal, ...]:
    """The goals that a spec's metrics stand for, the first of which results are sorted by.

    Energy and latency together give the Pareto set, on which the least energy-delay product lies too.
    """
    wanted = {
        Goal.EDP: Objectives.of(metrics).product,
        Goal.ENERGY: Metric.ENERGY in metrics,
        Goal.LATENCY: Metric.LATENCY in metrics,
    }
    return tuple(goal for goal, asked in wanted.items() if asked)


@attrs.frozen
class Best:
    """The mapping that is best in one goal: J, s, and the bits that it needs of each memory at the fullest."""

    energy: float
    latency: float
    peaks: Mapping[str, float] = attrs.field(factory=dict, repr=False)

    @property
    def edp(self) -> float:
        """Energy-delay product in J·s."""
        return self.energy * self.latency

    def value(self, goal: Goal) -> float:
        """What the goal is about, in SI units."""
        return {Goal.EDP: self.edp, Goal.ENERGY: self.energy, Goal.LATENCY: self.latency}[goal]


@attrs.frozen
class Optimum:
    """The best mapping in each goal."""

    best: Mapping[Goal, Best]

    def value(self, goal: Goal) -> float:
        """The least energy-delay product (J·s), energy (J) or latency (s)."""
        return self.best[goal].value(goal)


@attrs.frozen
class Setting:
    """A field of the spec and what it would be set to: what ``--spec`` and `Spec.set` take."""

    path: str
    value: str

    def __str__(self) -> str:
        return f"{self.path}={self.value}"


@attrs.frozen
class Limit:
    """One limit of a spec: the field that states it, what it says, and the fields to set so that it is gone.

    ``depended_on``: costs or other sizes depend on this size. Only the size itself is lifted, and no settings do that.
    """

    path: str
    says: str
    settings: tuple[Setting, ...]
    position: Position | None = None  # None: it is not in a file
    default: bool = False  # nobody has set it
    memory: str = ""  # whose capacity it is
    depended_on: bool = False

    def __str__(self) -> str:
        return f"{self.path} = {self.says}"


class Outcome(enum.StrEnum):
    """What came of lifting a limit."""

    BETTER = "better"  # it costs something
    EQUAL = "equal"  # it costs nothing
    IDLE = "idle"  # it rules nothing out, so that nothing had to be searched
    WORSE = "worse"  # min_usage prefers other spatial loops where more is possible
    UNFINISHED = "unfinished"  # its search was given up
    FAILED = "failed"  # its search is refused
    PENDING = "pending"  # not searched yet: the inquiry was interrupted


@attrs.frozen
class Effect:
    """The optimum without one limit, all others as they are.

    ``needed_bits``: of a capacity that costs something in the first goal, a size with which that is as good as with any
    size; ``too_small_bits``: the largest size that is known not to be enough. ``needed_exact``: there is none between.
    """

    lift: Limit
    outcome: Outcome
    optimum: Optimum | None = None
    gains: Mapping[Goal, float] = attrs.field(factory=dict)  # factor by which each goal would be smaller
    seconds: float = 0.0  # that the search took
    note: str = ""
    needed_bits: float | None = None
    too_small_bits: float = 0.0
    needed_exact: bool = False

    @property
    def rank(self) -> tuple[float, ...]:
        """Sorts effects, those that gain most in the first goal first."""
        return tuple(-round(gain, 9) for gain in self.gains.values())


@attrs.frozen
class Suggestion:
    """Fields to set; ``works``: with them there is a mapping (None: not known)."""

    settings: tuple[Setting, ...]
    works: bool | None = None


@attrs.frozen
class Reason:
    """Why there is no mapping: the cause, the fields that state it, and what could be changed."""

    cause: Cause
    fields: tuple[Limit, ...]
    suggestions: tuple[Suggestion, ...] = ()


@attrs.frozen
class Explanation:
    """What a spec's limits cost (``optimum`` and ``effects``), or why it has no mapping (``reasons``).

    Of several reasons each later one holds when the first suggestion for all before it is followed.
    ``complete``: nothing was left out for want of time.
    """

    joiner: str
    guarantee: str  # what the joiner promises of each optimum
    goals: tuple[Goal, ...]
    optimum: Optimum | None = None
    effects: tuple[Effect, ...] = ()
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def feasible(self) -> bool | None:
        """Is there a mapping? None: not known yet."""
        return True if self.optimum is not None else False if self.reasons else None

    @property
    def complete(self) -> bool:
        """Was everything found out?"""
        unknown = {Outcome.UNFINISHED, Outcome.PENDING}
        return self.feasible is not None and not any(e.outcome in unknown for e in self.effects)

    @property
    def way_out(self) -> tuple[Setting, ...]:
        """Fields to set so that there is a mapping; empty if there is one, or none is known."""
        found: dict[str, Setting] = {}
        for reason in self.reasons:
            chosen = next((s for s in reason.suggestions if s.works), None) or next(iter(reason.suggestions), None)
            for setting in chosen.settings if chosen else ():
                found[setting.path] = setting
        last = self.reasons[-1].suggestions if self.reasons else ()
        return tuple(found.values()) if any(s.works for s in last) else ()

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON, in SI units."""
        from ffcore_explain.data import as_data

        return as_data(self)
