"""``ff sweep``: one job under all combinations of some values."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ffcore.plugin import MAPPER_FIELDS, Request, spec_command
from ffcore.plugin import options as opt


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
VaryArch = Annotated[
    str | None,
    typer.Option(metavar="ARCH,ARCH,...", help="Architectures, each for all else that varies; ARCH is left out then."),
]
VaryWorkload = Annotated[
    str | None, typer.Option(metavar="WORKLOAD,WORKLOAD,...", help="Workloads likewise, in the place of WORKLOAD.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="Keep only points of which it holds, e.g. 'SRAM.size <= 8 * clusters * MiB' (repeatable).",
    ),
]
Sample = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Map only N of the points, spread as a Latin hypercube.")
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="What the sample is drawn by.")]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATH=VALUE,VALUE,...",
        help="A field and its values, e.g. arch.nodes.GlobalBuffer.size=16MiB,32MiB, or 1MiB..64MiB*2; set.NAME: a "
        "Jinja parameter; 'PATH=...;PATH=...': they go together (repeatable; the first one varies slowest).",
    ),
]
Front = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN,COLUMN,...",
        help="Mark what no other mapping beats in all of these columns, e.g. energy,latency,area.",
    ),
]


class Reports(enum.StrEnum):
    """Points that reports are written of."""

    front = "front"
    all = "all"


WithReports = Annotated[
    Reports | None,
    typer.Option("--reports", help="Write a report of each point, or of those on the front; sweep.html leads to them."),
]
OutDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where tables, plot and mappings go.  [default: out/sweep]")
]
Resume = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Go on with the sweep in this folder: only what is missing is done.")
]


@spec_command(*MAPPER_FIELDS, arch=Arch)
def sweep(
    request: Request,
    vary: Vary = None,
    vary_arch: VaryArch = None,
    vary_workload: VaryWorkload = None,
    where: Where = None,
    sample: Sample = None,
    seed: Seed = 0,
    front: Front = None,
    jobs: opt.Jobs = None,
    out: OutDir = None,
    resume: Resume = None,
    reports: WithReports = None,
    format: Annotated[Format, typer.Option("--format", help="How to print the points on stdout.")] = Format.text,
    profile: opt.Profile = False,
) -> None:
    """Map a workload under all combinations of some values; each point is what `ff map` would find.

    Exit code: 0 a mapping for some point; 1 for none; 2 bad input; 130 interrupted, with how to go on.
    """
    from ffcore.plugin import phase, profile_table, recording, writing
    from ffcore_sweep import folder as sweep_folder
    from ffcore_sweep import into_folder as sweep_run
    from ffcore_sweep.chosen import Choice

    how: dict[str, Any] = {"jobs": jobs, "format": format.value, "reports": reports}
    with recording() as clock:
        if resume is not None:
            others = (vary, vary_arch, vary_workload, where, sample, seed, front, out)
            sweep_run.check_alone((*request.arguments.without_workers().given(), *others))
            sweep_folder.check_there(resume)
            with writing(resume):
                folder = sweep_folder.opened(resume)
                job = sweep_run.planned(folder, request.arguments.workers)
                sweep_run.run(folder, job, request.interrupts, anew=False, **how)
        else:
            given = request.arguments
            axes = sweep_run.axes([f for f in (given.arch, *given.workload) if f], vary, vary_arch, vary_workload)
            choice = Choice(where or (), sample, seed)
            with phase("spec"):
                load, columns = sweep_run.loader(given, axes), front.split(",") if front else ()
                folder = sweep_folder.new(out or Path("out/sweep"), axes, load, choice, columns)
            job = sweep_run.planned(folder)
            with writing(folder.path):
                sweep_run.run(folder, job, request.interrupts, anew=True, **how)
    if profile:
        typer.echo(profile_table(clock.seconds), err=True)
