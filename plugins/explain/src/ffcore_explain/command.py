"""``ff explain``: why nothing is valid, or which constraint or capacity costs how much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.plugin import Request, spec_command
from ffcore.plugin import options as opt

TimeLimit = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="For all searches together, such as 60s or 10min; what is finished then is shown. Default: the spec's; "
        "else none for the first search, and 5min for all others.",
        show_default=False,
    ),
]
OutFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the explanation here, as JSON.")]


@spec_command("metrics", "max_fused_loops", "imperfect", "explorer", "joiner", "model", "cost_model", "executor")
def explain(
    request: Request,
    time_limit: TimeLimit = None,
    jobs: opt.Jobs = None,
    out: OutFile = None,
    format: opt.OutputFormat = opt.Format.text,
) -> None:
    """Say why no mapping is valid or, where one is, what each constraint and each capacity costs.

    Each is lifted alone and the optimum searched again, exactly. Where nothing is valid: the constraint at fault, or
    the memory and the smallest size that would do, and settings that give a mapping.

    Exit code: 0 explained, whether or not a mapping is valid (`feasible` in the JSON); 2 bad input; 130 interrupted,
    with what was found; 1 where the time limit ends the first search before it finds any mapping.
    """
    from ffcore.plugin import DEFAULT_JOBS, check_file, parse_time, progress_display
    from ffcore_explain import show as explain_show
    from ffcore_explain.inquiry import Inquiry

    seconds = None if time_limit is None else parse_time("--time-limit", time_limit)
    spec = request.arguments.load()
    if out is not None:
        check_file(out)
    inquiry = Inquiry(spec, seconds, jobs or DEFAULT_JOBS.n)
    try:
        with progress_display() as inquiry.progress:
            inquiry.run()
    finally:  # Ctrl-C too: what is known so far
        if inquiry.explanation.feasible is not None:
            explain_show.show(inquiry.explanation, format.value, out)
