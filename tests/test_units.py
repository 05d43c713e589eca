"""Quantities for people: what is printed, what is read, and that both agree."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffcore.errors import SpecError
from ffcore.units import UNITS, Dimension, format_quantity, parse_quantity

PRINTED = [
    (128 * 2**20 * 8, Dimension.SIZE, "128 MiB"),
    (4.5 * 2**10 * 8, Dimension.SIZE, "4.5 KiB"),
    (8, Dimension.SIZE, "1 B"),
    (320, Dimension.SIZE, "40 B"),
    (4, Dimension.SIZE, "4 bit"),
    (math.inf, Dimension.SIZE, "unlimited"),
    (8 * 614e9, Dimension.BANDWIDTH, "614 GB/s"),
    (8 * 2048e9, Dimension.BANDWIDTH, "2.05 TB/s"),
    (7.03e-12, Dimension.ENERGY, "7.03 pJ"),
    (8.4e-14, Dimension.ENERGY, "84 fJ"),
    (1.0, Dimension.ENERGY, "1 J"),
    (0.0, Dimension.ENERGY, "0 J"),
    (-7.03e-12, Dimension.ENERGY, "-7.03 pJ"),
    (0.8297326523187198, Dimension.ENERGY, "830 mJ"),
    (0.06004345904761903, Dimension.TIME, "60.0 ms"),
    (0.06, Dimension.TIME, "60 ms"),
    (0.99996e-3, Dimension.TIME, "1.00 ms"),
    (1.05e9, Dimension.FREQUENCY, "1.05 GHz"),
    (1.05e9 * 128, Dimension.RATE, "134 Gop/s"),
    (112e-6, Dimension.AREA, "112 mm^2"),
    (8.5e-10, Dimension.AREA, "850 um^2"),
    (81_000_000, Dimension.COUNT, "81 M"),
    (999e12, Dimension.COUNT, "999 T"),
    (1.25e18, Dimension.COUNT, "1.25e+18"),
    (0.0, Dimension.COUNT, "0"),
    (math.nan, Dimension.TIME, "unknown"),
]


@pytest.mark.parametrize(("value", "dimension", "text"), PRINTED)
def test_printed_form(value: float, dimension: Dimension, text: str) -> None:
    assert format_quantity(value, dimension) == text


READ = [
    ("128 MiB", 128 * 2**23),
    ("128MiB", 128 * 2**23),
    ("1 Kibit", 1024),
    ("1 kB", 8000),
    ("16 b", 16),
    ("12 bits", 12),
    ("12 bytes", 96),
    ("2 Gbyte/s", 16e9),
    ("4 k", 4000),
    ("4 Ki", 4096),
    ("2 Ti", 2**41),
    ("8 pJ/B", 1e-12),
    ("8 pJ/byte", 1e-12),
    ("8 pJ/b", 8e-12),
    ("614 GB/s", 8 * 614e9),
    ("614 GB / s", 8 * 614e9),
    ("7.03 pJ", 7.03e-12),
    ("7.03 pJ/bit", 7.03e-12),
    ("3 \u00b5s", 3e-6),
    ("2 mm\u00b2", 2e-6),
    ("0.05 J\u00b7s", 0.05),
    ("134.4 Gops/s", 134.4e9),
    ("1_000", 1000),
    ("1e-3", 1e-3),
    (".5 ms", 5e-4),
    ("inf", math.inf),
    ("unlimited", math.inf),
    (42, 42),
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_read(text: str | float, value: float) -> None:
    assert parse_quantity(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["", "MiB", "12 12", "1..2", "--3 J", "ten J", "3 J; rm"])
def test_text_that_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("4K", "write '4 k' (1000) or '4 Ki' (1024)"),
        ("16 KB", "write '16 kB' (1000) or '16 KiB' (1024)"),
        ("1 KB/s", "write '1 kB/s' (1000) or '1 KiB/s' (1024)"),
        ("3 KHz", "write '3 kHz' (1000)"),
    ],
)
def test_capital_k_may_mean_two_things(text: str, meant: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_quantity(text)
    assert str(caught.value) == f"{text!r}: a prefix K may mean 1000 or 1024; {meant}"


def test_capital_k_of_another_dimension_is_not_suggested() -> None:
    with pytest.raises(SpecError, match="unknown unit 'K' in '4 K'; units are a size"):
        parse_quantity("4 K", Dimension.SIZE)


@pytest.mark.parametrize("text", ["5 E", "5 P"])
def test_bare_prefixes_end_at_tera(text: str) -> None:
    with pytest.raises(SpecError, match="unknown unit"):
        parse_quantity(text)
    assert parse_quantity(f"{text}B") > 5e15


@pytest.mark.parametrize("text", ["9e307 MiB", "1e400 GB/s", "-1e400 J", "1e400"])
def test_too_large_a_number(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_quantity(text)
    assert str(caught.value) == f"{text!r} is too large a number (no limit at all is 'inf')"


def test_unknown_unit_gets_a_suggestion() -> None:
    with pytest.raises(SpecError, match=r"unknown unit 'Mib/ss'.*did you mean"):
        parse_quantity("3 Mib/ss")


def test_unit_of_another_dimension_is_refused() -> None:
    with pytest.raises(SpecError, match="is an energy; expected a size"):
        parse_quantity("3 pJ", Dimension.SIZE)


@given(
    st.floats(min_value=1e-15, max_value=1e18),
    st.sampled_from([d for d in Dimension if d not in (Dimension.SIZE, Dimension.AREA)]),
)
def test_what_is_printed_can_be_read(value: float, dimension: Dimension) -> None:
    assert parse_quantity(format_quantity(value, dimension), dimension) == pytest.approx(value, rel=6e-3)


@given(st.integers(min_value=1, max_value=2**60))
def test_sizes_that_are_printed_can_be_read(bits: int) -> None:
    assert parse_quantity(format_quantity(bits, Dimension.SIZE), Dimension.SIZE) == pytest.approx(bits, rel=6e-3)


def test_every_unit_is_read() -> None:
    for symbol, unit in UNITS.items():
        assert parse_quantity(f"2 {symbol}", unit.dimension) == pytest.approx(2 * unit.factor)
