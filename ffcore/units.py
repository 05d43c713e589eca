"""Quantities for people: ``128 MiB``, ``614 GB/s``, ``7.03 pJ``, ``60.0 ms``.

Everything inside ffcore is a plain float in SI units (bits, bits per second, joules, seconds, watts,
square metres, hertz). This module turns such a number into a short text and a text that a person
typed into such a number; nothing else stores or passes units.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Collection, Mapping
from fractions import Fraction
from types import MappingProxyType

import attrs

from ffcore.errors import SpecError, suggest

LONGEST = 100
"""Characters of a quantity; more is no quantity, and might take for ever to look at."""

NUMBER = r"[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?"
"""Pattern of the number of a quantity."""

INFINITY_WORDS = frozenset({"inf", "infinity", "unlimited"})


class Dimension(enum.Enum):
    """What a number measures; the value names the unit in which ffcore stores it."""

    SIZE = "bit"
    BANDWIDTH = "bit/s"
    ENERGY = "J"
    ENERGY_PER_BIT = "J/bit"
    ENERGY_DELAY = "J*s"
    TIME = "s"
    POWER = "W"
    AREA = "m^2"
    FREQUENCY = "Hz"
    RATE = "op/s"
    COUNT = ""


@attrs.frozen
class Unit:
    """One unit: its symbol, what it measures and its size in the stored (SI) unit."""

    symbol: str
    dimension: Dimension
    factor: float


_NAMES: Mapping[Dimension, str] = MappingProxyType(
    {
        Dimension.SIZE: "a size",
        Dimension.BANDWIDTH: "a bandwidth",
        Dimension.ENERGY: "an energy",
        Dimension.ENERGY_PER_BIT: "an energy per bit",
        Dimension.ENERGY_DELAY: "an energy-delay product",
        Dimension.TIME: "a time",
        Dimension.POWER: "a power",
        Dimension.AREA: "an area",
        Dimension.FREQUENCY: "a frequency",
        Dimension.RATE: "a rate",
        Dimension.COUNT: "a count",
    }
)
_EXAMPLES: Mapping[Dimension, str] = MappingProxyType(
    {
        Dimension.SIZE: "a size (bit, B, KiB, MiB, GiB, kB, …)",
        Dimension.BANDWIDTH: "a bandwidth (bit/s, B/s, GB/s, GiB/s, …)",
        Dimension.ENERGY: "an energy (J, mJ, nJ, pJ, fJ, …)",
        Dimension.ENERGY_PER_BIT: "an energy per bit (pJ/bit, fJ/bit, …)",
        Dimension.ENERGY_DELAY: "an energy-delay product (J*s, mJ*s, …)",
        Dimension.TIME: "a time (s, ms, us, ns, …)",
        Dimension.POWER: "a power (W, mW, uW, …)",
        Dimension.AREA: "an area (m^2, mm^2, um^2, nm^2)",
        Dimension.FREQUENCY: "a frequency (Hz, MHz, GHz, …)",
        Dimension.RATE: "a rate (op/s, Gop/s, Top/s, …)",
        Dimension.COUNT: "a plain number",
    }
)

_METRIC = MappingProxyType(
    {"a": 1e-18, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
    | {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
)
_BINARY = MappingProxyType({"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50})
_SMALL = ("a", "f", "p", "n", "u", "m", "")
_LARGE = ("", "k", "M", "G", "T", "P", "E")
_COUNTS = ("", "k", "M", "G", "T")  # of a bare number: "5 E" looks like half of "5E3"


def _units() -> Mapping[str, Unit]:
    table: dict[str, Unit] = {}

    def add(symbol: str, dimension: Dimension, factor: float) -> None:
        table[symbol] = Unit(symbol, dimension, factor)

    for prefix in _LARGE:
        scale = _METRIC[prefix]
        for name, bits in (("B", 8.0), ("b", 1.0), ("bit", 1.0)):
            add(f"{prefix}{name}", Dimension.SIZE, scale * bits)
            add(f"{prefix}{name}/s", Dimension.BANDWIDTH, scale * bits)
        add(f"{prefix}Hz", Dimension.FREQUENCY, scale)
        add(f"{prefix}op/s", Dimension.RATE, scale)
    for prefix in _COUNTS[1:]:
        add(prefix, Dimension.COUNT, _METRIC[prefix])
        add(f"{prefix.upper()}i", Dimension.COUNT, _BINARY[f"{prefix.upper()}i"])
    for prefix, scale in _BINARY.items():
        for name, bits in (("B", 8.0), ("b", 1.0), ("bit", 1.0)):
            add(f"{prefix}{name}", Dimension.SIZE, scale * bits)
            add(f"{prefix}{name}/s", Dimension.BANDWIDTH, scale * bits)
    for prefix, scale in _METRIC.items():
        for symbol, dimension in (("J", Dimension.ENERGY), ("s", Dimension.TIME), ("W", Dimension.POWER)):
            add(f"{prefix}{symbol}", dimension, scale)
        for name, bits in (("B", 8.0), ("b", 1.0), ("bit", 1.0)):
            add(f"{prefix}J/{name}", Dimension.ENERGY_PER_BIT, scale / bits)
        add(f"{prefix}J*s", Dimension.ENERGY_DELAY, scale)
    for prefix, area in (("n", 1e-18), ("u", 1e-12), ("m", 1e-6), ("", 1.0)):
        add(f"{prefix}m^2", Dimension.AREA, area)
    return MappingProxyType(table)


UNITS: Mapping[str, Unit] = _units()
_QUANTITY = re.compile(rf"\s*({NUMBER})\s*(\D.*)?")


def _canonical(symbol: str) -> str:
    """Spellings that mean the same: micro signs, squared, middle dots, ``bits``, ``bytes``."""
    text = symbol.strip().replace("\u00b5", "u").replace("\u03bc", "u").replace("\u00b2", "^2")
    text = re.sub(r"\s*[\u00b7*]\s*", "*", re.sub(r"\s*/\s*", "/", text))
    return re.sub("[Bb]ytes?", "B", text.replace("bits", "bit").replace("ops", "op"))


def parse_quantity(text: str | float, dimension: Dimension | None = None) -> float:
    """The number that ``text`` means, in the unit in which ffcore stores it.

    A number without a unit is taken to be in that unit already; ``inf`` and ``unlimited`` are
    infinite. Sizes count bits: ``128 MiB`` is 1073741824, ``B`` is a byte and ``b`` a bit.
    With ``dimension``, the unit must be one of it. Raises :class:`SpecError` for text that is
    no quantity, for an unknown unit (with a suggestion) and for a unit of another dimension.
    """
    if isinstance(text, (int, float)):
        return float(text)
    if text.strip().lower() in INFINITY_WORDS:
        return math.inf
    return split_quantity(text, () if dimension is None else (dimension,))[0]


def split_quantity(text: str, allowed: Collection[Dimension] = ()) -> tuple[float, Dimension | None]:
    """The number that ``text`` means in the stored unit, and what it measures (None: it names no unit).

    The number is the nearest float to the exact value: ``7.03 pJ`` is 7.03e-12. With ``allowed``, the unit must be
    of one of these dimensions. Raises :class:`SpecError` like :func:`parse_quantity`.
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise SpecError.one(f"{text!r} is not a quantity: expected a number and a unit, such as '128 MiB'")
    digits = match[1].replace("_", "")
    number = float(digits)
    if math.isinf(number):
        raise _too_large(text)
    if not match[2] or not match[2].strip():
        return number, None
    symbol = _canonical(match[2])
    unit = UNITS.get(symbol)
    if unit is None:
        known = [u.symbol for u in UNITS.values() if not allowed or u.dimension in allowed]
        if symbol.startswith("K") and f"k{symbol[1:]}" in known:
            both = {f"k{symbol[1:]}": 1000, f"Ki{symbol[1:]}": 1024}
            meant = [f"'{match[1]} {unit}' ({factor})" for unit, factor in both.items() if unit in known]
            raise SpecError.one(f"{text!r}: a prefix K may mean 1000 or 1024; write {' or '.join(meant)}")
        examples = f"; units are {_examples(allowed)}" if allowed else ""
        raise SpecError.one(f"unknown unit {match[2].strip()!r} in {text!r}{examples}", None, suggest(symbol, known))
    if allowed and unit.dimension not in allowed:
        raise SpecError.one(f"{text!r} is {_NAMES[unit.dimension]}; expected {_examples(allowed)}")
    if number == 0:  # maybe of too many digits for exact arithmetic
        return number, unit.dimension
    try:  # Factors are written with few digits: their decimal form is exact (the binary one of 1e-12 is not).
        return float(Fraction(digits) * Fraction(repr(unit.factor))), unit.dimension
    except OverflowError:
        raise _too_large(text) from None


