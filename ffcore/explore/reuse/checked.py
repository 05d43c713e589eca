"""Rows that come from a file: every number is one that an exploration of these templates could have written.

The joiner's compiled kernels use rows as indices without looking, so what comes from a folder is looked at here, once.
Whether its costs are true cannot be told without exploring again: who uses a folder trusts whoever made it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np

from ffcore.pmappings.loops import decode_loops, loop_sizes
from ffcore.pmappings.rows import Rows, RowShape, places
from ffcore.spec.problem import EinsumProblem
from ffcore.templates import Template


def check_rows(rows: Rows, shape: RowShape, n_jobs: int, templates: Sequence[Template], einsum: EinsumProblem) -> None:
    """Raise ValueError for arrays of other types or shapes, and for numbers that name nothing."""
    columns = {
        "loops": shape.depth,
        "blocks": shape.depth,
        "depth": len(shape.shared),
        "memory": len(shape.shared),
        "values": shape.width,
        "job": None,
        "states": shape.cuts,
    }
    count = len(rows.values)
    for field in attrs.fields(Rows):
        array, width = getattr(rows, field.name), columns[field.name]
        kind = np.floating if field.name == "values" else np.signedinteger
        if array.shape != ((count,) if width is None else (count, width)) or not np.issubdtype(array.dtype, kind):
            raise ValueError(f"its {field.name} have another form")
    if np.isnan(rows.values).any() or (rows.values < 0).any():
        raise ValueError("it holds costs or sizes below zero")
    states = math.prod(len(loop_sizes(einsum, v)) for v in einsum.bounds)
    limits = {
        "blocks": (-2, shape.cuts),
        "depth": (-1, shape.depth + 1),
        "memory": (0, len(places(templates))),
        "job": (0, n_jobs),
        "states": (-1, states),
    }
    for name, (low, high) in limits.items():
        array = getattr(rows, name)
        if array.size and not low <= array.min() <= array.max() < high:
            raise ValueError(f"its {name} name what is not there")
    _check_loops(rows, einsum)


def _check_loops(rows: Rows, einsum: EinsumProblem) -> None:
    """Each loop is over a variable of the Einsum, with trips and tile among its `loop_sizes`."""
    codes = np.unique(rows.loops)
    variable, _, trips, tile = decode_loops(codes[codes != 0])
    numbers = np.array([len(loop_sizes(einsum, v)) for v in einsum.bounds])
    if not variable.size:
        return
    if variable.min() < 0 or variable.max() >= len(numbers) or (np.maximum(trips, tile) >= numbers[variable]).any():
        raise ValueError("its loops are none of this Einsum")
