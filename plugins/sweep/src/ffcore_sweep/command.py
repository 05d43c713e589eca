"""``ff sweep``: one job under all combinations of some values."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ffcore.plugin import MAPPER_FIELDS, Request, spec_command
from ffcore.plugin import options as opt

if TYPE_CHECKING:
    from ffcore.plugin import Spec


class Format(enum.StrEnum):
    """How points are printed on stdout."""

    text = "text"
    json = "json"
    csv = "csv"


Arch = Annotated[
    str | None,
    typer.Argument(
        metavar="[ARCH]",
        help="Architecture: a spec file, or the bare name of a registered or packaged one.",
        show_default=False,
    ),
]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATH=VALUE,VALUE,...",
        help="A field and its values, e.g. arch.nodes.GlobalBuffer.size=16MiB,32MiB; set.NAME: a Jinja parameter "
        "(repeatable; the first one varies slowest).",
    ),
]
OutDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where tables, plot and mappings go.  [default: out/sweep]")
]
Resume = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Go on with the sweep in this folder: only what is missing is done.")
]


@spec_command(*(name for name in MAPPER_FIELDS if name != "imperfect"), arch=Arch)  # which sweeps do not share yet
def sweep(
    request: Request,
    vary: Vary = None,
    jobs: opt.Jobs = None,
    out: OutDir = None,
    resume: Resume = None,
    format: Annotated[Format, typer.Option("--format", help="How to print the points on stdout.")] = Format.text,
    profile: opt.Profile = False,
) -> None:
    """Map a workload under all combinations of some values; each point is what `ff map` would find.

    Exit code: 0 a mapping for some point; 1 for none; 2 bad input; 130 interrupted, with how to go on.
    """
    from ffcore.plugin import phase, profile_table, recording, writing
    from ffcore_sweep import folder as sweep_folder
    from ffcore_sweep import into_folder as sweep_run

    with recording() as clock:
        if resume is not None:
            sweep_run.check_alone((*request.arguments.given(), vary, out))
            sweep_folder.check_there(resume)
            with writing(resume):
                folder = sweep_folder.opened(resume)
                sweep_run.run(folder, request.interrupts, jobs=jobs, format=format.value, anew=False)
        else:
            axes = sweep_run.axes(request.arguments.arch, vary)

            def load(**parameters: object) -> Spec:
                return request.arguments.load(variables=sweep_run.assignments(parameters))

            with phase("spec"):
                folder = sweep_folder.new(out or Path("out/sweep"), axes, load)
            with writing(folder.path):
                sweep_run.run(folder, request.interrupts, jobs=jobs, format=format.value, anew=True)
    if profile:
        typer.echo(profile_table(clock.seconds), err=True)