def _too_large(text: str) -> SpecError:
    return SpecError.one(f"{text!r} is too large a number (no limit at all is 'inf')")


def _examples(allowed: Collection[Dimension]) -> str:
    """What could be written instead, in words."""
    return " or ".join(_EXAMPLES[d] for d in Dimension if d in allowed)


def exact_size(bits: float) -> str:
    """A size to the bit, and in a unit for people where that is another: ``1024 bits (128 B)``."""
    exact = f"{bits:.15g} bits"
    human = format_quantity(bits, Dimension.SIZE, digits=4)
    return exact if human.endswith(" bit") or bits == 0 or math.isinf(bits) else f"{exact} ({human})"


def _digits(value: float, digits: int) -> str:
    """At least ``digits`` significant digits; trailing zeros only where they were rounded."""
    short = f"{value:.{digits}g}"
    if math.isclose(float(short), value, rel_tol=1e-9):
        return f"{float(short):.{max(digits, 15)}g}"
    magnitude = math.floor(math.log10(abs(float(short))))
    return f"{float(short):.{max(0, digits - 1 - magnitude)}f}"


def _scaled(value: float, symbol: str, prefixes: tuple[str, ...], digits: int) -> str:
    # Round first: 999.96 must become 1 k, not 1000.
    rounded = abs(float(f"{value:.{digits}g}"))
    fitting = [p for p in prefixes if _METRIC[p] <= rounded * (1 + 1e-12)]
    prefix = fitting[-1] if fitting else prefixes[0]
    return f"{_digits(value / _METRIC[prefix], digits)} {prefix}{symbol}".strip()


