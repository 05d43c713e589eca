"""Operators and the cost of values: every way to build something big is bounded here."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any, TypeAlias

from ffcore.spec.expressions.parse import MAX_INT_BITS, ExpressionError
from ffcore.spec.expressions.tensorset import NameSet

Operator: TypeAlias = Callable[[Any, Any], Any]

MAX_STEPS = 1_000_000  # evaluated nodes, iterated items and copied items, per expression
MAX_STRING = 100_000  # characters of any string that an expression computes


MAX_TOTAL = 10_000_000  # of all expressions together that are evaluated while a spec is checked

_TOTAL: ContextVar[Budget | None] = ContextVar("steps left to all expressions", default=None)


class Budget:
    """Steps left to one evaluation."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def charge(self, steps: int = 1) -> None:
        """Use up ``steps``; ExpressionError when there are none left."""
        self.left -= steps
        if self.left < 0:
            raise ExpressionError(f"the expression takes more than {MAX_STEPS} steps")


@contextmanager
def total_budget() -> Iterator[None]:
    """All evaluations of the body together take at most `MAX_TOTAL` steps; within another such body, its rest."""
    token = _TOTAL.set(_TOTAL.get() or Budget(MAX_TOTAL))
    try:
        yield
    finally:
        _TOTAL.reset(token)


@contextmanager
def own_budget() -> Iterator[Budget]:
    """The steps of one evaluation, which are taken from those of all. Raises ExpressionError where none are left."""
    total = _TOTAL.get()
    if total is None:
        yield Budget()
        return
    if total.left <= 0:
        raise ExpressionError(f"the expressions of this spec take more than {MAX_TOTAL} steps together")
    own = Budget()
    try:
        yield own
    finally:
        total.left -= MAX_STEPS - own.left


def as_set(value: object) -> object:
    """The set that ``value`` stands for, if it is an object that stands for one (a memory)."""
    convert = getattr(type(value), "__ff_set__", None)
    return value if convert is None else convert(value)


def describe(value: object) -> str:
    """``value``'s kind, for messages."""
    if isinstance(value, NameSet):
        return f"the set {value}"
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return "a number"
    kinds: dict[type, str] = {str: "a text", list: "a list", tuple: "a tuple", dict: "a dictionary", set: "a set"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def iterate(value: object, budget: Budget) -> Iterator[object]:
    """Items of ``value``, each charged; a set of names gives its members as sets of one."""
    value = as_set(value)
    items: Iterator[object]
    if isinstance(value, NameSet):
        items = iter(value.members())
    elif isinstance(value, (str, list, tuple, range, Set, Mapping)):
        items = iter(value)
    else:
        raise ExpressionError(f"{describe(value)} cannot be iterated over")
    for item in items:
        budget.charge()
        yield item


def charge_contents(value: object, budget: Budget) -> None:
    """Charge for everything inside ``value``, so that shared parts cannot multiply for free."""
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, str):
            budget.charge(len(current) // 1000)
        elif isinstance(current, (list, tuple, set, frozenset)):
            budget.charge(len(current))
            pending.extend(current)
        elif isinstance(current, dict):
            budget.charge(len(current))
            pending.extend(current.keys())
            pending.extend(current.values())


def checked_number(value: object) -> object:
    """``value``, unless it is a number that no spec can mean."""
    if isinstance(value, complex):
        raise ExpressionError("the result is a complex number")
    if isinstance(value, float) and math.isnan(value):
        raise ExpressionError("the result is not a number (nan)")
    if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
        raise ExpressionError(f"the result is an integer of more than {MAX_INT_BITS} bits")
    return value


def _power(left: Any, right: Any) -> object:
    whole = isinstance(left, int) and isinstance(right, int)
    # |left| >= 2 has at least half of bit_length() x right bits in its power.
    if whole and abs(left) > 1 and left.bit_length() * right > 2 * MAX_INT_BITS:
        raise ExpressionError(f"the result is an integer of more than {MAX_INT_BITS} bits")
    return operator.pow(left, right)


def _multiply(left: Any, right: Any) -> object:
    for items, times in ((left, right), (right, left)):
        if isinstance(items, (str, list, tuple)) and isinstance(times, int) and len(items) * times > MAX_STRING:
            raise ExpressionError(f"a repeated text or list may have at most {MAX_STRING} items")
    return operator.mul(left, right)


def _add(left: Any, right: Any) -> object:
    sized = isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple))
    if sized and len(left) + len(right) > MAX_STRING:
        raise ExpressionError(f"a joined text or list may have at most {MAX_STRING} items")
    return operator.add(left, right)


