"""What evaluated expressions must be: numbers, truth values, sets; SpecError for anything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ffcore.errors import ErrorCollector, Position, SpecError
from ffcore.numbers import MOST
from ffcore.spec.expressions import NameSet, RankVariableSet, TensorSet, evaluate
from ffcore.spec.fields import Expression

LARGEST = 1e100
"""The largest finite number that a spec may mean, and one over the smallest: products of a few stay finite."""

_INT_BITS = 1000  # larger integers are no floats


def describe(value: object) -> str:
    """The value as error messages name it."""
    if isinstance(value, NameSet):
        return f"the set {value}"
    if isinstance(value, int) and value.bit_length() > _INT_BITS:
        return f"an integer of {value.bit_length()} bits"
    return f"{type(value).__name__} {value!r}" if not isinstance(value, int | float) else f"{value:g}"


def as_number(value: object, what: str, position: Position | None) -> float:
    """A real number (may be infinite)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise SpecError.one(f"{what} must be a number, got {describe(value)}", position)
    size = abs(value)
    if size != math.inf and (size > LARGEST or 0 < size < 1 / LARGEST):
        message = (
            f"{what} must be 0, infinite or between {1 / LARGEST:g} and {LARGEST:g} in size, got {describe(value)}"
        )
        raise SpecError.one(message, position)
    return value


def at_least_zero(value: object, what: str, position: Position | None) -> float:
    """A number that is not negative. Raises SpecError; ``what`` names it."""
    number = as_number(value, what, position)
    if number < 0:
        raise SpecError.one(f"{what} must not be negative, got {number:g}", position)
    return number


def finite(value: object, what: str, position: Position | None) -> float:
    """A finite number, at least 0."""
    number = at_least_zero(value, what, position)
    if math.isinf(number):
        raise SpecError.one(f"{what} must be finite, got {number:g}", position)
    return number


def positive(value: object, what: str, position: Position | None) -> float:
    """A number above 0. Raises SpecError; ``what`` names it."""
    number = as_number(value, what, position)
    if number <= 0:
        raise SpecError.one(f"{what} must be positive, got {number:g}", position)
    return number


def bits_of_value(value: object, what: str, position: Position | None) -> float:
    """A number of bits: above 0 and finite. Raises SpecError; ``what`` names it."""
    number = positive(value, what, position)
    if math.isinf(number):
        raise SpecError.one(f"{what} must be finite", position)
    return number


def count(value: object, what: str, position: Position | None) -> int:
    """A whole number, at least 1."""
    number = positive(value, what, position)
    if number != int(number) if math.isfinite(number) else True:
        raise SpecError.one(f"{what} must be a whole number, got {number:g}", position)
    if number > MOST:
        raise SpecError.one(f"{what} must be at most 2**53, got {number:g}", position)
    return int(number)


def as_bool(value: object, what: str, position: Position | None) -> bool:
    """Yes or no; a set says whether it has members. Raises SpecError; ``what`` names it."""
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    if isinstance(value, NameSet):  # ``enabled: weight``: is there any?
        return bool(value)
    raise SpecError.one(f"{what} must be True or False, got {describe(value)}", position)


def as_tensors(value: object, what: str, position: Position | None) -> TensorSet:
    """A set of tensors (a memory stands for what it keeps)."""
    convert = getattr(type(value), "__ff_set__", None)
    if convert is not None:
        value = convert(value)
    if not isinstance(value, TensorSet):
        raise SpecError.one(f"{what} must be a set of tensors, got {describe(value)}", position)
    return value


def as_variables(value: object, what: str, position: Position | None) -> frozenset[str]:
    """Names of rank variables; a set of tensors means the rank variables of its members."""
    if isinstance(value, RankVariableSet):
        return value.names
    if isinstance(value, TensorSet) or hasattr(type(value), "__ff_set__"):
        return as_tensors(value, what, position).rank_variables.names
    raise SpecError.one(f"{what} must be a set of rank variables, got {describe(value)}", position)


def by_tensor(
    table: Mapping[str, Expression],
    scope: Mapping[str, object],
    everything: frozenset[str],
    what: str,
    place: Callable[[str], Position | None],
    number: Callable[[object, str, Position | None], float] = positive,
) -> dict[str, float]:
    """Spread ``{set expression: value}`` over the tensors; the key ``Other`` means the remaining ones.

    Raises SpecError for keys that overlap. Tensors that no key names are missing from the result.
    """
    errors = ErrorCollector()
    result: dict[str, float] = {}
    owner: dict[str, str] = {}
    for key in sorted(table, key=lambda k: k == "Other"):  # Other last; sorting is stable
        with errors.catch():
            if key == "Other":
                names = everything - owner.keys()
            else:
                names = as_tensors(evaluate(key, scope, place(key)), f"the key {key!r} of {what}", place(key)).names
            for name in sorted(names):
                if name in owner:
                    message = f"keys {owner[name]!r} and {key!r} of {what} overlap: both name tensor {name}"
                    raise SpecError.one(message, place(key))
                owner[name] = key
            if names:
                value = number(evaluate(table[key], scope, place(key)), f"{what} of {key}", place(key))
                result.update(dict.fromkeys(names, value))
    errors.raise_if_any()
    return result
