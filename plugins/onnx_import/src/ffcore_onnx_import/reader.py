"""Reading an ONNX file safely: sizes checked, shapes inferred, no weight looked at, no other file opened."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from ffcore.plugin import Position, SpecError, suggest
from ffcore_onnx_import.constants import Constants, known_values
from ffcore_onnx_import.graph import Graph, Node, Shape
from ffcore_onnx_import.options import MAX_DIMENSION, Parameters

MAX_FILE = 2**31
"""Bytes; protobuf itself reads no more."""
MAX_NODES = 50_000
MAX_VALUES = 2**60
"""Elements of one tensor."""
KEPT_VALUES = 4096
"""Constants with more elements than this are weights: their values are dropped at once."""
ROUNDS = 20
"""How often shapes are inferred, each time with the constants that the last round made known."""


def read_graph(path: Path, parameters: Parameters) -> Graph:
    """Read the network in ``path``. Raises SpecError in one sentence for whatever is wrong with it."""
    model = _checked(_load(path), path)
    _set_dimensions(model, path, parameters)
    return _inferred(model, path)


def _wrong(path: Path, message: str, hint: str | None = None) -> SpecError:
    return SpecError.one(message, Position(str(path), 1), hint)


def _load(path: Path) -> ModelProto:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise _wrong(path, "this is no file")
        if size >= MAX_FILE:
            raise _wrong(path, f"{size} bytes are more than ONNX allows in one file; keep weights in external data")
        data = path.read_bytes()
    except OSError as error:
        raise _wrong(path, f"cannot be read ({error.strerror or error})") from None
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError, ValueError):
        raise _wrong(path, "not an ONNX file (its protobuf cannot be decoded)") from None
    if not model.HasField("graph") or not (model.graph.node or model.graph.input):
        raise _wrong(path, "not an ONNX file, or one without a graph")
    return model


def _checked(model: ModelProto, path: Path) -> ModelProto:
    """The model with local functions written out and weights dropped; SpecError if it is not well formed."""
    _check_texts(model, path)
    _check_opset(model, path)
    for tensor in _tensors(model):
        _check_tensor(tensor, path)
    if model.functions:
        model = _inlined(model, path)
    if len(model.graph.node) > MAX_NODES:
        raise _wrong(path, f"{len(model.graph.node)} nodes are more than the {MAX_NODES} that are read")
    _check_order(model, path)
    for tensor in _tensors(model):
        if math.prod(tensor.dims) > KEPT_VALUES:
            _drop(tensor)
    weights = {i.name for i in model.graph.initializer}
    given = [i for i in model.graph.input if i.name not in weights]
    del model.graph.input[:]  # a default of an input is taken as given, as files before IR version 4 mean it
    model.graph.input.extend(given)
    model.ir_version = max(model.ir_version, 4)
    return model


def _check_texts(model: ModelProto, path: Path) -> None:
    """Names are texts: protobuf hands out bytes for what is no UTF-8."""
    graph = model.graph
    values = [*graph.input, *graph.output, *graph.value_info]
    texts: list[object] = [graph.name, *(entry.domain for entry in model.opset_import)]
    texts += [v.name for v in (*values, *graph.initializer, *(s.values for s in graph.sparse_initializer))]
    texts += [d.dim_param for v in values for d in v.type.tensor_type.shape.dim]
    texts += [entry.value for tensor in graph.initializer for entry in tensor.external_data]
    for node in (*graph.node, *(n for f in model.functions for n in f.node)):
        texts += [node.name, node.op_type, node.domain, *node.input, *node.output, *(a.name for a in node.attribute)]
    texts += [t for f in model.functions for t in (f.name, f.domain)]
    if not all(isinstance(text, str) for text in texts):
        raise _wrong(path, "a name in it is not UTF-8: the file is damaged")


def _tensors(model: ModelProto) -> Iterable[TensorProto]:
    yield from model.graph.initializer
    for sparse in model.graph.sparse_initializer:
        yield sparse.values
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t


def _drop(tensor: TensorProto) -> None:
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data"):
        tensor.ClearField(field)


def _check_opset(model: ModelProto, path: Path) -> None:
    newest = onnx.defs.onnx_opset_version()
    versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if "ai.onnx" not in versions:
        raise _wrong(path, "it does not say its opset (opset_import)")
    if versions["ai.onnx"] > newest:
        message = f"opset {versions['ai.onnx']} is newer than {newest}, the newest that the installed onnx "
        raise _wrong(path, f"{message}{onnx.__version__} knows: install a newer onnx, or export with opset {newest}")


def _check_tensor(tensor: TensorProto, path: Path) -> None:
    if any(not 0 <= d <= MAX_DIMENSION for d in tensor.dims) or math.prod(tensor.dims) > MAX_VALUES:
        raise _wrong(path, f"tensor {tensor.name!r} has the impossible shape {list(tensor.dims)[:8]}")
    for entry in tensor.external_data:
        if entry.key == "location" and not _inside(entry.value):
            message = f"tensor {tensor.name!r} has its data in {entry.value!r}, outside of the file's own folder"
            raise _wrong(path, message)


def _inside(location: str) -> bool:
    """Whether a location of external data stays below the folder of the file (it is never opened)."""
    here = PurePosixPath(location)
    return not (here.is_absolute() or PureWindowsPath(location).anchor or ".." in here.parts or "\\" in location)


def _inlined(model: ModelProto, path: Path) -> ModelProto:
    """The model with its local functions written out; their number is checked before."""
    sizes: dict[tuple[str, str], int] = {}
    bodies = {(f.domain, f.name): f.node for f in model.functions}

    def size(key: tuple[str, str], above: tuple[tuple[str, str], ...]) -> int:
        if key not in bodies:
            return 1
        if key in above or len(above) > 100:
            raise _wrong(path, f"function {key[1]!r} calls itself")
        if key not in sizes:
            sizes[key] = sum(size((n.domain, n.op_type), (*above, key)) for n in bodies[key])
        return sizes[key]

    total = sum(size((n.domain, n.op_type), ()) for n in model.graph.node)
    if total > MAX_NODES:
        raise _wrong(path, f"its functions write out to {total} nodes, more than the {MAX_NODES} that are read")
    try:
        from onnx import inliner

        return inliner.inline_local_functions(model)
    except Exception as error:  # what a C++ library raises on a malformed model has no common type
        raise _wrong(path, f"its functions cannot be written out ({_short(error)})") from None


def _check_order(model: ModelProto, path: Path) -> None:
    """Each value is written once, before it is read: no cycles."""
    graph = model.graph
    known = {i.name for i in graph.input} | {i.name for i in graph.initializer}
    known |= {s.values.name for s in graph.sparse_initializer}
    later = {name for node in graph.node for name in node.output if name}
    written: set[str] = set()
    for node in graph.node:
        label = f"node {node.name or (node.output[0] if node.output else '')!r} ({node.op_type})"
        for name in node.input:
            if name and name not in known:
                if name in later:
                    raise _wrong(path, f"{label} reads {name!r} before it is written: the graph is cyclic or unsorted")
                raise _wrong(path, f"{label} reads {name!r}, which nothing writes", suggest(name, known | later))
        for name in node.output:
            if name and (name in written or name in known):
                raise _wrong(path, f"{label} writes {name!r}, which something else writes too")
            written.add(name)
            known.add(name)
    for value in graph.output:
        if value.name not in known:
            raise _wrong(path, f"the output {value.name!r} is written by no node", suggest(value.name, known))


def _set_dimensions(model: ModelProto, path: Path, parameters: Parameters) -> None:
    """Give every symbolic dimension its size; SpecError that lists those without one."""
    missing: dict[str, str] = {}
    for value in model.graph.input:
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if dimension.HasField("dim_value") and dimension.dim_value > 0:
                _check_size(path, value.name, dimension.dim_value)
                continue
            name = _parameter_name(dimension.dim_param) or _parameter_name(f"{value.name}_{axis}")
            size = parameters.dimension(name)
            if size is not None:
                dimension.dim_value = size
            else:
                missing[name] = f"{name} (axis {axis} of input {value.name!r})"
    if missing:
        settings = " ".join(f"--set {name}=1" for name in missing)
        raise _wrong(path, f"these dimensions have no size: {', '.join(missing.values())}; give them ({settings})")
    for value in (*model.graph.value_info, *model.graph.output):
        _resolve(value, parameters)
    known = [value for value in model.graph.value_info if _is_known(value)]
    del model.graph.value_info[:]  # inference would keep what the file leaves open
    model.graph.value_info.extend(known)


def _is_known(value: ValueInfoProto) -> bool:
    """Is every axis of its shape a number?"""
    kind = value.type.tensor_type
    return kind.HasField("shape") and all(d.HasField("dim_value") and d.dim_value >= 0 for d in kind.shape.dim)


def _parameter_name(dimension: str) -> str:
    """A dimension's name as the name of a parameter: letters, digits and underscores."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in dimension)


