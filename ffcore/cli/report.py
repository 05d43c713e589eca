"""``ff report``: the folder of ``--out`` once more, or of mappings that somebody wrote by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.cli import options as opt
from ffcore.cli.guard import guard

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


def report(
    source: ArchOrFolder,
    files: Files = None,
    set_variable: opt.SetVariable = None,
    set_field: opt.SetField = None,
    arch_param: opt.ArchParam = None,
    allow_dir: opt.AllowDir = None,
    model: opt.Model = None,
    cost_model: opt.CostModel = None,
    baseline: Baseline = False,
    jobs: opt.Jobs = None,
    out: Out = None,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """Write report.html, tables and pictures of mappings that are there already.

    `ff report DIR` makes the files of a folder again; `ff report ARCH WORKLOAD MAPPING... --out DIR` evaluates the
    mappings given. Exit code: 0 written; 1 a mapping does not fit; 2 bad input.
    """
    with guard(debug=debug, no_plugins=no_plugins):
        from ffcore.cli import inputs, output, report_run

        options = report_run.Options(
            variables=set_variable or [], fields=set_field or [], allowed_dirs=allow_dir or [], jobs=jobs
        )
        folder = Path(source)
        if report_run.is_folder(folder, files):
            report_run.check_alone(folder, files, arch_param)
            target = out or folder
            mapper = {"model": model, "cost_model": cost_model}
            result = report_run.of_folder(folder, target, mapper, options, baseline)
        else:
            specs, mappings = report_run.split_files(files or [])
            with report_run.no_folder(folder, files):
                spec = inputs.load_spec(
                    source,
                    specs,
                    variables=set_variable,
                    fields=set_field,
                    arch_params=arch_param,
                    allowed_dirs=allow_dir,
                    mapper={"model": model, "cost_model": cost_model},
                )
            result = output.titled(report_run.of_files(spec, mappings, options, baseline), source, specs)
            target = out or Path("out/report")
        output.write(result, target)
        typer.echo(report_run.summary(result, target))
