"""Small number theory: divisors and prime factors, and the tiles that imperfect factors allow."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

_SMOOTH = (2, 3, 5, 7)  # primes that any tile may have


@lru_cache(maxsize=4096)
def divisors(n: int) -> tuple[int, ...]:
    """All divisors of ``n``, ascending."""
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    large = [n // d for d in reversed(small) if d * d != n]
    return (*small, *large)


@lru_cache(maxsize=4096)
def prime_factors(n: int) -> tuple[int, ...]:
    """The distinct prime factors of ``n``, ascending."""
    factors, p = [], 2
    while p * p <= n:
        if n % p == 0:
            factors.append(p)
            while n % p == 0:
                n //= p
        p += 1
    return (*factors, n) if n > 1 else tuple(factors)


@lru_cache(maxsize=4096)
def imperfect_tiles(bound: int, fanouts: frozenset[int]) -> tuple[int, ...]:
    """Tiles that the outermost loop over ``bound`` iterations may have (semantics, *Tile sizes*), ascending.

    Those with no prime factor but 2, 3, 5, 7 and those of the ``fanouts``, and the smallest with each trip count. All
    divisors of the bound are among them.
    """
    found = set(_products({*_SMOOTH, *(p for n in fanouts for p in prime_factors(n))}, bound))
    trips = 1
    while trips <= bound:
        tile = -(-bound // trips)
        found.add(tile)
        # The next number of trips that a whole tile can have: as few as a tile one smaller takes.
        trips = -(-bound // (tile - 1)) if tile > 1 else bound + 1
    return tuple(sorted(found))


def closed_under_divisors(numbers: Iterable[int]) -> tuple[int, ...]:
    """The numbers and all their divisors, ascending."""
    return tuple(sorted({d for n in numbers for d in divisors(n)}))


def _products(primes: Iterable[int], most: int) -> list[int]:
    """All products of the primes, each as often as it fits, up to ``most``."""
    found = [1]
    for p in sorted(primes):
        found = [n * p**e for n in found for e in range((most // n).bit_length()) if n * p**e <= most]
    return found