def _check_size(path: Path, name: str, size: int) -> None:
    if size > MAX_DIMENSION:
        raise _wrong(path, f"an axis of {name!r} is {size} long, more than {MAX_DIMENSION}")


def _resolve(value: ValueInfoProto, parameters: Parameters) -> None:
    """Known symbolic dimensions of an inner value by their size; a shape that stays open is left to inference."""
    for dimension in value.type.tensor_type.shape.dim:
        if dimension.dim_param:
            size = parameters.dimension(_parameter_name(dimension.dim_param))
            dimension.ClearField("dim_param")
            if size is not None:
                dimension.dim_value = size
    if not _is_known(value):
        value.type.tensor_type.ClearField("shape")


def _inferred(model: ModelProto, path: Path) -> Graph:
    constants, nodes = Constants.of(model), tuple(_node(n) for n in model.graph.node)
    opset = next(e.version for e in model.opset_import if e.domain in ("", "ai.onnx"))
    for _ in range(ROUNDS):
        inferred = _infer(model, path)
        shapes = _shapes(inferred, path)
        before = len(constants.values)
        known_values(nodes, shapes, constants, opset)
        if len(constants.values) == before or all(o in shapes for n in nodes for o in n.outputs if o):
            break
        _make_known(model, constants)
    bits = {v.name: _bits(v.type.tensor_type.elem_type) for v in _all_values(inferred)}
    bits |= {t.name: _bits(t.data_type) for t in model.graph.initializer}
    inputs = tuple(i.name for i in model.graph.input if i.name not in constants.names)
    outputs = tuple(o.name for o in model.graph.output)
    return Graph(
        str(path), model.graph.name, opset, nodes, inputs, outputs, shapes, bits, frozenset(constants.names),
        constants.values,
    )  # fmt: skip


