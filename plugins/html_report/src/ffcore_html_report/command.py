"""``ff report``: the folder of ``--out`` once more, or of mappings that somebody wrote by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.plugin import Request, spec_command
from ffcore.plugin import options as opt

ArchOrFolder = Annotated[
    str,
    typer.Argument(
        metavar="DIR | ARCH",
        help="A folder that --out wrote; or an architecture, as for `ff map`.",
        show_default=False,
    ),
]
Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORKLOAD MAPPING",
        help="For ARCH: workload, further spec files, and any number of mapping files.",
        show_default=False,
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Where the files go.  [default: DIR; out/report]")]
Baseline = Annotated[
    bool, typer.Option("--baseline", help="Find the best mapping without fusion to compare with: a whole search.")
]


@spec_command("model", "cost_model", arch=ArchOrFolder, workload=Files)
def report(request: Request, baseline: Baseline = False, jobs: opt.Jobs = None, out: Out = None) -> None:
    """Write report.html, tables and pictures of mappings that are there already.

    `ff report DIR` makes the files of a folder again; `ff report ARCH WORKLOAD MAPPING... --out DIR` evaluates the
    mappings given. Exit code: 0 written; 1 a mapping does not fit; 2 bad input.
    """
    import attrs

    from ffcore.plugin import output
    from ffcore_html_report import again as report_run

    arguments = request.arguments
    files = arguments.workload
    folder = Path(arguments.arch)
    if report_run.is_folder(folder, files):
        report_run.check_alone(folder, files, arguments.arch_param)
        target = out or folder
        result = report_run.of_folder(folder, target, arguments, baseline, jobs)
    else:
        specs, mappings = report_run.split_files(files)
        with report_run.no_folder(folder, files):
            spec = attrs.evolve(arguments, workload=specs).load()
        made = report_run.of_files(spec, mappings, arguments, baseline, jobs)
        result = output.titled(made, arguments.arch, specs)
        target = out or Path("out/report")
    output.write(result, target)
    typer.echo(report_run.summary(result, target))
