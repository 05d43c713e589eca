"""Small number theory: divisors and prime factors."""

from __future__ import annotations

from functools import lru_cache


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
