"""Rows of a table as a parquet file.

Arrays are made of buffers: what pyarrow does with lists imports pandas, which takes longer than all else here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ffcore.plugin import replacing

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 2000  # rows that are in memory at once
_LARGEST = (1 << 63) - 1


def write_parquet(path: Path, rows: Callable[[], Iterator[Mapping[str, Any]]]) -> None:
    """A file of ``rows``, which are gone over twice, batch by batch. Values that are not all numbers are texts."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds: dict[str, set[type]] = {}
    for row in rows():
        for name, value in row.items():
            kinds.setdefault(name, set()).update(() if value is None else (_type(value),))
    types = {name: _arrow_type(found) for name, found in kinds.items()}
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in types.items()])
    every = rows()
    with replacing(path) as file, parquet.ParquetWriter(file, schema) as writer:
        while batch := list(islice(every, _BATCH)):
            columns = [_array([row.get(name) for row in batch], kind) for name, kind in types.items()]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _type(value: object) -> type:
    return float if type(value) is int and abs(value) > _LARGEST else type(value)


def _arrow_type(kinds: Set[type]) -> str:
    if kinds == {bool}:
        return "bool_"
    if kinds == {int}:
        return "int64"
    return "float64" if kinds <= {int, float} else "string"


def _array(values: Sequence[Any], kind: str) -> pa.Array:
    """A column; None is null."""
    import pyarrow as pa

    there = np.array([value is not None for value in values], np.bool_)
    buffers: list[Any] = [np.packbits(there, bitorder="little")]
    if kind == "string":
        texts = [b"" if value is None else str(value).encode() for value in values]
        buffers += [np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int32), b"".join(texts)]
    elif kind == "bool_":
        buffers.append(np.packbits(np.array([bool(value) for value in values]), bitorder="little"))
    else:
        numbers = [0 if value is None else value for value in values]
        buffers.append(np.array(numbers, np.int64 if kind == "int64" else np.float64))
    return pa.Array.from_buffers(getattr(pa, kind)(), len(values), [pa.py_buffer(part) for part in buffers])