def _modulo(left: Any, right: Any) -> object:
    if isinstance(left, str):
        raise ExpressionError("text cannot be formatted with % in an expression")
    return operator.mod(left, right)


def _on_sets(function: Operator) -> Operator:
    def apply(left: Any, right: Any) -> object:
        truths = isinstance(left, bool) and isinstance(right, bool)
        if isinstance(left, (int, float)) and isinstance(right, (int, float)) and not truths:
            raise ExpressionError("&, | and ^ work on sets, not on numbers")
        return function(left, right)

    return apply


_BINARY: dict[type[ast.operator], tuple[str, Operator]] = {
    ast.Add: ("+", _add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", _multiply),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", _modulo),
    ast.Pow: ("**", _power),
    ast.BitAnd: ("&", _on_sets(operator.and_)),
    ast.BitOr: ("|", _on_sets(operator.or_)),
    ast.BitXor: ("^", _on_sets(operator.xor)),
}

_COMPARE: dict[type[ast.cmpop], tuple[str, Operator]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.In: ("in", lambda item, items: operator.contains(items, item)),
    ast.NotIn: ("not in", lambda item, items: not operator.contains(items, item)),
    ast.Is: ("is", operator.is_),
    ast.IsNot: ("is not", operator.is_not),
}


_UNARY: dict[type[ast.unaryop], tuple[str, Callable[[Any], Any]]] = {
    ast.UAdd: ("+", operator.pos),
    ast.USub: ("-", operator.neg),
    ast.Invert: ("~", operator.invert),
}


def binary(kind: type[ast.operator], left: object, right: object, budget: Budget) -> object:
    """Apply a binary operator; sets and numbers keep within their limits."""
    symbol, function = _BINARY[kind]
    if kind in (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub):
        left, right = as_set(left), as_set(right)
    try:
        result = checked_number(function(left, right))
    except TypeError:
        raise ExpressionError(f"{symbol} cannot be applied to {describe(left)} and {describe(right)}") from None
    charge_contents(result, budget)
    return result


def compare(kind: type[ast.cmpop], left: object, right: object, budget: Budget) -> bool:
    """Apply a comparison."""
    symbol, function = _COMPARE[kind]
    left, right = as_set(left), as_set(right)
    charge_contents(left, budget)
    charge_contents(right, budget)
    try:
        return bool(function(left, right))
    except TypeError:
        raise ExpressionError(f"{symbol} cannot compare {describe(left)} with {describe(right)}") from None


def unary(kind: type[ast.unaryop], value: object) -> object:
    """Apply a unary operator."""
    if kind is ast.Not:
        return not truth(value)
    if kind is ast.Invert:
        value = as_set(value)
        if isinstance(value, (int, float)):
            raise ExpressionError("~ works on sets, not on numbers")
    symbol, function = _UNARY[kind]
    try:
        return checked_number(function(value))
    except TypeError:
        raise ExpressionError(f"{symbol} cannot be applied to {describe(value)}") from None


def truth(value: object) -> bool:
    """Truth of a value; a set is true if it has members."""
    return bool(as_set(value))


def subscript(value: object, index: object) -> object:
    """``value[index]`` for lists, tuples, text, ranges and mappings."""
    named = getattr(type(value), "__ff_item__", None)
    if named is not None and isinstance(index, str):
        return named(value, index)
    if isinstance(value, Mapping):
        try:
            return value[index]
        except KeyError:
            raise ExpressionError(f"there is no entry {index!r} among {_some(value)}") from None
    if isinstance(value, (Sequence, range)) and isinstance(index, int):
        try:
            return value[index]
        except IndexError:
            raise ExpressionError(f"index {index} is outside of a list of {len(value)}") from None
    raise ExpressionError(f"{describe(value)} cannot be indexed with {describe(index)}")


def _some(mapping: Mapping[object, object]) -> str:
    names = [str(key) for key in islice(mapping, 11)]
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "") if names else "none at all"
