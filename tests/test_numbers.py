"""Divisors and prime factors, of large numbers too."""

import math

import pytest

from ffcore.numbers import MOST, divisors, factorized, prime_factors


def test_small_numbers_have_the_divisors_that_division_finds() -> None:
    for n in range(1, 1500):
        assert divisors(n) == tuple(d for d in range(1, n + 1) if n % d == 0)


@pytest.mark.parametrize(
    ("n", "factors"),
    [
        (MOST, {2: 53}),
        (9007199254740881, {9007199254740881: 1}),  # the largest prime below 2**53
        (94906249**2, {94906249: 2}),
        (9007197807562483, {41: 1, 83: 1, 167: 2, 94906249: 1}),
        (3215031751, {151: 1, 751: 1, 28351: 1}),  # passes Miller and Rabin's test to the bases 2, 3, 5 and 7
        (307 * 311 * 313 * 317 * 331 * 337, {307: 1, 311: 1, 313: 1, 317: 1, 331: 1, 337: 1}),
        (2**61 - 1, {2**61 - 1: 1}),
        (4294967291**2, {4294967291: 2}),
    ],
)
def test_large_numbers(n: int, factors: dict[int, int]) -> None:
    assert dict(factorized(n)) == factors
    assert prime_factors(n) == tuple(factors)
    assert len(divisors(n)) == math.prod(e + 1 for e in factors.values())
    assert all(n % d == 0 for d in divisors(n))
