"""From the command line's arguments to a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ffcore.cli.values import parse_assignments, split_assignments

if TYPE_CHECKING:
    from ffcore.spec import Spec


def load_spec(
    arch: str,
    others: Sequence[str] | None,
    *,
    variables: Sequence[str] | None = None,
    fields: Sequence[str] | None = None,
    arch_params: Sequence[str] | None = None,
    allowed_dirs: Sequence[Path] | None = None,
    mapper: Mapping[str, str | None] | None = None,
) -> Spec:
    """Load the files and apply the overrides, the named options (``mapper``) before ``--spec``.

    ``arch`` and ``others`` are file names or bare names; ``arch_params`` go to the architecture ``arch``.
    Raises ``SpecError`` and ``PluginError``.
    """
    from ffcore import spec as stage

    parameters = parse_assignments("--arch-param", arch_params or ())
    spec = stage.Spec.from_yaml(
        stage.arch(arch, **parameters) if parameters else arch,
        *(others or ()),
        jinja_parse_data=parse_assignments("--set", variables or ()),
        allowed_dirs=tuple(allowed_dirs or ()),
    )
    for name, text in (mapper or {}).items():
        if text is not None:
            spec.set(f"mapper.{name}", text)
    for path, text in split_assignments("--spec", fields or ()).items():
        spec.set(path, text)
    return spec


def describe(spec: Spec) -> str:
    """One line that says what a valid spec holds. Raises ``SpecError`` with everything that is wrong."""
    spec.validate()
    einsums = spec.workload.einsums
    tensors = {access.name for einsum in einsums for access in einsum.tensor_accesses}
    return f"valid: {_count(len(einsums), 'Einsum')}, {_count(len(tensors), 'tensor')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
