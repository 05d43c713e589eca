"""Quantities in the fields of a spec: ``size: 128 MiB`` says what ``size: 1073741824`` says.

A text is a quantity if it is a number followed by a unit, which no expression is. A field that carries a unit turns it
into the number in that unit; only what depends on the bits that an action moves (``614 GB/s``, ``7.03 pJ/bit``) stays
text until these are known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ffcore.errors import SpecError
from ffcore.spec.expressions.parse import ExpressionError, parse
from ffcore.units import INFINITY_WORDS, LONGEST, NUMBER, UNITS, Dimension, split_quantity

_UNIT = r"[^\W\d_][^\W_]*(?:\s*[*/·]\s*[^\W\d_][^\W_]*|\s*\^\s*\d)*"
_FORM = re.compile(rf"{NUMBER}\s*{_UNIT}")
_SYMBOLS = "|".join(re.escape(symbol) for symbol in sorted(UNITS, key=len, reverse=True))
_AFTER = re.compile(rf"(?:\d|\)|\b(?i:{'|'.join(INFINITY_WORDS)}))\s*({_SYMBOLS})(?!\w)")
_PER_BIT = (Dimension.BANDWIDTH, Dimension.ENERGY_PER_BIT)

ALLOWED: Mapping[str, tuple[Dimension, ...]] = MappingProxyType(
    {
        "bit": (Dimension.SIZE,),
        "byte": (Dimension.SIZE,),
        "J": (Dimension.ENERGY, Dimension.ENERGY_PER_BIT),
        "1/s": (Dimension.RATE, Dimension.FREQUENCY, Dimension.BANDWIDTH),
        "s": (Dimension.TIME,),
        "W": (Dimension.POWER,),
        "m^2": (Dimension.AREA,),
    }
)
"""Unit of a field -> what may be written in it."""


def is_quantity(value: object) -> bool:
    """Whether ``value`` is text that means a number with a unit, rather than an expression."""
    if not isinstance(value, str) or len(value) > LONGEST or not _FORM.fullmatch(value.strip()):
        return False
    try:
        parse(value)
    except ExpressionError:
        return True
    return False


def per_bit(value: object) -> float | None:
    """The number in bit/s or J/bit that ``value`` says; None if it says none of these."""
    if not is_quantity(value):
        return None
    number, dimension = split_quantity(str(value))
    return number if dimension in _PER_BIT else None


def in_unit(value: Any, unit: str) -> Any:
    """A field's value, a quantity as the number in ``unit``: whole numbers as ``int``, so that equal specs are equal.

    What depends on the bits of an action becomes text in bit/s or J/bit. Raises SpecError for a unit that is unknown,
    or not one of ``unit``, or inside an expression; without one ("") for any quantity.
    """
    if not is_quantity(value):
        _check_expression(value)
        return value
    if not unit:
        raise SpecError.one(f"{value!r}: this is a pure number or an expression, it takes no unit")
    number, dimension = split_quantity(value, ALLOWED[unit])
    if dimension in _PER_BIT:
        return f"{_whole(number)} {dimension.value}"
    return _whole(number / 8 if unit == "byte" else number)


def in_any_unit(value: Any) -> Any:
    """A value of whatever dimension, a quantity as the number in SI units; raises SpecError as `in_unit` does."""
    if not is_quantity(value):
        _check_expression(value)
        return value
    return _whole(split_quantity(value)[0])


def of_variable(value: Any) -> Any:
    """The value of a name for use in expressions, as `in_any_unit`.

    Raises SpecError for what depends on the bits of an action too: as a plain number it would be taken per action.
    """
    if per_bit(value) is not None:
        message = f"{value!r} depends on the bits of an action: write it in the field itself, not in a variable"
        raise SpecError.one(message)
    return in_any_unit(value)


def _check_expression(value: object) -> None:
    """Refuse a unit that follows something other than a plain number: ``4 * 128 B``, ``inf GB/s``."""
    if not isinstance(value, str) or len(value) > LONGEST or (found := _AFTER.search(value)) is None:
        return
    try:
        parse(value)
    except ExpressionError:
        unit = found[1]
        message = f"{value!r}: a unit may only follow a plain number, as in '128 {unit}'; inf takes none"
        raise SpecError.one(message) from None


def _whole(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
