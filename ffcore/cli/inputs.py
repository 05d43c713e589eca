"""From the command line's arguments to a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ffcore.cli.arguments import EXECUTOR_OPTIONS
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
    warn: bool = True,
) -> Spec:
    """Load the files and apply the overrides, the named options (``mapper``) before ``--spec``.

    ``arch`` and ``others`` are file names or bare names; ``arch_params`` go to the architecture ``arch``.
    With ``warn``, parameters that no file asks for are named on stderr. Raises ``SpecError`` and ``PluginError``.
    """
    from ffcore import spec as stage

    parameters = parse_assignments("--arch-param", arch_params or ())
    spec = stage.Spec.from_yaml(
        stage.arch(arch, **parameters) if parameters else arch,
        *(others or ()),
        jinja_parse_data=parse_assignments("--set", variables or ()),
        allowed_dirs=tuple(allowed_dirs or ()),
    )
    set_mapper(spec, mapper or {})
    for path, text in split_assignments("--spec", fields or ()).items():
        spec.set(path, text)
    if warn:
        for sentence in unused_parameters(spec):
            typer.echo(f"warning: {sentence}", err=True)
    return spec


def set_mapper(spec: Spec, mapper: Mapping[str, str | None]) -> None:
    """Set fields of ``spec.mapper``; an executor, or an option of it, replaces all options that were there."""
    if any(name == "executor" or name.startswith(EXECUTOR_OPTIONS) for name in mapper):
        spec.mapper.executor_options = {}
    for name, text in mapper.items():
        if text is not None:
            spec.set(f"mapper.{name}", text)


def unused_parameters(spec: Spec) -> list[str]:
    """One sentence for each ``--set`` that no file asks for."""
    return [
        f"--set {name}: no file uses it" + (f"; did you mean {guess!r}?" if guess else "")
        for name, guess in spec.unused_parameters.items()
    ]
