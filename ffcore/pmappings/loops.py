"""Loops as integers: the one place that knows their bits."""

from __future__ import annotations

from collections.abc import Sequence

from ffcore.numbers import divisors
from ffcore.pmappings.arrays import Ints
from ffcore.spec.problem import MOST_SIZES, EinsumProblem

_BITS = MOST_SIZES.bit_length() - 1  # of each of trips and tile in a loop's code


def loop_sizes(einsum: EinsumProblem, variable: str) -> Sequence[int]:
    """What numbers of trips and tiles in codes, and of extents in states, stand for: sizes of loops over a variable.

    The divisors of its bound; with imperfect factors, where any number may come up, each number itself.
    """
    bound = einsum.bounds[variable]
    return range(bound + 1) if variable in einsum.imperfect else divisors(bound)


def decode_loop(code: int) -> tuple[int, bool, int, int]:
    """(variable, spatial, index of trips, index of tile) of a loop's code."""
    head = code >> (2 * _BITS)
    mask = (1 << _BITS) - 1
    return head // 2, bool(head % 2), (code >> _BITS) & mask, code & mask


def encode_loops(variable: Ints | int, spatial: Ints | int, trips: Ints, tile: Ints) -> Ints:
    """Loops as integers: (variable, spatial, trips, tile), each bound by 2**20 after indexing."""
    return ((variable * 2 + spatial) << 2 * _BITS) | (trips << _BITS) | tile


def decode_loops(codes: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """The same for an array of codes."""
    head = codes >> (2 * _BITS)
    mask = (1 << _BITS) - 1
    return head // 2, head % 2, (codes >> _BITS) & mask, codes & mask