def _format_size(bits: float, digits: int) -> str:
    if bits < 8 * 1024 and bits % 8:
        return f"{_digits(bits, digits + 1)} bit"
    size = bits / 8
    for prefix in reversed(_BINARY):
        if size >= _BINARY[prefix]:
            return f"{_digits(size / _BINARY[prefix], digits)} {prefix}B"
    return f"{_digits(size, max(digits, 4))} B"


def _format_area(value: float, digits: int) -> str:
    for symbol, factor in (("mm^2", 1e-6), ("um^2", 1e-12), ("nm^2", 1e-18)):
        if value >= factor / 100:
            return f"{_digits(value / factor, digits)} {symbol}"
    return f"{_digits(value, digits)} m^2"


def format_quantity(value: float, dimension: Dimension, digits: int = 3) -> str:
    """``value`` (in the stored unit) with a unit that suits its magnitude.

    Rounded to ``digits`` significant digits: ``60.0 ms`` was rounded, ``60 ms`` is exact.
    Sizes are written in bytes with binary prefixes, or in bits when small and not whole bytes;
    bandwidths in bytes per second with decimal prefixes. Infinity is ``unlimited``.
    """
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "unlimited" if value > 0 else "-unlimited"
    if value < 0:
        return "-" + format_quantity(-value, dimension, digits)
    if value == 0:
        return "0 B/s" if dimension is Dimension.BANDWIDTH else f"0 {dimension.value}".strip()
    if dimension is Dimension.SIZE:
        return _format_size(value, digits)
    if dimension is Dimension.BANDWIDTH:
        return _scaled(value / 8, "B/s", _LARGE, digits)
    if dimension is Dimension.AREA:
        return _format_area(value, digits)
    if dimension is Dimension.COUNT:
        return f"{value:.{digits}g}" if value >= 1e15 else _scaled(value, "", _COUNTS, digits)
    if dimension in (Dimension.FREQUENCY, Dimension.RATE):
        return _scaled(value, dimension.value, _LARGE, digits)
    return _scaled(value, dimension.value, _SMALL + _LARGE[1:], digits)


_LONGER = {"min": 60.0, "h": 3600.0, "minutes": 60.0, "minute": 60.0, "hours": 3600.0, "hour": 3600.0}


def parse_time(option: str, text: str) -> float:
    """Seconds: ``60s``, ``1.5``, ``500ms``, ``2min``, ``1h``. Raises ``SpecError``."""
    match = re.fullmatch(r"(.*?)\s*(min|minutes?|h|hours?)", text.strip())
    try:
        if match is not None:
            seconds = parse_quantity(match[1], Dimension.COUNT) * _LONGER[match[2]]
        else:
            seconds = parse_quantity(text, Dimension.TIME)
    except SpecError as error:
        raise SpecError.one(f"{option}: {error}; expected a time such as 60s or 2min") from None
    if not 0 < seconds < math.inf:
        raise SpecError.one(f"{option} must be above 0 and finite, not {text}")
    return seconds


def bits_text(bits: float) -> str:
    """``128 bits (16 B)``: exact, and for people."""
    if bits == math.inf:
        return "unlimited size"
    exact = f"{bits:.15g} bits"
    human = format_quantity(bits, Dimension.SIZE, digits=4)
    return exact if human.endswith(" bit") or bits == 0 else f"{exact} ({human})"
