"""Small number theory: divisors and prime factors, and the tiles that imperfect factors allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import count
from math import gcd
from types import MappingProxyType

MOST = 2**53
"""The largest bound of a rank variable: all whole numbers up to it are exact as floats."""

_SMOOTH = (2, 3, 5, 7)  # primes that any tile may have
_SMALL_PRIMES = tuple(p for p in range(2, 300) if all(p % d for d in range(2, int(p**0.5) + 1)))
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


@lru_cache(maxsize=4096)
def divisors(n: int) -> tuple[int, ...]:
    """All divisors of ``n``, ascending."""
    return tuple(sorted(_products(factorized(n), n)))


@lru_cache(maxsize=4096)
def prime_factors(n: int) -> tuple[int, ...]:
    """The distinct prime factors of ``n``, ascending."""
    return tuple(factorized(n))


@lru_cache(maxsize=4096)
def factorized(n: int) -> Mapping[int, int]:
    """How often each prime factor of ``n`` (1 to 2**64) divides it, by ascending primes; in milliseconds.

    >>> dict(factorized(360))
    {2: 3, 3: 2, 5: 1}
    """
    found: list[int] = []
    for p in _SMALL_PRIMES:
        while n % p == 0:
            found.append(p)
            n //= p
    pending = [n] if n > 1 else []
    while pending:
        part = pending.pop()
        if _is_prime(part):
            found.append(part)
        else:
            factor = _factor(part)
            pending += [factor, part // factor]
    return MappingProxyType(dict(sorted(Counter(found).items())))


def _is_prime(n: int) -> bool:
    """Miller and Rabin's test; these bases are enough below 2**64."""
    if n < _SMALL_PRIMES[-1] ** 2:
        return all(n % p for p in _SMALL_PRIMES if p < n)
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in _WITNESSES:
        power = pow(base, odd, n)
        if power in (1, n - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % n
            if power == n - 1:
                break
        else:
            return False
    return True


def _factor(n: int) -> int:
    """A factor of a composite odd number, by Pollard's rho; steps grow with the root of the smallest factor."""
    for offset in count(1):
        slow = fast = 2
        while True:
            slow = (slow * slow + offset) % n
            fast = (fast * fast + offset) % n
            fast = (fast * fast + offset) % n
            common = gcd(slow - fast, n)
            if common == n:
                break  # both meet at once: another sequence
            if common > 1:
                return common
    raise AssertionError("never reached")


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


def _products(primes: Mapping[int, int] | Iterable[int], most: int) -> list[int]:
    """All products of the primes up to ``most``, each prime as often as is said of it, or as it fits."""
    found = [1]
    for p in sorted(primes):
        times = primes[p] if isinstance(primes, Mapping) else most.bit_length()
        found = [n * p**e for n in found for e in range(min(times, (most // n).bit_length()) + 1) if n * p**e <= most]
    return found