def _infer(model: ModelProto, path: Path) -> ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(model, check_type=False, strict_mode=False, data_prop=True)
    except Exception as error:  # what a C++ library raises on a malformed model has no common type
        raise _wrong(path, f"shapes cannot be inferred ({_short(error)})") from None


def _make_known(model: ModelProto, constants: Constants) -> None:
    """Computed constants become initialisers, so that the next inference sees their values."""
    there = {i.name for i in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type == "Constant" or not all(o in constants.values for o in node.output if o):
            kept.append(node)
            continue
        for name in node.output:
            if name and name not in there:
                model.graph.initializer.append(onnx.numpy_helper.from_array(constants.values[name], name))
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _all_values(model: ModelProto) -> Iterable[ValueInfoProto]:
    yield from model.graph.input
    yield from model.graph.value_info
    yield from model.graph.output


def _shapes(model: ModelProto, path: Path) -> dict[str, Shape]:
    found: dict[str, Shape] = {t.name: tuple(t.dims) for t in model.graph.initializer}
    for value in _all_values(model):
        if value.name not in found and _is_known(value):
            shape = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
            if any(d > MAX_DIMENSION for d in shape) or math.prod(shape) > MAX_VALUES:
                raise _wrong(path, f"{value.name!r} has the impossible shape {list(shape)[:8]}")
            found[value.name] = shape
    return found


def _node(node: NodeProto) -> Node:
    attributes: dict[str, Any] = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        attributes[attribute.name] = list(value) if isinstance(value, (tuple, list)) else value
    domain = "" if node.domain in ("", "ai.onnx") else node.domain
    return Node(node.op_type, node.name, tuple(node.input), tuple(node.output), attributes, domain)


def _bits(kind: int) -> int:
    """Bits of one value of an ONNX element type; 32 where the file does not say."""
    sizes = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16}
    sizes |= {14: 64, 15: 128, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4}
    return sizes.get(kind, 32)


def _short(error: Exception) -> str:
    """The first sentence of an error of a library, on one line."""
    text = " ".join(str(error).split())
    return text[:200] + ("…" if len(text) > 200 else "")
