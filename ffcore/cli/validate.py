"""``ff validate``: is the spec right, and what does it hold?"""

from __future__ import annotations

from typing import Annotated

import typer

from ffcore.cli import options as opt
from ffcore.cli.command import Request, spec_command
from ffcore.cli.guard import BAD_INPUT

Costs = Annotated[
    bool,
    typer.Option("--costs", help="Also what each component costs, and who says so; missing numbers are errors."),
]


@spec_command("imperfect", "cost_model")
def validate(request: Request, costs: Costs = False, format: opt.OutputFormat = opt.Format.text) -> None:
    """Check spec files, and a mapping if they hold one, without mapping anything.

    Every problem is listed with file, line and field; with `--format json` on stdout. Exit code: 0 valid; 2 not.
    """
    import attrs

    from ffcore.cli import validity

    def load() -> validity.Checked:
        spec = request.arguments.load(warn=False)
        if costs and not spec.workload.einsums:  # an architecture alone can be priced
            return validity.Checked(spec, (), spec.costs())
        checked = validity.check(spec)
        return attrs.evolve(checked, costs=spec.costs()) if costs else checked

    if format is opt.Format.text:
        checked = load()
        typer.echo(validity.as_text(checked))
        from ffcore.errors import first

        for warning in first(checked.warnings, "warnings"):
            typer.echo(f"warning: {warning}", err=True)
        return
    data = validity.as_data(load)
    import json

    typer.echo(json.dumps(data, indent=2))
    if not data["valid"]:
        raise typer.Exit(BAD_INPUT)
