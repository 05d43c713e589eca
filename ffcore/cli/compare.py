"""``ff compare``: the exact mapper and searches that are not exact, at equal wall time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.cli import options as opt
from ffcore.cli.guard import guard

Joiners = Annotated[str, typer.Option(metavar="NAME,NAME", help="What is compared, in this order; see `ff plugins`.")]
BudgetTime = Annotated[
    str | None, typer.Option(metavar="TIME", help="Wall time of each search, such as 60s or 2min.  [default: 60s]")
]
Multiples = Annotated[
    str | None,
    typer.Option(metavar="N,N", help="Instead: budgets in multiples of the wall time that the exact joiner takes."),
]
Seed = Annotated[int, typer.Option(help="Seed of the searches.")]
OutDir = Annotated[Path, typer.Option(metavar="DIR", help="Where compare.json, history.csv and convergence.svg go.")]


def compare(
    arch: opt.Arch,
    workload: opt.Workload = None,
    joiners: Joiners = "ffm,simanneal,genetic,random",
    budget: BudgetTime = None,
    multiples: Multiples = None,
    seed: Seed = 0,
    set_variable: opt.SetVariable = None,
    set_field: opt.SetField = None,
    arch_param: opt.ArchParam = None,
    allow_dir: opt.AllowDir = None,
    metrics: opt.Metrics = None,
    max_fused_loops: opt.MaxFusedLoops = None,
    jobs: opt.Jobs = None,
    out: OutDir = Path("out/compare"),
    format: opt.OutputFormat = opt.Format.text,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """Compare joiners under equal wall time: best score, gap to the optimum, evaluations, seconds.

    The score is energy or latency where one of them is asked for, else their product. Exit code: 0 compared; 1 no
    joiner found a valid mapping; 2 bad input; 130 interrupted, with what was finished.
    """
    with guard(debug=debug, no_plugins=no_plugins):
        from ffcore.cli import compare_run, compare_show, inputs
        from ffcore.errors import NoValidMappingError

        plan = compare_run.plan(joiners, budget, multiples, seed=seed, jobs=jobs)
        spec = inputs.load_spec(
            arch,
            workload,
            variables=set_variable,
            fields=set_field,
            arch_params=arch_param,
            allowed_dirs=allow_dir,
            mapper={"ffm.metrics": metrics, "ffm.max_fused_loops": max_fused_loops},
        )
        compare_show.check_writable(out)
        done: list[compare_run.Run] = []
        try:
            comparison = compare_run.run(spec, plan, done)
        except KeyboardInterrupt:
            if done:
                compare_show.show(compare_run.comparison_of(spec, plan, done), format.value, out)
            raise
        compare_show.show(comparison, format.value, out)
        if comparison.failure is not None:
            raise NoValidMappingError(comparison.failure)
