"""Names that a person could have written, for tensors, ranks and rank variables."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterable, Mapping

import attrs

from ffcore_onnx_import.einsums import Access, AffineIndex, Einsum, Tensor, Variable

_OPERATOR = re.compile(r"[A-Z][A-Za-z]*(_[0-9]+)?")
_LONGEST = 60

_RESERVED = (
    "All Tensors Nothing Inputs Outputs Intermediates Shared Persistent Above Other input weight output min max sum "
    "len range abs round int float True False None"
)
RESERVED = frozenset(_RESERVED.split()) | frozenset(dir(math))
"""What expressions already call something else."""


@attrs.define
class Names:
    """What everything is called in the workload."""

    tensors: dict[str, str] = attrs.field(factory=dict)
    ranks: dict[tuple[str, int], str] = attrs.field(factory=dict)  # (ONNX value, position) -> name
    rank_sizes: dict[str, int] = attrs.field(factory=dict)  # those that are stated
    variables: dict[Variable, str] = attrs.field(factory=dict)

    def index(self, index: AffineIndex) -> str:
        """An index expression: ``2*p + r``."""
        parts = [self.variables[v] if c == 1 else f"{c}*{self.variables[v]}" for v, c in index.terms]
        if index.constant or not parts:
            parts.append(str(index.constant))
        return " + ".join(parts)

    def projection(self, access: Access) -> str:
        """The indices of an access: ``[n, c, H: 2*p + r]``."""
        items = []
        for position, index in enumerate(access.index):
            rank, text = self.ranks[access.tensor, position], self.index(index)
            items.append(text if text.isidentifier() and text.upper() == rank else f"{rank}: {text}")
        return f"{self.tensors[access.tensor]}[{', '.join(items)}]"


def names_of(einsums: Iterable[Einsum], tensors: Mapping[str, Tensor]) -> Names:
    """Names for all that the Einsums use."""
    names = Names()
    accesses = [(e, a) for e in einsums for a in (*e.inputs, e.output)]
    variables = {v: None for e, _ in accesses for v in e.variables}
    partial = {
        (a.tensor, i)
        for _, a in accesses
        for i, index in enumerate(a.index)
        if [c for _, c in index.terms] == [1]
        and (index.terms[0][0].size != tensors[a.tensor].sizes[i] and not index.constant)
    }
    used_tensors = {a.tensor: tensors[a.tensor] for _, a in accesses}
    sized = _sized(variables, used_tensors, partial)
    names.variables = {v: f"{v.role}{v.size}" if v.role in sized else v.role for v in variables}
    taken = set(names.variables.values()) | RESERVED
    used = {a.tensor: e for e, a in reversed(accesses)}
    written = {e.output.tensor: e for e, _ in accesses}
    shortened, numbers = _common_prefix(used), dict[str, int]()
    for value in dict.fromkeys(a.tensor for _, a in accesses):
        said = _said_by_weight(written.get(value), value).removeprefix(shortened)
        names.tensors[value] = _unique(_tensor_name(said, used[value].op), taken, numbers)
    _name_ranks(names, used_tensors, partial, sized)
    return names


def _sized(variables: Iterable[Variable], tensors: Mapping[str, Tensor], partial: set[tuple[str, int]]) -> set[str]:
    """Letters that stand for several sizes, of rank variables or of ranks: their names carry the size (``p56``)."""
    sizes: dict[str, set[int]] = {}
    for variable in variables:
        sizes.setdefault(variable.role, set()).add(variable.size)
    for tensor in tensors.values():
        for position, (role, size) in enumerate(zip(tensor.roles, tensor.sizes, strict=True)):
            if (tensor.name, position) not in partial:
                sizes.setdefault(role.lower(), set()).add(size)
    return {role for role, found in sizes.items() if len(found) > 1}


def _name_ranks(names: Names, tensors: Mapping[str, Tensor], partial: set[tuple[str, int]], sized: set[str]) -> None:
    """Ranks are named like variables; of one that is only read in part the size is not stated."""
    for tensor in tensors.values():
        for position, (role, size) in enumerate(zip(tensor.roles, tensor.sizes, strict=True)):
            name = f"{role}_{names.tensors[tensor.name]}"
            if (tensor.name, position) not in partial:
                name = f"{role}{size}" if role.lower() in sized else role
                names.rank_sizes[name] = size
            names.ranks[tensor.name, position] = name


_NUMBERED = re.compile(r"[a-z]?[0-9]+")
_WEIGHT = re.compile(r"[_./](w|weight|weights|kernel|W)(_0|:0)?$")


def _said_by_weight(writer: Einsum | None, value: str) -> str:
    """The value's own name; that of its weight where exporters only number values (``r12``, ``134``)."""
    if writer is None or not _NUMBERED.fullmatch(value):
        return value
    if writer.weight is not None and _WEIGHT.search(writer.weight):
        return _WEIGHT.sub("", writer.weight)
    return f"{writer.op.lower()}_{value.lstrip('abcdefghijklmnopqrstuvwxyz')}"


def _common_prefix(values: Iterable[str]) -> str:
    """The first part of the path that all names with a path share (``gpu_0/``)."""
    firsts = [v.partition("/")[0] + "/" for v in values if "/" in v]
    return firsts[0] if len(firsts) > 1 and len(set(firsts)) == 1 else ""


def _tensor_name(value: str, op: str) -> str:
    """``/layer1/layer1.0/conv1/Conv_output_0`` becomes ``layer1_0_conv1``."""
    value = re.sub(r"_output_0(?=$|_)", "", value)
    parts = [p for p in value.split("/") if p]
    kept = [p for p, after in zip(parts, [*parts[1:], ""], strict=True) if not (after + ".").startswith(p + ".")]
    if len(kept) > 1 and _OPERATOR.fullmatch(kept[-1]):
        kept.pop()
    name = re.sub(r"[^0-9A-Za-z]+", "_", "_".join(kept)).strip("_")[:_LONGEST].rstrip("_")
    if not name or name[0].isdigit():
        name = f"{op.lower()}_{name}".strip("_")
    return name if re.match("[A-Za-z]", name) else f"t_{name}"


def _unique(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    if keyword.iskeyword(name) or name in taken:
        name += "_t" if f"{name}_t" not in taken else ""
    unique = name
    while unique in taken or keyword.iskeyword(unique):
        numbers[name] = numbers.get(name, 1) + 1
        unique = f"{name}_{numbers[name]}"
    taken.add(unique)
    return unique
