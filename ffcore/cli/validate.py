"""``ff validate``: is the spec right, and what does it hold?"""

from __future__ import annotations

import typer

from ffcore.cli import options as opt
from ffcore.cli.command import Request, spec_command
from ffcore.cli.guard import BAD_INPUT


@spec_command()
def validate(request: Request, format: opt.OutputFormat = opt.Format.text) -> None:
    """Check spec files, and a mapping if they hold one, without mapping anything.

    Every problem is listed with file, line and field; with `--format json` on stdout. Exit code: 0 valid; 2 not.
    """
    from ffcore.cli import validity

    def load() -> validity.Checked:
        return validity.check(request.arguments.load(warn=False))

    if format is opt.Format.text:
        checked = load()
        typer.echo(validity.as_text(checked))
        for warning in checked.warnings:
            typer.echo(f"warning: {warning}", err=True)
        return
    data = validity.as_data(load)
    import json

    typer.echo(json.dumps(data, indent=2))
    if not data["valid"]:
        raise typer.Exit(BAD_INPUT)
