"""What Einsums may not be called, and how they must go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffcore.errors import ErrorCollector, suggest
from ffcore.spec.problem import RankExpression, Tensor
from ffcore.spec.resolve.bounds import EinsumShape
from ffcore.spec.workload import TensorAccess

if TYPE_CHECKING:
    from ffcore.spec.spec import Spec

SET_NAMES = (
    "All",
    "Tensors",
    "Nothing",
    "Inputs",
    "Outputs",
    "Intermediates",
    "Shared",
    "Persistent",
    "Above",
    "Other",
)
"""What set expressions call sets of tensors."""


COLUMN_NAMES = ("Total", "usage")
"""What stands in the place of an Einsum's name in columns of results."""


def check_names(shapes: list[EinsumShape], errors: ErrorCollector) -> None:
    """No Einsum is called like a column of the results, no tensor and no rank variable like a set."""
    said: set[str] = set()
    several = {t.access_of for shape in shapes for t in shape.tensors if t.access_of is not None}
    for shape in shapes:
        if shape.einsum.name in COLUMN_NAMES:
            message = f"an Einsum may not be called {shape.einsum.name!r}, as columns of the results are: rename it"
            errors.add(message, shape.einsum.position_of("name") or shape.einsum.position_of(""))
        for access in shape.einsum.tensor_accesses:
            base, _, number = access.name.rpartition("@")
            if base in several and number.isdigit() and access.name not in said:
                said.add(access.name)
                errors.add(
                    f"tensor {access.name} of Einsum {shape.einsum.name} is called like an access of {base}, which an "
                    "Einsum reads with several indices: give it another name",
                    access.position_of("") or shape.einsum.position_of(""),
                )
            for name in (access.name, *(v for t in shape.by_name[access.name] for v in t.variables)):
                if name in SET_NAMES and name not in said:
                    said.add(name)
                    what = "tensor" if name == access.name else "rank variable"
                    errors.add(
                        f"{what} {name} of Einsum {shape.einsum.name} is called like the set {name} of tensors, which "
                        "expressions could not tell from it: give it another name",
                        access.position_of("") or shape.einsum.position_of(""),
                    )


def check_dataflow(shapes: list[EinsumShape], errors: ErrorCollector) -> None:
    """Each tensor is written at most once, before it is read, and has the same ranks everywhere."""
    writer: dict[str, EinsumShape] = {}
    first: dict[str, tuple[EinsumShape, tuple[RankExpression, ...]]] = {}
    all_writers = {t.name for s in shapes for t in s.tensors if t.output}
    for shape in shapes:
        for access, tensor in zip(shape.accesses, shape.tensors, strict=True):
            here = access.position_of("") or shape.einsum.position_of("")
            name = access.name
            if tensor.output and name in writer:
                other = writer[name].einsum.name
                errors.add(f"tensor {name} is written by two Einsums, {other} and {shape.einsum.name}", here)
            if not tensor.output and name in all_writers and name not in writer:
                errors.add(f"Einsum {shape.einsum.name} reads tensor {name} before it is written", here)
            _check_ranks(shape, access, tensor, first, errors)
        writer |= {t.name: shape for t in shape.tensors if t.output and t.name not in writer}


def _check_ranks(
    shape: EinsumShape,
    access: TensorAccess,
    tensor: Tensor,
    first: dict[str, tuple[EinsumShape, tuple[RankExpression, ...]]],
    errors: ErrorCollector,
) -> None:
    other, ranks = first.setdefault(access.name, (shape, tensor.ranks))
    mine, theirs = {r.rank for r in tensor.ranks}, {r.rank for r in ranks}
    if mine != theirs:
        message = (
            f"tensor {access.name} has ranks {_listed(mine)} here but {_listed(theirs)} in Einsum {other.einsum.name}"
        )
        errors.add(message, access.place_of("projection"))


def _listed(names: set[str]) -> str:
    return "[" + ", ".join(sorted(names)) + "]"


def check_renames(spec: Spec, shapes: list[EinsumShape], errors: ErrorCollector) -> None:
    """Renames are for Einsums that there are."""
    names = {s.einsum.name for s in shapes}
    for entry in spec.renames.einsums:
        if entry.name not in names | {"default"}:
            candidates = [*names, "default"]
            message = f"renames for {entry.name!r}, which is no Einsum"
            errors.add(message, entry.place_of("name"), suggest(entry.name, candidates))
