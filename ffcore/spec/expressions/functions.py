"""The functions that an expression may call."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping

from ffcore.spec.expressions.operations import (
    MAX_STEPS,
    Budget,
    as_set,
    binary,
    charge_contents,
    checked_number,
    describe,
    iterate,
    truth,
)
from ffcore.spec.expressions.parse import ExpressionError

Function = Callable[..., object]  # (budget, *arguments) -> value

MAX_COUNT = 1000  # greatest argument of factorial, comb, perm; digits of round


def _items(budget: Budget, args: tuple[object, ...]) -> list[object]:
    """``f(a, b)`` and ``f([a, b])`` are the same."""
    return list(iterate(args[0], budget)) if len(args) == 1 else list(args)


_MISSING = object()


def _extreme(name: str, hook: str, choose: Callable[[Iterable[object]], object]) -> Function:
    def function(budget: Budget, *args: object, default: object = _MISSING) -> object:
        items = _items(budget, args)
        if not items:
            if default is _MISSING:
                raise ExpressionError(f"{name}() of nothing has no value")
            return default
        for position, item in enumerate(items):
            special = getattr(item, hook, None)
            if special is not None:
                return special(items[:position] + items[position + 1 :])
        for item in items:
            charge_contents(item, budget)
        try:
            return choose(items)
        except TypeError:
            kinds = ", ".join(sorted({describe(item) for item in items}))
            raise ExpressionError(f"{name}() cannot compare {kinds}") from None

    return function


def _sum(budget: Budget, items: object, start: object = 0) -> object:
    total = start
    for item in iterate(items, budget):
        total = binary(ast.Add, total, item, budget)
    return total


def _prod(budget: Budget, items: object, start: object = 1) -> object:
    total = start
    for item in iterate(items, budget):
        total = binary(ast.Mult, total, item, budget)
    return total


def _lcm(budget: Budget, *args: object) -> object:
    result: object = 1
    for number in args:
        result = checked_number(math.lcm(result, number))  # type: ignore[arg-type]
    return result


def _len(budget: Budget, value: object) -> int:
    value = as_set(value)
    if not hasattr(value, "__len__"):
        raise ExpressionError(f"{describe(value)} has no length")
    return len(value)


def _range(budget: Budget, *args: object) -> range:
    numbers = [a for a in args if isinstance(a, int)]
    if len(numbers) != len(args) or not 1 <= len(args) <= 3:
        raise ExpressionError("range() takes one to three whole numbers")
    made = range(*numbers)
    # Count by hand: len() of a huge range overflows.
    if (made.stop - made.start) // made.step > MAX_STEPS:
        raise ExpressionError(f"a range may have at most {MAX_STEPS} items")
    return made


def _abs(budget: Budget, value: object) -> object:
    return abs(value)  # type: ignore[arg-type]


def _round(budget: Budget, value: object, digits: object = None) -> object:
    if digits is None:
        return round(value)  # type: ignore[call-overload]
    if not isinstance(digits, int) or abs(digits) > MAX_COUNT:
        raise ExpressionError(f"round() takes at most {MAX_COUNT} digits")
    return round(value, digits)  # type: ignore[call-overload]


def _int(budget: Budget, value: object) -> int:
    return int(value)  # type: ignore[call-overload, no-any-return]


def _float(budget: Budget, value: object) -> float:
    return float(value)  # type: ignore[arg-type]


def _any(budget: Budget, items: object) -> bool:
    return any(truth(item) for item in iterate(items, budget))


def _all(budget: Budget, items: object) -> bool:
    return all(truth(item) for item in iterate(items, budget))


def _sorted(budget: Budget, items: object) -> list[object]:
    found = list(iterate(items, budget))
    for item in found:
        charge_contents(item, budget)
    return sorted(found)  # type: ignore[type-var]


def _list(budget: Budget, items: object = ()) -> list[object]:
    return list(iterate(items, budget))


def _tuple(budget: Budget, items: object = ()) -> tuple[object, ...]:
    return tuple(iterate(items, budget))


def _bool(budget: Budget, value: object = False) -> bool:
    return truth(value)


def _str(budget: Budget, value: object = "") -> str:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ExpressionError(f"str() takes a number or a text, not {describe(value)}")
    return str(value)


def _enumerate(budget: Budget, items: object, start: object = 0) -> list[tuple[int, object]]:
    if not isinstance(start, int):
        raise ExpressionError(f"enumerate() starts at a whole number, not at {describe(start)}")
    return list(enumerate(iterate(items, budget), start))


def _small(name: str, function: Callable[..., object]) -> Function:
    """``function`` for arguments up to MAX_COUNT only: its results grow without bound."""

    def call(budget: Budget, *args: object) -> object:
        if any(isinstance(a, int) and a > MAX_COUNT for a in args):
            raise ExpressionError(f"{name}() takes numbers up to {MAX_COUNT}")
        return function(*args)

    return call


def _over_items(function: Callable[..., object], containers: int) -> Function:
    """``function`` whose first arguments are collections, handed over as lists."""

    def call(budget: Budget, *args: object) -> object:
        return function(*(list(iterate(a, budget)) if i < containers else a for i, a in enumerate(args)))

    return call


def _direct(function: Callable[..., object]) -> Function:
    def call(budget: Budget, *args: object) -> object:
        return function(*args)

    return call


def _math_functions() -> dict[str, Function]:
    special: dict[str, Function] = {
        "prod": _prod,
        "lcm": _lcm,
        "factorial": _small("factorial", math.factorial),
        "comb": _small("comb", math.comb),
        "perm": _small("perm", math.perm),
        "fsum": _over_items(math.fsum, 1),
        "dist": _over_items(math.dist, 2),
        "sumprod": _over_items(getattr(math, "sumprod", lambda p, q: math.fsum(map(lambda a, b: a * b, p, q))), 2),
    }
    found: dict[str, Function] = {}
    for name in dir(math):
        function = getattr(math, name)
        if not name.startswith("_") and callable(function):
            found[name] = _direct(function)
    return found | special


MATH_FUNCTIONS: Mapping[str, Function] = _math_functions()
MATH_CONSTANTS: Mapping[str, float] = {
    "pi": math.pi,
    "e": math.e,
    "tau": math.tau,
    "inf": math.inf,
    "nan": math.nan,
}

FUNCTIONS: Mapping[str, Function] = {
    **MATH_FUNCTIONS,
    "min": _extreme("min", "__ff_min__", min),  # type: ignore[arg-type]
    "max": _extreme("max", "__ff_max__", max),  # type: ignore[arg-type]
    "sum": _sum,
    "len": _len,
    "range": _range,
    "abs": _abs,
    "round": _round,
    "int": _int,
    "float": _float,
    "any": _any,
    "all": _all,
    "sorted": _sorted,
    "list": _list,
    "tuple": _tuple,
    "bool": _bool,
    "str": _str,
    "enumerate": _enumerate,
}
MAP = "map"  # map(function, items, ...), whose first argument is the name of a function
FUNCTION_NAMES = frozenset((*FUNCTIONS, MAP))
_WITH_KEYWORDS = {
    "min": ("default",),
    "max": ("default",),
    "sum": ("start",),
    "prod": ("start",),
    "enumerate": ("start",),
}


def call_function(
    name: str, function: Function, args: list[object], keywords: Mapping[str, object], budget: Budget
) -> object:
    """Call ``function`` within the budget; ExpressionError if the arguments do not suit it."""
    for keyword in keywords:
        if keyword not in _WITH_KEYWORDS.get(name, ()):
            raise ExpressionError(f"{name}() takes no argument called {keyword!r}")
    try:
        return checked_number(function(budget, *args, **keywords))
    except TypeError as error:
        kinds = ", ".join(describe(a) for a in args) or "no argument"
        raise ExpressionError(f"{name}() cannot take {kinds}") from error
