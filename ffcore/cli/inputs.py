"""From the command line's arguments to a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ffcore.cli.values import parse_assignments, set_in_spec

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

    ``arch`` and ``others`` are file names or bare names; ``arch_params`` need ``arch`` to be registered.
    Raises ``SpecError`` and ``PluginError``.
    """
    from ffcore.spec import Spec

    source = _with_parameters(arch, parse_assignments("--arch-param", arch_params or ()))
    spec = Spec.from_yaml(
        source,
        *(others or ()),
        jinja_parse_data=parse_assignments("--set", variables or ()),
        allowed_dirs=tuple(allowed_dirs or ()),
    )
    for name, text in (mapper or {}).items():
        if text is not None:
            set_in_spec(spec, f"mapper.{name}", text)
    for path, value in parse_assignments("--spec", fields or ()).items():
        set_in_spec(spec, path, value)
    return spec


def describe(spec: Spec) -> str:
    """One line that says what a valid spec holds; resolving it checks all of it."""
    problem = spec.problem()
    n_computes = len({path.names[-1] for einsum in problem.einsums for path in einsum.paths})
    tensors = {tensor.name for einsum in problem.einsums for tensor in einsum.tensors}
    return (
        f"valid: {_count(len(problem.einsums), 'Einsum')}, {_count(len(tensors), 'tensor')}, "
        f"{_count(n_computes, 'compute unit')}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
