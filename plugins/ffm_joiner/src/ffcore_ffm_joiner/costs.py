"""What the rows of one edge cost at least, those left out that do not fit beside what rests in memories."""

from __future__ import annotations

import numpy as np

from ffcore_ffm_joiner.compatibility import TensorTable
from ffcore_ffm_joiner.kernels import Floats, Ints, least_costs


def resting_shares(nodes: Ints, columns: tuple[int, ...], tables: tuple[TensorTable, ...], memories: int) -> Floats:
    """Per node and memory, the share that tensors in these columns take."""
    result = np.zeros((len(nodes), memories))
    for m in range(memories):
        for k, tensor in zip(columns, tables, strict=True):
            ids = nodes[:, k]
            result[:, m] += np.where(tensor.memory[ids] == m, tensor.share[ids], 0.0)
    return result


def edge_costs(
    values: Floats, offsets: Ints, left: Ints, right: Ints, resting: Floats, own: Ints, slopes: tuple[float, ...]
) -> Floats:
    """`least_costs` of edges, worked out once for those of a group with equal shares beside it.

    Energy and latency, or the sums alone where there are ``slopes``.
    """
    shares, kind = np.unique(resting, axis=0, return_inverse=True)
    groups = len(offsets) - 1
    pairs, inverse = np.unique(kind.reshape(-1)[left] * groups + right, return_inverse=True)
    costs = least_costs(values, offsets, pairs % groups, shares[pairs // groups], own, np.array(slopes, np.float64))
    wanted = costs[:, 2:] if slopes else costs
    return np.ascontiguousarray(wanted[inverse.reshape(-1)])
