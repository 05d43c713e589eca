"""The workload as people read it: Einsums as formulas, tensors with shapes and sizes, who feeds whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ffcore.errors import ErrorCollector, SpecError
from ffcore.spec.problem import RankExpression, Tensor
from ffcore.spec.resolve.bounds import EinsumShape
from ffcore.spec.resolve.einsums import ResolvedWorkload, resolve_workload, table_place, tensors_of, variable_scope
from ffcore.spec.resolve.scope import Trace
from ffcore.spec.spec import Spec
from ffcore.spec.workload import Workload
from ffcore.units import Dimension, format_quantity


@attrs.frozen
class AccessView:
    """One tensor in an Einsum's formula; ``indices`` as text, one for each rank."""

    tensor: str
    indices: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.tensor}[{','.join(self.indices)}]"


@attrs.frozen
class EinsumView:
    """One Einsum: what it reads and writes, over which rank variables."""

    name: str
    reads: tuple[AccessView, ...]
    writes: tuple[AccessView, ...]
    variables: tuple[str, ...]
    is_copy: bool = False
    operations: int | None = None  # size of the iteration space; None where a bound is not known

    @property
    def formula(self) -> str:
        """``Y[m,n] = A[m,k] * B[k,n]``, or ``Y[m] = copy of A[m]``."""
        inputs = " * ".join(str(a) for a in self.reads)
        return f"{', '.join(str(a) for a in self.writes)} = {'copy of ' if self.is_copy else ''}{inputs}"


@attrs.frozen
class TensorView:
    """One tensor: ``shape`` maps ranks to extents (None: not known), ``bits`` is its whole size."""

    name: str
    shape: Mapping[str, int | None]
    bits: float | None
    producer: str  # the Einsum that writes it; empty for inputs of the workload
    consumers: tuple[str, ...]
    persistent: bool = False

    @property
    def extents(self) -> str:
        """``B 4 × M 4096``."""
        return " × ".join(f"{rank} {'?' if size is None else size}" for rank, size in self.shape.items()) or "one value"

    @property
    def size(self) -> str:
        """The size in human units, or nothing."""
        return "" if self.bits is None else format_quantity(self.bits, Dimension.SIZE)


@attrs.frozen
class WorkloadView:
    """A workload, ready to print: Einsums in order, tensors in order of first use."""

    einsums: tuple[EinsumView, ...]
    tensors: tuple[TensorView, ...]
    bounds: Mapping[str, int]  # rank variable -> bound


def view_workload(source: Spec | Workload) -> WorkloadView:
    """The workload of a spec. What cannot be evaluated is left open; nothing here raises for it."""
    spec = Spec(workload=source) if isinstance(source, Workload) else source
    resolved = _resolve(spec)
    shapes = [e.shape for e in resolved.einsums]
    known = _evaluated_tensors(resolved)
    return WorkloadView(
        tuple(_einsum(shape, resolved.bounds) for shape in shapes),
        tuple(_tensors(shapes, known, resolved.bounds)),
        {v: resolved.bounds[v] for shape in shapes for v in shape.variables if v in resolved.bounds},
    )


def workload_text(source: Spec | Workload) -> str:
    """Einsums, rank variables and tensors as aligned text."""
    view = view_workload(source)
    if not view.einsums:
        return "(no Einsum)"
    bounds = ", ".join(f"{v} {size}" for v, size in view.bounds.items()) or "none known"
    rows = [["Einsum", "formula", "operations"]]
    rows += [[e.name, e.formula, "?" if e.operations is None else f"{e.operations:,}"] for e in view.einsums]
    tensors = [["tensor", "shape", "size", "written by", "read by"]]
    for t in view.tensors:
        note = " (persistent)" if t.persistent else ""
        readers = ", ".join(t.consumers) or "(result)"
        tensors.append([t.name + note, t.extents, t.size, t.producer or "(input)", readers])
    return "\n".join([*_columns(rows), "", f"rank variables: {bounds}", "", *_columns(tensors)])


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _resolve(spec: Spec) -> ResolvedWorkload:
    trace = Trace()
    scope = variable_scope(spec.variables, trace, table_place(spec, "variables"))
    return resolve_workload(spec, scope, trace, ErrorCollector())


def _evaluated_tensors(resolved: ResolvedWorkload) -> Mapping[str, Tensor]:
    """Tensors whose bits per value are known, by name."""
    found: dict[str, Tensor] = {}
    for einsum in resolved.einsums:
        try:
            found |= {t.name: t for t in tensors_of(einsum) if t.name not in found}
        except SpecError:
            continue
    return found


def _einsum(shape: EinsumShape, bounds: Mapping[str, int]) -> EinsumView:
    views = [(t.output, AccessView(t.base, tuple(_index(r) for r in t.ranks))) for t in shape.tensors]
    operations: int | None = 1
    for variable in shape.variables:
        operations = operations * bounds[variable] if operations is not None and variable in bounds else None
    return EinsumView(
        shape.einsum.name,
        tuple(v for output, v in views if not output),
        tuple(v for output, v in views if output),
        shape.variables,
        shape.einsum.is_copy_operation is True,
        operations,
    )


def _index(rank: RankExpression) -> str:
    signed = [("-" if v in rank.falling else "+") + (v if c == 1 else f"{c}*{v}") for v, c in rank.terms]
    if rank.constant or not signed:
        signed.append(f"{rank.constant:+}")
    return "".join(signed).removeprefix("+")


def _tensors(shapes: Sequence[EinsumShape], known: Mapping[str, Tensor], bounds: Mapping[str, int]) -> list[TensorView]:
    first: dict[str, Tensor] = {}
    producer: dict[str, str] = {}
    consumers: dict[str, list[str]] = {}
    for shape in shapes:
        # Inputs first: the order in which problems list them, and so the colours of the mapping picture.
        for tensor in sorted(shape.tensors, key=lambda t: t.output):
            first.setdefault(tensor.base, tensor)
            if tensor.output:
                producer.setdefault(tensor.base, shape.einsum.name)
            elif tensor.access_of is None:
                consumers.setdefault(tensor.base, []).append(shape.einsum.name)
    result = []
    for name, tensor in first.items():
        extents = {r.rank: r.tile(bounds) if all(v in bounds for v, _ in r.terms) else None for r in tensor.ranks}
        values: float | None = known[name].bits_per_value if name in known else None
        for extent in extents.values():
            values = values * extent if values is not None and extent is not None else None
        persistent = name in known and known[name].persistent
        result.append(
            TensorView(name, extents, values, producer.get(name, ""), tuple(consumers.get(name, ())), persistent)
        )
    return result
