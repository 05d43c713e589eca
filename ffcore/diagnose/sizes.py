"""The smallest size of a memory that would do."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from fractions import Fraction

import attrs

from ffcore.diagnose.culprits import Budget, Usage
from ffcore.diagnose.relax import evaluated_components
from ffcore.spec.problem import INFINITY, Problem
from ffcore.templates import Template, einsum_templates


@attrs.frozen
class Smallest:
    """The smallest size (bits) found; ``exact``: one bit less is known not to do."""

    bits: float
    exact: bool
    running: str  # Einsum at the peak


class Verdict(enum.Enum):
    """Why a size does not narrow things down from above."""

    TOO_LITTLE = enum.auto()
    UNKNOWN = enum.auto()


def halved(low: int, high: int, ask: Callable[[int], int | Verdict], first: int | None = None) -> tuple[int, int]:
    """The interval (too little, enough] halved until it holds one number, or an answer is unknown.

    ``ask(n)``: what is needed where n is enough, at most n; or a `Verdict`. ``first``: the number to ask about first.
    """
    middle = (low + high) // 2 if first is None else first
    while high - low > 1:
        answer = ask(middle)
        if answer is Verdict.UNKNOWN:
            break
        if isinstance(answer, Verdict):
            low = middle
        else:
            high = max(low + 1, min(middle, answer))
        middle = (low + high) // 2
    return low, high


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
    best = found

    def ask(units: int) -> int | Verdict:
        nonlocal best
        if budget.spent:
            return Verdict.UNKNOWN
        better = probe(float(units * unit))
        if better is None:
            return Verdict.TOO_LITTLE
        best = better
        return needed(best)

    def needed(usage: Usage) -> int:
        return round(Fraction(usage.bits.get(memory, 0.0)) / unit)

    low, high = halved(low, max(low + 1, min(high, needed(best))), ask)
    return Smallest(float(high * unit), high - low <= 1 and not budget.unsure, best.running.get(memory, ""))


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
        tensor, memory = einsum.kept(site.tensor, site.backing), template.components[site.index].name
        values = (
            tensor.tile_values({v: bound if v in whole else 1 for v, bound in einsum.bounds.items()}) * tensor.times
        )
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
        max(t.tile_values(e.bounds), t.whole(e.bounds)) * max(_widths(problem, t.name)) * max(1.0, e.n_instances)
        for e in problem.einsums
        for t in e.tensors
    )


def _widths(problem: Problem, tensor: str) -> set[float]:
    """Bits per value that some Einsum or component gives to a tensor."""
    own = {t.bits_per_value for e in problem.einsums for t in e.tensors if t.name == tensor}
    return own | {c.bits_per_value[tensor] for _, c in evaluated_components(problem) if tensor in c.bits_per_value}
