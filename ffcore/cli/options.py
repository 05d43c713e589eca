"""The options that several commands share, each declared once."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from ffcore.cli import complete

Arch = Annotated[
    str,
    typer.Argument(
        metavar="ARCH",
        help="Architecture: a spec file, or the bare name of a registered or packaged one.",
        show_default=False,
        autocompletion=complete.arches,
    ),
]
ArchToMap = Annotated[
    str | None,
    typer.Argument(
        metavar="ARCH",
        help="Architecture: a spec file, or the bare name of a registered or packaged one.",
        show_default=False,
        autocompletion=complete.arches,
    ),
]
Workload = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORKLOAD",
        help="Workload, and any further spec files, likewise.",
        show_default=False,
        autocompletion=complete.workloads,
    ),
]
SetVariable = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A Jinja parameter of the files (repeatable).")
]
SetField = Annotated[
    list[str] | None,
    typer.Option(
        "--spec",
        metavar="PATH=VALUE",
        help="A field, e.g. arch.nodes.GlobalBuffer.size=64MiB (repeatable).",
        autocompletion=complete.fields,
    ),
]
ArchParam = Annotated[
    list[str] | None,
    typer.Option(
        "--arch-param",
        metavar="NAME=VALUE",
        help="A parameter of a registered ARCH (repeatable).",
        autocompletion=complete.arch_parameters,
    ),
]
AllowDir = Annotated[
    list[Path] | None,
    typer.Option("--allow-dir", help="A folder that spec files may include from, besides their own (repeatable)."),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        help="What to optimise: energy, latency, energy_delay_product, resource_usage (not in ff explain, "
        "nor by baselines); comma-separated.",
        autocompletion=complete.metrics,
    ),
]
Imperfect = Annotated[
    str | None,
    typer.Option(
        metavar="VAR,VAR",
        help="Rank variables that may have tiles that don't divide: all, none, auto or a list of them.",
    ),
]
MaxFusedLoops = Annotated[str | None, typer.Option(metavar="N", help="At most N fused loops; inf for any number.")]
TimeLimit = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Return the best mapping found in this time, such as 60s or 10min."),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Of all processes together, such as 4GB.  [default: 80 % of what is available]"),
]
Jobs = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Parallel jobs.  [default: $FFCORE_JOBS, or number of cores]")
]
ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor", help="What runs parallel jobs; see `ff plugins`.", autocompletion=complete.parts("executor")
    ),
]
ExecutorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--executor-option",
        metavar="NAME=VALUE",
        help="An option of the executor (repeatable).",
    ),
]
Joiner = Annotated[
    str | None, typer.Option(help="Joins pmappings; see `ff plugins`.", autocompletion=complete.parts("joiner"))
]
Explorer = Annotated[
    str | None, typer.Option(help="Makes pmappings; see `ff plugins`.", autocompletion=complete.parts("explorer"))
]
Model = Annotated[
    str | None, typer.Option(help="Evaluates mappings; see `ff plugins`.", autocompletion=complete.parts("model"))
]
CostModel = Annotated[
    str | None,
    typer.Option(
        help="Estimates components that state no cost; see `ff plugins`.", autocompletion=complete.parts("cost_model")
    ),
]
Cache = Annotated[Path | None, typer.Option(metavar="DIR", help="Keep pmappings here and use them again.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Also write results, mappings and pictures here.")]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Go on with a run that --out DIR began; ARCH and WORKLOAD are in the folder."),
]
NoBaseline = Annotated[
    bool, typer.Option("--no-baseline", help="With --out: don't look for the best mapping without fusion.")
]
Profile = Annotated[bool, typer.Option("--profile", help="Print on stderr where the time went, phase by phase.")]
NoPlugins = Annotated[bool, typer.Option("--no-plugins", help="Use core's own parts only.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]


class Format(enum.StrEnum):
    """How results are printed on stdout."""

    text = "text"
    json = "json"


OutputFormat = Annotated[Format, typer.Option("--format", help="How to print the result on stdout.")]
