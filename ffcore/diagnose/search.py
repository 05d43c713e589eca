"""Searching for what would be valid: lifting limits one by one, and the smallest size that would do."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from fractions import Fraction

import attrs

from ffcore.diagnose.cause import Cause, CauseKind
from ffcore.diagnose.constraints import Constraint
from ffcore.diagnose.relax import evaluated_components
from ffcore.errors import LimitError
from ffcore.explore.limits import Limits
from ffcore.spec.problem import INFINITY, Problem
from ffcore.templates import Template, einsum_templates
from ffcore.units import Dimension, format_quantity


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


@attrs.frozen
class Smallest:
    """The smallest size (bits) found; ``exact``: one bit less is known not to do."""

    bits: float
    exact: bool
    running: str  # Einsum at the peak


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


def smallest_size(
    probe: Callable[[float], Usage | None], memory: str, bounds: tuple[float, float], unit: Fraction, budget: Budget
) -> Smallest | None:
    """The least size of ``memory`` (bits) at which ``probe(size)`` finds a mapping; None if none does.

    ``bounds``: nothing below the first can do, and from the second on a size makes no difference.
    Every occupancy is a multiple of ``unit``. A mapping that needs less than it was granted is valid
    with just what it needs: the spatial choices that fit then are some of those that fitted before,
    its own among them, so ``min_usage`` prefers none that it did not prefer before. Between what is
    known to fail and what is known to do the interval is halved, until one unit less is known to fail.
    """
    low = math.ceil(Fraction(bounds[0]) / unit) - 1
    high = max(low + 1, math.ceil(Fraction(bounds[1]) / unit))
    found = probe(float((low + 1) * unit))  # the least that is possible is often enough
    if found is not None:
        return Smallest(float((low + 1) * unit), True, found.running.get(memory, ""))
    low += 1
    found = probe(float(high * unit)) if high > low else None
    if found is None:
        return None
    while True:
        high = max(low + 1, min(high, round(Fraction(found.bits.get(memory, 0.0)) / unit)))
        if high - low <= 1 or budget.spent:
            exact = high - low <= 1 and not budget.unsure
            return Smallest(float(high * unit), exact, found.running.get(memory, ""))
        middle = (low + high) // 2
        better = probe(float(middle * unit))
        if better is None:
            low = middle
        else:
            high, found = middle, better


def least_possible(problem: Problem) -> dict[str, float]:
    """Bits that each memory is asked for at least, by whichever Einsum asks for most; a lower bound.

    Of each tensor that a template keeps in a memory there is at least a value there, and all of it along
    the rank variables that no loop above the reservation can cut.
    """
    result: dict[str, float] = {}
    for einsum in problem.einsums:
        least: dict[str, float] = {}
        templates = einsum_templates(einsum, problem.options)
        names = {c.name for t in templates for c in t.components}
        for template in templates:
            own = _least_of(problem, template)
            least = {m: min(least.get(m, INFINITY), own.get(m, 0.0)) for m in names}
        for memory, bits in least.items():
            result[memory] = max(bits, result.get(memory, 0.0))
    return result


def _least_of(problem: Problem, template: Template) -> dict[str, float]:
    einsum, bits = template.einsum, dict[str, float]()
    first: dict[str, int] = {}
    for number, block in enumerate(template.blocks):
        for v in block:
            first.setdefault(v, number)
    spatial = {s.variable for s in template.spatial}
    for site in template.sites:
        whole = {v for v, b in first.items() if site.reservation <= b and v not in spatial}
        tensor, memory = einsum.tensor[site.tensor], template.components[site.index].name
        values = tensor.tile_values({v: bound if v in whole else 1 for v, bound in einsum.bounds.items()})
        bits[memory] = bits.get(memory, 0.0) + values * min(_widths(problem, tensor.name))
    return bits


def occupancy_unit(problem: Problem) -> Fraction:
    """The greatest number of bits of which every occupancy is a multiple."""
    parts = [
        Fraction(bits * copies).limit_denominator(10**6)
        for e in problem.einsums
        for t in e.tensors
        for bits in _widths(problem, t.name)
        for copies in {1.0, e.n_instances if t.persistent else 1.0}
    ]
    parts = [p for p in parts if p > 0]
    denominator = math.lcm(*(p.denominator for p in parts))
    return Fraction(math.gcd(*(int(p * denominator) for p in parts)), denominator) if parts else Fraction(1)


def everything(problem: Problem) -> float:
    """Bits of all tensors of all Einsums at once: more than any memory can be asked to hold."""
    return sum(
        t.tile_values(e.bounds) * max(_widths(problem, t.name)) * max(1.0, e.n_instances)
        for e in problem.einsums
        for t in e.tensors
    )


def _widths(problem: Problem, tensor: str) -> set[float]:
    """Bits per value that some Einsum or component gives to a tensor."""
    own = {t.bits_per_value for e in problem.einsums for t in e.tensors if t.name == tensor}
    return own | {c.bits_per_value[tensor] for _, c in evaluated_components(problem) if tensor in c.bits_per_value}


def bits_text(bits: float) -> str:
    """``128 bits (16 B)``: exact, and for people."""
    if bits == INFINITY:
        return "unlimited size"
    exact = f"{bits:.15g} bits"
    human = format_quantity(bits, Dimension.SIZE, digits=4)
    return exact if human.endswith(" bit") or bits == 0 else f"{exact} ({human})"
