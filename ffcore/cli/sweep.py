"""``ff sweep``: one job under all combinations of some values."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ffcore.cli import options as opt
from ffcore.cli.guard import guard

if TYPE_CHECKING:
    from ffcore.spec import Spec


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


def sweep(
    arch: Arch = None,
    workload: opt.Workload = None,
    vary: Vary = None,
    set_variable: opt.SetVariable = None,
    set_field: opt.SetField = None,
    arch_param: opt.ArchParam = None,
    allow_dir: opt.AllowDir = None,
    metrics: opt.Metrics = None,
    max_fused_loops: opt.MaxFusedLoops = None,
    explorer: opt.Explorer = None,
    joiner: opt.Joiner = None,
    model: opt.Model = None,
    cost_model: opt.CostModel = None,
    jobs: opt.Jobs = None,
    executor: opt.ExecutorName = None,
    out: OutDir = None,
    resume: Resume = None,
    format: Annotated[Format, typer.Option("--format", help="How to print the points on stdout.")] = Format.text,
    profile: opt.Profile = False,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """Map a workload under all combinations of some values; each point is what `ff map` would find.

    Exit code: 0 a mapping for some point; 1 for none; 2 bad input; 130 interrupted, with how to go on.
    """
    with guard(debug=debug, no_plugins=no_plugins) as state:
        from ffcore.cli import inputs, sweep_folder, sweep_run
        from ffcore.phases import phase, recording

        with recording() as clock:
            if resume is not None:
                files = (arch, workload, vary, set_variable, set_field, arch_param, allow_dir, out)
                parts = (metrics, max_fused_loops, explorer, joiner, model, cost_model, executor)
                sweep_run.check_alone((*files, *parts))
                folder = sweep_folder.opened(resume)
            else:
                axes = sweep_run.axes(arch, vary)

                def load(**parameters: object) -> Spec:
                    return inputs.load_spec(
                        str(arch),
                        workload,
                        variables=[*(set_variable or ()), *sweep_run.assignments(parameters)],
                        fields=set_field,
                        arch_params=arch_param,
                        allowed_dirs=allow_dir,
                        mapper={
                            "ffm.metrics": metrics,
                            "ffm.max_fused_loops": max_fused_loops,
                            "explorer": explorer,
                            "joiner": joiner,
                            "model": model,
                            "cost_model": cost_model,
                            "executor": executor,
                        },
                    )

                with phase("spec"):
                    folder = sweep_folder.new(out or Path("out/sweep"), axes, load)
            sweep_run.run(folder, state, jobs=jobs, format=format.value, anew=resume is None)
        if profile:
            typer.echo(sweep_run.profile(clock.seconds), err=True)
