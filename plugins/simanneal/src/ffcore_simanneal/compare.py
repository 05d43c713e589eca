"""``ff compare``: the exact mapper and searches that are not exact, at equal wall time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ffcore.plugin import Request, spec_command
from ffcore.plugin import options as opt

if TYPE_CHECKING:
    from ffcore.plugin import Spec
    from ffcore_simanneal.compare_run import Plan, Run

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


@spec_command("metrics", "max_fused_loops", "executor")
def compare(
    request: Request,
    joiners: Joiners = "ffm,simanneal,genetic,random",
    budget: BudgetTime = None,
    multiples: Multiples = None,
    seed: Seed = 0,
    jobs: opt.Jobs = None,
    out: OutDir = Path("out/compare"),
    format: opt.OutputFormat = opt.Format.text,
) -> None:
    """Compare joiners under equal wall time: best score, gap to the optimum, evaluations, seconds.

    The score is energy or latency where one of them is asked for, else their product. Exit code: 0 compared; 1 no
    joiner found a valid mapping; 2 bad input; 130 interrupted, with what was finished.
    """
    from ffcore.plugin import writing
    from ffcore_simanneal import compare_run

    plan = compare_run.plan(joiners, budget, multiples, seed=seed, jobs=jobs)
    spec = request.arguments.load()
    with writing(out):
        _compared(spec, plan, format, out)


def _compared(spec: Spec, plan: Plan, format: opt.Format, out: Path) -> None:
    """Run the comparison, print and write it, or what is known of it when it is interrupted."""
    from ffcore.plugin import NoValidMappingError
    from ffcore_simanneal import compare_run, compare_show

    compare_show.check_writable(out)
    done: list[Run] = []
    try:
        comparison = compare_run.run(spec, plan, done)
    except KeyboardInterrupt:
        if done:
            compare_show.show(compare_run.comparison_of(spec, plan, done), format.value, out)
        raise
    compare_show.show(comparison, format.value, out)
    if comparison.failure is not None:
        raise NoValidMappingError(comparison.failure)
