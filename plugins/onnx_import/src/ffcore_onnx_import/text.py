"""The native YAML of an imported network, with comments that say where each Einsum comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ffcore_onnx_import.einsums import Access, Einsum
from ffcore_onnx_import.lowering import Lowering
from ffcore_onnx_import.naming import Names, names_of
from ffcore_onnx_import.summary import Summary, quantity

_WIDTH = 118


def yaml_text(state: Lowering, summary: Summary) -> str:
    """The workload as YAML. Names and comments hold nothing of the file but letters, digits and plain signs."""
    names = names_of(state.einsums, state.tensors)
    lines = [f"# {_plain(Path(state.graph.file).name)}, opset {state.graph.opset}, by ffcore-onnx-import."]
    lines += [f"# {_plain(line)}." for line in summary.lines]
    lines += ["#", *_legend(), "workload:"]
    lines += _table("rank_sizes", names.rank_sizes.items())
    lines += _table("iteration_space_shape", _open_bounds(state, names))
    lines += ["", f"  bits_per_value: {_bits(state, names)}"]
    if state.options.persistent_weights:
        lines.append(f"  persistent_tensors: {_persistent(state, names)}")
    lines += ["", "  einsums:"]
    for einsum in state.einsums:
        lines += _einsum(state, einsum, names)
    return "\n".join(lines) + "\n"


def _legend() -> list[str]:
    return [
        "# Axes of size 1 are left out. A rank or rank variable whose letter has several sizes carries its size (c64).",
        "# Padding belongs to the input: its index reaches beyond the rank by as much.",
    ]


def _plain(text: str) -> str:
    """A text for a comment: one line, and nothing that Jinja or a terminal could take for something else."""
    return re.sub(r"[^0-9A-Za-z_.,;:()/'+*=\- ]", "_", text)[:300]


def _table(key: str, items: Iterable[tuple[str, int]]) -> list[str]:
    """``key: {A: 1, B: 2}`` in lines of readable length."""
    entries = [f"{name}: {value}" for name, value in sorted(items, key=_by_letter)]
    if not entries:
        return []
    lines, line = [f"  {key}: {{"], "    "
    for number, entry in enumerate(entries):
        entry += "," if number + 1 < len(entries) else ""
        if len(line) + len(entry) > _WIDTH:
            lines.append(line.rstrip())
            line = "    "
        line += entry + " "
    text = [*lines, line.rstrip(), "  }"]
    flat = text[0] + "".join(part.strip() + " " for part in text[1:-1]).strip() + "}"
    return [flat] if len(flat) <= _WIDTH else text


def _by_letter(item: tuple[str, int]) -> tuple[str, int]:
    return re.sub("[0-9]+$", "", item[0]), item[1]


def _open_bounds(state: Lowering, names: Names) -> list[tuple[str, int]]:
    """Bounds of rank variables that no rank of a stated size is indexed by alone (windows of pools)."""
    stated, everything = set(), {}
    for einsum in state.einsums:
        for variable in einsum.variables:
            everything[names.variables[variable]] = variable.size
        for access in (*einsum.inputs, einsum.output):
            for position, index in enumerate(access.index):
                alone = [c for _, c in index.terms] == [1] and not index.constant
                if alone and names.ranks[access.tensor, position] in names.rank_sizes:
                    stated.add(names.variables[index.terms[0][0]])
    return [(name, size) for name, size in everything.items() if name not in stated]


def _bits(state: Lowering, names: Names) -> str:
    if state.options.bits_per_value is not None:
        return f"{{All: {state.options.bits_per_value}}}"
    by_bits: dict[int, list[str]] = {}
    for value, name in names.tensors.items():
        by_bits.setdefault(state.tensors[value].bits, []).append(name)
    if len(by_bits) == 1:
        return f"{{All: {next(iter(by_bits))}}}"
    most = max(by_bits, key=lambda bits: len(by_bits[bits]))
    others = [f"{' | '.join(found)}: {bits}" for bits, found in sorted(by_bits.items()) if bits != most]
    return f"{{{', '.join(others)}, Other: {most}}}"


def _persistent(state: Lowering, names: Names) -> str:
    """All weights; shorter where the renames say the same."""
    weights = [value for value in names.tensors if state.tensors[value].weight]
    written = {e.output.tensor for e in state.einsums}
    renamed = {e.weight for e in state.einsums if e.weight is not None} - written
    if renamed == set(weights):
        return "weight - Intermediates"
    return " | ".join(names.tensors[w] for w in weights) or "Nothing"


def _einsum(state: Lowering, einsum: Einsum, names: Names) -> list[str]:
    output, name = names.projection(einsum.output), names.tensors
    right = " * ".join(names.projection(a) for a in einsum.inputs)
    weight = name[einsum.weight] if einsum.weight is not None else "Nothing"
    inputs = [name[a.tensor] for a in einsum.inputs if a.tensor != einsum.weight]
    lines = [f"  # {_plain(_comment(einsum))}", f'  - einsum: "{output} = {right}"']
    if einsum.copy:
        lines.append("    is_copy_operation: True")
    renames = f"input: {' | '.join(inputs) or 'Nothing'}, weight: {weight}, output: {name[einsum.output.tensor]}"
    lines.append(f"    renames: {{{renames}}}")
    padded = [text for a in einsum.inputs if (text := _padding(state, a, names))]
    if padded:
        lines += ["    tensor_accesses:", *(f"    - {text}" for text in padded)]
    return lines


def _comment(einsum: Einsum) -> str:
    parts = [einsum.op, *einsum.folded]
    text = parts[0] if len(parts) == 1 else f"{parts[0]} with {', '.join(parts[1:])}"
    if einsum.macs:
        text += f": {quantity(einsum.points)} MACs"
    if einsum.copy:
        text += ": a copy, since its index is not affine"
    return f"{text}; {einsum.note}" if einsum.note else text


def _padding(state: Lowering, access: Access, names: Names) -> str:
    """What the access reads beyond the sizes of the tensor's ranks."""
    sizes: Sequence[int] = state.tensors[access.tensor].sizes
    beyond = [
        f"{names.ranks[access.tensor, position]}: {index.reach - size}"
        for position, (index, size) in enumerate(zip(access.index, sizes, strict=True))
        if index.reach > size
    ]
    return f"{{name: {names.tensors[access.tensor]}, padding: {{{', '.join(beyond)}}}}}" if beyond else ""
