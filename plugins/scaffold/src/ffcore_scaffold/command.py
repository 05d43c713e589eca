"""``ff new-plugin``: a distribution that installs, and passes its own test, to be changed into one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.plugin import complete, guard
from ffcore.plugin import options as opt

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the distribution, such as ffcore-edge.", show_default=False)
]
Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="What it brings: arch, cost_model, model, explorer, joiner, renderer, executor, spec_loader or command.",
        show_default=False,
        autocompletion=complete.kinds,
    ),
]
OutDir = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The new folder.  [default: ./NAME]")]


def new_plugin(
    name: Name,
    kind: Kind,
    out: OutDir = None,
    debug: opt.Debug = False,
) -> None:
    """Start a plugin: a package with a small working part, its hook, a test and a README.

    Exit code: 0 written; 2 bad name or kind, or the folder exists.
    """
    with guard(debug=debug):
        from ffcore_scaffold import scaffold

        plan = scaffold.plan(name, kind)
        folder = out if out is not None else Path(name)
        for path in scaffold.write(plan, folder):
            typer.echo(path)
        typer.echo("\n" + scaffold.next_steps(plan, folder))
