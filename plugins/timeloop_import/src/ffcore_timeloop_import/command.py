"""``ff convert --from timeloop``: files of Timeloop as native ones, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.plugin import guard, options


def convert(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Timeloop's YAML: architecture, problem, mapping, constraints, ERT, ART, in any order.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the native files go.")],
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    debug: options.Debug = False,
) -> None:
    """Write Timeloop's files as native ones: DIR/arch.yaml, workload.yaml, mapping.yaml, and what they cannot say.

    Exit code: 0 written; 2 bad input.
    """
    with guard(debug=debug):
        from ffcore_timeloop_import.convert import convert as write

        result = write(files, out, force=force)
        written = [f"wrote {path}" for path in result.written]
        typer.echo("\n".join([*written, *(f"not said: {note}" for note in result.converted.notes)]))
