"""The compiled loops over rows; as those over labels in ``compiled.py``."""

from __future__ import annotations

import numpy as np

from ffcore.kernel import kernel


@kernel
def _rows(  # type: ignore[no-untyped-def]  # pragma: no cover
    values,
    first,
    last,
    addend,
    scale,
    target,
    limits,
    forms,
    apart,
    rates,
    columns,
    shares,
    opened,
    into,
    into_apart,
    chain,
    label,
    out,
):
    width = addend.shape[1]
    memories = columns.shape[0]
    levels = opened.shape[2]
    own = np.empty(width)
    filled = 0
    scaled = scale.shape[0] > 0
    for i in range(first.shape[0]):
        start = filled
        for a in range(first[i], last[i]):
            for c in range(width):
                own[c] = addend[i, c]
            for c in range(target.shape[0]):
                if scaled:
                    own[target[c]] += values[a, c + 1] * scale[i, c]
                else:
                    own[target[c]] += values[a, c + 1]
            fits = True
            for c in range(width):
                if not own[c] <= limits[c]:
                    fits = False
            if not fits:
                continue
            latency = 0.0
            for c in forms:
                if own[c] > latency:
                    latency = own[c]
            power = rates[1]
            for c in range(int(rates[0]), width):
                power += own[c]
            out[filled, 0] = (own[0] + power * latency) * rates[2]
            out[filled, 1] = latency * rates[3]
            for m in range(memories):
                out[filled, into[m, 0]] = own[columns[m]] * shares[m] if columns[m] >= 0 else 0.0
                for j in range(levels):
                    out[filled, into[m, 1 + j]] = opened[i, m, j]
            for m in range(apart.shape[0]):
                out[filled, into_apart[m]] = own[apart[m]] * rates[3] if apart[m] >= 0 else 0.0
            k = filled - 1
            while k >= start:
                c = 0
                while c < out.shape[1] and out[k, c] <= out[filled, c]:
                    c += 1
                if c == out.shape[1]:
                    break
                k -= 1
            if k < start:
                chain[filled] = i
                label[filled] = a
                filled += 1
    return filled
