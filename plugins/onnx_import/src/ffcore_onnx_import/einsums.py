"""Einsums as the importer makes them, before anything has its final name."""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs

from ffcore_onnx_import.graph import Shape


@attrs.frozen
class Variable:
    """A rank variable: what it stands for in the operator (``p``: output rows), and its bound."""

    role: str
    size: int


@attrs.frozen
class AffineIndex:
    """The index of one rank of an access: a sum of rank variables times whole numbers, plus a constant."""

    terms: tuple[tuple[Variable, int], ...]
    constant: int = 0

    @property
    def reach(self) -> int:
        """The greatest index, plus 1."""
        return self.constant + 1 + sum(c * (v.size - 1) for v, c in self.terms)


@attrs.frozen
class Access:
    """A tensor as an Einsum reads or writes it."""

    tensor: str
    index: tuple[AffineIndex, ...]


@attrs.frozen(eq=False)
class Tensor:
    """Something stored: its ranks (those longer than 1), and where it comes from."""

    name: str  # of the ONNX value
    roles: tuple[str, ...]
    sizes: Shape
    weight: bool
    bits: int


@attrs.define(eq=False)
class Einsum:
    """One Einsum. ``macs``: whether its points are multiply-accumulates of a contraction."""

    node: str  # the ONNX node, as messages name it
    op: str
    inputs: list[Access]
    output: Access
    weight: str | None = None  # which input takes the place of the weights
    copy: bool = False
    macs: bool = False
    note: str = ""
    folded: list[str] = attrs.field(factory=list)  # operators that became part of it
    affine: int = 0  # parameters of scales and shifts that became part of it
    scales: bool = False  # whether constants may still be multiplied into it

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Rank variables in order of first use."""
        accesses: Iterable[Access] = (self.output, *self.inputs)
        return tuple({v: None for a in accesses for i in a.index for v, _ in i.terms})

    @property
    def points(self) -> int:
        """Size of the iteration space."""
        return math.prod(v.size for v in self.variables)
