"""Ranges of values: ``1MiB..64MiB*2`` is 1MiB, 2MiB, 4MiB, ..., 64MiB; ``2..10+4`` is 2, 6, 10."""

from __future__ import annotations

import math
import re

from ffcore.plugin import SpecError, in_any_unit

_RANGE = re.compile(r"(?P<first>[^'\"\[\](){}]+?)\.\.(?P<last>[^'\"\[\](){}]+?)(?:(?P<how>[*+])(?P<step>[^*+]+))?")
_NUMBER = re.compile(r"\s*([+-]?[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?)\s*(\D.*)?")
_MOST = 1_000_000
_NEAR = 1e-9  # relative: a last value that was missed by rounding is met


def expanded(text: str) -> list[str]:
    """The values of a range as texts, in the unit of its first one; a text that is no range, as it is.

    Raises SpecError for a range that makes no sense.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        return [text]
    first, last = _number(found["first"], text), _number(found["last"], text)
    how, step = found["how"] or "+", _number(found["step"] or "1", text)
    if found["how"] is None and not (first.is_integer() and last.is_integer() and _unit(found["first"]) == ""):
        raise _senseless(text, "a range of other than whole numbers takes a step, such as *2 or +1MiB")
    count = _count(first, last, how, step, text)
    unit = _unit(found["first"])
    scale = float(in_any_unit(f"1{unit}")) if unit else 1.0
    values = [first * step**k if how == "*" else first + step * k for k in range(count)]
    return [f"{_plain(value / scale)}{unit}" for value in values]


def _count(first: float, last: float, how: str, step: float, text: str) -> int:
    """How many values there are."""
    if how == "*":
        if not (first > 0 and last >= first and step > 1):
            raise _senseless(text, "its first value must be above 0 and not above its last, its factor above 1")
        steps = math.log(last / first) / math.log(step)
    else:
        if not (last >= first and step > 0):
            raise _senseless(text, "its first value must not be above its last, its step above 0")
        steps = (last - first) / step
    if not steps < _MOST:
        raise _senseless(text, f"it has more than {_MOST:,} values")
    return math.floor(steps * (1 + _NEAR) + _NEAR) + 1


def _number(text: str, whole: str) -> float:
    try:
        value = in_any_unit(text.strip())
        number = float(value)
    except (ValueError, TypeError):
        raise _senseless(whole, f"{text.strip()!r} is no number") from None
    if not math.isfinite(number):
        raise _senseless(whole, f"{text.strip()!r} is not finite")
    return number


def _unit(text: str) -> str:
    found = _NUMBER.fullmatch(text)
    return (found[2] or "").strip() if found else ""


def _plain(value: float) -> str:
    near = round(value)
    return str(near) if abs(value - near) <= _NEAR * max(1.0, abs(value)) else f"{value:.12g}"


def _senseless(text: str, why: str) -> SpecError:
    return SpecError.one(f"the range {text.strip()} makes no sense: {why}")
