"""A network as the importer sees it: nodes in order, shapes of all values, and no weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.plugin import Position, SpecError, suggest

Shape = tuple[int, ...]


@attrs.frozen
class Node:
    """One ONNX node. ``domain`` is empty for ONNX's own operators; ``merged``: the operators that it was written as."""

    op: str
    name: str
    inputs: tuple[str, ...]  # "": left out
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    domain: str = ""
    merged: tuple[str, ...] = ()

    def get(self, attribute: str, default: Any = None) -> Any:
        """An attribute (texts as str, lists as lists), or the default."""
        return self.attributes.get(attribute, default)

    def input(self, index: int) -> str:
        """Name of an input, empty where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def __str__(self) -> str:
        """How messages name it."""
        return f"node {self.name!r} ({self.op})" if self.name else f"the {self.op} that writes {self.output!r}"

    @property
    def output(self) -> str:
        """Its first output."""
        return self.outputs[0] if self.outputs else ""


@attrs.frozen(eq=False)
class Graph:
    """A whole network, all shapes known as far as ONNX's inference knows them."""

    file: str
    name: str
    opset: int
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]  # what the network is given; no weights
    outputs: tuple[str, ...]
    shapes: Mapping[str, Shape]
    bits: Mapping[str, int]  # of one value, by the type that the file gives
    constants: frozenset[str]  # initialisers, and what is computed from nothing else
    values: Mapping[str, NDArray[Any]]  # small constants, as far as their values are in the file

    def wrong(self, message: str, node: Node | None = None, hint: str | None = None) -> SpecError:
        """An error at this file, about a node."""
        where = f"{node}: " if node is not None else ""
        return SpecError.one(f"{where}{message}", Position(self.file, 1), hint)

    def shape(self, value: str, node: Node) -> Shape:
        """The shape of a value that ``node`` reads or writes. Raises SpecError if it is not known."""
        if value not in self.shapes:
            hint = suggest(value, self.shapes)
            raise self.wrong(f"the shape of {value!r} is not known; export with shapes (value_info)", node, hint)
        return self.shapes[value]

    def whole_numbers(self, value: str, node: Node, what: str) -> list[int]:
        """The values of a constant operand such as ``starts``. Raises SpecError if the file does not say them."""
        if value not in self.values:
            raise self.wrong(f"its {what} ({value!r}) are no constant that the file holds; a mapping needs them", node)
        return [int(v) for v in np.atleast_1d(self.values[value]).ravel()]
