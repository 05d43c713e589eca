"""Names of columns: parts joined by ``<SEP>``. Nothing else puts them together or takes them apart.

==========================================================  ====================================================
``Total<SEP>energy``, ``Total<SEP>latency``                  J and s, of the whole workload (or of one pmapping)
``Einsum<SEP>energy<SEP>Component<SEP>tensor<SEP>action``    J; they add up to the total
``Einsum<SEP>latency<SEP>Component``                         s that a component is busy; an Einsum takes the greatest
``Einsum<SEP>action<SEP>Component<SEP>tensor<SEP>action``    actions of all instances of the component
``Einsum<SEP>usage<SEP>Memory``                              share of the memory in use while the Einsum runs, 0 to 1
``usage<SEP>Memory``                                         its greatest share over all Einsums
==========================================================  ====================================================

Computes and leakage are booked under no tensor: ``None`` stands in its place.
"""

from __future__ import annotations

from collections.abc import Sequence

SEP = "<SEP>"
TOTAL = "Total"
ENERGY = "energy"
LATENCY = "latency"
ACTION = "action"
USAGE = "usage"


def join(*parts: str | None) -> str:
    """The name of a column made of these parts."""
    return SEP.join("None" if part is None else part for part in parts)


def split(column: str) -> tuple[str, ...]:
    """The parts of a column's name."""
    return tuple(column.split(SEP))


def matches(column: str, keys: Sequence[str], position: int | None = None) -> bool:
    """Has the column all of ``keys`` among its parts (or, given a position, one of them there)?"""
    parts = split(column)
    if position is None:
        return all(key in parts for key in keys)
    return -len(parts) <= position < len(parts) and parts[position] in keys


def without(column: str, keys: Sequence[str], position: int | None = None) -> str:
    """The column's name with the first occurrence of each key (or the part at a position) left out."""
    parts = list(split(column))
    if position is not None:
        del parts[position]
    else:
        for key in keys:
            parts.remove(key)
    return SEP.join(parts)
