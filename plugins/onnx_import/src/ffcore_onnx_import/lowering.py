"""From the nodes of a network to Einsums, in order: what every operator's rule works with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import attrs

from ffcore_onnx_import.build import (
    UNIT,
    Label,
    Labels,
    NotAffine,
    Operand,
    access_of,
    digits_of,
    output_access,
    plain,
)
from ffcore_onnx_import.einsums import Access, AffineIndex, Einsum, Tensor
from ffcore_onnx_import.graph import Graph, Node, Shape
from ffcore_onnx_import.options import Options
from ffcore_onnx_import.views import View, reshaped, whole

Rule = Callable[["Lowering", Node], None]

EINSUM, VIEW, FOLDED, ATTACHED, CONSTANT, COPIED = "Einsums", "views", "folded", "attached", "constants", "copied"
"""What may become of a node."""


@attrs.define(eq=False)
class Lowering:
    """The state of one import."""

    graph: Graph
    options: Options
    einsums: list[Einsum] = attrs.field(factory=list)
    tensors: dict[str, Tensor] = attrs.field(factory=dict)
    views: dict[str, View] = attrs.field(factory=dict)
    writers: dict[str, Einsum] = attrs.field(factory=dict)  # tensor -> the Einsum that writes it
    fate: Counter[str] = attrs.field(factory=Counter)
    copies: Counter[str] = attrs.field(factory=Counter)  # operator -> copy Einsums that it needed besides
    unknown: Counter[str] = attrs.field(factory=Counter)  # operators mapped as copies
    extra_reads: int = 0  # values that joins count twice
    _readers: Counter[str] = attrs.field(factory=Counter)
    _reading: dict[str, list[Node]] = attrs.field(factory=dict)
    _convolves: bool = False  # so that four axes are N, C, H, W
    _channels: dict[str, int] = attrs.field(factory=dict)  # value -> axis along which constants may be folded; -1: none
    _private: set[str] = attrs.field(factory=set)  # values whose tensor nobody else reads

    def __attrs_post_init__(self) -> None:
        for node in self.graph.nodes:
            self._readers.update(node.inputs)
            for name in dict.fromkeys(node.inputs):
                self._reading.setdefault(name, []).append(node)
            self._convolves |= node.op in ("Conv", "ConvInteger", "QLinearConv", "MaxPool")
        self._readers.update(self.graph.outputs)

    # What rules ask

    def is_constant(self, value: str) -> bool:
        """Is it a weight, or does it follow from constants alone?"""
        return value in self.graph.constants

    def shape(self, value: str, node: Node) -> Shape:
        """The value's shape. Raises SpecError if it is not known, or has no elements."""
        shape = self.graph.shape(value, node)
        if 0 in shape:
            raise self.graph.wrong(f"{value!r} has no elements (shape {list(shape)})", node)
        return shape

    def roles(self, n_axes: int) -> tuple[str, ...]:
        """Names of the ranks of a value that no operator has named."""
        names = ("N", "C", "H", "W") if self._convolves else ("B", "H", "M", "N")
        usual = {1: ("N",), 2: ("M", "N"), 3: ("B", "M", "N"), 4: names, 5: ("N", "C", "D", "H", "W")}
        return usual.get(n_axes) or tuple(f"{chr(65 + i % 26)}" + "X" * (i // 26) for i in range(n_axes))

    def view(self, value: str, node: Node, roles: Sequence[str] | None = None) -> View:
        """The value; one that no node has made is an input of the network or a weight, whose ranks get ``roles``."""
        if value not in self.views:
            if value not in self.graph.inputs and not self.is_constant(value):
                raise self.graph.wrong(f"it reads {value!r}, an output that only says where elements come from", node)
            shape = self.shape(value, node)
            self.views[value] = self._stored(value, shape, roles or self.roles(len(shape)), self.is_constant(value))
        return self.views[value]

    def readers(self, value: str) -> Sequence[Node]:
        """The nodes that read a value."""
        return self._reading.get(value, ())

    def is_private(self, value: str) -> bool:
        """Does nothing else read the value, nor the tensor that it is a view of?"""
        return self._readers[value] == 1 and value not in self.graph.outputs and value in self._private

    def channel(self, value: str) -> int | None:
        """The axis along which constants may become part of the Einsum that makes the value; -1: scalars only."""
        return self._channels.get(value) if self.is_private(value) else None

    def writer(self, value: str) -> Einsum | None:
        """The Einsum that writes the tensor of a value; None: it is an input or a weight."""
        return self.writers.get(self.views[value].tensor) if value in self.views else None

    # What rules do

    def alias(self, node: Node, view: View, fate: str = VIEW, output: int = 0) -> None:
        """An output of ``node`` is a view of what is there."""
        name = node.outputs[output]
        self.views[name] = view
        source = node.input(0)
        if self.is_private(source):
            self._private.add(name)
            if source in self._channels:
                self._channels[name] = self._channels[source] if fate in (FOLDED, ATTACHED) else -1
        if output == 0:
            self.fate[fate] += 1

    def fold(self, node: Node, value: str, parameters: int = 0, fate: str = FOLDED) -> None:
        """``node`` becomes part of the Einsum that writes ``value``: the output is the same tensor."""
        writer = self.writer(value)
        assert writer is not None
        writer.folded.append(node.op)
        writer.affine = max(writer.affine, parameters)
        channel = self._channels.get(value)
        self.views[node.output] = self.views[value]
        self._private.add(node.output)
        if channel is not None:
            self._channels[node.output] = channel
        self.fate[fate] += 1

    def einsum(
        self,
        node: Node,
        operands: Sequence[Operand],
        output: Sequence[Labels],
        *,
        weight: int | None = None,
        macs: bool = False,
        channel: int | None = None,
        counted: bool = True,
        name: str = "",
        note: str = "",
        bits: int | None = None,
    ) -> View:
        """Add an Einsum that writes the node's output (or a tensor called ``name``), and return it as a view.

        ``weight``: the operand that takes the place of the weights. ``channel``: the axis along which scales and
        shifts may still become part of it (-1: scalars). ``counted``: it is what the node becomes.
        """
        value = name or node.output
        made, digits = self._agreed(node, operands, output)
        accesses = [access_of(operand, digits) for operand in made]
        weight_name = accesses[weight].tensor if weight is not None else None
        shape = tuple(math.prod(label.size for label in labels) for labels in output)
        view = self._stored(value, shape, self._unique(labels[0].rank for labels in output), False, bits)
        inputs = list({(a.tensor, a.index): a for a in map(self._read, accesses)}.values())
        einsum = Einsum(str(node), node.op, inputs, output_access(view.tensor, output, digits), weight_name,
                        macs=macs, note=note)  # fmt: skip
        self._added(einsum, value, view, channel)
        if counted:
            self.fate[EINSUM] += 1
        return view

    def copy(self, node: Node, view: View, name: str, shape: Shape | None = None) -> View:
        """The value as a tensor of its own, in another shape if one is given: a copy Einsum."""
        roles = self._unique(view.roles)
        labels = [Label(r.lower(), r, s) for r, s in zip(roles, view.shape, strict=True)]
        self.copies[node.op] += 1
        if shape is None:
            made = self.einsum(node, [plain(view, labels)], [(label,) for label in labels], counted=False, name=name)
        else:
            new = [Label(r.lower() + "n", r, s) for r, s in zip(self.roles(len(shape)), shape, strict=True)]
            made = self.einsum(node, [plain(view, labels)], [(label,) for label in new], counted=False, name=name)
        self.einsums[-1].copy = True
        return made

    def reshape(self, node: Node, value: str, shape: Shape, output: int = 0) -> None:
        """An output is ``value`` in another shape: a view where the index is affine, else a copy that costs."""
        view = self.view(value, node)
        made = reshaped(view, shape, self.roles(len(shape)))
        if made is not None:
            self.alias(node, made, output=output)
            return
        self.views[node.outputs[output]] = self.copy(node, view, node.outputs[output], shape)
        self.fate[COPIED] += 1

    # Inside

    def _stored(self, value: str, shape: Shape, roles: Sequence[str], weight: bool, bits: int | None = None) -> View:
        sizes = tuple(s for s in shape if s > 1)
        kept = tuple(r for r, s in zip(roles, shape, strict=True) if s > 1)
        width = bits or self.graph.bits.get(value, 32)
        self.tensors[value] = Tensor(value, kept or ("U",), sizes or (1,), weight, width)
        return whole(value, shape, roles)

    def _unique(self, roles: Iterable[str]) -> tuple[str, ...]:
        result: list[str] = []
        for role in roles:
            while role in result:
                role += "x"
            result.append(role)
        return tuple(result)

    def _agreed(
        self, node: Node, operands: Sequence[Operand], output: Sequence[Labels]
    ) -> tuple[list[Operand], dict[Label, list]]:  # type: ignore[type-arg]
        """Operands whose digits agree: those that cannot be indexed so are copied first."""
        made = list(operands)
        for _ in range(len(made) + 1):
            try:
                return made, digits_of(made, output)
            except NotAffine as error:
                old = made[error.operand]
                view = self.copy(node, old.view, f"{node.output}_copy{len(self.einsums)}")
                made[error.operand] = Operand(view, old.axes)
        shapes = ", ".join(str(list(o.view.shape)) for o in operands)
        raise self.graph.wrong(f"what it reads ({shapes}) does not fit together", node)

    def _read(self, access: Access) -> Access:
        """A tensor with a single value has a rank of its own for it."""
        if self.tensors[access.tensor].sizes == (1,):
            return Access(access.tensor, (AffineIndex(((UNIT, 1),)),))
        return access

    def _added(self, einsum: Einsum, value: str, view: View, channel: int | None) -> None:
        self.einsums.append(einsum)
        self.views[value] = view
        self.writers[view.tensor] = einsum
        self._private.add(value)
        if channel is not None:
            self._channels[value] = channel


def lower(graph: Graph, options: Options) -> Lowering:
    """All nodes of a network as Einsums and views. Raises SpecError that names the node that cannot be."""
    from ffcore_onnx_import.operators import rule_of
    from ffcore_onnx_import.patterns import merged

    state = Lowering(merged(graph), options)
    for node in state.graph.nodes:
        if node.outputs and all(o in graph.constants for o in node.outputs if o):
            state.fate[CONSTANT] += 1
        else:
            _apply(state, node, rule_of(state, node))
            if node.merged:
                state.fate[FOLDED] += len(node.merged) - 1
    if not state.einsums:
        raise graph.wrong("the network computes nothing that could be mapped")
    return state


def _apply(state: Lowering, node: Node, rule: Rule) -> None:
    """The rule; what a malformed node makes Python say becomes one sentence."""
    try:
        rule(state, node)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:100]
        raise state.graph.wrong(
            f"its inputs or attributes make no sense ({type(error).__name__}: {said})", node
        ) from error
