"""A bound for the product of energy and latency that long chains need: on a weighted sum of the two.

The least energies and the least latencies of many Einsums belong to different rows, so that the product of their sums
is far below any mapping's. The least of ``w * energy + v * latency`` is that of the same rows. Together they bound
the product better than either (`least_product`), and mappings near the least weighted sum are near the least product.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from ffcore.plugin import NOT_WORSE
from ffcore_ffm_joiner.arrays import Memo, least
from ffcore_ffm_joiner.compatibility import Table
from ffcore_ffm_joiner.graph import Step
from ffcore_ffm_joiner.kernels import Floats, Ints


@attrs.frozen(eq=False)
class Weighted:
    """Least weighted sums: of each group of each Einsum, and per step and node of all up to it, and after it."""

    weights: tuple[float, float]  # of energy (1/J) and of latency (1/s)
    groups: list[Floats]
    ahead: list[Floats]
    rest: list[Floats]

    @property
    def least(self) -> float:
        """What no whole mapping is below."""
        return float(np.min(self.ahead[0] + self.rest[0], initial=np.inf))

    def edges(self, i: int, step: Step) -> Floats:
        """The bound of each edge of step ``i``: of all whole mappings that take it."""
        edges = step.edges
        bound = self.groups[i][edges.right] + self.rest[i][edges.out]
        return bound + self.ahead[i - 1][edges.left] if i else bound


def weighted(steps: Sequence[Step], tables: Sequence[Table], weights: tuple[float, float], once: Memo) -> Weighted:
    """Bounds by going over the graph both ways, capacities left out; exact like `graph.bounds`."""
    groups = [once(_groups, t.values, t.offsets, weights) for t in tables]
    ahead: list[Floats] = [np.zeros(1)]
    for step, own in zip(steps, groups, strict=True):
        edges = step.edges
        ahead.append(least(ahead[-1][edges.left] + own[edges.right], edges.out, len(edges.nodes)))
    rest: list[Floats] = [np.zeros(len(steps[-1].edges.nodes))]
    for i in range(len(steps) - 1, 0, -1):
        edges = steps[i].edges
        rest.append(least(groups[i][edges.right] + rest[-1][edges.out], edges.left, len(steps[i - 1].edges.nodes)))
    return Weighted(weights, groups, ahead[1:], rest[::-1])


def _groups(values: Floats, offsets: Ints, weights: tuple[float, float]) -> Floats:
    group = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return least(weights[0] * values[:, 0] + weights[1] * values[:, 1], group, len(offsets) - 1)


def least_product(energy: Floats, latency: Floats, bound: Floats, weights: tuple[float, float]) -> Floats:
    """The least product of an energy and a latency no less than these, their weighted sum no less than ``bound``.

    Along the line on which the sum is ``bound`` the product is concave: it is least at an end.
    """
    with np.errstate(invalid="ignore"):
        over = bound / NOT_WORSE  # sums of the same terms in another order
        high_latency = np.maximum(latency, (over - weights[0] * energy) / weights[1])
        high_energy = np.maximum(energy, (over - weights[1] * latency) / weights[0])
        return np.minimum(energy * high_latency, high_energy * latency)
