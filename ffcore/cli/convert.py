"""``ff convert``: files of other tools as native files, by what an installed spec loader brings for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.cli.guard import guard
from ffcore.plugin import SpecLoaderRecord, current_manager

SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
"""Arguments go on to the converter, which knows its own options; ``--help`` too, where it is known which one."""


def convert(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="TOOL", help="Whose files they are (default: by the first file's suffix)."),
    ] = None,
) -> None:
    """Write files of another tool as native ones, to go on with.

    `ff convert FILE... [--from TOOL] -o OUT`, and the options of that tool's converter, which
    `ff convert --from TOOL --help` lists. Exit code: 0 written; 2 bad input.
    """
    name = source or ""
    if not name and {"-h", "--help"} & set(context.args):
        typer.echo(context.get_help())
        return
    with guard():
        if not name:
            name = _tool(context.args)
        command = current_manager().converter(name)
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    app.command(name)(command)
    code = typer.main.get_command(app).main(
        args=[*context.args], prog_name=f"ff convert --from {name}", standalone_mode=False
    )
    raise typer.Exit(code if isinstance(code, int) else 0)


def _tool(arguments: list[str]) -> str:
    """The tool that the first file with a known suffix belongs to. Raises SpecError where there is none."""
    from ffcore.errors import SpecError

    records = [r for r in current_manager().records("spec_loader") if isinstance(r, SpecLoaderRecord) and r.converter]
    for argument in arguments:
        suffix = Path(argument).suffix
        for record in records:
            if suffix and suffix in record.suffixes:
                return record.name
    missing = current_manager().missing("spec_loader")
    there = ", ".join(record.name for record in records) or "none"
    more = ", ".join(f"{name} (pip install {dist})" for name, dist in sorted(missing.items()))
    raise SpecError.one(
        f"say whose files they are with --from; there are {there}" + (f"; not installed: {more}" if more else "")
    )
