"""Chains of divisors: how a number can be shared out among loops."""

from __future__ import annotations

import math
from functools import lru_cache

from ffcore.numbers import prime_factors


@lru_cache(maxsize=4096)
def divisor_chains(n: int, loops: int) -> int:
    """Ways to write ``n`` as a product of the trip counts of ``loops`` loops, in order.

    >>> divisor_chains(8, 2)  # the outer of two loops runs 1, 2, 4 or 8 times
    4
    """
    if loops == 0:
        return int(n == 1)
    result = 1
    for prime in prime_factors(n):
        exponent = 0
        while n % prime == 0:
            n, exponent = n // prime, exponent + 1
        result *= math.comb(exponent + loops - 1, loops - 1)
    return result
