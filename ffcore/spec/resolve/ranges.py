"""Bounds of rank variables: text such as ``0 <= m < 128`` to limits on whole numbers, and the box within them."""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Iterable, Mapping

import attrs

from ffcore.errors import Position, SpecError
from ffcore.spec.expressions import evaluate
from ffcore.spec.expressions.parse import ExpressionError, parse
from ffcore.spec.resolve.scope import Scope

MAX_ROUNDS = 100

_EXAMPLE = "such as '0 <= m < 128' or '0 <= m < 8 and m + k < 10'"
_TURNED: Mapping[type[ast.cmpop], tuple[int, bool]] = {
    ast.Lt: (1, True),
    ast.LtE: (1, False),
    ast.Gt: (-1, True),
    ast.GtE: (-1, False),
}
"""Comparison -> (sign that makes it left - right < 0, whether it is strict)."""


@attrs.frozen
class Affine:
    """A sum of rank variables times numbers, as bounds compute with them."""

    terms: Mapping[str, float]
    constant: float = 0.0

    @classmethod
    def of(cls, value: object) -> Affine:
        """The value itself, or a number. Raises TypeError for anything else."""
        if isinstance(value, Affine):
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        return cls({}, value)

    def scaled(self, factor: float) -> Affine:
        """All of it times a number."""
        return Affine({v: c * factor for v, c in self.terms.items()}, self.constant * factor)

    def __add__(self, other: object) -> Affine:
        more = Affine.of(other)
        names = dict.fromkeys((*self.terms, *more.terms))
        terms = {v: self.terms.get(v, 0) + more.terms.get(v, 0) for v in names}
        return Affine({v: c for v, c in terms.items() if c}, self.constant + more.constant)

    __radd__ = __add__

    def __neg__(self) -> Affine:
        return self.scaled(-1)

    def __pos__(self) -> Affine:
        return self

    def __sub__(self, other: object) -> Affine:
        return self + Affine.of(other).scaled(-1)

    def __rsub__(self, other: object) -> Affine:
        return Affine.of(other) - self

    def __mul__(self, other: object) -> Affine:
        if isinstance(other, bool) or not isinstance(other, int | float):
            raise TypeError
        return self.scaled(other)

    __rmul__ = __mul__


@attrs.frozen
class Limit:
    """``sum(coefficient * variable) <= most``, over whole numbers."""

    terms: Mapping[str, float]
    most: float


@attrs.frozen
class Range:
    """Least and greatest value of a rank variable; None: not limited."""

    low: int | None = None
    high: int | None = None

    def within(self, limit: Limit, variable: str, rest: float) -> Range:
        """The part of the range where the limit holds, whose other terms are at least ``rest``."""
        coefficient, room = limit.terms[variable], limit.most - rest
        if coefficient > 0:
            most = math.floor(room / coefficient)
            return self if self.high is not None and self.high <= most else attrs.evolve(self, high=most)
        least = math.ceil(room / coefficient)
        return self if self.low is not None and self.low >= least else attrs.evolve(self, low=least)


def limits_of(text: str, variables: Collection[str], scope: Scope, place: Position | None) -> list[Limit]:
    """The limits that a bound states: comparisons, joined by ``and``, of expressions over rank variables and numbers.

    Raises SpecError for anything else.
    """
    wrong = SpecError.one(f"{text!r} is no bound of a rank variable {_EXAMPLE}", place)
    try:
        tree = parse(text)
    except ExpressionError:
        raise wrong from None
    comparisons = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in variables}
    symbols = Scope({v: Affine({v: 1.0}) for v in named}, scope)
    found: list[Limit] = []
    for comparison in comparisons:
        if not isinstance(comparison, ast.Compare):
            raise wrong
        sides = [_side(ast.unparse(side), symbols, text, place) for side in (comparison.left, *comparison.comparators)]
        for operator, left, right in zip(comparison.ops, sides[:-1], sides[1:], strict=True):
            if isinstance(operator, ast.Eq):
                found += [_limit(left - right, False), _limit(right - left, False)]
                continue
            if type(operator) not in _TURNED:
                raise wrong
            sign, strict = _TURNED[type(operator)]
            found.append(_limit((left - right).scaled(sign), strict))
    return found


def _side(text: str, symbols: Scope, whole: str, place: Position | None) -> Affine:
    value = evaluate(text, symbols, place)
    try:
        return Affine.of(value)
    except TypeError:
        message = f"{text!r} in the bound {whole!r} must be a number or a sum of rank variables"
        raise SpecError.one(message, place) from None


def _limit(form: Affine, strict: bool) -> Limit:
    most = -form.constant
    if math.isfinite(most):
        most = math.ceil(most) - 1 if strict else math.floor(most)
    return Limit(form.terms, most)


def stated(limits: Iterable[Limit]) -> dict[str, Range]:
    """What limits on one variable each say of it; 0 is the least unless they say otherwise."""
    found: dict[str, Range] = {}
    for limit in limits:
        if len(limit.terms) == 1 and math.isfinite(limit.most):
            (variable,) = limit.terms
            found[variable] = found.get(variable, Range()).within(limit, variable, 0.0)
    return {v: r if r.low is not None else attrs.evolve(r, low=0) for v, r in found.items()}


def narrowed(ranges: Mapping[str, Range], limits: Iterable[Limit]) -> dict[str, Range]:
    """The box that is left of the ranges within limits on several variables together.

    >>> box = narrowed({"m": Range(0, 3), "k": Range(0, 3)}, [Limit({"m": 1, "k": -1}, -1)])  # m < k
    >>> box["m"], box["k"]
    (Range(low=0, high=2), Range(low=1, high=3))
    """
    found = dict(ranges)
    several = [limit for limit in limits if len(limit.terms) > 1]
    for _ in range(MAX_ROUNDS):
        before = dict(found)
        for limit in several:
            for variable in limit.terms:
                rest = [_least(c, found.get(v, Range(low=0))) for v, c in limit.terms.items() if v != variable]
                if None not in rest:
                    known = found.get(variable, Range(low=0))
                    found[variable] = known.within(limit, variable, sum(r for r in rest if r is not None))
        if found == before or any(r.low is not None and r.high is not None and r.low > r.high for r in found.values()):
            break
    return found


def _least(coefficient: float, extent: Range) -> float | None:
    """The least value of a term; None if nothing limits it."""
    end = extent.low if coefficient > 0 else extent.high
    return None if end is None else coefficient * end
