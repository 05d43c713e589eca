"""A bound for the product of energy and latency that long chains need: on weighted sums of the two.

The least energies and the least latencies of many Einsums belong to different rows, so that the product of their sums
is far below any mapping's. The least of ``slope * energy + latency`` is that of the same rows. Each slope gives a line
that no mapping is below; several lines, of slopes around that of the curve of equal products, leave little room between
them and the mappings (`kernels.least_product`), and mappings near the least weighted sum are near the least product.
"""

from __future__ import annotations

import attrs
import numpy as np

from ffcore_ffm_joiner.graph import Bounds
from ffcore_ffm_joiner.kernels import Floats

_STEEPER = (
    16.0,
    4.0,
    2.0,
    1.4,
    1.18,
    1.08,
    1.0,
    0.93,
    0.85,
    0.71,
    0.5,
    0.25,
    0.0625,
)  # than the curve where it is least
_TANGENT = _STEEPER.index(1.0)


@attrs.frozen(eq=False)
class Weighted:
    """Least weighted sums, in seconds, one column for each of ``slopes`` (s/J, steepest first)."""

    slopes: Floats
    bounds: Bounds

    @property
    def tangent(self) -> float:
        """The slope of the curve of equal products where the least product is supposed."""
        return float(self.slopes[_TANGENT])

    def at_tangent(self, i: int) -> Floats:
        """Per node of step ``i``, the least sum with that slope of all that comes after it."""
        return self.bounds.rest[i][:, _TANGENT]


def slopes_around(tangent: float) -> Floats:
    """The slopes (s/J) of weighted sums, for that of the curve of equal products where the least one is supposed."""
    return tangent * np.array(_STEEPER)
