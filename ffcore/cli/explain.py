"""``ff explain``: why nothing is valid, or which constraint or capacity costs how much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.cli import options as opt
from ffcore.cli.guard import guard

TimeLimit = Annotated[
    str,
    typer.Option(metavar="TIME", help="For all searches but the first, such as 60s or 10min."),
]
OutFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the explanation here, as JSON.")]


def explain(
    arch: opt.Arch,
    workload: opt.Workload = None,
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
    time_limit: TimeLimit = "5min",
    jobs: opt.Jobs = None,
    out: OutFile = None,
    format: opt.OutputFormat = opt.Format.text,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """Say why no mapping is valid or, where one is, what each constraint and each capacity costs.

    Each is lifted alone and the optimum searched again, exactly. Where nothing is valid: the constraint at fault, or
    the memory and the smallest size that would do, and settings that give a mapping.

    Exit code: 0 explained, whether or not a mapping is valid (`feasible` in the JSON); 2 bad input; 130 interrupted,
    with what was found.
    """
    with guard(debug=debug, no_plugins=no_plugins):
        from ffcore.cli import explain_show, inputs
        from ffcore.cli.compare_run import parse_time
        from ffcore.cli.progress import progress_display
        from ffcore.mapper.workers import DEFAULT_JOBS
        from ffcore.sensitivity import Inquiry

        seconds = parse_time("--time-limit", time_limit)
        spec = inputs.load_spec(
            arch,
            workload,
            variables=set_variable,
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
            },
        )
        if out is not None:
            explain_show.check_writable(out)
        inquiry = Inquiry(spec, seconds, jobs or DEFAULT_JOBS.n)
        try:
            with progress_display() as inquiry.progress:
                inquiry.run()
        finally:  # Ctrl-C too: what is known so far
            if inquiry.explanation.feasible is not None:
                explain_show.show(inquiry.explanation, format.value, out)
